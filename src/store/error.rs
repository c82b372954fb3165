//! What can be wrong with the world: callers match on it to decide whether another try makes sense.

use std::fmt;
use std::io;

#[derive(Debug)]
pub(crate) enum StoreError {
    /// Another writer took the version.
    Conflict { table: String, version: u64 },
    /// The store did not say whether the commit happened.
    Unknown { table: String, version: u64, source: io::Error },
    /// The store could not be read or written.
    Unavailable { path: String, source: io::Error },
    /// A table's log is not what it should be.
    Corrupt { path: String, reason: String },
}

impl StoreError {
    pub fn unavailable(path: impl Into<String>, source: io::Error) -> StoreError {
        StoreError::Unavailable { path: path.into(), source }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict { table, version } => {
                write!(formatter, "another writer committed version {version} of `{table}` first")
            }
            StoreError::Unknown { table, version, source } => {
                write!(formatter, "it is unknown whether version {version} of `{table}` was committed: {source}")
            }
            StoreError::Unavailable { path, source } => write!(formatter, "`{path}`: {source}"),
            StoreError::Corrupt { path, reason } => write!(formatter, "`{path}`: {reason}"),
        }
    }
}

impl std::error::Error for StoreError {}
