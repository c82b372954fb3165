//! The end of a step: what was written becomes a version of the table, or gives way to another run's.

use std::sync::Arc;
use std::time::Instant;

use super::failure::Failure;
use super::observer::{Built, Event};
use super::replace::{Replaced, data_file};
use super::step::{StepResult, Workshop};
use crate::analyze::TypedModel;
use crate::check::CheckResult;
use crate::incremental::{Bound, Build};
use crate::name::TableName;
use crate::store::{Change, Outcome, Staging, StoreError, onto};
use crate::table::{DataFile, Domain, SliceSet, TableState, Work};

/// Files that are removed unless they are committed: also when the step is dropped in the middle.
pub(super) struct Staged(Option<Staging>);

/// How a step ended, if it did.
pub(super) enum Published {
    Step(StepResult),
    /// Another run came first, and neither is newer: what to build must be decided anew.
    PlanAgain(StoreError),
}

impl Staged {
    pub fn new(staging: Staging) -> Staged {
        Staged(Some(staging))
    }

    pub fn staging(&self) -> &Staging {
        self.0.as_ref().expect("only a commit takes the staging")
    }

    /// From here on the files may be part of a version: only a definite answer allows to remove them.
    fn hand_over(mut self) -> Option<Staging> {
        self.0.take()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(staging) = &self.0 {
            staging.abandon();
        }
    }
}

impl Workshop<'_> {
    /// Commits what a build has written. Where slices share files and another run has changed other slices, the rows
    /// are put together in new files, and nothing is computed twice.
    pub(super) async fn publish(
        &self,
        model: &TypedModel,
        (mut change, mut staged): (Change, Staged),
        (built, started): (Built, Instant),
        checks: Vec<CheckResult>,
    ) -> Result<Published, Failure> {
        let mine = change.add.clone();
        let mut first = None;
        loop {
            let (next, outcome) = self.commit(&model.table, change.clone(), staged).await?;
            match outcome {
                Outcome::Committed(state) => {
                    let built = Built { version: state.version, elapsed: started.elapsed(), ..built };
                    return Ok(Published::Step(StepResult::Built { built, checks }));
                }
                Outcome::Superseded(_) => return Ok(Published::Step(StepResult::Superseded)),
                Outcome::PlanAgain { winner, reason } => {
                    let (table, version) = (model.table.to_string(), winner.version);
                    return Ok(Published::PlanAgain(StoreError::Conflict { table, version, reason }));
                }
                Outcome::Merge { left, winner } => {
                    let bounds = model.event_time().and_then(|event_time| bounds(model, event_time, &left));
                    let Some((own, others, build)) = bounds else {
                        let (table, version) = (model.table.to_string(), winner.version);
                        let reason = "its rows without a time changed meanwhile".to_owned();
                        return Ok(Published::PlanAgain(StoreError::Conflict { table, version, reason }));
                    };
                    let replaced = Replaced::by(model, &build, Some(&winner));
                    staged = Staged::new(self.lake.stage(&model.table)?);
                    // The rows are read from the first files as often as another run comes first.
                    first = first.or(next);
                    let name = format!("{}-{}", change.about.token, winner.version);
                    let files = ((mine.clone(), own), (replaced.files.clone(), others));
                    let merged = self.write_merged(model, files, &name, &staged).await?;
                    change.add = merged.iter().map(data_file).collect::<Vec<DataFile>>();
                    change.remove = replaced.files;
                    (change.work, change.base) = (left, Some(winner));
                }
            }
        }
    }

    /// Commits, and remembers the new state so that the steps after this one read it. Gives the files back where they
    /// are certainly part of no version.
    pub(super) async fn commit(
        &self,
        table: &TableName,
        change: Change,
        staged: Staged,
    ) -> Result<(Option<Staged>, Outcome), Failure> {
        let turn = self.turns.of(table);
        let _held = turn.lock().await;
        // What this run has committed meanwhile is known here: no slot is lost to it.
        let newest = self.state_of(table).filter(|state| is_newer(state, change.base.as_deref()));
        let change = match newest.map_or_else(|| Ok(change.clone()), |newest| onto(change.clone(), newest)) {
            Ok(change) => change,
            Err(outcome) => return Ok((Some(staged), *outcome)),
        };
        let staging = staged.hand_over();
        let give_back = || staging.clone().map(Staged::new);
        let outcome = match self.lake.commit(table, change).await {
            Ok(outcome) => outcome,
            Err(error @ StoreError::Unknown { .. }) => return Err(error.into()),
            Err(error) => {
                drop(give_back());
                return Err(error.into());
            }
        };
        match &outcome {
            Outcome::Committed(state) => {
                if let Some(staging) = &staging {
                    staging.keep(state);
                }
                self.remember(table, Some(state.clone()));
                self.checkpoint(table, state).await;
                Ok((None, outcome))
            }
            Outcome::Superseded(state) => {
                self.remember(table, Some(state.clone()));
                Ok((give_back(), outcome))
            }
            Outcome::Merge { .. } | Outcome::PlanAgain { .. } => Ok((give_back(), outcome)),
        }
    }

    /// The commit stands: what fails after it is a warning, and the next commit repairs it.
    async fn checkpoint(&self, table: &TableName, state: &TableState) {
        match self.lake.checkpoint(table, state).await {
            // The next batch of this run counts from here.
            Ok(Some(log)) => self.remember(table, Some(Arc::new(TableState { log, ..state.clone() }))),
            Ok(None) => {}
            Err(error) => {
                let text = format!("no checkpoint of `{table}` was written: {error}");
                self.observer.event(&Event::Warning { text: &text });
            }
        }
    }
}

/// Whether another version of the same table, or its first one, is known by now.
fn is_newer(state: &TableState, base: Option<&TableState>) -> bool {
    base.is_none_or(|base| state.id == base.id && state.version > base.version)
}

/// Which rows of one's own files and which of the others' make the table, and as what build that replaces files.
/// Nothing if it cannot be told by time.
fn bounds<'m>(model: &TypedModel, event_time: &'m str, left: &Work) -> Option<(Bound<'m>, Bound<'m>, Build)> {
    let grain = model.config.batch_size;
    match &left.domain {
        Domain::Slices(slices) => {
            let slices = SliceSet::of(slices.slices(grain).filter(|slice| left.covers(*slice)), grain)?;
            let build = Build::Slices(slices.clone());
            Some((Bound::Slices { event_time, slices: slices.clone() }, Bound::Outside { event_time, slices }, build))
        }
        Domain::Whole => {
            let slices = SliceSet::of(left.dropped.iter().copied(), grain)?;
            let own = Bound::Outside { event_time, slices: slices.clone() };
            Some((own, Bound::Slices { event_time, slices }, Build::Whole))
        }
        // It is planned again as soon as anything else is committed.
        Domain::Batch => None,
    }
}
