//! Which slices the changes since a build reach: where many slices were built together, the others need no look of their own.

use std::collections::BTreeSet;

use super::per_provenance::{Counted, PerProvenance};
use super::reach::Reach;
use super::stale::{Reads, Subject};
use crate::table::{Ledger, Provenance, SliceKey};

/// A provenance is shared by many slices if it is that of at least one in so many.
const FEW_PROVENANCES: u64 = 16;

impl Subject<'_> {
    /// For each provenance that many slices share the slices that may read something that has changed since: the others
    /// need no look of their own. Nothing of a provenance that may differ in another way.
    pub(super) fn reached_of_many<'l>(
        &self,
        ledger: &'l Ledger,
        reads: &Reads,
    ) -> PerProvenance<'l, BTreeSet<SliceKey>> {
        let mut counted = Counted::default();
        ledger.slices.values().for_each(|entry| counted.add(&entry.provenance));
        let many = counted.counts().filter(|(_, count)| *count * FEW_PROVENANCES >= ledger.slices.len() as u64);
        let reached = many.filter_map(|(made_of, _)| Some((made_of, self.reached_since(made_of, reads)?)));
        PerProvenance::of(reached)
    }

    /// The slices that may read something that has changed since a build; nothing if that may be any slice, or if anything
    /// else differs.
    fn reached_since(&self, made_of: &Provenance, reads: &Reads) -> Option<BTreeSet<SliceKey>> {
        let mut reached = BTreeSet::new();
        if made_of.fingerprint != self.fingerprint || self.dropped_input(made_of).is_some() {
            return None;
        }
        for (name, input) in &self.inputs {
            let after = self.recorded(made_of, name, input).ok()?;
            let Some(changes) = input.changes.filter(|changes| changes.any_after(after)) else { continue };
            if changes.all_after(after) {
                return None;
            }
            for read in reads.get(name)?.iter().filter(|read| !read.is_dimension) {
                if read.reach == Reach::Everything {
                    return None;
                }
                self.reached(changes, (read, Some(after)), &mut |slice, _| {
                    reached.insert(slice);
                });
            }
        }
        Some(reached)
    }
}
