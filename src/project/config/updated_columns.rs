//! Which columns a batch of `merge` changes in rows that are there already: `merge_update_columns` and
//! `merge_exclude_columns`.

use super::super::settings::Settings;
use super::{columns, invalid, setting};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::span::{Span, Spanned};

const UPDATE: &str = "merge_update_columns";
const EXCLUDE: &str = "merge_exclude_columns";

/// The columns that take the values of a batch in a row whose key the table holds already. A new key is inserted whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UpdatedColumns {
    /// The row is replaced.
    #[default]
    All,
    /// Only these, of which there is at least one; the others keep what the table holds.
    Only(Vec<Spanned<String>>),
    /// All columns of the SELECT except these, of which there is at least one: they keep what the table holds.
    AllBut(Vec<Spanned<String>>),
}

impl UpdatedColumns {
    pub(super) fn read(settings: &Settings, sink: &mut Sink) -> Checked<UpdatedColumns> {
        let update = columns(settings, UPDATE, sink);
        let exclude = columns(settings, EXCLUDE, sink);
        match (update?, exclude?) {
            (None, None) => Ok(UpdatedColumns::All),
            (Some(_), Some(_)) => Err(sink.error(both(settings))),
            (Some(update), None) if update.is_empty() => Err(sink.error(nothing_to_update(settings))),
            (Some(update), None) => Ok(UpdatedColumns::Only(update)),
            (None, Some(exclude)) if exclude.is_empty() => Ok(UpdatedColumns::All),
            (None, Some(exclude)) => Ok(UpdatedColumns::AllBut(exclude)),
        }
    }

    /// The columns that the config names.
    pub fn named(&self) -> &[Spanned<String>] {
        match self {
            UpdatedColumns::All => &[],
            UpdatedColumns::Only(columns) | UpdatedColumns::AllBut(columns) => columns,
        }
    }

    /// The columns that the config names as those that a batch writes over.
    pub fn written_over(&self) -> &[Spanned<String>] {
        match self {
            UpdatedColumns::Only(columns) => columns,
            UpdatedColumns::All | UpdatedColumns::AllBut(_) => &[],
        }
    }

    /// The key that it was written with; `None` if all columns are updated.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            UpdatedColumns::All => None,
            UpdatedColumns::Only(_) => Some(UPDATE),
            UpdatedColumns::AllBut(_) => Some(EXCLUDE),
        }
    }

    /// Where it was written.
    pub fn span(&self) -> Option<Span> {
        self.named().first().map(|column| column.span)
    }

    /// The key is in no list: equal keys are what a row is found by.
    pub fn check_key(&self, key: &[Spanned<String>], sink: &mut Sink) -> Checked<()> {
        let Some(word) = self.word() else { return Ok(()) };
        let Some(column) = self.named().iter().find(|column| key.iter().any(|part| part.value == column.value)) else {
            return Ok(());
        };
        let message = format!("`{word}` names `{}`, which is part of `unique_key`", column.value);
        let note = "a row is found by its key, so the key is the same in the batch and in the table";
        Err(sink.error(invalid(Some(column.span), message).note(note).help("leave it out of the list")))
    }
}

fn both(settings: &Settings) -> Diagnostic {
    let message = format!("`{UPDATE}` and `{EXCLUDE}` are both set");
    let diagnostic = invalid(setting(settings, EXCLUDE).map(|found| found.span), message);
    let other = setting(settings, UPDATE).filter(|update| {
        // In one `config()` they have one place.
        setting(settings, EXCLUDE).is_none_or(|exclude| exclude.span != update.span)
    });
    let diagnostic = match other {
        Some(update) => diagnostic.labelled(update.span, format!("`{UPDATE}` is set here")),
        None => diagnostic,
    };
    diagnostic.help("keep one of them: the columns that a batch changes, or those that it does not change")
}

fn nothing_to_update(settings: &Settings) -> Diagnostic {
    let message = format!("`{UPDATE}` names no column");
    invalid(setting(settings, UPDATE).map(|found| found.span), message)
        .help("leave it out to update all columns")
        .help(format!("to keep existing rows as they are, list all of their columns in `{EXCLUDE}`"))
}
