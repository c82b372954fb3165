//! Checks the header line of a CSV file against the declared columns and learns the order of its columns.

use std::sync::Arc;

use super::field::unquote;
use super::format::{RawColumn, RawFormat};
use super::quarantine::Reason;

/// The declared index of each column of the header record, or what is wrong with the header.
///
/// `ends` are the ends of the record's fields.
pub(super) fn positions(record: &[u8], ends: &[usize], quote: u8, format: &RawFormat) -> Result<Arc<[usize]>, String> {
    let mut names = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let mut scratch = Vec::new();
        let name = unquote(record.get(start..*end).unwrap_or_default(), quote, &mut scratch);
        let name = if format.forms.trim { name.trim_ascii() } else { name };
        names.push(String::from_utf8_lossy(name).into_owned());
        start = end + 1;
    }
    let found: Vec<_> = names.iter().map(|name| format.position(name)).collect();
    let unknown = names.iter().zip(&found).filter(|(_, place)| place.is_none()).map(|(name, _)| name.as_str());
    let repeated =
        names.iter().enumerate().filter(|(index, name)| names.iter().take(*index).any(|other| other == *name));
    let is_missing = |index: usize| !found.contains(&Some(index));
    let missing = format.columns.iter().enumerate().filter(|(index, _)| is_missing(*index));
    let faults: Vec<String> = [
        ("missing", list(missing.map(|(_, column)| column.name.as_str()))),
        ("unknown", list(unknown)),
        ("repeated", list(repeated.map(|(_, name)| name.as_str()))),
    ]
    .into_iter()
    .filter(|(_, columns)| !columns.is_empty())
    .map(|(what, columns)| format!("{what} {columns}"))
    .collect();
    if faults.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    Err(format!(
        "the header does not match the declared columns: {}; expected {}; found {}",
        faults.join(", "),
        list(format.columns.iter().map(|RawColumn { name, .. }| name.as_str())),
        list(names.iter().map(String::as_str)),
    ))
}

/// What to say about a header that is no record.
pub(super) fn broken(reason: Reason) -> String {
    format!("the header is not a record: {}", reason.name())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::format::{CsvOptions, DEFAULT_MAX_RECORD_BYTES, RawKind, RawType};
    use super::super::record::{Syntax, scan};
    use super::*;

    fn check(header: &str) -> Result<Vec<usize>, String> {
        let column = |name: &str| RawColumn { name: name.to_owned(), data_type: RawType::Text };
        let format = RawFormat {
            columns: vec![column("a"), column("b"), column("c")],
            kind: RawKind::Csv(CsvOptions::default()),
            forms: Arc::default(),
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        };
        let mut ends = vec![];
        scan(header.as_bytes(), Syntax::new(&CsvOptions::default(), 99), |end| ends.push(end));
        positions(header.as_bytes(), &ends, b'"', &format).map(|positions| positions.to_vec())
    }

    #[test]
    fn columns_may_stand_in_another_order_and_in_quotes() {
        assert_eq!(check("c,\"a\",b\r\n"), Ok(vec![2, 0, 1]));
    }

    #[test]
    fn missing_unknown_and_repeated_columns_are_named() {
        assert_eq!(
            check("a,x,a\n").unwrap_err(),
            "the header does not match the declared columns: missing `b`, `c`, unknown `x`, repeated `a`; \
             expected `a`, `b`, `c`; found `a`, `x`, `a`"
        );
    }

    #[test]
    fn nothing_is_trimmed_from_a_name() {
        assert!(check("a, b,c\n").unwrap_err().contains("unknown ` b`"));
    }
}
