//! Another writer committed first: which of one's own slices are still worth committing, decided as data.
//!
//! # The theory
//!
//! This is optimistic concurrency control with a partial order in the place of "the last one wins". Provenances are
//! compared input by input: one is greater than another if it has the same fingerprint, none of its inputs is older and one
//! is newer. Two that are not comparable, as builds of different code or of inputs that crossed, have no order.
//!
//! When the slot of a version is taken, each slice of one's own work is compared with what the winner's ledger records of it:
//!
//! * theirs is greater: one's own slice is dropped, since the winner has made it from newer inputs;
//! * one's own is greater: it goes on top of the winner's version, as a rebase does;
//! * equal: both computed the same rows. One's own is dropped, unless the winner has not touched the slice;
//! * no order: nobody can say which rows a reader should see. What to build is decided anew, with what is known by now.
//!
//! So with equal code the versions of inputs that a slice is recorded at never go back, whatever the timing of the writers.
//! A batch that reads its own table cannot be rebased: its rows were computed from rows that have changed. A slice that
//! something else than karat has changed is made anew, but not from older inputs than before.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Backfill, BadRecordCount, Changes, DataFile, Entry, FactsName, FileDigest, Ledger, LedgerFound, LedgerLayers,
    Provenance, SinceLedger, SliceKey, SliceLayout, SliceMap, SliceRows, SliceSet, TableState,
};

/// What a build has computed.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub layout: SliceLayout,
    pub domain: Domain,
    /// Slices of the domain that another writer has brought as far or further: they are left alone.
    pub dropped: BTreeSet<SliceKey>,
    /// Slices of the domain whose files stay: their rows came out as they are, or more rows were added to them in files
    /// of their own.
    pub stays: BTreeSet<SliceKey>,
    /// Whether it says what the slices without rows were made of.
    pub rest: bool,
    /// The computed slices with their rows: those that have some, and of parts those that have none too.
    pub slices: SliceMap<SliceRows>,
    pub provenance: Arc<Provenance>,
    /// What is known of the source files, if the model reads a source.
    pub source_files: Option<FactsName>,
    /// How many bad records they have, if that was counted.
    pub bad_records: Option<BadRecordCount>,
    /// The backfill that it belongs to, with the slices that its commit adds to those that are done.
    pub backfill: Option<Arc<Backfill>>,
}

/// The slices that a build has computed, with or without rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Domain {
    Whole,
    /// All of them, of which some rows are those that the table had before.
    Batch,
    Slices(SliceSet),
}

impl Domain {
    fn contains(&self, slice: SliceKey) -> bool {
        match self {
            Domain::Whole | Domain::Batch => true,
            Domain::Slices(slices) => slices.contains(slice),
        }
    }
}

/// How a build goes on when another writer's version came first.
#[derive(Debug, Clone)]
pub(crate) enum Contest {
    /// The others have brought everything as far or further.
    Superseded,
    /// This is left to commit on top of the others' version.
    Left(Work),
    /// Neither is newer than the other: what to build must be decided anew, for this reason.
    PlanAgain(String),
}

impl Work {
    pub fn new(layout: SliceLayout, domain: Domain, provenance: Arc<Provenance>) -> Work {
        let rest = matches!(domain, Domain::Whole | Domain::Batch);
        let (dropped, stays, slices) = (BTreeSet::new(), BTreeSet::new(), SliceMap::new());
        Work {
            layout,
            domain,
            dropped,
            stays,
            rest,
            slices,
            provenance,
            source_files: None,
            bad_records: None,
            backfill: None,
        }
    }

    /// Whether a commit of this work decides the rows of the slice.
    pub fn covers(&self, slice: SliceKey) -> bool {
        self.domain.contains(slice) && !self.dropped.contains(&slice)
    }

    /// Whether a commit of this work replaces the file. Files that are shared by slices are not told apart here.
    pub fn replaces(&self, file: &DataFile) -> bool {
        match self.layout.slice_of(&file.partition) {
            Some(slice) => self.covers(slice) && !self.stays.contains(&slice),
            None => !self.keeps_all_files(),
        }
    }

    /// Whether a file that was written for this work still belongs to it.
    pub fn wants(&self, file: &DataFile) -> bool {
        self.layout.slice_of(&file.partition).is_none_or(|slice| self.covers(slice))
    }

    /// Whether no file is replaced, where slices share them.
    pub fn keeps_all_files(&self) -> bool {
        // A whole table without a row, of which nothing was known: whatever its files hold is wrong.
        let is_emptied = self.domain == Domain::Whole && self.slices.is_empty();
        !is_emptied && self.slices.keys().filter(|slice| self.covers(**slice)).all(|slice| self.stays.contains(slice))
    }

