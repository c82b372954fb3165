//! The rows of a fixture: values in YAML, CSV or SQL, in place or in a file of `tests/fixtures`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::csv::{CsvField, records};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::files::FoundFile;
use crate::project::node::{Node, YamlFields, YamlKind};
use crate::project::scalar::{Scalar, Typed};
use crate::span::{FileId, SourceFiles, Span, Spanned};

/// Rows that are given or expected.
#[derive(Debug, Clone)]
pub enum FixtureRows {
    /// Values by column.
    Values(Vec<FixtureRow>),
    /// A SELECT, as a template.
    Query {
        file: FileId,
        /// Where the properties file has or names it.
        span: Span,
    },
    /// Those of the seed that is named.
    OfSeed,
}

/// A row, as far as it is written down.
#[derive(Debug, Clone)]
pub struct FixtureRow {
    pub cells: Vec<FixtureCell>,
    pub span: Span,
}

/// A value in a row.
#[derive(Debug, Clone)]
pub struct FixtureCell {
    pub column: Spanned<String>,
    pub value: FixtureValue,
    pub span: Span,
}

/// A value before it is of the column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum FixtureValue {
    Null,
    /// Whatever is written as one word or text.
    Text(String),
    /// A list or a mapping.
    Nested(Value),
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowsFormat {
    Dict,
    Csv,
    Sql,
}

const FORMATS: [(&str, RowsFormat); 3] =
    [("dict", RowsFormat::Dict), ("csv", RowsFormat::Csv), ("sql", RowsFormat::Sql)];

/// Reads rows, and keeps the texts that are to be rendered.
pub(super) struct FixtureReader<'a> {
    pub fixtures: &'a [&'a FoundFile],
    pub texts: &'a mut SourceFiles,
}

impl FixtureReader<'_> {
    /// The rows that `rows`, `format` and `fixture` say. Returns `None` if neither rows nor a fixture are there.
    pub fn rows(&mut self, fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<Option<FixtureRows>> {
        let format = format_of(fields, sink)?;
        match (fields.get("rows"), fields.text("fixture", sink)) {
            (Some(_), Some(fixture)) => {
                let message = "`rows` and `fixture` are both there";
                Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(fixture.span)))
            }
            (None, Some(fixture)) => self.of_file(&fixture, format, sink).map(Some),
            (Some(rows), None) => self.of_node(rows, format.unwrap_or(RowsFormat::Dict), sink).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn of_file(&self, fixture: &Spanned<String>, format: Option<RowsFormat>, sink: &mut Sink) -> Checked<FixtureRows> {
        let named = |found: &FoundFile, ending: &str| {
            let stem = found.below.rsplit('/').next().unwrap_or_default().strip_suffix(ending);
            stem == Some(fixture.value.strip_suffix(ending).unwrap_or(&fixture.value))
        };
        let of_ending = |ending: &str| self.fixtures.iter().find(|found| named(found, ending));
        let csv = of_ending(".csv").filter(|_| format != Some(RowsFormat::Sql));
        let sql = of_ending(".sql").filter(|_| format != Some(RowsFormat::Csv));
        match (csv, sql) {
            (Some(found), None) => {
                let text = self.texts.text(found.file);
                let place = |range: Range<usize>| Span::new(found.file, range);
                of_csv(text, &place, sink).map(FixtureRows::Values)
            }
            (None, Some(found)) => Ok(FixtureRows::Query { file: found.file, span: fixture.span }),
            (Some(csv), Some(sql)) => {
                let message = format!("`{}` may be `{}` or `{}`", fixture.value, csv.path, sql.path);
                let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(fixture.span);
                Err(sink.error(diagnostic.help("write `format: csv` or `format: sql`")))
            }
            (None, None) => {
                let endings = match format {
                    Some(RowsFormat::Csv) => ".csv",
                    Some(RowsFormat::Sql) => ".sql",
                    Some(RowsFormat::Dict) | None => ".csv or .sql",
                };
                let message = format!("no fixture is called `{}` ({endings})", fixture.value);
                let stems = self.fixtures.iter().filter_map(|found| found.below.rsplit('/').next()?.rsplit_once('.'));
                let diagnostic = Diagnostic::error(Code::UnreadableFile, message).at(fixture.span);
                let diagnostic = diagnostic.suggest(&fixture.value, stems.map(|(stem, _)| stem));
                Err(sink.error(diagnostic.help("fixtures are files in `fixtures` of the test path")))
            }
        }
    }

    fn of_node(&mut self, rows: &Node, format: RowsFormat, sink: &mut Sink) -> Checked<FixtureRows> {
        match format {
            RowsFormat::Dict => {
                let items = rows.expect_list("`rows`", sink).inspect_err(|_| {})?;
                sink.check_all(items, row).map(FixtureRows::Values)
            }
            RowsFormat::Csv => {
                let text = rows.expect_text("`rows`", sink)?;
                let places = BlockPlaces { source: self.texts.slice(rows.span), text: &text.value, span: rows.span };
                of_csv(&text.value, &|range| places.of(range), sink).map(FixtureRows::Values)
            }
            RowsFormat::Sql => {
                let text = rows.expect_text("`rows`", sink)?;
                let file = self.texts.add("<rows of a unit test>", text.value);
                Ok(FixtureRows::Query { file, span: rows.place() })
            }
        }
    }
}

