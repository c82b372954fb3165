//! What was written becomes a version of its table, or gives way to another run's.

use std::sync::Arc;

use super::context::RunContext;
use super::staged::Staged;
use crate::execute::Event;
use crate::failure::Failure;
use crate::name::TableName;
use crate::store::{Change, Outcome, StoreError, onto};
use crate::table::TableState;

/// What came of a commit.
pub(super) struct Committing {
    /// The files, given back where they are certainly part of no version.
    pub staged: Option<Staged>,
    pub outcome: Outcome,
}

impl RunContext<'_> {
    /// Commits, and remembers the new state so that the steps after this one read it. Gives the files back where they
    /// are certainly part of no version.
    pub(super) async fn commit(
        &self,
        table: &TableName,
        change: Change,
        staged: Staged,
    ) -> Result<Committing, Failure> {
        let _lock = self.locks().lock(table).await;
        // What this run has committed meanwhile is known here: no slot is lost to it.
        let newest = self.catalog.state_of(table).filter(|state| is_newer(state, change.base.as_deref()));
        let change = match newest.map_or_else(|| Ok(change.clone()), |newest| onto(change.clone(), newest)) {
            Ok(change) => change,
            Err(outcome) => return Ok(Committing { staged: Some(staged), outcome: *outcome }),
        };
        let staging = staged.hand_over();
        let outcome = match self.catalog.lake.commit(table, change).await {
            Ok(outcome) => outcome,
            Err(error @ StoreError::Unknown { .. }) => return Err(error.into()),
            Err(error) => {
                drop(staging.map(Staged::new));
                return Err(error.into());
            }
        };
        match &outcome {
            Outcome::Committed(state) => {
                if let Some(staging) = &staging {
                    staging.keep(state);
                }
                self.catalog.remember(table, Some(state.clone()));
                self.checkpoint(table, state).await;
                return Ok(Committing { staged: None, outcome });
            }
            Outcome::Superseded(state) => self.catalog.remember(table, Some(state.clone())),
            Outcome::Merge { .. } | Outcome::PlanAgain { .. } => {}
        }
        Ok(Committing { staged: staging.map(Staged::new), outcome })
    }

    /// The commit stands: what fails after it is a warning, and the next commit repairs it.
    async fn checkpoint(&self, table: &TableName, state: &TableState) {
        match self.catalog.lake.checkpoint(table, state).await {
            // The next batch of this run counts from here.
            Ok(Some(log)) => self.catalog.remember(table, Some(Arc::new(TableState { log, ..state.clone() }))),
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