    /// Whether a commit of this work would say nothing that the base does not say.
    pub fn says_nothing_new(&self, base: &TableState) -> bool {
        let Some(ledger) = base.known_ledger() else { return false };
        if base.hides_slices(&self.layout).is_some() {
            return false;
        }
        let tainted = base.tainted(&self.layout);
        let is_known = |(slice, rows): (&SliceKey, &SliceRows)| {
            self.stays.contains(slice)
                && !tainted.contains(slice)
                && ledger.slices.get(slice).is_some_and(|entry| {
                    entry.rows == *rows && entry.provenance == self.provenance && entry.files != FileDigest::TAINTED
                })
        };
        let rest_is_known = !self.rest || ledger.rest.as_ref() == Some(&self.provenance);
        let files_are_known = self.source_files.is_none() || self.source_files == ledger.source_files;
        let is_recorded = |mine: &Backfill| mine.is_part_of(ledger.backfill.as_ref());
        let backfill_is_known = self.backfill.as_deref().is_none_or(is_recorded);
        let mut covered = self.slices.iter().filter(|(slice, _)| self.covers(**slice));
        let mut old = ledger.slices.keys().chain(&tainted).filter(|slice| self.covers(**slice));
        let all_are_known = rest_is_known && files_are_known && backfill_is_known;
        all_are_known && old.all(|slice| self.slices.contains_key(slice)) && covered.all(is_known)
    }

    /// The ledger of a table after this work is committed on top of `base` as `version`, with these files in it.
    pub fn ledger<'f>(
        &self,
        base: Option<&TableState>,
        (table, version): (&str, u64),
        files: impl IntoIterator<Item = &'f DataFile>,
    ) -> Ledger {
        // Files of one slice that are neither of this work nor of anybody else are as they were, and so is their digest.
        let is_as_before =
            self.layout != SliceLayout::Shared && base.is_some_and(|base| base.since == SinceLedger::Nothing);
        let is_hashed = |file: &&DataFile| {
            !is_as_before || self.layout.slice_of(&file.partition).is_none_or(|slice| self.covers(slice))
        };
        let digests = self.layout.digests(files.into_iter().filter(is_hashed));
        let known = base.and_then(|base| base.known_ledger());
        let tainted = base.map(|base| base.tainted(&self.layout)).unwrap_or_default();
        let old = known.map(|ledger| &ledger.slices);
        let stays = |(slice, entry): (&SliceKey, &Entry)| {
            let entry = entry.clone();
            // Its files may be copied now, and would no longer show it.
            let entry = match tainted.contains(slice) {
                true if entry.files == FileDigest::TAINTED => entry,
                true => {
                    let changes = entry.changes.and(version, entry.rows.rows);
                    Entry { files: FileDigest::TAINTED, changes, ..entry }
                }
                false if is_as_before => entry,
                false => Entry { files: digests.of(*slice), ..entry },
            };
            (*slice, entry)
        };
        let uncovered = old.into_iter().flatten().filter(|(slice, _)| !self.covers(**slice));
        let mut kept = Vec::with_capacity(old.map_or(0, SliceMap::len) + self.slices.len());
        kept.extend(uncovered.map(stays));
        let kept: SliceMap<Entry> = kept.into_iter().collect();
        let computed = self.slices.iter().map(|(slice, rows)| (*slice, *rows)).filter(|(slice, _)| self.covers(*slice));
        // A slice that lost its last row is remembered: what was made of it must notice.
        let before = old.into_iter().flat_map(SliceMap::keys).chain(&tainted).copied();
        let emptied = before.filter(|slice| self.covers(*slice) && !self.slices.contains_key(slice));
        let made = |(slice, rows): (SliceKey, SliceRows)| {
            let before = old.and_then(|old| old.get(&slice));
            let is_same = before.is_some_and(|before| before.rows == rows) && !tainted.contains(&slice);
            let changes = match before {
                Some(before) if is_same => before.changes.clone(),
                Some(before) => before.changes.and(version, rows.rows),
                None if rows.rows == 0 && !tainted.contains(&slice) => Changes::default(),
                None => Changes::default().and(version, rows.rows),
            };
            let (provenance, files) = (Arc::clone(&self.provenance), digests.of(slice));
            (slice, Entry { provenance, files, rows, changes })
        };
        let made = computed.chain(emptied.map(|slice| (slice, SliceRows::default()))).map(made).collect();
        let slices = kept.overlaid(made);
        let rest = match self.rest {
            true => Some(Arc::clone(&self.provenance)),
            false => known.and_then(|ledger| ledger.rest.clone()),
        };
        let hid_slices = base.is_some_and(|base| base.hides_slices(&self.layout).is_some());
        let known_from = known.filter(|_| !hid_slices).map_or(version, |ledger| ledger.known_from);
        let (source_files, bad_records) = match (&self.source_files, known) {
            (None, Some(old)) => (old.source_files.clone(), old.bad_records),
            (mine, _) => (mine.clone(), self.bad_records),
        };
        let (table, backfill) = (table.to_owned(), self.backfilled(known, version));
        // Where nothing was recorded before, only a look at the files tells which of them are others'.
        let without_entry = || tainted.into_iter().filter(|slice| !slices.contains_key(slice)).collect();
        let foreign = (base.is_none() || known.is_some()).then(without_entry);
        let layers = LedgerLayers::default();
        Ledger { table, version, slices, known_from, rest, foreign, source_files, bad_records, backfill, layers }
    }

    /// How far a backfill has come with this work.
    fn backfilled(&self, known: Option<&Arc<Ledger>>, version: u64) -> Option<Backfill> {
        let before = known.and_then(|ledger| ledger.backfill.as_ref());
        match &self.backfill {
            Some(mine) => Some(mine.onto(before, version)),
            None => before.cloned(),
        }
    }
}

