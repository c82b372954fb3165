//! Tables that are needed and cannot be had.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as EngineResult};

use crate::store::StoreError;

/// A table is needed that does not exist.
#[derive(Debug)]
pub(crate) struct NotBuilt {
    pub table: String,
    pub kind: MissingKind,
    /// The target in which it was looked for as well.
    pub other_target: Option<String>,
}

/// Which command makes a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingKind {
    Model,
    Seed,
    Snapshot,
    FailingRows,
}

impl NotBuilt {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.kind {
            MissingKind::Seed => "load it with `karat seed`; `karat build` loads seeds as well",
            MissingKind::Snapshot => "take it with `karat snapshot`; `karat build` takes snapshots as well",
            MissingKind::FailingRows => "`karat test --store-failures` keeps the rows that break tests",
            MissingKind::Model => "build it first, or select its parents too: `--select +model`",
        }
    }
}

impl fmt::Display for NotBuilt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            MissingKind::Seed => write!(formatter, "the seed `{}` has not been loaded yet", self.table)?,
            MissingKind::Snapshot => write!(formatter, "the snapshot `{}` has not been taken yet", self.table)?,
            MissingKind::FailingRows => write!(formatter, "no run of the test has kept rows in `{}` yet", self.table)?,
            MissingKind::Model => write!(formatter, "`{}` has not been built yet", self.table)?,
        }
        match &self.other_target {
            Some(target) => write!(formatter, ", here or in target `{target}`"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NotBuilt {}

/// A table is needed that is there and cannot be read.
#[derive(Debug)]
pub(crate) struct UnreadableTable(pub Arc<StoreError>);

impl fmt::Display for UnreadableTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for UnreadableTable {}

/// The error of a table that does not exist.
pub(super) fn not_built<T>(table: &str) -> EngineResult<T> {
    Err(NotBuilt { table: table.to_owned(), kind: MissingKind::Model, other_target: None }.into())
}

impl From<NotBuilt> for DataFusionError {
    fn from(error: NotBuilt) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}
