//! The ledger of a table: what each of its slices was made of, complete, in one object per version.
//!
//! An object is a few lines of JSON and then the slices in few bytes, all compressed, under a name made of its content.
//! Provenances are many slices' the same, so they stand in a list of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backfill::WrittenBackfill;
use super::packed::{Packer, Unpacker, decompressed};
use super::{Backfill, FileDigest, Provenance, SliceKey, SliceMap, SliceRows};

/// The format of ledger objects that this code writes, and the only one that it reads.
const FORMAT: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Delta's id of the table that it belongs to.
    pub table: String,
    /// The version of the table that it came with.
    pub version: u64,
    pub slices: SliceMap<Entry>,
    /// Since which version it is known when which slice changed: what was made of an older one may miss any change.
    pub known_from: u64,
    /// What the slices without an entry were made of: they have no rows. Nothing if nobody has looked.
    pub rest: Option<Arc<Provenance>>,
    /// The slices without an entry that other writers put files into; nothing if it takes a look at the files to say so.
    pub foreign: Option<BTreeSet<SliceKey>>,
    /// The object that lists what is known of the source files, if the model reads a source.
    pub source_files: Option<String>,
    /// How far the last backfill has come.
    pub backfill: Option<Backfill>,
}

/// What is recorded of one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub provenance: Arc<Provenance>,
    /// The digest of the files that hold it.
    pub files: FileDigest,
    pub rows: SliceRows,
    pub changes: Changes,
}

/// The versions of the table at which the rows of a slice changed, and how many it had from then on. Only the newest are
/// kept, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    newest: Option<(u64, u64)>,
    /// Those before it. Most slices change once and then never again.
    earlier: Box<[(u64, u64)]>,
}

/// How many changes of a slice are remembered: enough to say how many rows came since the last few runs.
const MOST_CHANGES: usize = 4;

impl Changes {
    /// Newest first.
    fn known(&self) -> impl Iterator<Item = (u64, u64)> {
        self.newest.into_iter().chain(self.earlier.iter().copied())
    }

    /// The newest of these, which come newest first.
    fn of(changes: impl Iterator<Item = (u64, u64)>) -> Changes {
        let mut changes = changes.take(MOST_CHANGES);
        Changes { newest: changes.next(), earlier: changes.collect() }
    }

    fn pack(&self, packer: &mut Packer) {
        packer.number(self.known().count() as u64);
        for (version, rows) in self.known() {
            packer.number(version);
            packer.number(rows);
        }
    }

    fn unpacked(from: &mut Unpacker<'_>) -> Option<Changes> {
        let count = from.number()?;
        let mut change = || Some((from.number()?, from.number()?));
        if count == 1 {
            return Some(Changes::of(std::iter::once(change()?)));
        }
        let changes: Option<Vec<(u64, u64)>> = (0..count).map(|_| change()).collect();
        Some(Changes::of(changes?.into_iter()))
    }

    /// The version that changed the rows last; 0 if there never were any.
    pub fn newest(&self) -> u64 {
        self.newest.map_or(0, |(version, _)| version)
    }

    /// One more change.
    pub fn and(&self, version: u64, rows: u64) -> Changes {
        let before = self.known().filter(|(earlier, _)| *earlier != version);
        Changes::of(std::iter::once((version, rows)).chain(before))
    }

    /// How many rows the slice had at a version; nothing if that is forgotten.
    pub fn rows_at(&self, version: u64) -> Option<u64> {
        match self.known().find(|(changed, _)| *changed <= version) {
            Some((_, rows)) => Some(rows),
            None => (self.known().count() < MOST_CHANGES).then_some(0),
        }
    }
}

/// The name and the bytes of a ledger object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerObject {
    pub name: LedgerName,
    pub bytes: Vec<u8>,
}

/// The first 63 bits of the hash of a ledger object: they fit into the version of a Delta transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LedgerName(u64);

impl LedgerName {
    fn of(bytes: &[u8]) -> LedgerName {
        let mut first = [0; 8];
        first.iter_mut().zip(blake3::hash(bytes).as_bytes()).for_each(|(to, from)| *to = *from);
        LedgerName(u64::from_be_bytes(first) >> 1)
    }

    /// As the `txn` action of a commit says it; nothing if the number cannot be a name.
    pub fn from_transaction(version: i64) -> Option<LedgerName> {
        u64::try_from(version).ok().map(LedgerName)
    }

    pub fn transaction(self) -> i64 {
        i64::try_from(self.0).expect("a name has 63 bits")
    }

    /// Relative to the table's folder.
    pub fn path(self) -> String {
        format!("_karat/ledger/{:016x}.zst", self.0)
    }

    /// The name that a path was made of.
    pub fn from_path(path: &str) -> Option<LedgerName> {
        let name = path.rsplit('/').next()?.strip_suffix(".zst")?;
        u64::from_str_radix(name, 16).ok().map(LedgerName)
    }
}

