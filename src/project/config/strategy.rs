//! How later runs bring an incremental model up to date, and what they do when its columns changed.

use super::{Located, Materialized, invalid, one_of, text};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::project::settings::Settings;
use crate::span::Spanned;

/// How a later run brings an incremental model up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Slices of event time are built anew.
    Microbatch,
    /// The rows of a batch are added.
    Append,
    /// The rows of a batch go in the place of those with the same keys; a key stands in one row.
    Merge,
    /// The rows whose keys stand in a batch go, and the batch is added.
    DeleteInsert,
}

impl Strategy {
    /// Every strategy with its word.
    pub const ALL: [(&'static str, Strategy); 4] = [
        ("microbatch", Strategy::Microbatch),
        ("append", Strategy::Append),
        ("merge", Strategy::Merge),
        ("delete+insert", Strategy::DeleteInsert),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Strategy::Microbatch => "microbatch",
            Strategy::Append => "append",
            Strategy::Merge => "merge",
            Strategy::DeleteInsert => "delete+insert",
        }
    }

    /// Whether rows of the table are found by `unique_key`.
    pub fn needs_key(self) -> bool {
        match self {
            Strategy::Microbatch | Strategy::Append => false,
            Strategy::Merge | Strategy::DeleteInsert => true,
        }
    }

    /// Whether a key stands in one row of the table at most.
    pub fn has_one_row_a_key(self) -> bool {
        match self {
            Strategy::Merge => true,
            Strategy::Microbatch | Strategy::Append | Strategy::DeleteInsert => false,
        }
    }
}

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
}

pub(super) fn strategy(settings: &Settings, sink: &mut Sink) -> Checked<Located<Strategy>> {
    match text(settings, "incremental_strategy", sink)? {
        None => Ok(Located { value: Strategy::Microbatch, span: None }),
        Some(word) => {
            let value = one_of("incremental_strategy", &word, &Strategy::ALL, sink)?;
            Ok(Located { value, span: Some(word.span) })
        }
    }
}

pub(super) fn on_schema_change(settings: &Settings, sink: &mut Sink) -> Checked<OnSchemaChange> {
    match text(settings, "on_schema_change", sink)? {
        None => Ok(OnSchemaChange::Fail),
        Some(word) => one_of("on_schema_change", &word, &OnSchemaChange::ALL, sink),
    }
}

/// A key and a strategy that finds rows by it need each other.
pub(super) fn check_key(
    materialized: Materialized,
    strategy: Located<Strategy>,
    key: &[Spanned<String>],
    sink: &mut Sink,
) -> Checked<()> {
    match (materialized, key) {
        (Materialized::Incremental, []) if strategy.value.needs_key() => Err(sink.error(no_key(strategy))),
        (_, []) => Ok(()),
        (Materialized::Incremental, [_, ..]) if strategy.value.needs_key() => Ok(()),
        (Materialized::Incremental, [column, ..]) => {
            let word = strategy.value.word();
            let message = format!("`unique_key` does not apply to `incremental_strategy='{word}'`");
            let diagnostic = invalid(Some(column.span), message);
            Err(sink.error(diagnostic.help(match strategy.value {
                Strategy::Append => "`append` adds all rows of a batch; use `merge` to replace rows by their key",
                _ => "set `incremental_strategy='merge'`, or leave `unique_key` out: slices are replaced whole",
            })))
        }
        (_, [column, ..]) => {
            let message = format!("`unique_key` does not apply to a model that is a `{}`", materialized.word());
            let help =
                "set `materialized='incremental', incremental_strategy='merge'`, or keep one row per key in the SELECT";
            Err(sink.error(invalid(Some(column.span), message).help(help)))
        }
    }
}

fn no_key(strategy: Located<Strategy>) -> Diagnostic {
    let message = format!("`incremental_strategy='{}'` needs `unique_key`", strategy.value.word());
    invalid(strategy.span, message)
        .note("`unique_key` is the column, or the list of columns, by which rows of a batch are matched to rows of the table")
        .help("add it to the config, like `unique_key='order_id'`; `append` needs none")
}
