//! The configs that only some materializations need.

use crate::diag::{Checked, Diagnostic, Sink};
use crate::project::config::{OnSchemaChange, UpdatedColumns, invalid};
use crate::span::{Span, Spanned};

/// What a config says that a materialization may need.
pub struct Options<'a> {
    /// Where `incremental_strategy` was written.
    pub strategy: Option<Span>,
    pub event_time: Option<&'a Spanned<String>>,
    pub unique_key: &'a [Spanned<String>],
    pub updated_columns: &'a UpdatedColumns,
    pub on_schema_change: OnSchemaChange,
}

impl Options<'_> {
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

    /// Reports the lack of a time that slices could be cut by.
    pub fn have_an_event_time(&self, sink: &mut Sink) -> Checked<()> {
        match self.event_time {
            Some(_) => Ok(()),
            None => Err(sink.error(no_event_time(self.strategy))),
        }
    }
}

fn no_event_time(span: Option<Span>) -> Diagnostic {
    invalid(span, "`incremental_strategy='microbatch'` needs `event_time`")
        .note("`event_time` is the output column that says when a row happened; it divides the table into slices")
        .help("add it to the config, like `event_time='event_date'`")
        .help("a table without times can grow by `incremental_strategy='append'` or `'merge'`")
}
