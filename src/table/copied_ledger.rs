//! The ledger of a table that is a copy of another one: what is recorded of slices holds for the copies of their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    FileDigest, FileDigests, Ledger, Provenance, RowChanges, SliceEntry, SliceKey, SliceMap, SliceRows, Version,
};

/// The slices of a table that are not what a build of its inputs would make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StaleSlices {
    None,
    Some(BTreeSet<SliceKey>),
    All,
}

/// A copy of a table.
pub(crate) struct LedgerCopy<'a> {
    /// Delta's id of the copy.
    pub id: String,
    /// The version that it is committed as: all of its rows change with it.
    pub version: Version,
    /// The digests of its own files.
    pub digests: FileDigests,
    /// The slices that something other than karat has changed in the original.
    pub changed_externally: BTreeSet<SliceKey>,
    pub stale: StaleSlices,
    /// What a slice was made of, in the place of the copy; the flag says whether it is up to date.
    pub made_of: &'a dyn Fn(&Provenance, bool) -> Provenance,
}

/// Provenances that were translated, by where the old one lies: most slices share one.
#[derive(Default)]
struct TranslatedProvenances(BTreeMap<(*const Provenance, bool), Arc<Provenance>>);

impl StaleSlices {
    fn contains(&self, slice: SliceKey) -> bool {
        match self {
            StaleSlices::None => false,
            StaleSlices::Some(slices) => slices.contains(&slice),
            StaleSlices::All => true,
        }
    }

    /// The slices, where only some are stale.
    fn some(&self) -> impl Iterator<Item = &SliceKey> {
        match self {
            StaleSlices::Some(slices) => Some(slices),
            StaleSlices::None | StaleSlices::All => None,
        }
        .into_iter()
        .flatten()
    }
}

impl TranslatedProvenances {
    fn get(&mut self, copy: &LedgerCopy<'_>, old: &Arc<Provenance>, is_fresh: bool) -> Arc<Provenance> {
        let new = self.0.entry((Arc::as_ptr(old), is_fresh));
        Arc::clone(new.or_insert_with(|| Arc::new((copy.made_of)(old, is_fresh))))
    }
}

impl Ledger {
    /// The ledger of a copy.
    pub fn copied(&self, copy: &LedgerCopy<'_>) -> Ledger {
        let mut translated = TranslatedProvenances::default();
        let mut slices = Vec::with_capacity(self.slices.len());
        for (slice, entry) in self.slices.iter() {
            let provenance = translated.get(copy, &entry.provenance, !copy.stale.contains(*slice));
            let files = match copy.changed_externally.contains(slice) {
                true => FileDigest::CHANGED_EXTERNALLY,
                false => copy.digests.of(*slice),
            };
            let changes = RowChanges::default().and(copy.version, entry.rows.rows);
            slices.push((*slice, SliceEntry { provenance, files, rows: entry.rows, changes }));
        }
        let mut default_provenance = None;
        if let Some(old) = &self.default_provenance {
            // Stale slices get entries: what all others without one were made of can then be said to be up to date.
            for slice in copy.stale.some().filter(|slice| !self.slices.contains_key(slice)) {
                let provenance = translated.get(copy, old, false);
                let (rows, changes) = (SliceRows::default(), RowChanges::default());
                slices.push((*slice, SliceEntry { provenance, files: copy.digests.of(*slice), rows, changes }));
            }
            default_provenance = Some(translated.get(copy, old, copy.stale != StaleSlices::All));
        }
        let slices: SliceMap<SliceEntry> = slices.into_iter().collect();
        let foreign = copy.changed_externally.iter().filter(|slice| !slices.contains_key(slice)).copied().collect();
        Ledger {
            slices,
            history_starts_at: copy.version,
            default_provenance,
            foreign: Some(foreign),
            source_files: self.source_files.clone(),
            bad_records: self.bad_records,
            ..Ledger::empty(copy.id.clone(), copy.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;
    use crate::table::{InputVersion, SliceLayout};

    fn made_of(version: u64) -> Arc<Provenance> {
        let input = InputVersion::Table {
            id: "old".into(),
            version: Version::new(version),
            ledger: None,
            target: None,
            copied: false,
        };
        Arc::new(Provenance { fingerprint: "f".into(), inputs: BTreeMap::from([("a.b".into(), input)]) })
    }

    /// Ids become `fresh` or `stale`, and versions stay.
    fn told(made_of: &Provenance, is_fresh: bool) -> Provenance {
        let fingerprint = if is_fresh { "fresh".into() } else { "stale".into() };
        Provenance { fingerprint, ..made_of.clone() }
    }

    #[test]
    fn slices_keep_rows_and_say_what_is_up_to_date() {
        let at = |day: &str| SliceKey::At(parse_instant(day).unwrap());
        let entry = |version, rows| SliceEntry {
            provenance: made_of(version),
            files: FileDigests::default().of(SliceKey::All),
            rows: SliceRows { rows, hash: 7 },
            changes: RowChanges::default().and(Version::new(9), rows),
        };
        let slices =
            [(at("2023-05-01"), entry(3, 1)), (at("2023-05-02"), entry(4, 2)), (at("2023-05-03"), entry(4, 3))];
        let ledger = Ledger {
            slices: slices.into_iter().collect(),
            default_provenance: Some(made_of(3)),
            ..Ledger::empty("old".to_owned(), Version::new(9))
        };
        let copy = LedgerCopy {
            id: "new".to_owned(),
            version: Version::FIRST,
            digests: SliceLayout::Shared.digests(&[]),
            changed_externally: BTreeSet::from([at("2023-05-03"), at("2023-05-09")]),
            stale: StaleSlices::Some(BTreeSet::from([at("2023-05-02"), at("2023-05-04")])),
            made_of: &told,
        };
        let copied = ledger.copied(&copy);
        let lines: Vec<String> = copied
            .slices
            .iter()
            .map(|(slice, entry)| {
                let is_external = entry.files == FileDigest::CHANGED_EXTERNALLY;
                let code: &str = &entry.provenance.fingerprint;
                format!("{slice} {code} {} {} {is_external}", entry.rows.rows, entry.changes.newest())
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        2023-05-01 fresh 1 0 false
        2023-05-02 stale 2 0 false
        2023-05-03 fresh 3 0 true
        2023-05-04 stale 0 0 false
        ");
        assert_eq!(&*copied.default_provenance.unwrap().fingerprint, "fresh");
        assert_eq!(copied.foreign, Some(BTreeSet::from([at("2023-05-09")])));
        assert_eq!((copied.table.as_str(), copied.history_starts_at), ("new", Version::FIRST));
    }

    #[test]
    fn where_all_is_stale_nothing_is_said_to_be_up_to_date() {
        let ledger =
            Ledger { default_provenance: Some(made_of(1)), ..Ledger::empty("old".to_owned(), Version::new(2)) };
        let copy = LedgerCopy {
            id: "new".to_owned(),
            version: Version::new(5),
            digests: FileDigests::default(),
            changed_externally: BTreeSet::new(),
            stale: StaleSlices::All,
            made_of: &told,
        };
        assert_eq!(&*ledger.copied(&copy).default_provenance.unwrap().fingerprint, "stale");
    }
}
