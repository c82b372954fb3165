//! The slices that changes since a build reach: where many slices were built together, the others need no look of their own.

use std::collections::BTreeSet;

use super::input::{InputReads, Inputs, dropped_input, is_kept_dimension};
use super::ptr_map::{ProvenanceCounts, PtrMap};
use crate::day::Grain;
use crate::incremental::reach::Reach;
use crate::table::{Ledger, Provenance, SliceEntry, SliceKey};

/// A provenance is shared by many slices if it is that of at least one in so many.
const FEW_PROVENANCES: u64 = 16;

/// For each provenance that many slices share, the slices that may read something that has changed since.
pub(super) struct ReachedSlices<'l>(PtrMap<'l, BTreeSet<SliceKey>>);

impl<'l> ReachedSlices<'l> {
    /// Goes from the changes to the slices: O(changes) for a provenance instead of O(slices). Provenances of few slices
    /// are left out, as are those that may differ in another way; their slices are looked at one by one.
    pub fn of_many(
        ledger: &'l Ledger,
        fingerprint: &str,
        inputs: &Inputs<'_>,
        reads: &InputReads,
        grain: Grain,
    ) -> Self {
        let mut counts = ProvenanceCounts::default();
        for entry in ledger.slices.values().filter(|entry| entry.provenance.fingerprint == fingerprint) {
            counts.add(&entry.provenance);
        }
        // Going backwards costs a walk over the changes for each provenance, so it pays only where a provenance is that of
        // many slices. Tables that were built day by day have many provenances of one slice each.
        let many = counts.counts().filter(|(_, count)| *count * FEW_PROVENANCES >= ledger.slices.len() as u64);
        let reached = many.filter_map(|(made_of, _)| Some((made_of, reached_since(made_of, inputs, reads, grain)?)));
        ReachedSlices(reached.collect())
    }

    /// Whether it is known that nothing has changed of what a slice reads.
    pub fn spare(&self, slice: SliceKey, entry: &SliceEntry) -> bool {
        slice != SliceKey::All && self.0.get(&entry.provenance).is_some_and(|reached| !reached.contains(&slice))
    }
}

/// Returns the slices that may read something that has changed since a build. Returns `None` if that may be any slice, or
/// if anything else differs.
fn reached_since(
    made_of: &Provenance,
    inputs: &Inputs<'_>,
    reads: &InputReads,
    grain: Grain,
) -> Option<BTreeSet<SliceKey>> {
    if dropped_input(inputs, made_of).is_some() {
        return None;
    }
    let mut reached = BTreeSet::new();
    for (name, input) in inputs {
        let after = match input.recorded_version(name, made_of) {
            Ok(after) => after,
            Err(_) if is_kept_dimension(name, input, made_of, reads) => continue,
            Err(_) => return None,
        };
        let Some(changes) = input.changes.filter(|changes| changes.any_after(after)) else { continue };
        // Any slice may be touched, so nothing is spared.
        if changes.all_after(after) {
            return None;
        }
        for read in reads.get(name)?.iter().filter(|read| !read.is_dimension) {
            if read.reach == Reach::Everything {
                return None;
            }
            read.each_reached(changes, Some(after), grain, &mut |slice, _| {
                reached.insert(slice);
            });
        }
    }
    Some(reached)
}