fn format_of(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<Option<RowsFormat>> {
    let Some(word) = fields.text("format", sink) else { return Ok(None) };
    match FORMATS.iter().find(|(known, _)| *known == word.value) {
        Some((_, format)) => Ok(Some(*format)),
        None => {
            let message = format!("`format` cannot be `{}`", word.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(word.span);
            Err(sink.error(diagnostic.help("it can be `dict`, `csv` or `sql`")))
        }
    }
}

fn row(node: &Node, sink: &mut Sink) -> Checked<FixtureRow> {
    let entries = match &node.kind {
        YamlKind::Mapping(entries) => entries,
        YamlKind::Scalar(_) | YamlKind::Sequence(_) => {
            let message = "a row is a mapping of columns to values";
            let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(node.place());
            return Err(sink.error(diagnostic.help("write `- { id: 1, name: ann }`, or say `format: csv`")));
        }
    };
    let mut seen = SeenColumns::default();
    let cells = entries.iter().map(|(column, value)| {
        seen.add(column, sink)?;
        let place = value.place();
        let span = if value.span.range().is_empty() { column.span } else { place };
        Ok(FixtureCell { column: column.clone(), value: value_of(value), span })
    });
    let cells = cells.collect::<Checked<Vec<_>>>()?;
    Ok(FixtureRow { cells, span: node.place() })
}

fn value_of(node: &Node) -> FixtureValue {
    match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Null, .. }) => FixtureValue::Null,
        // Words of YAML in the words of SQL: `True` and `0x1F` are `true` and `31`.
        YamlKind::Scalar(Scalar { typed: Typed::Bool(truth), .. }) => FixtureValue::Text(truth.to_string()),
        YamlKind::Scalar(Scalar { typed: Typed::Integer(number), .. }) => FixtureValue::Text(number.to_string()),
        YamlKind::Scalar(Scalar { typed: Typed::Float(_) | Typed::Text, text }) => FixtureValue::Text(text.clone()),
        YamlKind::Sequence(_) | YamlKind::Mapping(_) => FixtureValue::Nested(node.to_json()),
    }
}

/// The columns of a row or header so far. SQL names them whatever their case.
#[derive(Default)]
struct SeenColumns(BTreeMap<String, Span>);

impl SeenColumns {
    fn add(&mut self, column: &Spanned<String>, sink: &mut Sink) -> Checked<()> {
        match self.0.insert(column.value.to_lowercase(), column.span) {
            None => Ok(()),
            Some(first) => {
                let message = format!("the column `{}` stands here twice", column.value);
                let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(column.span);
                Err(sink.error(diagnostic.labelled(first, "the first one")))
            }
        }
    }
}

/// A header and rows; an empty field is null, as in dbt.
fn of_csv(text: &str, place: &dyn Fn(Range<usize>) -> Span, sink: &mut Sink) -> Checked<Vec<FixtureRow>> {
    let found = records(text).map_err(|quote| {
        let message = "a quote is never closed";
        sink.error(Diagnostic::error(Code::InvalidYaml, message).at(place(quote)))
    })?;
    let mut found = found.into_iter();
    let Some(header) = found.next() else { return Ok(Vec::new()) };
    let mut seen = SeenColumns::default();
    let mut columns = Vec::new();
    for field in &header {
        let column = Spanned::new(field.text.trim().to_owned(), place(field.range.clone()));
        seen.add(&column, sink)?;
        columns.push(column);
    }
    let mut rows = Vec::new();
    for record in found {
        rows.push(csv_row(&record, &columns, place, sink)?);
    }
    Ok(rows)
}

fn csv_row(
    record: &[CsvField],
    columns: &[Spanned<String>],
    place: &dyn Fn(Range<usize>) -> Span,
    sink: &mut Sink,
) -> Checked<FixtureRow> {
    let start = record.first().map_or(0, |field| field.range.start);
    let end = record.last().map_or(start, |field| field.range.end);
    let span = place(start..end);
    if record.len() > columns.len() {
        let message = format!("the row has {} values for {} columns", record.len(), columns.len());
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(span);
        return Err(sink.error(diagnostic.help("put a value with a comma in double quotes")));
    }
    let mut cells = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let field = record.get(index).filter(|field| !field.text.is_empty());
        let value = field.map_or(FixtureValue::Null, |field| FixtureValue::Text(field.text.clone()));
        let span = field.map_or(span, |field| place(field.range.clone()));
        cells.push(FixtureCell { column: column.clone(), value, span });
    }
    Ok(FixtureRow { cells, span })
}

/// Where parts of a text of YAML stand in the file. A block is indented there, and a quoted text may have escapes: what is
/// not found as it is has the place of the whole text.
struct BlockPlaces<'a> {
    /// What stands in the file.
    source: &'a str,
    text: &'a str,
    span: Span,
}

impl BlockPlaces<'_> {
    fn of(&self, range: Range<usize>) -> Span {
        let before = self.text.get(..range.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        // Equal lines before it are passed over, so that the second of two equal rows is found in its own place.
        let equal = before.lines().take(before.matches('\n').count()).filter(|other| *other == line).count();
        let mut offset = 0;
        let mut places = Vec::new();
        for written in self.source.split_inclusive('\n') {
            if written.trim() == line.trim() {
                places.push(offset + (written.len() - written.trim_start().len()));
            }
            offset += written.len();
        }
        let indented = line.len() - line.trim_start().len();
        let at = places.get(equal).map(|place| place + range.start.saturating_sub(line_start + indented));
        let start = self.span.range().start;
        match at {
            Some(at) if range.end <= line_start + line.len() => {
                Span::new(self.span.file, start + at..start + at + range.len())
            }
            Some(_) | None => self.span,
        }
    }
}
