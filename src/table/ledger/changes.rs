//! What one ledger of a table says otherwise than another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Ledger, SliceEntry};
use crate::table::layers::LayerChanges;
use crate::table::{FileDigest, Provenance, ProvenanceDigest, SliceKey};

/// The difference between two ledgers of a table. What is not named here is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LedgerChanges {
    /// The slices that came, went, or have another entry.
    pub slices: BTreeSet<SliceKey>,
    /// What all other slices were made of, by what they were made of before: often whole tables are found to be as they would
    /// be if they were made of the newest inputs.
    pub lifted: BTreeMap<ProvenanceDigest, Arc<Provenance>>,
    /// Which files hold all other slices, by those that held them before: where slices share files, each commit gives all of
    /// them other ones.
    pub moved: BTreeMap<FileDigest, FileDigest>,
}

impl LedgerChanges {
    pub fn between(before: &Ledger, after: &Ledger) -> LedgerChanges {
        let both = || before.slices.iter().filter_map(|(slice, old)| Some((slice, old, after.slices.get(slice)?)));
        let lifted = lifts(both().map(|(_, old, new)| (old, new)));
        let moved = moves(both().map(|(_, old, new)| (old, new)));
        let is_lifted = |old: &SliceEntry, new: &SliceEntry| {
            let lifted = lifted.get(&Arc::as_ptr(&old.provenance));
            lifted.is_some_and(|lifted| is_equal(lifted, &new.provenance))
        };
        let is_moved = |old: &SliceEntry, new: &SliceEntry| moved.get(&old.files) == Some(&new.files);
        let is_told =
            |old: &SliceEntry, new: &SliceEntry| has_same_rows(old, new) && is_lifted(old, new) && is_moved(old, new);
        let other = both().filter(|(_, old, new)| !is_told(old, new)).map(|(slice, ..)| slice);
        let gone = before.slices.keys().filter(|slice| !after.slices.contains_key(slice));
        let come = after.slices.keys().filter(|slice| !before.slices.contains_key(slice));
        let slices = other.chain(gone).chain(come).copied().collect();
        let lifted = before.provenances().filter_map(|old| {
            let new = lifted.get(&Arc::as_ptr(old)).filter(|new| !is_equal(old, new))?;
            Some((old.digest(), Arc::clone(new)))
        });
        let lifted = lifted.collect();
        let moved = moved.into_iter().filter(|(old, new)| old != new).collect();
        LedgerChanges { slices, lifted, moved }
    }
}

impl LayerChanges for LedgerChanges {
    fn followed_by(mut self, above: &LedgerChanges) -> LedgerChanges {
        self.slices.extend(&above.slices);
        for lifted in self.lifted.values_mut() {
            if let Some(higher) = above.lifted.get(&lifted.digest()) {
                *lifted = Arc::clone(higher);
            }
        }
        for (from, to) in &above.lifted {
            self.lifted.entry(*from).or_insert_with(|| Arc::clone(to));
        }
        for moved in self.moved.values_mut() {
            *moved = *above.moved.get(moved).unwrap_or(moved);
        }
        for (from, to) in &above.moved {
            self.moved.entry(*from).or_insert(*to);
        }
        self
    }
}

/// For each provenance the one that most of its slices have now, of those that have the same rows.
fn lifts<'e>(
    both: impl Iterator<Item = (&'e SliceEntry, &'e SliceEntry)>,
) -> BTreeMap<*const Provenance, Arc<Provenance>> {
    let mut counts: BTreeMap<*const Provenance, BTreeMap<&Arc<Provenance>, usize>> = BTreeMap::new();
    for (old, new) in both.filter(|(old, new)| has_same_rows(old, new)) {
        *counts.entry(Arc::as_ptr(&old.provenance)).or_default().entry(&new.provenance).or_default() += 1;
    }
    let most = |counts: BTreeMap<&Arc<Provenance>, usize>| {
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(provenance, _)| Arc::clone(provenance))
    };
    counts.into_iter().filter_map(|(old, counts)| Some((old, most(counts)?))).collect()
}

/// For each set of files the one that most of its slices are in now, of those that have the same rows.
fn moves<'e>(both: impl Iterator<Item = (&'e SliceEntry, &'e SliceEntry)>) -> BTreeMap<FileDigest, FileDigest> {
    let mut counts: BTreeMap<FileDigest, BTreeMap<FileDigest, usize>> = BTreeMap::new();
    for (old, new) in both.filter(|(old, new)| has_same_rows(old, new)) {
        *counts.entry(old.files).or_default().entry(new.files).or_default() += 1;
    }
    let most = |counts: BTreeMap<FileDigest, usize>| counts.into_iter().max_by_key(|(_, count)| *count);
    counts.into_iter().filter_map(|(old, counts)| Some((old, most(counts)?.0))).collect()
}

fn has_same_rows(old: &SliceEntry, new: &SliceEntry) -> bool {
    old.rows == new.rows && old.changes == new.changes
}

fn is_equal(one: &Arc<Provenance>, other: &Arc<Provenance>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}
