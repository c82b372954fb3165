//! The ledger of a table: what each of its slices was made of.

mod changes;
mod object;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use object::LedgerLayer;

use super::layers::Layers;
use super::packed::{Packer, Unpacker};
use super::{Backfill, BadRecordCount, FactsName, FileDigest, Provenance, SliceKey, SliceMap, SliceRows};
use crate::delta::Version;
use changes::LedgerChanges;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Delta's id of the table that it belongs to.
    pub table: String,
    /// The version of the table that it came with.
    pub version: Version,
    pub slices: SliceMap<SliceEntry>,
    /// Since which version it is known when which slice changed: what was made of an older one may miss any change.
    pub history_starts_at: Version,
    /// What the slices without an entry were made of: they have no rows. `None` if nobody has looked.
    pub default_provenance: Option<Arc<Provenance>>,
    /// The slices without an entry that other writers put files into; `None` if it takes a look at the files to say so.
    pub foreign: Option<BTreeSet<SliceKey>>,
    /// What is known of the source files, if the model reads a source.
    pub source_files: Option<FactsName>,
    /// How many bad records these files have; `None` if nobody has counted them.
    pub bad_records: Option<BadRecordCount>,
    /// How far the last backfill has come.
    pub backfill: Option<Backfill>,
    /// The objects that it was read from or written to.
    pub layers: LedgerLayers,
}

/// The objects that a ledger is kept in.
pub(crate) type LedgerLayers = Layers<LedgerName, LedgerChanges>;

/// What is recorded of one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SliceEntry {
    pub provenance: Arc<Provenance>,
    /// The digest of the files that hold it.
    pub files: FileDigest,
    pub rows: SliceRows,
    pub changes: RowChanges,
}

/// The versions of the table at which the rows of a slice changed, and how many it had from then on. Only the newest are
/// kept, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RowChanges {
    newest: Option<RowsSince>,
    /// Those before it. Most slices change once and then never again.
    earlier: Box<[RowsSince]>,
}

/// How many rows a slice had from a version on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowsSince {
    version: Version,
    rows: u64,
}

/// How many changes of a slice are remembered: enough to say how many rows came since the last few runs.
const MOST_CHANGES: usize = 4;

impl RowChanges {
    /// Newest first.
    fn known(&self) -> impl Iterator<Item = RowsSince> {
        self.newest.into_iter().chain(self.earlier.iter().copied())
    }

    /// The newest of these, which come newest first.
    fn of(changes: impl Iterator<Item = RowsSince>) -> RowChanges {
        let mut changes = changes.take(MOST_CHANGES);
        RowChanges { newest: changes.next(), earlier: changes.collect() }
    }

    fn pack(&self, packer: &mut Packer) {
        packer.number(self.known().count() as u64);
        for since in self.known() {
            packer.number(since.version.number());
            packer.number(since.rows);
        }
    }

    fn unpacked(from: &mut Unpacker<'_>) -> Option<RowChanges> {
        let count = from.number()?;
        let mut change = || Some(RowsSince { version: Version::new(from.number()?), rows: from.number()? });
        if count == 1 {
            return Some(RowChanges::of(std::iter::once(change()?)));
        }
        let changes: Option<Vec<RowsSince>> = (0..count).map(|_| change()).collect();
        Some(RowChanges::of(changes?.into_iter()))
    }

    /// The version that changed the rows last; the first if there never were any.
    pub fn newest(&self) -> Version {
        self.newest.map_or(Version::FIRST, |since| since.version)
    }

    /// One more change.
    pub fn and(&self, version: Version, rows: u64) -> RowChanges {
        let before = self.known().filter(|earlier| earlier.version != version);
        RowChanges::of(std::iter::once(RowsSince { version, rows }).chain(before))
    }

    /// How many rows the slice had at a version. Returns `None` if that is forgotten.
    pub fn rows_at(&self, version: Version) -> Option<u64> {
        match self.known().find(|since| since.version <= version) {
            Some(since) => Some(since.rows),
            None => (self.known().count() < MOST_CHANGES).then_some(0),
        }
    }
}

