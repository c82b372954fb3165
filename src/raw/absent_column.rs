//! A declared column that no file of a source has: a mistake in the declaration, and not an old file.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::columns::list;
use super::compression::RawFile;
use super::error::RawError;
use super::format::{MissingColumns, RawFormat, RawKind};
use super::parquet;
use super::path_values::path_values;
use super::split::Splitter;
use crate::diag::nearest;

/// Refuses a declaration with a column that no file of the source has, where files may lack columns: it is a mistake and
/// not an old file. `files` are looked at one after the other until every column is found.
pub(crate) fn refuse_column_of_no_file(
    files: impl Iterator<Item = RawFile>,
    format: &Arc<RawFormat>,
) -> Result<(), RawError> {
    let has_names = match &format.kind {
        RawKind::Csv(csv) => csv.header,
        RawKind::Parquet => true,
        RawKind::JsonLines => false,
    };
    if !has_names || format.missing_columns != MissingColumns::Null {
        return Ok(());
    }
    let mut missing: BTreeSet<&str> = format.columns.iter().map(|column| column.name.as_str()).collect();
    let mut first = None;
    for file in files {
        if missing.is_empty() {
            return Ok(());
        }
        let Some(names) = names_of(&file, format)? else { continue };
        let of_path = path_values(&file.name, format);
        let is_of_path = |name: &str| of_path.iter().any(|value| format.position(name) == Some(value.declared));
        missing.retain(|name| !names.iter().any(|other| other == name) && !is_of_path(name));
        first.get_or_insert((file.name, names));
    }
    match (missing.first(), first) {
        (Some(name), Some((file, names))) => {
            let message = nowhere(name, &names);
            Err(RawError::Columns { file, line: None, message, delimiter: None })
        }
        _ => Ok(()),
    }
}

/// The names of a file's columns; `None` if it has none at all.
pub(crate) fn names_of(file: &RawFile, format: &Arc<RawFormat>) -> Result<Option<Vec<String>>, RawError> {
    match format.kind {
        RawKind::Csv(_) | RawKind::JsonLines => Splitter::header_of(file, format),
        RawKind::Parquet => parquet::names(file).map(Some),
    }
}

fn nowhere(name: &str, names: &[String]) -> String {
    let names = names.iter().map(String::as_str);
    let hint = match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", list(names)),
    };
    format!("neither this nor any other file of the source has the declared column `{name}`; {hint}")
}
