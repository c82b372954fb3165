//! A source: where raw files lie, how they are read, their columns and what happens to bad records.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::DeclaredTest;
use crate::column_type::ColumnType;
use crate::forms::Forms;
use crate::name::{SchemaName, SourceTableName, TableName};
use crate::span::{Span, Spanned};

#[derive(Debug, Clone)]
pub struct Source {
    pub schema: SchemaName,
    pub table: SourceTableName,
    pub description: String,
    /// A path or glob, relative to the project, with `/`; the folder of a Delta table; `s3://`, a bucket and a key or glob.
    pub location: Spanned<String>,
    pub format: SourceFormat,
    /// How values are written.
    pub forms: Arc<Forms>,
    pub columns: Vec<SourceColumn>,
    /// Whether it has columns that say where a row comes from. A source of dbt that the target has found files for has only those that
    /// it declares: `select *` must mean what it means there.
    pub has_origin_columns: bool,
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
    /// The bucket that its files lie in, or `None` for those of the project's folder.
    pub fn bucket(&self) -> Option<&str> {
        let rest = self.location.value.strip_prefix("s3://")?;
        Some(rest.split_once('/').map_or(rest, |(bucket, _)| bucket))
    }

    pub fn name(&self) -> TableName {
        TableName { schema: self.schema.clone(), table: self.table.as_str().to_owned() }
    }
}

/// A source that no files are known of: for dbt it is a table of the database.
#[derive(Debug, Clone)]
pub struct UnlocatedSource {
    /// The schema of the table, which may differ from the name of the source.
    pub schema: String,
    /// The name of the table, which may differ from that of the source.
    pub identifier: String,
    /// Whether a seed is called so.
    pub is_seed: bool,
    /// Why nothing can be read.
    pub lack: SourceLack,
    pub span: Span,
}

/// Why the files of a source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceLack {
    /// Nothing says where they are: the source may be a seed or a model.
    Place,
    /// It is said where they are, but not which columns they have.
    Columns { location: String },
    /// Some of the columns have no type that files are read by.
    Types { location: String, columns: Vec<String> },
    /// The `external_location` is something else than a path inside the project.
    Path(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFormat {
    Csv(CsvFormat),
    /// One JSON object a line.
    Json,
    Parquet,
    /// A Delta table that another project or program writes: Parquet files, of which its log says which are current.
    Delta,
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

impl Default for CsvFormat {
    fn default() -> Self {
        Self { header: true, delimiter: b',', quote: Some(b'"'), comment: None, skip: 0, null: None }
    }
}

#[derive(Debug, Clone)]
pub struct SourceColumn {
    pub name: Spanned<String>,
    pub data_type: ColumnType,
    /// How many of its values may not convert.
    pub max_rescued: Option<Limit>,
    pub description: String,
    pub tests: Vec<DeclaredTest>,
    /// Its other keys as they were written: artifacts repeat them.
    pub written: Map<String, Value>,
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
