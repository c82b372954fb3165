//! Tables that are needed and cannot be had.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as EngineResult};

use crate::name::TableName;
use crate::store::StoreError;

/// A table is needed that does not exist.
#[derive(Debug)]
pub(crate) struct NotBuilt(pub String);

impl fmt::Display for NotBuilt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` has not been built yet", self.0)
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
pub(super) fn not_built<T>(table: &TableName) -> EngineResult<T> {
    Err(DataFusionError::External(Box::new(NotBuilt(table.to_string()))))
}
