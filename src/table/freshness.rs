//! Slices whose files are not the ones that karat wrote: whatever is recorded of them is not true any more.

use std::collections::BTreeSet;

use super::{SinceLedger, SliceKey, SliceLayout, TableState};

impl TableState {
    /// The slices that something else than karat has changed, added or removed since their ledger was written.
    /// Nothing can be said without a ledger, and then every slice is as good as changed.
    pub fn tainted(&self, layout: &SliceLayout) -> BTreeSet<SliceKey> {
        let Some(ledger) = self.known_ledger() else { return BTreeSet::new() };
        let digests = self.digests(layout);
        let differs = |slice: &SliceKey| match ledger.slices.get(slice) {
            Some(entry) => entry.files != digests.of(*slice),
            None => true,
        };
        let mut differing: BTreeSet<SliceKey> = ledger.slices.keys().copied().filter(differs).collect();
        differing.extend(digests.slices().filter(differs));
        match &self.since {
            SinceLedger::Nothing | SinceLedger::Unreadable => {}
            // Files that were only rearranged have other names and the same rows.
            SinceLedger::Commits(touched) => {
                let changed: BTreeSet<Option<SliceKey>> =
                    touched.iter().map(|partition| layout.slice_of(partition)).collect();
                differing.retain(|slice| changed.contains(&Some(*slice)) || changed.contains(&None));
            }
        }
        differing
    }
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
