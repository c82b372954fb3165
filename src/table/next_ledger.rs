//! The ledger that a table has after a build is committed: what was recorded before, with what the build has computed over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    Backfill, Domain, FileDigest, FileDigests, Ledger, LedgerLayers, Provenance, RowChanges, SinceLedger, SliceEntry,
    SliceKey, SliceLayout, SliceMap, SliceRows, SliceSet, TableState, Work,
};
use crate::delta::{DataFile, Version};

/// The version that a commit makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextVersion<'a> {
    /// Delta's id of the table.
    pub table: &'a str,
    pub version: Version,
}

impl TableState {
    /// The ledger of the next version, which has these files and the same rows: what is recorded of slices stays, and says
    /// which files hold them now. What something else has changed stays known as changed. Returns `None` if nothing is recorded.
    pub fn rearranged_ledger<'f>(
        &self,
        layout: &SliceLayout,
        files: impl IntoIterator<Item = &'f DataFile>,
    ) -> Option<Ledger> {
        let known = self.known_ledger()?;
        let version = self.version.next();
        // Work that covers no slice: every entry is one that stays. All files are hashed, because any slice may have others now.
        let work = Work::new(layout.clone(), Domain::Slices(SliceSet::default()), no_provenance());
        let changed_externally = self.changed_externally(layout);
        let digests = layout.digests(files);
        let recorded =
            LedgerUpdate { work: &work, known: Some(known), changed_externally, digests, is_as_before: false, version };
        let slices = recorded.kept();
        let foreign = Some(recorded.without_entry(&slices));
        Some(Ledger { version, slices, foreign, layers: LedgerLayers::default(), ..known.as_ref().clone() })
    }
}

/// What nothing was made of: a rearrangement computes no slice.
fn no_provenance() -> Arc<Provenance> {
    Arc::new(Provenance { fingerprint: String::new().into(), inputs: BTreeMap::new() })
}

impl Work {
    /// The ledger of a table after this work is committed on top of `base`, with these files in it.
    pub fn ledger<'f>(
        &self,
        base: Option<&TableState>,
        next: NextVersion<'_>,
        files: impl IntoIterator<Item = &'f DataFile>,
    ) -> Ledger {
        // Files of one slice that are neither of this work nor of anybody else are as they were, and so is their digest:
        // to hash all of them would make each commit of a long table as dear as its history.
        let is_as_before =
            self.layout != SliceLayout::Shared && base.is_some_and(|base| base.since == SinceLedger::Nothing);
        let hashed = files.into_iter().filter(|file| {
            !is_as_before || self.layout.slice_of(&file.partition).is_none_or(|slice| self.covers(slice))
        });
        let digests = self.layout.digests(hashed);
        let known = base.and_then(TableState::known_ledger);
        let changed_externally = base.map(|base| base.changed_externally(&self.layout)).unwrap_or_default();
        let version = next.version;
        let recorded = LedgerUpdate { work: self, known, changed_externally, digests, is_as_before, version };
        let slices = recorded.kept().overlaid(recorded.computed());
        // A table that hid changes of its slices has a history that begins with this version.
        let needed_full_rebuild = base.is_some_and(|base| base.needs_full_rebuild(&self.layout).is_some());
        let history_starts_at =
            known.filter(|_| !needed_full_rebuild).map_or(version, |ledger| ledger.history_starts_at);
        let default_provenance = match self.sets_default {
            true => Some(Arc::clone(&self.provenance)),
            false => known.and_then(|ledger| ledger.default_provenance.clone()),
        };
        let source_files = self.source_files.clone().or_else(|| known?.source_files.clone());
        let bad_records = match (&self.source_files, known) {
            (None, Some(old)) => old.bad_records,
            (Some(_), _) | (None, None) => self.bad_records,
        };
        // Where nothing was recorded before, only a look at the files tells which of them are others'.
        let foreign = (base.is_none() || known.is_some()).then(|| recorded.without_entry(&slices));
        let backfill = self.backfilled(known, version);
        Ledger {
            table: next.table.to_owned(),
            version,
            slices,
            history_starts_at,
            default_provenance,
            foreign,
            source_files,
            bad_records,
            backfill,
            layers: LedgerLayers::default(),
        }
    }

    /// How far a backfill has come with this work.
    fn backfilled(&self, known: Option<&Arc<Ledger>>, version: Version) -> Option<Backfill> {
        let before = known.and_then(|ledger| ledger.backfill.as_ref());
        match &self.backfill {
            Some(mine) => Some(mine.onto(before, version)),
            None => before.cloned(),
        }
    }
}

