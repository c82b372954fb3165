//! `unique_key` in the rows of a batch: whether it tells them apart, and which files of the table hold rows of its keys.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Column, DataFusionError, JoinType, Result as EngineResult, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::engine::{Engine, Joins};
use crate::analyze::TypedModel;
use crate::diag::{Code, Diagnostic};
use crate::engine::LakeTable;
use crate::name::ModelName;
use crate::table::DataFile;

/// So many wrong keys are shown.
const SHOWN: usize = 3;
/// Stands for the file beside a row of it. A column of a model has no such name.
const FILE: &str = "file of the row";
/// The name under which the files of a batch are read. No model has such a name.
pub(crate) const BATCH: &str = "rows of the batch";
const ROWS: &str = "rows of the key";

/// Which rows a key is to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyedRows {
    /// Those that a step has computed.
    New,
    /// Those that the table holds.
    Held,
}

/// Keys that are null, or stand in several rows where they must not.
#[derive(Debug)]
pub(crate) struct AmbiguousKey {
    model: ModelName,
    rows: KeyedRows,
    /// One line for each key.
    keys: Vec<String>,
    is_more: bool,
}

impl AmbiguousKey {
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(Code::AmbiguousKey, self.to_string());
        let diagnostic = self.keys.iter().fold(diagnostic, |diagnostic, key| diagnostic.note(key));
        let diagnostic = if self.is_more { diagnostic.note("there are more") } else { diagnostic };
        match self.rows {
            KeyedRows::New => {
                diagnostic.help("keep one row per key in the SELECT, and none without a key; nothing was written")
            }
            KeyedRows::Held => diagnostic
                .note("another program wrote them: a batch never leaves two rows with one key")
                .help(format!("build it whole: `karat run --full-refresh --select {}`", self.model)),
        }
    }
}

impl fmt::Display for AmbiguousKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = match self.rows {
            KeyedRows::New => "the new rows",
            KeyedRows::Held => "the rows in the table",
        };
        write!(formatter, "`unique_key` does not identify {rows} of `{}`", self.model)
    }
}

impl std::error::Error for AmbiguousKey {}

fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The columns of the key.
pub(crate) fn key_columns(model: &TypedModel) -> impl Iterator<Item = &str> {
    model.config.unique_key.iter().map(|column| column.value.as_str())
}

/// The rows of some files of the model's table, under a name that no model has.
pub(crate) fn scan_batch(model: &TypedModel, files: Vec<DataFile>) -> EngineResult<LogicalPlanBuilder> {
    let table = LakeTable::new(model.table.clone(), model.schema.clone(), model.partition_columns(), files);
    LogicalPlanBuilder::scan(TableReference::bare(BATCH), provider_as_source(Arc::new(table)), None)
}

/// Fails if the key does not tell the rows of these files apart.
pub(crate) async fn check_keys(
    engine: &Engine,
    joins: Joins,
    model: &TypedModel,
    files: &[DataFile],
    rows: KeyedRows,
) -> EngineResult<()> {
    let found = engine.collect(&ambiguous_keys(model, files)?, joins).await?;
    refuse_ambiguous(model, &found, rows)
}

/// The keys in the rows of these files that must not be there: each with the number of its rows, a few of them.
fn ambiguous_keys(model: &TypedModel, files: &[DataFile]) -> EngineResult<LogicalPlan> {
    let is_null = key_columns(model).map(|name| column(name).is_null()).reduce(Expr::or).unwrap_or_else(|| lit(false));
    let is_wrong = match model.config.materialized.has_one_row_a_key() {
        true => is_null.or(column(ROWS).gt(lit(1_i64))),
        // The rows of a key go together and come together.
        false => is_null,
    };
    // One more than is shown, so that it is known whether there are more.
    scan_batch(model, files.to_vec())?
        .aggregate(key_columns(model).map(column), vec![count(lit(1_i64)).alias(ROWS)])?
        .filter(is_wrong)?
        .sort(key_columns(model).map(|name| column(name).sort(true, true)).collect::<Vec<_>>())?
        .limit(0, Some(SHOWN + 1))?
        .build()
}

