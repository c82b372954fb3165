//! Holds the columns of a file against the declared ones: what each column of the file is, and which ones it lacks.

use super::format::{MissingColumns, RawFormat, RawKind, UnknownColumns};
use super::path_values::PathValue;

/// What a column of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnPlace {
    /// The declared column at this index.
    Declared(usize),
    /// Not declared; its values are kept in `_rescued`.
    Rescued(String),
    /// Not declared, and passed over.
    Ignored,
}

/// The columns of one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileColumns {
    /// In the order of the file.
    pub(super) places: Vec<ColumnPlace>,
    /// Declared columns that the file lacks: they are null.
    pub(super) missing: Vec<usize>,
    /// Declared columns that the path of the file tells, where the file does not.
    pub(super) of_path: Vec<PathValue>,
}

impl FileColumns {
    /// The declared columns in their order.
    pub(super) fn declared(count: usize) -> Self {
        Self { places: (0..count).map(ColumnPlace::Declared).collect(), missing: Vec::new(), of_path: Vec::new() }
    }

    /// What the named columns of a file are, and those that its path tells. The error says how they differ from the declared ones.
    pub(super) fn named(names: &[String], path: Vec<PathValue>, format: &RawFormat) -> Result<Self, String> {
        let found: Vec<_> = names.iter().map(|name| format.position(name)).collect();
        // What a file says of its rows goes before what its path says.
        let is_lacking = |index: usize| !found.contains(&Some(index));
        let of_path: Vec<PathValue> = path.into_iter().filter(|value| is_lacking(value.declared)).collect();
        let is_told = |index: usize| of_path.iter().any(|value| value.declared == index);
        let missing: Vec<usize> =
            (0..format.columns.len()).filter(|index| is_lacking(*index) && !is_told(*index)).collect();
        let unknown: Vec<&str> =
            names.iter().zip(&found).filter(|(_, place)| place.is_none()).map(|(name, _)| name.as_str()).collect();
        let repeated: Vec<&str> = names
            .iter()
            .enumerate()
            .filter(|(index, name)| is_repeated(names, *index, name))
            .map(|(_, name)| name.as_str())
            .collect();
        // What is passed over may stand there as often as it likes, like the empty names behind a last delimiter.
        let is_fault = (!missing.is_empty() && format.missing_columns == MissingColumns::Error)
            || (!unknown.is_empty() && format.unknown_columns == UnknownColumns::Error)
            || repeated
                .iter()
                .any(|name| format.position(name).is_some() || format.unknown_columns != UnknownColumns::Ignore);
        if is_fault {
            let missing = missing.iter().filter_map(|index| format.columns.get(*index));
            let missing: Vec<&str> = missing.map(|column| column.name.as_str()).collect();
            return Err(differences(
                format,
                names,
                [("missing", missing), ("unknown", unknown), ("repeated", repeated)],
            ));
        }
        Ok(Self {
            places: names
                .iter()
                .zip(found)
                .map(|(name, position)| match (position, format.unknown_columns) {
                    (Some(index), _) => ColumnPlace::Declared(index),
                    (None, UnknownColumns::Rescue) => ColumnPlace::Rescued(name.clone()),
                    (None, UnknownColumns::Ignore | UnknownColumns::Error) => ColumnPlace::Ignored,
                })
                .collect(),
            missing,
            of_path,
        })
    }
}

/// The delimiter of a header that was read as one name.
pub(super) fn other_delimiter(names: &[String]) -> Option<char> {
    let [only] = names else { return None };
    // Where several stand in it, the most frequent one divides it.
    let counted = [';', '\t', '|', ','].map(|mark| (only.matches(mark).count(), mark));
    counted.into_iter().filter(|(count, _)| *count > 0).max().map(|(_, mark)| mark)
}

fn is_repeated(names: &[String], index: usize, name: &String) -> bool {
    names.iter().take(index).any(|other| other == name)
}

fn differences(format: &RawFormat, names: &[String], faults: [(&str, Vec<&str>); 3]) -> String {
    let faults = faults.into_iter().filter(|(_, columns)| !columns.is_empty());
    let faults: Vec<String> = faults.map(|(what, columns)| format!("{what} {}", list(columns))).collect();
    let what = match format.kind {
        RawKind::Csv(_) => "the header does",
        RawKind::JsonLines | RawKind::Parquet => "its columns do",
    };
    format!(
        "{what} not match the declared columns: {}; expected {}; found {}",
        faults.join(", "),
        list(format.columns.iter().map(|column| column.name.as_str())),
        list(names.iter().map(String::as_str)),
    )
}

pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::format::{CsvOptions, DEFAULT_MAX_RECORD_BYTES, RawColumn};
    use super::*;
    use crate::column_type::ColumnType;

    fn check(
        names: &[&str],
        missing_columns: MissingColumns,
        unknown_columns: UnknownColumns,
    ) -> Result<FileColumns, String> {
        let column = |name: &str| RawColumn { name: name.to_owned(), data_type: ColumnType::Text };
        let format = RawFormat {
            columns: vec![column("a"), column("b"), column("c")],
            kind: RawKind::Csv(CsvOptions::default()),
            forms: Arc::default(),
            missing_columns,
            unknown_columns,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        FileColumns::named(&names, Vec::new(), &format)
    }

    fn strict(names: &[&str]) -> Result<FileColumns, String> {
        check(names, MissingColumns::Error, UnknownColumns::Error)
    }

    #[test]
    fn columns_may_stand_in_another_order() {
        let places = [2, 0, 1].map(ColumnPlace::Declared).to_vec();
        assert_eq!(strict(&["c", "a", "b"]), Ok(FileColumns { places, missing: vec![], of_path: vec![] }));
    }

    #[test]
    fn a_header_with_another_delimiter_is_recognized() {
        let delimiter = |header: &str| other_delimiter(&[header.to_owned()]);
        assert_eq!(delimiter("id;name;price, net"), Some(';'));
        assert_eq!(delimiter("id\tname"), Some('\t'));
        assert_eq!(delimiter("id"), None);
        assert_eq!(other_delimiter(&["a;b".to_owned(), "c".to_owned()]), None);
    }

    #[test]
    fn missing_unknown_and_repeated_columns_are_named() {
        assert_eq!(
            strict(&["a", "x", "a"]).unwrap_err(),
            "the header does not match the declared columns: missing `b`, `c`, unknown `x`, repeated `a`; \
             expected `a`, `b`, `c`; found `a`, `x`, `a`"
        );
    }

    #[test]
    fn what_may_be_missing_or_unknown_is_no_fault() {
        use ColumnPlace::{Declared, Ignored, Rescued};
        assert!(strict(&["b", "a"]).is_err());
        let found = check(&["b", "a"], MissingColumns::Null, UnknownColumns::Error).unwrap();
        assert_eq!(found, FileColumns { places: vec![Declared(1), Declared(0)], missing: vec![2], of_path: vec![] });
        let found = check(&["x", "a", "b", "c"], MissingColumns::Error, UnknownColumns::Rescue).unwrap();
        assert_eq!(found.places, [Rescued("x".to_owned()), Declared(0), Declared(1), Declared(2)]);
        let found = check(&["a", "b", "c", "", ""], MissingColumns::Error, UnknownColumns::Ignore).unwrap();
        assert_eq!(found.places, [Declared(0), Declared(1), Declared(2), Ignored, Ignored]);
        assert!(check(&["a", "b", "c", "x", "x"], MissingColumns::Error, UnknownColumns::Rescue).is_err());
        assert!(check(&["a", "b", "c", "a"], MissingColumns::Error, UnknownColumns::Ignore).is_err());
    }
}
