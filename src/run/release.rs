//! The end of a run: one object makes all of its tables visible together.

use std::collections::BTreeMap;

use super::context::RunContext;
use crate::incremental::{Decider, Refresh};
use crate::name::{ModelName, TableKey};
use crate::store::{Release, Released, StoreError};
use crate::table::behind;

impl RunContext<'_> {
    /// Releases every table as this run has read or left it. Returns the number of the release; `None` if the newest
    /// release says the same already, or if other runs were at work and not all tables were made of each other: then the
    /// run that comes last releases them.
    pub(super) async fn publish_release(&self, order: &[ModelName]) -> Result<Option<u64>, StoreError> {
        if !self.belong_together(order) {
            return Ok(None);
        }
        let tables = self.catalog.observed(|observed| {
            let tables = observed.tables.iter().filter_map(|(name, state)| {
                // Another target's table is no table of this lake.
                let state = state.as_ref().filter(|state| state.elsewhere.is_none())?;
                Some((name.key(), Released { id: state.id.clone(), version: state.version, by: None }))
            });
            tables.collect::<BTreeMap<TableKey, Released>>()
        });
        let identity = &self.identity;
        let released = identity.now.timestamp_millis();
        let release = Release { run: identity.id.clone(), released, git: identity.git.clone(), tables };
        self.catalog.lake.release(&release).await
    }

    /// Whether the tables were made of each other as they are now. Other runs may have brought one further than its inputs
    /// are here, or an input that was looked at once more may be newer than what others were made of.
    fn belong_together(&self, order: &[ModelName]) -> bool {
        self.catalog.observed(|observed| {
            let states = observed.tables.iter();
            let states = states.filter_map(|(name, state)| Some((name.key(), state.as_deref()?)));
            if !behind(states).is_empty() {
                return false;
            }
            if !self.have_inputs_moved() {
                return true;
            }
            let decisions = Decider::new(*observed, Refresh::Stale).decide_all(order);
            decisions.values().all(|decision| !decision.may_build())
        })
    }
}
