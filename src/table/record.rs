//! What karat writes into a commit beside the data, for people and for recognising its own commits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::InputVersion;
use crate::name::TableKey;

/// Stands in Delta's `commitInfo` under `karat`. Nothing is decided by it but whose commit it is: a checkpoint
/// forgets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommitNote {
    /// Random, unique to the commit: how a writer recognises its own commit after a lost answer.
    pub token: String,
    pub model: String,
    pub run: String,
    /// Why the table was built.
    pub why: String,
    /// The slices whose rows are others than before, as text: `none`, `all`, `2023-05-03`,
    /// `365 slices from 2023-01-01 to 2023-12-31`.
    pub slices: String,
    /// The slices with rows that were computed one by one, if that are others than those that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<String>,
    /// Rows that were written for them.
    pub rows: u64,
    /// The object with the ledger.
    pub ledger: String,
    pub inputs: BTreeMap<TableKey, InputVersion>,
    /// The project's revision, if it is kept in git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
}
