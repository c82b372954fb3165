//! What a source says of files whose columns are not the declared ones: shapes change with the years.

use super::node::YamlFields;
use super::source::{CsvFormat, MissingColumn, SourceFormat, UnknownColumn};
use super::source_files::invalid;
use crate::diag::{Checked, Sink, any_of};

/// What becomes of columns in which a file and the declaration differ.
pub(super) struct Differences {
    pub(super) missing: MissingColumn,
    pub(super) unknown: UnknownColumn,
}

/// `missing_columns` and `unknown_columns`, or what the format does without them.
pub(super) fn differences(fields: &YamlFields<'_>, format: &SourceFormat, sink: &mut Sink) -> Checked<Differences> {
    const FAIL: (&str, UnknownColumn) = ("fail", UnknownColumn::Fail);
    const RESCUE: (&str, UnknownColumn) = ("rescue", UnknownColumn::Rescue);
    const IGNORE: (&str, UnknownColumn) = ("ignore", UnknownColumn::Ignore);
    const ALLOW: (&str, MissingColumn) = ("allow", MissingColumn::Allow);
    const LACKING: (&str, MissingColumn) = ("fail", MissingColumn::Fail);
    let missing: &[(&str, MissingColumn)];
    let unknown: &[(&str, UnknownColumn)];
    match format {
        SourceFormat::Csv(CsvFormat { header: true, .. }) => {
            missing = &[LACKING, ALLOW];
            unknown = &[FAIL, RESCUE, IGNORE];
        }
        // Without names nobody knows which columns a file has.
        SourceFormat::Csv(_) => {
            missing = &[LACKING];
            unknown = &[FAIL];
        }
        SourceFormat::Json => {
            missing = &[ALLOW];
            unknown = &[RESCUE, IGNORE];
        }
        SourceFormat::Parquet => {
            missing = &[ALLOW, LACKING];
            unknown = &[FAIL, RESCUE, IGNORE];
        }
        // The log says which columns the table has: older files may lack some of them.
        SourceFormat::Delta => {
            missing = &[ALLOW];
            unknown = &[FAIL, IGNORE];
        }
    }
    let missing = word(fields, "missing_columns", missing, sink);
    let unknown = word(fields, "unknown_columns", unknown, sink);
    Ok(Differences { missing: missing?, unknown: unknown? })
}

/// What a word means; the first is the default.
fn word<T: Copy>(fields: &YamlFields<'_>, key: &str, meanings: &[(&str, T)], sink: &mut Sink) -> Checked<T> {
    let words: Vec<&str> = meanings.iter().map(|(word, _)| *word).collect();
    let written = fields.entries().iter().find(|(name, _)| name.value == key);
    let Some((name, node)) = written else {
        let (_, default) = meanings.first().expect("every format does something");
        return Ok(*default);
    };
    if node.is_null() {
        // `null` is what becomes of the column, but not the word for it.
        return Err(
            sink.error(invalid(format!("`{key}` is empty"), name.span).help(format!("it can be {}", any_of(words))))
        );
    }
    let text = node.expect_text(&format!("`{key}`"), sink)?;
    match meanings.iter().find(|(word, _)| *word == text.value) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let message = format!("`{key}` of a source of this format cannot be `{}`", text.value);
            let diagnostic = invalid(message, node.place()).suggest(&text.value, words.iter().copied());
            Err(sink.error(diagnostic.help(format!("it can be {}", any_of(words)))))
        }
    }
}
