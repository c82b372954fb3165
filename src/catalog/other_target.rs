//! Tables that are not built in this target, read as another target has released them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use futures::stream::StreamExt;
use tokio::sync::OnceCell;

use super::for_readers::{ForReaders, state_for_readers};
use super::observation_scope::ObservationScope;
use crate::analyze::{TypedModel, quarantine_table};
use crate::failure::Failure;
use crate::name::{ModelName, TableName};
use crate::store::{Lake, Numbered, Observation, READ_AT_ONCE, StoreError};
use crate::table::{Elsewhere, TableState};

/// Another target of the project, from which tables are read that this one lacks.
#[derive(Clone)]
pub(crate) struct OtherTarget {
    pub name: String,
    pub lake: Lake,
    /// What the tables of models are called there.
    pub tables: BTreeMap<ModelName, TableName>,
    /// Whether its tables are read although this target has them too.
    pub is_favored: bool,
    /// Whether the newest versions are read, whether they were released or not.
    is_live: bool,
    /// The release that is read, the same one until the command ends.
    release: Arc<OnceCell<Option<Numbered>>>,
}

/// A model that is not built by the command: its tables may be read from the other target.
pub(super) struct Deferrable {
    /// The table of its rows, and that of its bad records, in this target.
    pub here: [TableName; 2],
    /// The same in the other one.
    there: [TableName; 2],
}

impl fmt::Debug for OtherTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OtherTarget").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OtherTarget {
    pub fn new(name: String, lake: Lake, tables: BTreeMap<ModelName, TableName>, is_favored: bool) -> Self {
        Self { name, lake, tables, is_favored, is_live: false, release: Arc::default() }
    }

    /// The same target, whose newest versions are read, whether they were released or not.
    pub fn live(self) -> Self {
        Self { is_live: true, ..self }
    }

    /// The models of which something is looked at and nothing is built.
    pub(super) fn deferrable(
        &self,
        typed: &BTreeMap<ModelName, TypedModel>,
        scope: &ObservationScope,
    ) -> Vec<Deferrable> {
        let built: BTreeSet<&ModelName> = scope.decided.iter().collect();
        let mut found = Vec::new();
        for (name, there) in &self.tables {
            let Some(model) = typed.get(name).filter(|_| !built.contains(name)) else { continue };
            let here = [model.table.clone(), quarantine_table(&model.table)];
            if here.iter().any(|table| scope.tables.contains(table)) {
                found.push(Deferrable { here, there: [there.clone(), quarantine_table(there)] });
            }
        }
        found
    }

    /// The tables of these models as the target has released them, by their names here. Those that it does not have are
    /// left out. Where nothing was ever released, they are read as they are, as `karat query` does.
    ///
    /// # Errors
    ///
    /// Returns an error if the store does not answer, or if a table is there that no complete run has released.
    pub(super) async fn observe(&self, wanted: &[Deferrable]) -> Result<Observation, Failure> {
        let release = self.release.get_or_try_init(|| self.lake.newest_release()).await;
        let release = release.map_err(|error| self.failed(error))?.as_ref().filter(|_| !self.is_live);
        let read = wanted.iter().map(|model| async move {
            // A table of bad records goes with the rows: without rows to read there are none.
            let rows = self.state(&model.there[0], release).await;
            let bad_records = match &rows {
                Ok(ForReaders::Released(Some(_))) => self.state(&model.there[1], release).await,
                _ => Ok(ForReaders::Released(None)),
            };
            (model, [rows, bad_records])
        });
        let found: Vec<_> = futures::stream::iter(read).buffered(READ_AT_ONCE).collect().await;
        let mut seen = Observation::default();
        for (model, states) in found {
            if matches!(&states[0], Ok(ForReaders::Released(None))) {
                continue;
            }
            for ((here, there), state) in model.here.iter().zip(&model.there).zip(states) {
                let state = match state {
                    Ok(ForReaders::Unreleased) => {
                        let help = format!("a `karat run --target {}` without failures releases it", self.name);
                        return Err(Failure::not_released_in(there, &self.name, help));
                    }
                    Ok(ForReaders::Released(state)) => Ok(state.map(|state| self.marked(&state, there))),
                    Err(error) => Err(error),
                };
                seen.note(here.clone(), state).map_err(|error| self.failed(error))?;
            }
        }
        Ok(seen)
    }

    async fn state(&self, there: &TableName, release: Option<&Numbered>) -> Result<ForReaders, StoreError> {
        let state = match release {
            // What has changed since an earlier run is read off the ledger.
            Some(release) => {
                let released = release.release.tables.get(&there.key());
                match state_for_readers(&self.lake, there, released).await? {
                    ForReaders::Released(Some(state)) => Some(self.lake.with_ledger(there, &state).await?),
                    other => return Ok(other),
                }
            }
            None => self.lake.observe(there).await?,
        };
        Ok(ForReaders::Released(state))
    }

    fn marked(&self, state: &TableState, there: &TableName) -> Arc<TableState> {
        let elsewhere = Elsewhere { target: self.name.clone(), table: there.clone() };
        Arc::new(TableState { elsewhere: Some(Arc::new(elsewhere)), ..state.clone() })
    }

    fn failed(&self, error: StoreError) -> Failure {
        Failure::from(error).noted(format!("the tables of target `{}` were to be read", self.name))
    }
}
