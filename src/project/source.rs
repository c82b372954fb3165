//! A source: where raw files lie, how they are read, their columns and what happens to bad records.

use std::sync::Arc;

use super::model::DeclaredTest;
use crate::forms::Forms;
use crate::name::{SchemaName, SourceTableName, TableName};
use crate::span::{Span, Spanned};

#[derive(Debug, Clone)]
pub struct Source {
    pub schema: SchemaName,
    pub table: SourceTableName,
    pub description: String,
    /// A path or glob, relative to the project, with `/`.
    pub location: Spanned<String>,
    pub format: SourceFormat,
    /// How values are written.
    pub forms: Arc<Forms>,
    pub columns: Vec<SourceColumn>,
    pub on_bad_row: OnBadRow,
    pub max_bad_rows: Option<Limit>,
    /// How many values of each column may not convert, where the column itself does not say.
    pub max_rescued: Option<Limit>,
    pub on_missing: OnMissing,
    pub missing_columns: MissingColumn,
    pub unknown_columns: UnknownColumn,
    /// The column that places a row in time, if one was declared.
    pub event_time: Option<Spanned<String>>,
    /// Tests of the table as a whole.
    pub tests: Vec<DeclaredTest>,
    pub span: Span,
}

impl Source {
    pub fn name(&self) -> TableName {
        TableName { schema: self.schema.clone(), table: self.table.as_str().to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFormat {
    Csv(CsvFormat),
    /// One JSON object a line.
    Json,
    Parquet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    pub header: bool,
    pub delimiter: u8,
    /// `None` if nothing stands in quotes.
    pub quote: Option<u8>,
    /// Lines that begin with it are no records.
    pub comment: Option<u8>,
    /// So many lines stand before the header.
    pub skip: u64,
    /// A text that means null, besides the empty field.
    pub null: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SourceColumn {
    pub name: Spanned<String>,
    pub data_type: ColumnType,
    /// How many of its values may not convert.
    pub max_rescued: Option<Limit>,
    pub description: String,
    pub tests: Vec<DeclaredTest>,
}

/// The type of a raw column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    Integer,
    Float,
    Boolean,
    Date,
    Timestamp,
    Decimal { precision: u8, scale: i8 },
}

impl ColumnType {
    /// The words for the types, one for each.
    pub const WORDS: [&'static str; 7] = ["text", "integer", "float", "boolean", "date", "timestamp", "decimal(18, 2)"];

    /// The type with its article, as the end of a sentence.
    pub fn word(self) -> &'static str {
        match self {
            ColumnType::Text => "a text",
            ColumnType::Integer => "an integer",
            ColumnType::Float => "a float",
            ColumnType::Boolean => "a boolean",
            ColumnType::Date => "a date",
            ColumnType::Timestamp => "a timestamp",
            ColumnType::Decimal { .. } => "a decimal",
        }
    }

    /// Parses the word for a type, also the ones that are usual elsewhere: `bigint`, `varchar(20)`, `numeric(18, 2)`.
    pub fn parse(text: &str) -> Option<ColumnType> {
        let lower = text.trim().to_ascii_lowercase();
        let (word, arguments) = match lower.strip_suffix(')').and_then(|open| open.split_once('(')) {
            Some((word, arguments)) => (word.trim_end(), Some(arguments)),
            None => (lower.as_str(), None),
        };
        match (word, arguments) {
            ("text" | "string" | "varchar", None) => Some(ColumnType::Text),
            ("varchar", Some(length)) => length.trim().parse::<u32>().ok().map(|_| ColumnType::Text),
            ("integer" | "bigint" | "int", None) => Some(ColumnType::Integer),
            ("float" | "double", None) => Some(ColumnType::Float),
            ("boolean" | "bool", None) => Some(ColumnType::Boolean),
            ("date", None) => Some(ColumnType::Date),
            ("timestamp", None) => Some(ColumnType::Timestamp),
            ("decimal" | "numeric", Some(arguments)) => decimal(arguments),
            _ => None,
        }
    }
}

/// Precision and scale, as they fit 128 bits.
fn decimal(arguments: &str) -> Option<ColumnType> {
    let (precision, scale) = arguments.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok().filter(|precision| (1..=38).contains(precision))?;
    let scale: i8 = scale.trim().parse().ok().filter(|scale| *scale >= 0)?;
    (scale.unsigned_abs() <= precision).then_some(ColumnType::Decimal { precision, scale })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    Quarantine,
    Fail,
}

/// What happens to the rows of a file that is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    /// They go: the slices that hold them are built again.
    Rebuild,
    /// They stay: files are cleaned up once they are loaded.
    Keep,
}

/// What becomes of a declared column that a file does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingColumn {
    /// The file fails the build.
    Fail,
    /// It is null in the rows of the file, as long as another file of the source has it.
    Allow,
}

/// What becomes of a column of a file that is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownColumn {
    /// The file fails the build.
    Fail,
    /// Its values are kept in `_rescued`.
    Rescue,
    /// It is passed over.
    Ignore,
}

/// More bad records, or more values that do not convert, fail the build.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    Count(u64),
    /// A share of all records, or of all values of a column, from 0 to 100.
    Percent(f64),
}

#[cfg(test)]
mod tests {
    use super::ColumnType;

    #[test]
    fn a_type_has_the_words_that_are_usual_elsewhere() {
        for word in ColumnType::WORDS {
            assert!(ColumnType::parse(word).is_some(), "{word}");
        }
        assert_eq!(ColumnType::parse("VARCHAR(20)"), Some(ColumnType::Text));
        assert_eq!(ColumnType::parse("numeric(10,2)"), Some(ColumnType::Decimal { precision: 10, scale: 2 }));
        for wrong in ["", "decimal", "decimal(0,0)", "decimal(39,1)", "decimal(3,4)", "decimal(3,-1)", "blob", "date("]
        {
            assert_eq!(ColumnType::parse(wrong), None, "{wrong}");
        }
    }
}
