//! The end of a step: its change is committed, and where another run has changed other slices of the same files, the rows are
//! put together and nothing is computed twice.

use std::time::Instant;

use super::commit::Committing;
use super::context::RunContext;
use super::replace::Replaced;
use super::report::StepResult;
use super::staged::Staged;
use super::write::{BoundFiles, WriteJob};
use crate::analyze::TypedModel;
use crate::check::CheckResult;
use crate::execute::Built;
use crate::failure::Failure;
use crate::incremental::{Bound, Build};
use crate::store::{Change, CommitOutcome, StoreError};
use crate::table::{DataFile, Domain, SliceSet, TableState, Work};

/// How a step ended, if it did.
pub(super) enum Published {
    Step(StepResult),
    /// Another run came first, and neither is newer: what to build must be decided again.
    PlanAgain(StoreError),
}

/// What a step has built and is about to commit.
pub(super) struct Publication {
    pub change: Change,
    pub staged: Staged,
    pub built: Built,
    pub started: Instant,
    pub checks: Vec<CheckResult>,
}

impl RunContext<'_> {
    /// Commits what a build has written. Where slices share files and another run has changed other slices, the rows
    /// are put together in new files, and nothing is computed twice.
    pub(super) async fn publish(&self, model: &TypedModel, publication: Publication) -> Result<Published, Failure> {
        let Publication { mut change, mut staged, built, started, checks } = publication;
        let mine = change.add.clone();
        // The rows are read from the first files as often as another run comes first.
        let mut first = None;
        loop {
            let Committing { staged: given_back, outcome } = self.commit(&model.table, change.clone(), staged).await?;
            match outcome {
                CommitOutcome::Committed(state) => {
                    let built = Built { version: state.version, elapsed: started.elapsed(), ..built };
                    return Ok(Published::Step(StepResult::Built { built, checks }));
                }
                CommitOutcome::Superseded(_) => return Ok(Published::Step(StepResult::Superseded)),
                CommitOutcome::Replan { winner, reason } => return Ok(lost_to(model, &winner, reason)),
                // Slices that share files: the other run's rows outside of ours, and ours, become new files.
                CommitOutcome::Merge { remaining, winner } => {
                    let parts =
                        model.event_time().and_then(|event_time| MergeParts::new(model, event_time, &remaining));
                    let Some(MergeParts { own, others, build }) = parts else {
                        let reason = "its rows without a time changed meanwhile".to_owned();
                        return Ok(lost_to(model, &winner, reason));
                    };
                    let replaced = Replaced::new(model, &build, Some(&winner));
                    staged = Staged::new(self.catalog.lake.stage(&model.table)?);
                    first = first.or(given_back);
                    let name = format!("{}-{}", change.about.token, winner.version);
                    let job = WriteJob::new(model, &name, &staged);
                    let mine = BoundFiles { files: mine.clone(), bound: own };
                    let theirs = BoundFiles { files: replaced.files.clone(), bound: others };
                    let merged = self.write_merged(job, mine, theirs).await?;
                    change.add = merged.iter().map(DataFile::from).collect();
                    change.remove = replaced.files;
                    change.work = remaining;
                    change.base = Some(winner);
                    // What each run alone has kept, both together may break.
                    self.check_constraints(model, &change).await?;
                }
            }
        }
    }
}

fn lost_to(model: &TypedModel, winner: &TableState, reason: String) -> Published {
    Published::PlanAgain(StoreError::Conflict { table: model.table.to_string(), version: winner.version, reason })
}

/// Which rows of one's own files and which of the others' make the table, and as what build that replaces files.
struct MergeParts<'m> {
    own: Bound<'m>,
    others: Bound<'m>,
    build: Build,
}

impl<'m> MergeParts<'m> {
    /// Returns `None` if it cannot be told by time.
    fn new(model: &TypedModel, event_time: &'m str, remaining: &Work) -> Option<Self> {
        let grain = model.config.batch_size;
        match &remaining.domain {
            Domain::Slices(slices) => {
                let slices = SliceSet::of(slices.slices(grain).filter(|slice| remaining.covers(*slice)), grain)?;
                Some(Self {
                    own: Bound::Slices { event_time, slices: slices.clone() },
                    others: Bound::Outside { event_time, slices: slices.clone() },
                    build: Build::Slices(slices),
                })
            }
            Domain::Whole => {
                let slices = SliceSet::of(remaining.dropped.iter().copied(), grain)?;
                Some(Self {
                    own: Bound::Outside { event_time, slices: slices.clone() },
                    others: Bound::Slices { event_time, slices },
                    build: Build::Whole,
                })
            }
            // It is planned again as soon as anything else is committed.
            Domain::Batch => None,
        }
    }
}
