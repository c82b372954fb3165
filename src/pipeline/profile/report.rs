//! A profile as data, and as text, JSON and Markdown.

use std::io::{self, Write};

use arrow::datatypes::Field;
use arrow::util::display::ArrayFormatter;
use datafusion::common::ScalarValue;
use serde_json::{Value, json};

use super::plain_type;
use crate::analyze::type_name;
use crate::day::TimeRange;
use crate::figures::{bytes, counted, grouped};
use crate::shown::{ReportOutput, TextTable, value_options, visible};

/// The statistics of a table.
#[derive(Debug)]
pub(crate) struct TableProfile {
    pub model: String,
    /// `schema.table`; `None` for a view.
    pub table: Option<String>,
    pub version: Option<u64>,
    pub range: Option<TimeRange>,
    pub rows: Figure<u64>,
    /// Of its files, as far as these hold no other rows.
    pub bytes: Option<u64>,
    pub files: Option<usize>,
    pub columns: Vec<ColumnProfile>,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FigureSource {
    Metadata,
    Scan,
}

/// A figure, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure<T> {
    pub value: T,
    pub source: FigureSource,
}

/// The statistics of a column.
#[derive(Debug)]
pub(crate) struct ColumnProfile {
    pub name: String,
    /// In SQL's words.
    pub data_type: String,
    pub nulls: Option<Figure<u64>>,
    /// A null if there is no value; `None` if the values have no order.
    pub min: Option<Figure<ScalarValue>>,
    pub max: Option<Figure<ScalarValue>>,
    pub distinct: Option<u64>,
    pub top: Option<Vec<FrequentValue>>,
    pub histogram: Option<Vec<HistogramBin>>,
    /// What could not be told, and why.
    pub notes: Vec<String>,
}

/// A value, and how many rows have it.
#[derive(Debug)]
pub(crate) struct FrequentValue {
    pub value: ScalarValue,
    pub rows: u64,
}

/// A range of values, and how many rows lie in it.
#[derive(Debug)]
pub(crate) struct HistogramBin {
    pub from: String,
    /// Not in the range but in the last one; `None` if the range is one value or a step of time.
    pub to: Option<String>,
    pub rows: u64,
}

impl<T> Figure<T> {
    pub fn of_metadata(value: T) -> Self {
        Self { value, source: FigureSource::Metadata }
    }

    pub fn of_scan(value: T) -> Self {
        Self { value, source: FigureSource::Scan }
    }
}

impl FigureSource {
    fn word(self) -> &'static str {
        match self {
            FigureSource::Metadata => "metadata",
            FigureSource::Scan => "scan",
        }
    }
}

impl ColumnProfile {
    pub fn new(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            data_type: type_name(plain_type(field.data_type())),
            nulls: None,
            min: None,
            max: None,
            distinct: None,
            top: None,
            histogram: None,
            notes: Vec::new(),
        }
    }

    /// Where its figures come from: one word, or which of them were scanned.
    fn sources(&self) -> String {
        let named = [
            ("nulls", self.nulls.as_ref().map(|figure| figure.source)),
            ("min", self.min.as_ref().map(|figure| figure.source)),
            ("max", self.max.as_ref().map(|figure| figure.source)),
            ("distinct", self.distinct.map(|_| FigureSource::Scan)),
        ];
        let is_of = |source: FigureSource| named.iter().filter(move |(_, found)| *found == Some(source));
        let scanned: Vec<&str> = is_of(FigureSource::Scan).map(|(name, _)| *name).collect();
        match (is_of(FigureSource::Metadata).next().is_some(), scanned.is_empty()) {
            (_, true) => "metadata".to_owned(),
            (false, false) => "scan".to_owned(),
            (true, false) => format!("metadata; scan: {}", scanned.join(", ")),
        }
    }

    fn to_json(&self) -> Value {
        let figure = |figure: &Option<Figure<ScalarValue>>| {
            figure.as_ref().map(|figure| json!({"value": json_value(&figure.value), "from": figure.source.word()}))
        };
        let mut column = json!({
            "name": self.name, "type": self.data_type, "min": figure(&self.min), "max": figure(&self.max),
            "nulls": self.nulls.as_ref().map(|nulls| json!({"value": nulls.value, "from": nulls.source.word()})),
        });
        let Some(object) = column.as_object_mut() else { return column };
        if let Some(distinct) = self.distinct {
            object.insert("distinct".to_owned(), json!({"value": distinct, "from": "scan"}));
        }
        if let Some(top) = &self.top {
            let top = top.iter().map(|one| json!({"value": json_value(&one.value), "rows": one.rows}));
            object.insert("top".to_owned(), top.collect());
        }
        if let Some(bins) = &self.histogram {
            let bins = bins.iter().map(|bin| json!({"from": bin.from, "to": bin.to, "rows": bin.rows}));
            object.insert("histogram".to_owned(), bins.collect());
        }
        if !self.notes.is_empty() {
            object.insert("notes".to_owned(), json!(self.notes));
        }
        column
    }

    fn sections(&self) -> Vec<ProfileSection> {
        let mut sections = Vec::new();
        if let Some(top) = &self.top {
            let mut table = TextTable::new(&["value", "rows"]).with_numbers_from(1);
            top.iter().for_each(|one| table.push(vec![shown_value(&one.value), grouped(one.rows)]));
            sections.push(ProfileSection { heading: format!("most frequent values of {}", self.name), table });
        }
        if let Some(bins) = &self.histogram {
            let most = bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1);
            let mut table = TextTable::new(&[&self.name, "rows", ""]).with_numbers_from(1);
            for bin in bins {
                let range = match &bin.to {
                    Some(to) => format!("{} to {to}", bin.from),
                    None => bin.from.clone(),
                };
                table.push(vec![range, grouped(bin.rows), bar(bin.rows, most)]);
            }
            sections.push(ProfileSection { heading: format!("histogram of {}", self.name), table });
        }
        sections.retain(|section| !section.table.is_empty());
        sections
    }
}