/// What an object begins with, as JSON, so that people can read it. For each slice follow, packed: the slice, the place of its
/// provenance, the digest of its files, its rows, and its changes.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    table: String,
    version: u64,
    provenances: Vec<Provenance>,
    known_from: u64,
    rest: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foreign: Option<Vec<String>>,
    source_files: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backfill: Option<WrittenBackfill>,
}

impl Ledger {
    /// Every provenance that something was made of. Most slices share one, which comes once, or seldom more than that.
    pub fn provenances(&self) -> impl Iterator<Item = &Arc<Provenance>> {
        let (mut seen, mut last) = (BTreeSet::new(), None);
        let all = self.slices.values().map(|entry| &entry.provenance).chain(&self.rest);
        all.filter(move |made_of| {
            // Neighbours mostly share one: the set is then not asked.
            let this = Some(Arc::as_ptr(made_of));
            std::mem::replace(&mut last, this) != this && this.is_some_and(|this| seen.insert(this))
        })
    }

    /// What a slice was made of, if anybody knows.
    pub fn provenance(&self, slice: SliceKey) -> Option<&Arc<Provenance>> {
        self.slices.get(&slice).map(|entry| &entry.provenance).or(self.rest.as_ref())
    }

    pub fn to_object(&self) -> LedgerObject {
        let provenances: Vec<&Arc<Provenance>> = self.provenances().collect();
        let (places, distinct) = places_of(&provenances);
        let place = |provenance: &Arc<Provenance>| -> usize {
            *places.get(&Arc::as_ptr(provenance)).expect("the list has every provenance of a slice and of the rest")
        };
        let head = Head {
            format: FORMAT,
            table: self.table.clone(),
            version: self.version,
            provenances: distinct,
            known_from: self.known_from,
            rest: self.rest.as_ref().map(place),
            foreign: self.foreign.as_ref().map(|slices| slices.iter().map(SliceKey::to_string).collect()),
            source_files: self.source_files.clone(),
            backfill: self.backfill.as_ref().map(Backfill::to_written),
        };
        let mut packer = Packer::default();
        packer.text(&serde_json::to_string(&head).expect("lists and maps with text keys can be written as JSON"));
        packer.many(self.slices.iter(), |packer, (slice, entry)| {
            packer.slice(*slice);
            packer.number(place(&entry.provenance) as u64);
            packer.hash(entry.files.0);
            packer.rows(entry.rows);
            entry.changes.pack(packer);
        });
        let bytes = packer.compressed();
        LedgerObject { name: LedgerName::of(&bytes), bytes }
    }

    /// Reads an object back; the error says why it is not the ledger of this name.
    pub fn from_object(name: LedgerName, bytes: &[u8]) -> io::Result<Ledger> {
        let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
        if LedgerName::of(bytes) != name {
            return Err(invalid("its content is not what its name says"));
        }
        let bytes = decompressed(bytes)?;
        let mut unpacker = Unpacker::new(&bytes);
        let head = unpacker.text().ok_or_else(|| invalid("another version of karat wrote it"))?;
        let head: Head = serde_json::from_str(head)?;
        if head.format != FORMAT {
            return Err(invalid("another version of karat wrote it"));
        }
        let provenances: Vec<Arc<Provenance>> = head.provenances.into_iter().map(Arc::new).collect();
        let provenance = |place: u64| provenances.get(usize::try_from(place).ok()?).cloned();
        let entry = |from: &mut Unpacker<'_>| {
            let slice = from.slice()?;
            let (provenance, files) = (provenance(from.number()?)?, FileDigest(from.hash()?));
            Some((slice, Entry { provenance, files, rows: from.rows()?, changes: Changes::unpacked(from)? }))
        };
        let slices = unpacker.many(entry).ok_or_else(|| invalid("a slice cannot be read"))?;
        unpacker.end().ok_or_else(|| invalid("it does not end where it should"))?;
        let rest = |place: usize| provenance(place as u64).ok_or_else(|| invalid("a provenance is missing"));
        let foreign = |slices: Vec<String>| {
            let read = slices.iter().map(|slice| SliceKey::parse(slice));
            read.collect::<Option<_>>().ok_or_else(|| invalid("a slice has no valid name"))
        };
        let backfill = |written: WrittenBackfill| written.read().ok_or_else(|| invalid("a range is none"));
        Ok(Ledger {
            table: head.table,
            version: head.version,
            slices,
            known_from: head.known_from,
            rest: head.rest.map(rest).transpose()?,
            foreign: head.foreign.map(foreign).transpose()?,
            source_files: head.source_files,
            backfill: head.backfill.map(backfill).transpose()?,
        })
    }
}

