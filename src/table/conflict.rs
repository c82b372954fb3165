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

use super::{Domain, Ledger, LedgerFound, Provenance, SliceKey, TableState, Work};

/// How a build goes on when another writer's version came first.
#[must_use]
#[derive(Debug, Clone)]
pub(crate) enum Resolution {
    /// The others have brought everything as far or further: there is nothing to commit.
    Superseded,
    /// What is left of the work, to commit on top of the others' version.
    Rebase(Work),
    /// Neither is newer than the other: what to build must be decided anew, for this reason.
    Replan(String),
}

/// Whose rows of a slice stand in the table in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newer {
    Mine,
    Theirs,
    /// Neither provenance is greater: nobody can say.
    Unordered,
}

const OTHER_INPUTS: &str = "another run built it from other inputs";

/// Resolves the conflict of work that was planned on `pinned` with the version that came first.
pub(crate) fn resolve_conflict(work: &Work, pinned: Option<&TableState>, winner: &TableState) -> Resolution {
    if let Some(reason) = cannot_be_rebased(work, pinned, winner) {
        return Resolution::Replan(reason.to_owned());
    }
    match &winner.ledger {
        LedgerFound::Known(theirs) => {
            let before = pinned.and_then(TableState::known_ledger);
            let tainted = winner.tainted(&work.layout);
            Conflict { work, before, theirs, tainted }.resolve()
        }
        // Only another writer has been there, who keeps no ledger.
        LedgerFound::Unknown(_) if winner.transaction.is_none() => Resolution::Rebase(work.clone()),
        LedgerFound::Unknown(reason) => Resolution::Replan(reason.clone()),
    }
}

/// Why the work means nothing on top of the others' version, whatever the slices are made of.
fn cannot_be_rebased(work: &Work, pinned: Option<&TableState>, winner: &TableState) -> Option<&'static str> {
    if work.domain == Domain::Batch {
        return Some("its rows changed meanwhile, and the batch was made for those before");
    }
    let pinned = pinned?;
    if pinned.id != winner.id || pinned.schema != winner.schema {
        return Some("its columns changed meanwhile");
    }
    (pinned.partition_columns != winner.partition_columns).then_some("its partitions changed meanwhile")
}

/// One's own work beside what the winner's ledger records.
struct Conflict<'a> {
    work: &'a Work,
    /// The ledger that the work was planned on.
    before: Option<&'a Arc<Ledger>>,
    theirs: &'a Ledger,
    /// The slices of the winner's version that something else than karat has changed.
    tainted: BTreeSet<SliceKey>,
}

impl Conflict<'_> {
    fn resolve(&self) -> Resolution {
        let mut left = self.work.clone();
        let mut has_slices = false;
        // Both sides: a slice that the winner emptied is known to its ledger alone.
        let concerned: BTreeSet<SliceKey> = self.theirs.slices.keys().chain(self.work.slices.keys()).copied().collect();
        for slice in concerned.into_iter().filter(|slice| self.work.covers(*slice)) {
            match self.newer(slice) {
                Newer::Mine if left.stays.contains(&slice) && !self.is_as_pinned(slice) => {
                    return Resolution::Replan("another run changed rows that were to stay".to_owned());
                }
                Newer::Mine => has_slices = true,
                Newer::Theirs => {
                    left.dropped.insert(slice);
                }
                // One slice without an order decides for all: to commit the others would make a version that no
                // single plan has ever described.
                Newer::Unordered => return Resolution::Replan(OTHER_INPUTS.to_owned()),
            }
        }
        if self.work.rest {
            let before = self.before.and_then(|ledger| ledger.rest.as_ref());
            match newer(&self.work.provenance, before, self.theirs.rest.as_ref()) {
                Newer::Mine => left.rest = true,
                Newer::Theirs => left.rest = false,
                Newer::Unordered => return Resolution::Replan(OTHER_INPUTS.to_owned()),
            }
        }
        if has_slices || left.rest { Resolution::Rebase(left) } else { Resolution::Superseded }
    }

    fn newer(&self, slice: SliceKey) -> Newer {
        let mine = &self.work.provenance;
        match self.theirs.provenance(slice) {
            // What something else has changed must be made anew, but never from older inputs. Equal inputs are no
            // reason to drop it here: the rows that stand in the table are not those of the winner.
            Some(now) if self.tainted.contains(&slice) => match mine.compare(now) {
                Some(Ordering::Greater | Ordering::Equal) => Newer::Mine,
                Some(Ordering::Less) | None => Newer::Unordered,
            },
            now => newer(mine, self.before.and_then(|ledger| ledger.provenance(slice)), now),
        }
    }

    /// Whether the winner's slice has the rows that one's own work counts on.
    fn is_as_pinned(&self, slice: SliceKey) -> bool {
        let before = self.before.and_then(|ledger| ledger.slices.get(&slice));
        let before = before.map(|entry| (entry.files, entry.rows));
        let now = self.theirs.slices.get(&slice).map(|entry| (entry.files, entry.rows));
        !self.tainted.contains(&slice) && before == now
    }
}

/// Whose rows stand: one's own provenance beside what was recorded when the work was planned, and what is recorded now.
fn newer(mine: &Provenance, before: Option<&Arc<Provenance>>, now: Option<&Arc<Provenance>>) -> Newer {
    let Some(now) = now else { return Newer::Mine };
    match mine.compare(now) {
        Some(Ordering::Greater) => Newer::Mine,
        // The others have not touched it, and somebody asked for it to be made anew.
        Some(Ordering::Equal) if before == Some(now) => Newer::Mine,
        Some(Ordering::Equal | Ordering::Less) => Newer::Theirs,
        // It was planned in the knowledge of this.
        None if before == Some(now) => Newer::Mine,
        None => Newer::Unordered,
    }
}
