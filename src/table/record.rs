//! What karat writes into a commit beside the data: which fingerprint and which inputs made the table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Stands in Delta's `commitInfo` under `karat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Random, unique to the commit: how a writer recognises its own commit after a lost answer.
    pub token: String,
    pub model: String,
    pub run: String,
    pub fingerprint: String,
    /// Whether every row of the table was computed under this fingerprint from these inputs.
    /// After a run over a range it is false, and nothing may be concluded about the other rows.
    pub complete: bool,
    /// Per input: a table's id and version, or a digest of a source's list of files.
    pub inputs: BTreeMap<String, String>,
    /// The object below `_karat/files/` that lists the source files, if the model reads a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_files: Option<String>,
}

/// What is known of a source file since it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFileFacts {
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
    pub records: u64,
    pub quarantined: u64,
    /// Per date or timestamp column the smallest and largest value, as days or microseconds since 1970; nothing
    /// if all are null.
    pub ranges: BTreeMap<String, Option<(i64, i64)>>,
}