/// Where each of these provenances stands in a list in which equal ones stand once, and the list.
fn places_of(provenances: &[&Arc<Provenance>]) -> (BTreeMap<*const Provenance, usize>, Vec<Provenance>) {
    let mut distinct: BTreeMap<&Provenance, usize> = BTreeMap::new();
    let (mut places, mut list) = (BTreeMap::new(), Vec::new());
    for provenance in provenances {
        let place = *distinct.entry(provenance).or_insert_with(|| {
            list.push(Provenance::clone(provenance));
            list.len() - 1
        });
        places.insert(Arc::as_ptr(provenance), place);
    }
    (places, list)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::day::TimeRange;
    use crate::table::{InputVersion, SliceSet};

    fn provenance(number: u64) -> Arc<Provenance> {
        let version = match number % 3 {
            0 => InputVersion::Missing,
            1 => InputVersion::Files(format!("digest {number}")),
            _ => InputVersion::Table { id: format!("id {number}"), version: number },
        };
        let inputs = BTreeMap::from([(format!("schema.table_{number}"), version)]);
        Arc::new(Provenance { fingerprint: format!("fingerprint {}", number % 2), inputs })
    }

    fn day_of(day: u32) -> chrono::NaiveDateTime {
        chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0).unwrap().naive_utc()
    }

    fn backfill(number: u32) -> Backfill {
        let range = |day| TimeRange::new(day_of(day), day_of(day + number % 5 + 1)).unwrap();
        let done = SliceSet::new((0..number % 4).map(|place| range(place * 10)).collect(), false);
        Backfill { key: format!("key {number}"), round: u64::from(number), done, version: u64::from(number) }
    }

    fn ledgers() -> impl Strategy<Value = Ledger> {
        let slice = (0_i64..400, 0_u64..4, any::<u128>(), any::<u64>());
        let slices = prop::collection::vec(slice, 0..40);
        (slices, prop::option::of(0_u64..4), any::<u32>()).prop_map(|(slices, rest, version)| {
            let entry = |(day, made_of, hash, rows): (i64, u64, u128, u64)| {
                let time = chrono::DateTime::from_timestamp(day * 3600, 0).unwrap().naive_utc();
                let slice = if day == 0 { SliceKey::Timeless } else { SliceKey::At(time) };
                let files = FileDigest(hash);
                let changes = Changes::default().and(rows % 50, rows).and(rows % 70 + 50, hash as u64);
                (slice, Entry { provenance: provenance(made_of), files, rows: SliceRows { rows, hash }, changes })
            };
            Ledger {
                table: "a table".to_owned(),
                version: u64::from(version),
                slices: slices.into_iter().map(entry).collect(),
                known_from: u64::from(version / 2),
                rest: rest.map(provenance),
                foreign: (version % 5 > 0).then(|| (1..version % 5).map(|day| SliceKey::At(day_of(day))).collect()),
                source_files: (version % 2 == 0).then(|| "facts".to_owned()),
                backfill: (version % 3 == 0).then(|| backfill(version)),
            }
        })
    }

    proptest! {
        #[test]
        fn a_ledger_is_read_back_as_it_was_written(ledger in ledgers()) {
            let object = ledger.to_object();
            prop_assert_eq!(LedgerName::from_path(&object.name.path()), Some(object.name));
            prop_assert_eq!(LedgerName::from_transaction(object.name.transaction()), Some(object.name));
            prop_assert_eq!(Ledger::from_object(object.name, &object.bytes).unwrap(), ledger);
        }

        #[test]
        fn a_damaged_object_is_no_ledger(ledger in ledgers(), place in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let LedgerObject { name, mut bytes } = ledger.to_object();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(Ledger::from_object(name, &bytes).is_err());
            prop_assert!(Ledger::from_object(name, &bytes[..place]).is_err());
        }
    }

    #[test]
    fn provenances_are_written_once() {
        let slices = (0..100).map(|day| {
            let time = chrono::DateTime::from_timestamp(day * 86_400, 0).unwrap().naive_utc();
            let (files, rows, changes) = (FileDigest(1), SliceRows::default(), Changes::default());
            let entry = Entry { provenance: provenance(2), files, rows, changes };
            (SliceKey::At(time), entry)
        });
        let (table, slices) = ("t".to_owned(), slices.collect());
        let rest = Some(provenance(2));
        let (foreign, source_files, backfill) = (None, None, None);
        let ledger = Ledger { table, version: 0, slices, known_from: 0, rest, foreign, source_files, backfill };
        let LedgerObject { name, bytes } = ledger.to_object();
        let read = Ledger::from_object(name, &bytes).unwrap();
        assert!(read.provenances().all(|one| Arc::ptr_eq(one, read.rest.as_ref().unwrap())));
    }

    #[test]
    fn changes_tell_how_many_rows_there_were() {
        let changes = Changes::default().and(3, 10).and(5, 12);
        assert_eq!(changes.newest(), 5);
        let at = |version| changes.rows_at(version);
        assert_eq!((at(2), at(3), at(4), at(5), at(9)), (Some(0), Some(10), Some(10), Some(12), Some(12)));
        let many = (1..=9).fold(Changes::default(), |changes, version| changes.and(version, version));
        assert_eq!((many.rows_at(5), many.rows_at(6)), (None, Some(6)), "only the newest are remembered");
    }
}
