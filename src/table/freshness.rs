//! Slices whose files are not the ones that karat wrote: whatever is recorded of them is not true any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{FileDigest, InputVersion, Ledger, SinceLedger, SliceKey, SliceLayout, TableState};
use crate::delta::Version;
use crate::name::TableKey;

impl TableState {
    /// The slices that something else than karat has changed, added or removed since their ledger was written.
    /// Nothing can be said without a ledger, and then every slice is as good as changed.
    pub fn changed_externally(&self, layout: &SliceLayout) -> BTreeSet<SliceKey> {
        let Some(ledger) = self.known_ledger() else { return BTreeSet::new() };
        if self.since == SinceLedger::Nothing {
            return self.never_recorded(layout, ledger);
        }
        // Names and sizes of files, not their rows: karat never writes a name twice, so other names are another
        // writer's.
        let digests = self.digests(layout);
        let differs = |slice: &SliceKey| match ledger.slices.get(slice) {
            Some(entry) => entry.files != digests.of(*slice),
            None => true,
        };
        // Files without an entry are others', whenever they came, and still are when they are gone.
        let is_known = |slice: &SliceKey| {
            ledger.slices.get(slice).is_none_or(|entry| entry.files == FileDigest::CHANGED_EXTERNALLY)
        };
        let mut differing: BTreeSet<SliceKey> = ledger.slices.keys().copied().filter(differs).collect();
        differing.extend(digests.slices().filter(differs));
        differing.extend(ledger.foreign.iter().flatten().copied());
        match &self.since {
            SinceLedger::Nothing | SinceLedger::Unreadable => {}
            // Files that were only rearranged have other names and the same rows.
            SinceLedger::Commits(touched) => {
                let changed: BTreeSet<Option<SliceKey>> =
                    touched.iter().map(|partition| layout.slice_touched(partition)).collect();
                let is_changed = |slice: &SliceKey| changed.contains(&Some(*slice)) || changed.contains(&None);
                differing.retain(|slice| is_known(slice) || is_changed(slice));
                differing.extend(changed.iter().copied().flatten().filter(|slice| !ledger.slices.contains_key(slice)));
            }
        }
        differing
    }

    /// The first version that has the rows of this one, as far as that is recorded: all later ones only rearranged files, or
    /// computed what was there.
    pub fn has_its_rows_since(&self) -> Version {
        let is_rearranged = match &self.since {
            SinceLedger::Nothing => true,
            SinceLedger::Commits(touched) => touched.is_empty(),
            SinceLedger::Unreadable => false,
        };
        match self.known_ledger().filter(|_| is_rearranged) {
            // After a restore the changes of slices are those of the old version.
            Some(ledger) => {
                let changed = ledger.slices.values().map(|entry| entry.changes.newest());
                changed.fold(ledger.history_starts_at, Version::max)
            }
            None => self.version,
        }
    }

    /// Where the newest version is that of the ledger, its digests are those of the files. What was changed before that
    /// is marked, or has files and no entry.
    fn never_recorded(&self, layout: &SliceLayout, ledger: &Ledger) -> BTreeSet<SliceKey> {
        let marked = ledger
            .slices
            .iter()
            .filter(|(_, entry)| entry.files == FileDigest::CHANGED_EXTERNALLY)
            .map(|(slice, _)| *slice);
        if let Some(foreign) = &ledger.foreign {
            return marked.chain(foreign.iter().copied()).collect();
        }
        let with_files = self.files.iter().filter_map(|file| layout.slice_of(&file.partition));
        marked.chain(with_files.filter(|slice| !ledger.slices.contains_key(slice))).collect()
    }
}

/// Tables that were looked at too early: another table, looked at later, was made of a newer version. To build from
/// them would take that table back, so they must be looked at again.
pub(crate) fn behind<'s>(states: impl Iterator<Item = (TableKey, &'s TableState)>) -> BTreeSet<TableKey> {
    let states: BTreeMap<TableKey, &TableState> = states.collect();
    let made_of = states.values().filter_map(|state| state.known_ledger()).flat_map(|ledger| ledger.provenances());
    let inputs = made_of.flat_map(|made_of| &made_of.inputs);
    inputs
        .filter(|(name, recorded)| match (states.get(*name), recorded) {
            (Some(state), InputVersion::Table { id, version, .. }) => state.id == *id && state.version < *version,
            _ => false,
        })
        .map(|(name, _)| name.clone())
        .collect()
}