/// A heading with rows below it.
struct ProfileSection {
    heading: String,
    table: TextTable,
}

/// How long the longest bar is.
const BAR: u64 = 30;

/// A bar, padded to the longest one: the last column is aligned to the right.
fn bar(rows: u64, most: u64) -> String {
    let length = u128::from(rows) * u128::from(BAR) / u128::from(most);
    let length = usize::try_from(length).unwrap_or(0).max(usize::from(rows > 0));
    format!("{:30}", "█".repeat(length))
}

impl TableProfile {
    /// Writes the profile.
    ///
    /// # Errors
    ///
    /// Returns an error of the writer.
    pub fn write(&self, format: ReportOutput, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ReportOutput::Json => writeln!(out, "{}", self.to_json()),
            ReportOutput::Text => {
                writeln!(out, "{}\n\n{}", self.title(), self.columns().aligned().trim_end_matches('\n'))?;
                for section in self.columns.iter().flat_map(ColumnProfile::sections) {
                    write!(out, "\n{}:\n{}", section.heading, section.table.aligned())?;
                }
                self.notes().try_for_each(|note| writeln!(out, "\nnote: {note}"))
            }
            ReportOutput::Markdown => {
                write!(out, "### {}\n\n{}", self.title(), self.columns().markdown())?;
                for section in self.columns.iter().flat_map(ColumnProfile::sections) {
                    write!(out, "\n**{}**\n\n{}", section.heading, section.table.markdown())?;
                }
                self.notes().try_for_each(|note| writeln!(out, "\n{note}"))
            }
        }
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let of_column = |column: &ColumnProfile| {
            let name = column.name.clone();
            column.notes.iter().map(move |note| format!("{name}: {note}")).collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(of_column)
    }

    fn title(&self) -> String {
        let place = match (&self.table, self.version) {
            (Some(table), Some(version)) => format!("{table}, version {version}"),
            _ => self.model.clone(),
        };
        let range = self.range.map(|range| format!(", {range}")).unwrap_or_default();
        let rows = counted(usize::try_from(self.rows.value).unwrap_or(usize::MAX), "row");
        let files = match (self.files, self.bytes) {
            (Some(files), Some(size)) => format!(", {}, {}", counted(files, "file"), bytes(size)),
            _ => String::new(),
        };
        format!("{place}{range}: {rows} ({}){files}", self.rows.source.word())
    }

    fn columns(&self) -> TextTable {
        let has_distinct = self.columns.iter().any(|column| column.distinct.is_some());
        let mut headings = vec!["column", "type", "nulls", "min", "max", "read from"];
        if has_distinct {
            headings.insert(5, "distinct");
        }
        let mut table = TextTable::new(&headings);
        for column in &self.columns {
            let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), grouped);
            let bound = |bound: &Option<Figure<ScalarValue>>| match bound {
                Some(figure) if !figure.value.is_null() => shortened(&shown_value(&figure.value)),
                Some(_) | None => "-".to_owned(),
            };
            let nulls = count(column.nulls.as_ref().map(|nulls| nulls.value));
            let mut cells = vec![column.name.clone(), column.data_type.clone(), nulls];
            cells.extend([bound(&column.min), bound(&column.max)]);
            if has_distinct {
                cells.push(count(column.distinct));
            }
            cells.push(column.sources());
            table.push(cells);
        }
        table
    }

    fn to_json(&self) -> Value {
        json!({
            "model": self.model, "table": self.table, "version": self.version,
            "range": self.range.map(|range| json!({"start": range.start().to_string(), "end": range.end().to_string()})),
            "rows": {"value": self.rows.value, "from": self.rows.source.word()},
            "bytes": self.bytes, "files": self.files,
            "columns": self.columns.iter().map(ColumnProfile::to_json).collect::<Vec<_>>(),
        })
    }
}

/// A value as people read it.
pub(super) fn shown_value(value: &ScalarValue) -> String {
    let text = value.to_array().ok().and_then(|array| {
        let formatter = ArrayFormatter::try_new(array.as_ref(), &value_options()).ok()?;
        formatter.value(0).try_to_string().ok()
    });
    match text {
        Some(text) if text.is_empty() => "''".to_owned(),
        Some(text) => visible(&text, true),
        None => value.to_string(),
    }
}

/// A cell of a table for people; JSON has all of it.
fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST - 1).collect::<String>())
}

/// Numbers that JSON can hold exactly are numbers, all else is a text as `karat query` writes it.
fn json_value(value: &ScalarValue) -> Value {
    match value {
        value if value.is_null() => Value::Null,
        ScalarValue::Dictionary(_, value) => json_value(value),
        ScalarValue::Boolean(Some(is_true)) => json!(is_true),
        ScalarValue::Int8(Some(number)) => json!(number),
        ScalarValue::Int16(Some(number)) => json!(number),
        ScalarValue::Int32(Some(number)) => json!(number),
        ScalarValue::Int64(Some(number)) => json!(number),
        ScalarValue::Float64(Some(number)) if number.is_finite() => json!(number),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => json!(text),
        other => json!(shown_value(other)),
    }
}