/// An error if the query for ambiguous keys has found any.
fn refuse_ambiguous(model: &TypedModel, found: &[RecordBatch], rows: KeyedRows) -> EngineResult<()> {
    let mut keys = Vec::new();
    for batch in found {
        let Some(counts) = batch.columns().last() else { continue };
        let counts = counts.as_primitive::<Int64Type>();
        let of_key = key_columns(model).count();
        for row in 0..batch.num_rows() {
            let parts = key_columns(model).zip(batch.columns().iter().take(of_key));
            let part = |(name, values): (&str, &Arc<dyn Array>)| match values.is_null(row) {
                true => Ok(format!("`{name}` is null")),
                false => Ok(format!("`{name}` is `{}`", array_value_to_string(values, row)?)),
            };
            let parts = parts.map(part).collect::<EngineResult<Vec<_>>>()?.join(", ");
            let count = counts.value(row);
            keys.push(format!("{parts}: {count} {}", if count == 1 { "row" } else { "rows" }));
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let is_more = keys.len() > SHOWN;
    keys.truncate(SHOWN);
    Err(DataFusionError::External(Box::new(AmbiguousKey { model: model.name.clone(), rows, keys, is_more })))
}

/// The rows of a plan whose keys stand in the files of a batch.
pub(crate) fn rows_of_keys(model: &TypedModel, rows: LogicalPlan, batch: &[DataFile]) -> EngineResult<LogicalPlan> {
    joined_by_key(model, rows, JoinType::LeftSemi, batch)
}

/// The rows of a plan whose keys do not stand in the files of a batch.
pub(crate) fn rows_of_other_keys(
    model: &TypedModel,
    rows: LogicalPlan,
    batch: &[DataFile],
) -> EngineResult<LogicalPlan> {
    joined_by_key(model, rows, JoinType::LeftAnti, batch)
}

fn joined_by_key(
    model: &TypedModel,
    rows: LogicalPlan,
    join: JoinType,
    batch: &[DataFile],
) -> EngineResult<LogicalPlan> {
    let keys = scan_batch(model, batch.to_vec())?.project(key_columns(model).map(column))?.distinct()?.build()?;
    let columns: Vec<Column> = key_columns(model).map(Column::from_name).collect();
    LogicalPlanBuilder::from(rows).join(keys, join, (columns.clone(), columns), None)?.build()
}

/// Those of the files that hold a row of a key of the batch. Reads the keys alone.
pub(crate) async fn files_with_keys(
    engine: &Engine,
    joins: Joins,
    model: &TypedModel,
    files: &[DataFile],
    batch: &[DataFile],
) -> EngineResult<Vec<DataFile>> {
    let found = rows_of_keys(model, rows_with_files(model, files)?, batch)?;
    files_of_rows(engine, joins, files, found).await
}

/// The rows of these files, each with the path of its file: it is a partition column of its own, so that the scan says where a
/// row came from.
pub(super) fn rows_with_files(model: &TypedModel, files: &[DataFile]) -> EngineResult<LogicalPlan> {
    let mut fields: Vec<Field> = model.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(FILE, DataType::Utf8View, true));
    let mut partitions = model.partition_columns();
    partitions.push(FILE.to_owned());
    let named = files.iter().map(|file| {
        let partition = file.partition.with(FILE, &file.path);
        DataFile { partition, ..file.clone() }
    });
    let named: Vec<DataFile> = named.collect();
    let table = LakeTable::new(model.table.clone(), Arc::new(Schema::new(fields)), partitions, named);
    LogicalPlanBuilder::scan(model.name.as_str(), provider_as_source(Arc::new(table)), None)?.build()
}

/// Those of the files that a choice of their rows comes from, which [`rows_with_files`] has read.
pub(super) async fn files_of_rows(
    engine: &Engine,
    joins: Joins,
    files: &[DataFile],
    rows: LogicalPlan,
) -> EngineResult<Vec<DataFile>> {
    let paths = LogicalPlanBuilder::from(rows).project([column(FILE)])?.distinct()?.build()?;
    let found = engine.collect(&paths, joins).await?;
    let paths: BTreeSet<&str> =
        found.iter().flat_map(|batch| batch.column(0).as_string_view().iter().flatten()).collect();
    Ok(files.iter().filter(|file| paths.contains(file.path.as_str())).cloned().collect())
}
