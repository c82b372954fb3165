//! Maps from the provenances that the slices of a ledger share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::table::Provenance;

/// A map whose keys are told apart by where they are in memory: comparing provenances by value would cost a walk through
/// all of their inputs for each of thousands of slices. Equal provenances at two places are two keys, which costs time and is
/// never wrong.
pub(super) struct PtrMap<'l, V> {
    by_place: BTreeMap<*const Provenance, (&'l Arc<Provenance>, V)>,
}

impl<'l, V> PtrMap<'l, V> {
    pub fn get(&self, made_of: &Arc<Provenance>) -> Option<&V> {
        self.by_place.get(&Arc::as_ptr(made_of)).map(|(_, value)| value)
    }
}

impl<'l, V> FromIterator<(&'l Arc<Provenance>, V)> for PtrMap<'l, V> {
    fn from_iter<I: IntoIterator<Item = (&'l Arc<Provenance>, V)>>(entries: I) -> Self {
        let by_place = entries.into_iter().map(|(made_of, value)| (Arc::as_ptr(made_of), (made_of, value)));
        PtrMap { by_place: by_place.collect() }
    }
}

/// How many slices each provenance is that of.
#[derive(Default)]
pub(super) struct ProvenanceCounts<'l> {
    by_place: BTreeMap<*const Provenance, (&'l Arc<Provenance>, u64)>,
    /// Neighbours mostly share one, so a run of them is counted here and goes into the map when another provenance comes.
    last: Option<(&'l Arc<Provenance>, u64)>,
}

impl<'l> ProvenanceCounts<'l> {
    /// Counts one more slice.
    pub fn add(&mut self, made_of: &'l Arc<Provenance>) {
        match &mut self.last {
            Some((last, count)) if Arc::ptr_eq(last, made_of) => *count += 1,
            _ => {
                self.flush();
                self.last = Some((made_of, 1));
            }
        }
    }

    fn flush(&mut self) {
        if let Some((made_of, count)) = self.last.take() {
            self.by_place.entry(Arc::as_ptr(made_of)).or_insert((made_of, 0)).1 += count;
        }
    }

    /// Returns each provenance once with its number of slices.
    pub fn counts(mut self) -> impl Iterator<Item = (&'l Arc<Provenance>, u64)> {
        self.flush();
        self.by_place.into_values()
    }
}
