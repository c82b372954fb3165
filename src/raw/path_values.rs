//! Values that stand in the path of a file, as Hive writes them: `country=DE/part-0.parquet`.

use super::column::ColumnFields;
use super::field::Field;
use super::format::{MissingColumns, RawFormat};
use crate::delta::{NULL_PARTITION, from_uri};

/// A declared column that a folder of a file's path names: it has one value in all rows that the file says nothing of it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathValue {
    /// The index of the declared column.
    pub(super) declared: usize,
    /// Empty if it is null.
    pub(super) text: String,
}

/// The declared columns that folders of this path name. Of two folders with one name the inner one counts.
pub(super) fn path_values(path: &str, format: &RawFormat) -> Vec<PathValue> {
    let mut found: Vec<PathValue> = Vec::new();
    // The log of a table tells all about its files, and their paths nothing.
    if format.missing_columns == MissingColumns::NullUnchecked {
        return found;
    }
    for (name, text) in named_folders(path) {
        let Some(declared) = format.position(&name) else { continue };
        if !found.iter().any(|known| known.declared == declared) {
            found.push(PathValue { declared, text });
        }
    }
    found
}

/// The names and values of the folders of a path, from the innermost.
pub(super) fn named_folders(path: &str) -> impl Iterator<Item = (String, String)> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let named = folders.rsplit('/').filter_map(|folder| folder.split_once('='));
    named.map(|(name, text)| {
        let text = if text == NULL_PARTITION { String::new() } else { from_uri(text) };
        (from_uri(name), text)
    })
}

/// The same value in so many rows.
pub(super) struct Repeated<'a> {
    pub(super) value: &'a PathValue,
    pub(super) rows: usize,
}

impl ColumnFields for Repeated<'_> {
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        (0..self.rows).for_each(|_| visit(Field::new(self.value.text.as_bytes())));
    }
}
