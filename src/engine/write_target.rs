//! Where the files of a plan go. The plan holds a name, and the machine that executes it finds what the name means.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;

use super::LAKE_URL;
use crate::locked::Locked;
use crate::name::TableName;
use crate::partition_writer::Destination;
use crate::store::Staging;

/// Where the files of one plan of one commit go, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteTarget {
    pub table: TableName,
    /// Unique to the plan.
    pub name: String,
}

/// The files of steps that are at work in this process, by the names of their plans: what a plan creates here belongs to its step,
/// which removes it if it is not committed. The sessions of a run have this as an extension.
#[derive(Debug, Default)]
pub(crate) struct OpenTargets(Locked<BTreeMap<String, Staging>>);

impl OpenTargets {
    /// Opens a target for as long as the result lives.
    pub fn open(self: &Arc<Self>, target: &WriteTarget, staging: &Staging) -> OpenTarget {
        self.0.lock().insert(target.name.clone(), staging.clone());
        OpenTarget { targets: Arc::clone(self), name: target.name.clone() }
    }
}

/// A target that plans may write to.
pub(crate) struct OpenTarget {
    targets: Arc<OpenTargets>,
    name: String,
}

impl Drop for OpenTarget {
    fn drop(&mut self) {
        self.targets.0.lock().remove(&self.name);
    }
}

impl WriteTarget {
    /// Opens the target on the machine that executes the plan: the step's files, or if the step is at work on another machine,
    /// the table's folder in the lake of this one.
    pub(super) fn open(&self, context: &TaskContext) -> Result<OpenedFiles> {
        let targets = context.session_config().get_extension::<OpenTargets>();
        if let Some(staging) = targets.and_then(|targets| targets.0.lock().get(&self.name).cloned()) {
            return Ok(OpenedFiles { staging, belongs_to: FileOwner::Step });
        }
        let store = context.runtime_env().object_store(ObjectStoreUrl::parse(LAKE_URL)?)?;
        let staging = Staging::over(store, &self.table).map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(OpenedFiles { staging, belongs_to: FileOwner::Attempt })
    }
}

enum FileOwner {
    /// A step of this process, which knows them and removes them if need be.
    Step,
    /// One attempt, until its answer has been given.
    Attempt,
}

/// Files that an attempt creates.
pub(super) struct OpenedFiles {
    staging: Staging,
    belongs_to: FileOwner,
}

impl OpenedFiles {
    pub fn destination(&self) -> Arc<dyn Destination> {
        Arc::new(self.staging.clone())
    }

    /// The files belong to whoever gets the answer.
    pub fn hand_over(mut self) {
        self.belongs_to = FileOwner::Step;
    }
}

impl Drop for OpenedFiles {
    fn drop(&mut self) {
        match self.belongs_to {
            FileOwner::Step => {}
            FileOwner::Attempt => self.staging.remove_all(),
        }
    }
}
