//! The configs that only some materializations have a use for.

use crate::diag::{Checked, Diagnostic, Sink};
use crate::project::config::{OnSchemaChange, UpdatedColumns, invalid};
use crate::span::{Span, Spanned};

/// What a config says that a materialization may need, or have no use for.
pub struct Options<'a> {
    /// Where `materialized` was written.
    pub materialized: Option<Span>,
    /// Where `incremental_strategy` was written.
    pub strategy: Option<Span>,
    pub event_time: Option<&'a Spanned<String>>,
    pub unique_key: &'a [Spanned<String>],
    pub updated_columns: &'a UpdatedColumns,
    pub on_schema_change: OnSchemaChange,
}

impl Options<'_> {
    /// Reports a key of a model that is not incremental.
    pub fn have_no_key(&self, materialized: &str, sink: &mut Sink) -> Checked<()> {
        let Some(column) = self.unique_key.first() else { return Ok(()) };
        let message = format!("`unique_key` means nothing to a model that is a `{materialized}`");
        let help =
            "set `materialized='incremental', incremental_strategy='merge'`, or keep one row per key in the SELECT";
        Err(sink.error(invalid(Some(column.span), message).help(help)))
    }

    /// Reports columns that a batch would change, of a model that is not incremental.
    pub fn have_no_updated_columns(&self, materialized: &str, sink: &mut Sink) -> Checked<()> {
        let Some(key) = self.updated_columns.word() else { return Ok(()) };
        let message = format!("`{key}` means nothing to a model that is a `{materialized}`");
        let help = "set `materialized='incremental', incremental_strategy='merge'`, or leave it out";
        Err(sink.error(invalid(self.updated_columns.span(), message).help(help)))
    }

    /// Reports a key of a strategy that finds no rows by it.
    pub fn have_no_key_for(&self, strategy: &str, help: &str, sink: &mut Sink) -> Checked<()> {
        let Some(column) = self.unique_key.first() else { return Ok(()) };
        let message = format!("`unique_key` means nothing to `incremental_strategy='{strategy}'`");
        Err(sink.error(invalid(Some(column.span), message).help(help)))
    }

    /// Reports the lack of a key of a strategy that finds rows by it.
    pub fn have_a_key_for(&self, strategy: &str, sink: &mut Sink) -> Checked<()> {
        if !self.unique_key.is_empty() {
            return Ok(());
        }
        // Without a key each batch would add its rows again, which is what `append` is for.
        let message = format!("`incremental_strategy='{strategy}'` needs `unique_key`");
        let diagnostic = invalid(self.strategy, message).note(
            "`unique_key` is the column, or the list of columns, by which rows of a batch are matched to rows of the table",
        );
        let help = "add it to the config, like `unique_key='order_id'`; `append` needs none";
        Err(sink.error(diagnostic.help(help)))
    }

    /// Reports columns that a batch would change, of a strategy that changes no rows.
    pub fn have_no_updated_columns_for(&self, strategy: &str, sink: &mut Sink) -> Checked<()> {
        let Some(key) = self.updated_columns.word() else { return Ok(()) };
        let message = format!("`{key}` means nothing to `incremental_strategy='{strategy}'`");
        let diagnostic = invalid(self.updated_columns.span(), message)
            .note("only `merge` changes existing rows: the other strategies replace or add rows");
        Err(sink.error(diagnostic.help("set `incremental_strategy='merge'`, or leave it out")))
    }

    /// Reports the lack of a time that slices could be cut by.
    pub fn have_an_event_time(&self, sink: &mut Sink) -> Checked<()> {
        match self.event_time {
            Some(_) => Ok(()),
            None => Err(sink.error(no_event_time(self.materialized))),
        }
    }
}

fn no_event_time(span: Option<Span>) -> Diagnostic {
    invalid(span, "an incremental model needs `event_time`")
        .note("`event_time` is the output column that says when a row happened; it divides the table into slices")
        .help("add it to the config, like `event_time='event_date'`")
        .help("a table without times can grow by `incremental_strategy='append'` or `'merge'`")
}
