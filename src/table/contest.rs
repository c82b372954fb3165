//! Another writer committed first: which of one's own slices are still worth committing, decided as data.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::freshness::TAINTED;
use super::{DataFile, Entry, Ledger, LedgerFound, Provenance, SliceKey, SliceLayout, SliceRows, TableState};
use crate::day::TimeRange;

/// What a build has computed.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub layout: SliceLayout,
    pub domain: Domain,
    /// Slices of the domain that another writer has brought as far or further: they are left alone.
    pub dropped: BTreeSet<SliceKey>,
    /// Whether it says what the slices without rows were made of.
    pub rest: bool,
    /// The computed slices that have rows.
    pub slices: BTreeMap<SliceKey, SliceRows>,
    pub provenance: Arc<Provenance>,
    /// The object that lists what is known of the source files, if the model reads a source.
    pub source_files: Option<String>,
}

/// The slices that a build has computed, with or without rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Domain {
    Whole,
    /// All of them, of which some rows are those that the table had before.
    Batch,
    Ranges(Vec<TimeRange>),
}

impl Domain {
    fn contains(&self, slice: SliceKey) -> bool {
        match (self, slice) {
            (Domain::Whole | Domain::Batch, _) => true,
            (Domain::Ranges(ranges), SliceKey::At(time)) => ranges.iter().any(|range| range.contains(time)),
            (Domain::Ranges(_), SliceKey::All | SliceKey::Timeless) => false,
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
        let (dropped, rest) = (BTreeSet::new(), matches!(domain, Domain::Whole | Domain::Batch));
        Work { layout, domain, dropped, rest, slices: BTreeMap::new(), provenance, source_files: None }
    }

    /// Whether a commit of this work decides the rows of the slice.
    pub fn covers(&self, slice: SliceKey) -> bool {
        self.domain.contains(slice) && !self.dropped.contains(&slice)
    }

    /// Whether a commit of this work replaces the file. Files that are shared by slices are not told apart here.
    pub fn replaces(&self, file: &DataFile) -> bool {
        self.layout.slice_of(&file.partition).is_none_or(|slice| self.covers(slice))
    }

    /// The ledger of a table after this work is committed on top of `base` as `version`, with these files in it.
    pub fn ledger<'f>(
        &self,
        base: Option<&TableState>,
        (table, version): (&str, u64),
        files: impl IntoIterator<Item = &'f DataFile>,
    ) -> Ledger {
        let digests = self.layout.digests(files);
        let known = base.and_then(|base| Some((base, base.known_ledger()?)));
        let mut slices = BTreeMap::new();
        if let Some((base, ledger)) = known {
            let tainted = base.tainted(&self.layout);
            for (slice, entry) in ledger.slices.iter().filter(|(slice, _)| !self.covers(**slice)) {
                // Its files may be copied now, and would no longer show it.
                let files = if tainted.contains(slice) { TAINTED.to_owned() } else { digests.of(*slice) };
                slices.insert(*slice, Entry { files, ..entry.clone() });
            }
        }
        let before = known.and_then(|(_, ledger)| ledger.rest.clone());
        let rest = if self.rest { Some(Arc::clone(&self.provenance)) } else { before };
        for (slice, rows) in self.slices.iter().filter(|(slice, _)| self.covers(**slice)) {
            let provenance = Arc::clone(&self.provenance);
            slices.insert(*slice, Entry { provenance, files: digests.of(*slice), rows: *rows });
        }
        // A slice that lost its last row is told by `rest`, or else by an entry of its own.
        if let (false, Some((_, ledger))) = (self.rest, known) {
            let emptied = ledger.slices.keys().filter(|slice| self.covers(**slice) && !self.slices.contains_key(slice));
            for slice in emptied {
                let provenance = Arc::clone(&self.provenance);
                let entry = Entry { provenance, files: digests.of(*slice), rows: SliceRows::default() };
                slices.insert(*slice, entry);
            }
        }
        let source_files = self.source_files.clone().or_else(|| known.and_then(|(_, old)| old.source_files.clone()));
        Ledger { table: table.to_owned(), version, slices, rest, source_files }
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