/// The first 63 bits of the hash of a ledger object: they fit into the version of a Delta transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct LedgerName(u64);

impl From<LedgerName> for String {
    fn from(name: LedgerName) -> String {
        name.hex()
    }
}

impl TryFrom<String> for LedgerName {
    type Error = String;

    fn try_from(text: String) -> Result<LedgerName, String> {
        LedgerName::from_hex(&text).ok_or_else(|| format!("`{text}` names no ledger"))
    }
}

impl LedgerName {
    fn of(bytes: &[u8]) -> LedgerName {
        let mut first = [0; 8];
        first.iter_mut().zip(blake3::hash(bytes).as_bytes()).for_each(|(to, from)| *to = *from);
        LedgerName(u64::from_be_bytes(first) >> 1)
    }

    /// As the `txn` action of a commit says it. Returns `None` if the number cannot be a name.
    pub fn from_transaction(version: i64) -> Option<LedgerName> {
        u64::try_from(version).ok().map(LedgerName)
    }

    pub fn transaction(self) -> i64 {
        i64::try_from(self.0).expect("a name has 63 bits")
    }

    /// Relative to the table's folder.
    pub fn path(self) -> String {
        format!("_karat/ledger/{}.zst", self.hex())
    }

    fn hex(self) -> String {
        format!("{:016x}", self.0)
    }

    fn from_hex(name: &str) -> Option<LedgerName> {
        u64::from_str_radix(name, 16).ok().map(LedgerName)
    }

    /// The name that a path was made of.
    pub fn from_path(path: &str) -> Option<LedgerName> {
        LedgerName::from_hex(path.rsplit('/').next()?.strip_suffix(".zst")?)
    }
}

impl Ledger {
    /// Of a table of which nothing is known.
    pub fn empty(table: String, version: Version) -> Ledger {
        Ledger {
            table,
            version,
            slices: SliceMap::new(),
            history_starts_at: version,
            default_provenance: None,
            foreign: None,
            source_files: None,
            bad_records: None,
            backfill: None,
            layers: LedgerLayers::default(),
        }
    }

    /// Every provenance that something was made of. Most slices share one, which comes once, or seldom more than that.
    pub fn provenances(&self) -> impl Iterator<Item = &Arc<Provenance>> {
        let mut seen = BTreeSet::new();
        let mut last = None;
        let all = self.slices.values().map(|entry| &entry.provenance).chain(&self.default_provenance);
        all.filter(move |made_of| {
            // Neighbours mostly share one: the set is then not asked.
            let this = Some(Arc::as_ptr(made_of));
            std::mem::replace(&mut last, this) != this && this.is_some_and(|this| seen.insert(this))
        })
    }

    /// What a slice was made of, if anybody knows.
    pub fn provenance(&self, slice: SliceKey) -> Option<&Arc<Provenance>> {
        self.slices.get(&slice).map(|entry| &entry.provenance).or(self.default_provenance.as_ref())
    }

    /// The objects that it is kept in, the complete one first. Empty if it was never stored.
    #[cfg(test)]
    pub fn stored_as(&self) -> Vec<LedgerName> {
        self.layers.names()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_tell_how_many_rows_there_were() {
        let changes = RowChanges::default().and(Version::new(3), 10).and(Version::new(5), 12);
        assert_eq!(changes.newest(), Version::new(5));
        let at = |version| changes.rows_at(version);
        assert_eq!(
            (at(Version::new(2)), at(Version::new(3)), at(Version::new(4)), at(Version::new(5)), at(Version::new(9))),
            (Some(0), Some(10), Some(10), Some(12), Some(12))
        );
        let many = (1..=9).fold(RowChanges::default(), |changes, version| changes.and(Version::new(version), version));
        assert_eq!(
            (many.rows_at(Version::new(5)), many.rows_at(Version::new(6))),
            (None, Some(6)),
            "only the newest are remembered"
        );
    }
}