/// What is known of a table's slices, before a commit and of it.
struct LedgerUpdate<'a> {
    work: &'a Work,
    known: Option<&'a Arc<Ledger>>,
    /// The slices that something else than karat has changed.
    changed_externally: BTreeSet<SliceKey>,
    /// Of the files after the commit; if `is_as_before`, only of slices that the work covers.
    digests: FileDigests,
    is_as_before: bool,
    version: Version,
}

impl LedgerUpdate<'_> {
    fn old(&self) -> Option<&SliceMap<SliceEntry>> {
        self.known.map(|ledger| &ledger.slices)
    }

    /// The entries of slices that the work does not cover.
    fn kept(&self) -> SliceMap<SliceEntry> {
        let old = self.old();
        // With room for what is laid over it.
        let mut kept = Vec::with_capacity(old.map_or(0, SliceMap::len) + self.work.slices.len());
        let uncovered = old.into_iter().flatten().filter(|(slice, _)| !self.work.covers(**slice));
        kept.extend(uncovered.map(|(slice, entry)| (*slice, self.stays(*slice, entry.clone()))));
        kept.into_iter().collect()
    }

    fn stays(&self, slice: SliceKey, entry: SliceEntry) -> SliceEntry {
        if self.changed_externally.contains(&slice) {
            if entry.files == FileDigest::CHANGED_EXTERNALLY {
                return entry;
            }
            // Its files may be copied now, and would no longer show it: the mark does.
            let changes = entry.changes.and(self.version, entry.rows.rows);
            return SliceEntry { files: FileDigest::CHANGED_EXTERNALLY, changes, ..entry };
        }
        if self.is_as_before {
            return entry;
        }
        SliceEntry { files: self.digests.of(slice), ..entry }
    }

    /// The entries of slices that the work covers: those with rows, and those that lost their last one.
    fn computed(&self) -> SliceMap<SliceEntry> {
        let slices = &self.work.slices;
        let computed = slices.iter().map(|(slice, rows)| (*slice, *rows));
        // A slice that lost its last row is remembered: what was made of it must notice.
        let before = self.old().into_iter().flat_map(SliceMap::keys).chain(&self.changed_externally).copied();
        let emptied = before.filter(|slice| !slices.contains_key(slice)).map(|slice| (slice, SliceRows::default()));
        let covered = computed.chain(emptied).filter(|(slice, _)| self.work.covers(*slice));
        covered.map(|(slice, rows)| (slice, self.entry(slice, rows))).collect()
    }

    fn entry(&self, slice: SliceKey, rows: SliceRows) -> SliceEntry {
        let before = self.old().and_then(|old| old.get(&slice));
        let is_changed_externally = self.changed_externally.contains(&slice);
        let changes = match before {
            // Equal rows are no change: what reads the slice need not be made again (early cutoff). Readers of one that something else changed
            // have seen other rows in between.
            Some(before) if before.rows == rows && !is_changed_externally => before.changes.clone(),
            Some(before) => before.changes.and(self.version, rows.rows),
            None if rows.rows == 0 && !is_changed_externally => RowChanges::default(),
            None => RowChanges::default().and(self.version, rows.rows),
        };
        SliceEntry { provenance: Arc::clone(&self.work.provenance), files: self.digests.of(slice), rows, changes }
    }

    /// The slices that something else filled and that have no entry.
    fn without_entry(&self, slices: &SliceMap<SliceEntry>) -> BTreeSet<SliceKey> {
        self.changed_externally.iter().copied().filter(|slice| !slices.contains_key(slice)).collect()
    }
}
