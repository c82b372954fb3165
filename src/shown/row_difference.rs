//! How the rows that came out differ from those that were expected, row by row.

use serde_json::{Map, Value, json};

use super::control_characters::visible;
use super::rows::{padded, width};
use crate::figures::counted;

/// So many rows that differ are shown.
const MOST_ROWS: usize = 50;

/// A value as text; `None` is null.
pub(crate) type ShownCell = Option<String>;

/// Rows that were expected and rows that came out, those that are equal counted alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownDifference {
    pub columns: Vec<ComparedColumn>,
    pub rows: Vec<DifferingRow>,
    /// The number of rows that are as expected.
    pub same: usize,
}

/// A column in which rows are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComparedColumn {
    pub name: String,
    /// Numbers stand to the right.
    pub is_numeric: bool,
}

/// A row that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DifferingRow {
    /// It came out with other values.
    Changed { expected: Vec<ShownCell>, actual: Vec<ShownCell> },
    /// It was expected, and did not come out.
    Missing(Vec<ShownCell>),
    /// It came out, and was not expected.
    Unexpected(Vec<ShownCell>),
}

impl ShownDifference {
    /// `1 row differs, 2 rows are missing`.
    pub fn summary(&self) -> String {
        let count = |wanted: fn(&DifferingRow) -> bool| self.rows.iter().filter(|row| wanted(row)).count();
        let counts = [
            (count(|row| matches!(row, DifferingRow::Changed { .. })), "differs", "differ"),
            (count(|row| matches!(row, DifferingRow::Missing(_))), "is missing", "are missing"),
            (count(|row| matches!(row, DifferingRow::Unexpected(_))), "was not expected", "were not expected"),
        ];
        let mut parts = Vec::new();
        for (count, one, more) in counts.into_iter().filter(|(count, ..)| *count > 0) {
            parts.push(format!("{} {}", counted(count, "row"), if count == 1 { one } else { more }));
        }
        parts.join(", ")
    }

    /// A table of the rows that differ: `-` before those that are missing, `+` before those that were not expected, and
    /// `~` before those with other values, as `expected → actual`.
    pub fn to_text(&self) -> String {
        let shown = self.rows.get(..MOST_ROWS).unwrap_or(&self.rows);
        let mut lines: Vec<Vec<String>> = vec![self.columns.iter().map(|column| visible(&column.name, true)).collect()];
        lines.extend(shown.iter().map(DifferingRow::cells));
        let column = |index: usize| lines.iter().filter_map(move |line| line.get(index));
        let widths: Vec<usize> =
            (0..self.columns.len()).map(|index| column(index).map(|cell| width(cell)).max().unwrap_or(0)).collect();
        let mut text = String::new();
        let marks = std::iter::once(' ').chain(shown.iter().map(DifferingRow::mark));
        for (number, (line, mark)) in lines.iter().zip(marks).enumerate() {
            let cells = line.iter().zip(&widths).zip(&self.columns);
            let cells = cells.map(|((cell, width), column)| padded(cell, *width, column.is_numeric));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(format!("{mark} {line}").trim_end());
            text.push('\n');
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                text.push_str(&format!("  {}\n", rules.join("  ")));
            }
        }
        match self.rows.len() - shown.len() {
            0 => {}
            more => text.push_str(&format!("  … and {} more\n", counted(more, "row"))),
        }
        text
    }

    /// All of it, for programs: values are texts or null.
    pub fn to_json(&self) -> Value {
        let named = |cells: &[ShownCell]| {
            let pairs = self.columns.iter().zip(cells);
            Value::Object(pairs.map(|(column, cell)| (column.name.clone(), json!(cell))).collect::<Map<_, _>>())
        };
        let rows = self.rows.iter().map(|row| match row {
            DifferingRow::Changed { expected, actual } => {
                json!({"kind": "changed", "expected": named(expected), "actual": named(actual)})
            }
            DifferingRow::Missing(cells) => json!({"kind": "missing", "expected": named(cells)}),
            DifferingRow::Unexpected(cells) => json!({"kind": "unexpected", "actual": named(cells)}),
        });
        json!({"same": self.same, "rows": rows.collect::<Vec<_>>()})
    }
}

impl DifferingRow {
    fn mark(&self) -> char {
        match self {
            DifferingRow::Changed { .. } => '~',
            DifferingRow::Missing(_) => '-',
            DifferingRow::Unexpected(_) => '+',
        }
    }

    fn cells(&self) -> Vec<String> {
        match self {
            DifferingRow::Changed { expected, actual } => {
                let pairs = expected.iter().zip(actual);
                let cell = |(expected, actual): (&ShownCell, &ShownCell)| match expected == actual {
                    true => word(expected),
                    false => format!("{} → {}", word(expected), word(actual)),
                };
                pairs.map(cell).collect()
            }
            DifferingRow::Missing(cells) | DifferingRow::Unexpected(cells) => cells.iter().map(word).collect(),
        }
    }
}

/// A value in a table; a text that could be taken for a null, or for nothing, stands in quotes.
fn word(cell: &ShownCell) -> String {
    match cell.as_deref() {
        None => "null".to_owned(),
        Some(text) if text.is_empty() || text == "null" || text.trim() != text => format!("'{}'", visible(text, true)),
        Some(text) => visible(text, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(values: [Option<&str>; 2]) -> Vec<ShownCell> {
        values.map(|value| value.map(str::to_owned)).to_vec()
    }

    #[test]
    fn each_row_that_differs_is_a_line() {
        let column = |name: &str, is_numeric| ComparedColumn { name: name.to_owned(), is_numeric };
        let difference = ShownDifference {
            columns: vec![column("id", true), column("name", false)],
            rows: vec![
                DifferingRow::Changed { expected: cells([Some("1"), Some("ann")]), actual: cells([Some("1"), None]) },
                DifferingRow::Missing(cells([Some("20"), Some("")])),
                DifferingRow::Unexpected(cells([None, Some("null")])),
            ],
            same: 4,
        };
        assert_eq!(difference.summary(), "1 row differs, 1 row is missing, 1 row was not expected");
        insta::assert_snapshot!(difference.to_text(), @r"
            id  name
          ────  ──────────
        ~    1  ann → null
        -   20  ''
        + null  'null'
        ");
        insta::assert_snapshot!(difference.to_json().to_string(), @r#"{"same":4,"rows":[{"kind":"changed","expected":{"id":"1","name":"ann"},"actual":{"id":"1","name":null}},{"kind":"missing","expected":{"id":"20","name":""}},{"kind":"unexpected","actual":{"id":null,"name":"null"}}]}"#);
    }

    #[test]
    fn more_rows_than_anybody_reads_are_counted() {
        let row = DifferingRow::Missing(vec![Some("1".to_owned())]);
        let columns = vec![ComparedColumn { name: "id".to_owned(), is_numeric: true }];
        let difference = ShownDifference { columns, rows: vec![row; 52], same: 0 };
        assert!(difference.to_text().ends_with("  … and 2 rows more\n"), "{}", difference.to_text());
    }
}
