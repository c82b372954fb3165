//! What a run does when the columns of an incremental model changed.

use super::{one_of, text};
use crate::diag::{Checked, Sink};
use crate::project::settings::Settings;

/// What a run does when an incremental model puts out other columns than its table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnSchemaChange {
    /// Nothing is built, and the message shows the difference.
    Fail,
    /// The table keeps its columns.
    Ignore,
    /// The table gets the new columns, and keeps those that the model lost.
    AppendNewColumns,
    /// The table gets the model's columns.
    SyncAllColumns,
}

impl OnSchemaChange {
    /// Every choice with its word.
    pub const ALL: [(&'static str, OnSchemaChange); 4] = [
        ("fail", OnSchemaChange::Fail),
        ("ignore", OnSchemaChange::Ignore),
        ("append_new_columns", OnSchemaChange::AppendNewColumns),
        ("sync_all_columns", OnSchemaChange::SyncAllColumns),
    ];

    pub(super) fn read(settings: &Settings, sink: &mut Sink) -> Checked<OnSchemaChange> {
        match text(settings, "on_schema_change", sink)? {
            None => Ok(OnSchemaChange::Fail),
            Some(word) => one_of("on_schema_change", &word, &OnSchemaChange::ALL, sink),
        }
    }
}