impl SinceLedger {
    /// After one more commit of another writer.
    pub fn and(self, actions: &super::LogActions) -> SinceLedger {
        match self {
            SinceLedger::Unreadable => SinceLedger::Unreadable,
            SinceLedger::Nothing => SinceLedger::Commits(actions.touched.clone()),
            SinceLedger::Commits(mut touched) => {
                touched.extend(actions.touched.iter().cloned());
                SinceLedger::Commits(touched)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::day::{Grain, parse_instant};
    use crate::table::{LedgerFound, PartitionValues};

    fn day(text: &str) -> SliceKey {
        SliceKey::At(parse_instant(text).unwrap())
    }

    #[test]
    fn a_removal_that_does_not_say_its_partition_may_be_of_any_slice() {
        let layout = SliceLayout::ByFile { event_time: "day".to_owned(), grain: Grain::Day };
        let of_day = PartitionValues::from_iter([("day", Some("2023-05-03"))]);
        let of_null = PartitionValues::from_iter([("day", None::<&str>)]);
        assert_eq!(layout.slice_touched(&of_day), Some(day("2023-05-03")));
        assert_eq!(layout.slice_touched(&of_null), Some(SliceKey::NullTime));
        assert_eq!(layout.slice_touched(&PartitionValues::none()), None);
    }

    #[test]
    fn rows_are_as_old_as_the_newest_change_of_a_slice_or_the_last_restore() {
        let entry = |version: u64| crate::table::SliceEntry {
            provenance: Arc::new(crate::table::Provenance {
                fingerprint: String::new().into(),
                inputs: BTreeMap::new(),
            }),
            files: FileDigest::CHANGED_EXTERNALLY,
            rows: crate::table::SliceRows::default(),
            changes: crate::table::RowChanges::default().and(Version::new(version), 1),
        };
        let since = |starts: u64, since: SinceLedger| {
            let slices = [(day("2023-05-01"), entry(3)), (day("2023-05-02"), entry(5))];
            let ledger = Ledger {
                slices: slices.into_iter().collect(),
                history_starts_at: Version::new(starts),
                ..Ledger::empty("t".to_owned(), Version::new(9))
            };
            let ledger = LedgerFound::Known(Arc::new(ledger));
            TableState { ledger, since, version: Version::new(9), ..TableState::empty() }.has_its_rows_since()
        };
        assert_eq!(since(1, SinceLedger::Nothing), Version::new(5));
        assert_eq!(since(8, SinceLedger::Nothing), Version::new(8));
        assert_eq!(since(1, SinceLedger::Commits(Vec::new())), Version::new(5));
        assert_eq!(since(1, SinceLedger::Commits(vec![PartitionValues::none()])), Version::new(9));
        assert_eq!(since(1, SinceLedger::Unreadable), Version::new(9));
    }

    #[test]
    fn slices_that_only_others_filled_stay_changed_when_their_files_are_gone() {
        let layout = SliceLayout::ByFile { event_time: "day".to_owned(), grain: Grain::Day };
        let foreign = Some(BTreeSet::from([day("2023-05-02")]));
        let ledger =
            Ledger { history_starts_at: Version::FIRST, foreign, ..Ledger::empty("t".to_owned(), Version::new(1)) };
        let state = TableState { ledger: LedgerFound::Known(Arc::new(ledger)), ..TableState::empty() };
        assert_eq!(state.changed_externally(&layout), BTreeSet::from([day("2023-05-02")]));
        let removed = PartitionValues::from_iter([("day", Some("2023-05-03"))]);
        let state = TableState { since: SinceLedger::Commits(vec![removed]), ..state };
        assert_eq!(state.changed_externally(&layout), BTreeSet::from([day("2023-05-02"), day("2023-05-03")]));
    }
}
