//! Something for each of the provenances that the slices of a ledger share, told apart by where they are in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::table::Provenance;

/// Something for some provenances of a ledger.
pub(super) struct PerProvenance<'l, V> {
    by_place: BTreeMap<*const Provenance, (&'l Arc<Provenance>, V)>,
}

impl<'l, V> PerProvenance<'l, V> {
    pub fn of(entries: impl Iterator<Item = (&'l Arc<Provenance>, V)>) -> PerProvenance<'l, V> {
        let by_place = entries.map(|(made_of, value)| (Arc::as_ptr(made_of), (made_of, value)));
        PerProvenance { by_place: by_place.collect() }
    }

    pub fn get(&self, made_of: &Arc<Provenance>) -> Option<&V> {
        self.by_place.get(&Arc::as_ptr(made_of)).map(|(_, value)| value)
    }
}

/// How many slices each provenance is that of.
#[derive(Default)]
pub(super) struct Counted<'l> {
    by_place: BTreeMap<*const Provenance, (&'l Arc<Provenance>, u64)>,
    /// Neighbours mostly share one: what the last ones share is added when another comes.
    last: Option<(&'l Arc<Provenance>, u64)>,
}

impl<'l> Counted<'l> {
    /// One more slice.
    pub fn add(&mut self, made_of: &'l Arc<Provenance>) {
        match &mut self.last {
            Some((last, count)) if Arc::ptr_eq(last, made_of) => *count += 1,
            _ => {
                self.settle();
                self.last = Some((made_of, 1));
            }
        }
    }

    fn settle(&mut self) {
        if let Some((made_of, count)) = self.last.take() {
            self.by_place.entry(Arc::as_ptr(made_of)).or_insert((made_of, 0)).1 += count;
        }
    }

    /// All of them, each once.
    pub fn counts(mut self) -> impl Iterator<Item = (&'l Arc<Provenance>, u64)> {
        self.settle();
        self.by_place.into_values()
    }
}