/// Decides for work that was planned on `pinned` when `winner` came first.
pub(crate) fn contest(work: &Work, pinned: Option<&TableState>, winner: &TableState) -> Contest {
    if work.domain == Domain::Batch {
        return Contest::PlanAgain("its rows changed meanwhile, and the batch was made for those before".to_owned());
    }
    if let Some(pinned) = pinned
        && (pinned.id != winner.id || pinned.schema != winner.schema)
    {
        return Contest::PlanAgain("its columns changed meanwhile".to_owned());
    }
    if pinned.is_some_and(|pinned| pinned.partition_columns != winner.partition_columns) {
        return Contest::PlanAgain("its partitions changed meanwhile".to_owned());
    }
    let theirs = match &winner.ledger {
        LedgerFound::Known(ledger) => ledger,
        // Only another writer has been there, who keeps no ledger.
        LedgerFound::Unknown(_) if winner.transaction.is_none() => return Contest::Left(work.clone()),
        LedgerFound::Unknown(reason) => return Contest::PlanAgain(reason.clone()),
    };
    let before = pinned.and_then(TableState::known_ledger);
    let mut left = work.clone();
    let concerned: BTreeSet<SliceKey> = theirs.slices.keys().chain(work.slices.keys()).copied().collect();
    let tainted = winner.tainted(&work.layout);
    let mut anything = false;
    for slice in concerned.into_iter().filter(|slice| work.covers(*slice)) {
        let now = theirs.provenance(slice);
        let verdict = match now {
            // What something else has changed must be made anew, but never from older inputs.
            Some(now) if tainted.contains(&slice) => {
                work.provenance.compare(now).filter(|order| *order != Ordering::Less).map(|_| true)
            }
            now => judge(&work.provenance, before.and_then(|ledger| ledger.provenance(slice)), now),
        };
        match verdict {
            Some(true) if left.stays.contains(&slice) && !is_as_pinned(slice, before, theirs, &tainted) => {
                return Contest::PlanAgain("another run changed rows that were to stay".to_owned());
            }
            Some(true) => anything = true,
            Some(false) => {
                left.dropped.insert(slice);
            }
            None => return Contest::PlanAgain("another run built it from other inputs".to_owned()),
        }
    }
    if work.rest {
        let before = before.and_then(|ledger| ledger.rest.as_ref());
        match judge(&work.provenance, before, theirs.rest.as_ref()) {
            Some(keep) => left.rest = keep,
            None => return Contest::PlanAgain("another run built it from other inputs".to_owned()),
        }
    }
    if anything || left.rest { Contest::Left(left) } else { Contest::Superseded }
}

/// Whether the winner's slice has the rows that one's own work counts on.
fn is_as_pinned(slice: SliceKey, before: Option<&Arc<Ledger>>, theirs: &Ledger, tainted: &BTreeSet<SliceKey>) -> bool {
    let entry = |ledger: &Ledger| ledger.slices.get(&slice).map(|entry| (entry.files, entry.rows));
    !tainted.contains(&slice) && before.and_then(|ledger| entry(ledger)) == entry(theirs)
}

/// Whether one's own slice goes on top of the others': yes, no, or nobody can say.
fn judge(mine: &Provenance, before: Option<&Arc<Provenance>>, now: Option<&Arc<Provenance>>) -> Option<bool> {
    match now {
        None => Some(true),
        Some(now) => match mine.compare(now) {
            Some(Ordering::Greater) => Some(true),
            // The others have not touched it, and somebody asked for it to be made anew.
            Some(Ordering::Equal) => Some(before == Some(now)),
            Some(Ordering::Less) => Some(false),
            // It was planned in the knowledge of this.
            None => (before == Some(now)).then_some(true),
        },
    }
}
