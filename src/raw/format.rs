//! What a raw source declares about its files: columns, types and the shape of a record.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::error::RawError;
use crate::column_type::ColumnType;
use crate::forms::Forms;
use crate::name::{RESCUED, SOURCE_FILE, SOURCE_LINE};

/// The default of [`RawFormat::max_record_bytes`].
pub(crate) const DEFAULT_MAX_RECORD_BYTES: usize = 1 << 20;
/// Offsets inside a block are 32 bits wide, so a record must stay far below that.
const LARGEST_MAX_RECORD_BYTES: usize = 512 << 20;

impl ColumnType {
    /// The Arrow type of the column in the batches: instants are UTC, without a time zone in their type.
    pub(crate) fn arrow(self) -> DataType {
        match self {
            ColumnType::Text => DataType::Utf8,
            ColumnType::Integer => DataType::Int64,
            ColumnType::Float => DataType::Float64,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Date => DataType::Date32,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            ColumnType::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
        }
    }
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) data_type: ColumnType,
}

/// How the files of one source are written.
#[derive(Debug, Clone)]
pub(crate) struct RawFormat {
    pub(crate) columns: Vec<RawColumn>,
    pub(crate) kind: RawKind,
    /// How values are written.
    pub(crate) forms: Arc<Forms>,
    pub(crate) missing_columns: MissingColumns,
    pub(crate) unknown_columns: UnknownColumns,
    /// A record may have this many bytes before its final line feed.
    pub(crate) max_record_bytes: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum RawKind {
    Csv(CsvOptions),
    /// One JSON object a line.
    JsonLines,
    /// Columns that have types of their own.
    Parquet,
}

/// What becomes of a declared column that a file lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingColumns {
    /// The file cannot be read.
    Error,
    /// It is null in the rows of the file. Some file of the source has it, or its declaration is a mistake.
    Null,
    /// It is null in the rows of the file. That the source has it is known already.
    NullUnchecked,
}

/// What becomes of a file's column that is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownColumns {
    /// The file cannot be read.
    Error,
    /// Its values are kept in `_rescued`.
    Rescue,
    /// It is passed over.
    Ignore,
}

/// A byte that no text in UTF-8 has.
pub(crate) const NO_QUOTE: u8 = 0xff;

#[derive(Debug, Clone)]
pub(crate) struct CsvOptions {
    pub(crate) delimiter: u8,
    /// [`NO_QUOTE`] if nothing stands in quotes.
    pub(crate) quote: u8,
    /// Lines that begin with it are no records.
    pub(crate) comment: Option<u8>,
    /// So many lines stand before the header.
    pub(crate) skip: u64,
    /// Whether the first record of every file names its columns.
    pub(crate) header: bool,
    /// A text that means null, besides the empty field.
    pub(crate) null_text: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', comment: None, skip: 0, header: true, null_text: None }
    }
}

impl RawFormat {
    /// Refuses a format that no file could be read with.
    pub(super) fn check(&self) -> Result<(), RawError> {
        let wrong = |message: String| Err(RawError::Format { message });
        if self.columns.is_empty() {
            return wrong("a raw source declares no columns".to_owned());
        }
        let mut names = BTreeSet::from([SOURCE_FILE, SOURCE_LINE, RESCUED]);
        for column in &self.columns {
            if !names.insert(&column.name) {
                return wrong(format!("column `{}` is declared twice or its name is reserved", column.name));
            }
            if let ColumnType::Decimal { precision, scale } = column.data_type
                && !((1..=38).contains(&precision) && (0..=precision).contains(&u8::try_from(scale).unwrap_or(u8::MAX)))
            {
                return wrong(format!(
                    "column `{}` needs a decimal precision of 1 to 38 and a scale of 0 to that precision",
                    column.name
                ));
            }
        }
        if !(1..=LARGEST_MAX_RECORD_BYTES).contains(&self.max_record_bytes) {
            return wrong(format!("`max_record_bytes` must be 1 to {LARGEST_MAX_RECORD_BYTES}"));
        }
        if let RawKind::Csv(csv) = &self.kind {
            let quotes = csv.quote == NO_QUOTE || is_usable(csv.quote);
            if !is_usable(csv.delimiter) || !quotes || csv.delimiter == csv.quote {
                return wrong("delimiter and quote must be two different ASCII characters of one line".to_owned());
            }
            let is_apart = csv
                .comment
                .is_none_or(|comment| is_usable(comment) && comment != csv.delimiter && comment != csv.quote);
            if !is_apart {
                return wrong(
                    "comments must begin with an ASCII character that is neither delimiter nor quote".to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The place of a column in the declaration.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Whether a byte can mean something in a line of CSV.
fn is_usable(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'\n' | b'\r')
}

/// The columns a reader wants, in output order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) columns: Vec<ProjectedColumn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProjectedColumn {
    /// The declared column at this index.
    Declared(usize),
    SourceFile,
    SourceLine,
    Rescued,
}

impl Projection {
    /// Every declared column, then `_source_file`, `_source_line` and `_rescued`.
    pub(crate) fn all(format: &RawFormat) -> Self {
        let declared = (0..format.columns.len()).map(ProjectedColumn::Declared);
        let added = [ProjectedColumn::SourceFile, ProjectedColumn::SourceLine, ProjectedColumn::Rescued];
        Self { columns: declared.chain(added).collect() }
    }

    /// Every declared column, and nothing else.
    pub(crate) fn declared(format: &RawFormat) -> Self {
        Self { columns: (0..format.columns.len()).map(ProjectedColumn::Declared).collect() }
    }

    /// Whether a declared column must be converted: to be shown, or to know what `_rescued` holds.
    pub(super) fn converts(&self, declared: usize) -> bool {
        self.columns
            .iter()
            .any(|column| matches!(column, ProjectedColumn::Rescued) || *column == ProjectedColumn::Declared(declared))
    }
}

/// The schema of the batches that [`parse_block`](super::parse_block) makes; an index out of range is left out.
///
/// `_source_file` is a dictionary of one value a batch, which costs four bytes a row.
pub(crate) fn output_schema(format: &RawFormat, projection: &Projection) -> SchemaRef {
    let fields = projection.columns.iter().filter_map(|column| match column {
        ProjectedColumn::Declared(index) => {
            format.columns.get(*index).map(|column| Field::new(&column.name, column.data_type.arrow(), true))
        }
        ProjectedColumn::SourceFile => Some(Field::new_dictionary(SOURCE_FILE, DataType::Int32, DataType::Utf8, false)),
        ProjectedColumn::SourceLine => Some(Field::new(SOURCE_LINE, DataType::Int64, false)),
        ProjectedColumn::Rescued => Some(Field::new(RESCUED, DataType::Utf8, true)),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
