//! What was observed of a table: its version, its files and what its last commit says. No IO.

mod record;
mod slice;

pub(crate) use record::{Record, SourceFileFacts};
pub(crate) use slice::{SliceKey, SliceRows};

use std::collections::BTreeMap;

use crate::name::TableName;

/// A table at one version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableState {
    /// Delta's table id: another id means another table under the same name.
    pub id: String,
    pub version: u64,
    /// Sorted by path.
    pub files: Vec<DataFile>,
    pub partition_columns: Vec<String>,
    /// Delta's schema string.
    pub schema: String,
    /// What karat wrote into the newest commit; nothing if another writer made it.
    pub record: Option<Record>,
}

/// One data file of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataFile {
    /// Relative to the table's folder, decoded.
    pub path: String,
    pub partition: BTreeMap<String, Option<String>>,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// Delta's statistics, as JSON text.
    pub stats: Option<String>,
}

/// The state of every table that was looked at; nothing for one that does not exist.
pub(crate) type Tables = BTreeMap<TableName, Option<TableState>>;
