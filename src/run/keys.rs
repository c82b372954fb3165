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
pub(super) const BATCH: &str = "rows of the batch";
const ROWS: &str = "rows of the key";

/// Which rows a key is to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those that a step has computed.
    New,
    /// Those that the table holds.
    Held,
}

/// Keys that are null, or stand in several rows where they must not.
#[derive(Debug)]
pub(crate) struct AmbiguousKey {
    model: ModelName,
    rows: Rows,
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
            Rows::New => {
                diagnostic.help("keep one row a key in the SELECT, and none without a key; nothing was written")
            }
            Rows::Held => diagnostic
                .note("another program has written them: no batch leaves two rows of a key")
                .help(format!("build it whole: `karat run --full-refresh --select {}`", self.model)),
        }
    }
}

impl fmt::Display for AmbiguousKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = match self.rows {
            Rows::New => "the new rows",
            Rows::Held => "the rows in the table",
        };
        write!(formatter, "`unique_key` does not tell {rows} of `{}` apart", self.model)
    }
}

impl std::error::Error for AmbiguousKey {}

fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The columns of the key.
pub(super) fn names(model: &TypedModel) -> impl Iterator<Item = &str> {
    model.config.unique_key.iter().map(|column| column.value.as_str())
}

/// The rows of some files of the model's table, under a name that no model has.
pub(super) fn scan(model: &TypedModel, files: Vec<DataFile>) -> EngineResult<LogicalPlanBuilder> {
    let table = LakeTable::new(model.table.clone(), model.schema.clone(), model.partition_columns(), files);
    LogicalPlanBuilder::scan(TableReference::bare(BATCH), provider_as_source(Arc::new(table)), None)
}

/// The keys in the rows of these files that must not be there: each with the number of its rows, a few of them.
pub(super) fn ambiguous_keys(model: &TypedModel, files: &[DataFile]) -> EngineResult<LogicalPlan> {
    let is_null = names(model).map(|name| column(name).is_null()).reduce(Expr::or).unwrap_or_else(|| lit(false));
    let is_wrong = match model.config.materialized.has_one_row_a_key() {
        true => is_null.or(column(ROWS).gt(lit(1_i64))),
        // The rows of a key go together and come together.
        false => is_null,
    };
    scan(model, files.to_vec())?
        .aggregate(names(model).map(column), vec![count(lit(1_i64)).alias(ROWS)])?
        .filter(is_wrong)?
        .sort(names(model).map(|name| column(name).sort(true, true)).collect::<Vec<_>>())?
        .limit(0, Some(SHOWN + 1))?
        .build()
}

/// An error if the query for ambiguous keys has found any.
pub(super) fn check(model: &TypedModel, found: &[RecordBatch], rows: Rows) -> EngineResult<()> {
    let mut keys = Vec::new();
    for batch in found {
        let (Some(counts), of_key) = (batch.columns().last(), names(model).count()) else { continue };
        let counts = counts.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let parts = names(model).zip(batch.columns().iter().take(of_key));
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

/// The rows of a plan whose keys stand in the files of a batch, or those whose keys do not.
pub(super) fn by_keys(
    model: &TypedModel,
    rows: LogicalPlan,
    (join, batch): (JoinType, &[DataFile]),
) -> EngineResult<LogicalPlan> {
    let keys = scan(model, batch.to_vec())?.project(names(model).map(column))?.distinct()?.build()?;
    let columns: Vec<Column> = names(model).map(Column::from_name).collect();
    LogicalPlanBuilder::from(rows).join(keys, join, (columns.clone(), columns), None)?.build()
}

/// A query for the paths of those of the files that hold a row of a key of the batch. It reads the keys alone.
pub(super) fn holding_files(model: &TypedModel, files: &[DataFile], batch: &[DataFile]) -> EngineResult<LogicalPlan> {
    let named = |file: &DataFile| DataFile { partition: file.partition.with(FILE, &file.path), ..file.clone() };
    let mut fields: Vec<Field> = model.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(FILE, DataType::Utf8View, true));
    let mut partitions = model.partition_columns();
    partitions.push(FILE.to_owned());
    let files: Vec<DataFile> = files.iter().map(named).collect();
    let table = LakeTable::new(model.table.clone(), Arc::new(Schema::new(fields)), partitions, files);
    let rows = LogicalPlanBuilder::scan(model.name.as_str(), provider_as_source(Arc::new(table)), None)?.build()?;
    let found = by_keys(model, rows, (JoinType::LeftSemi, batch))?;
    LogicalPlanBuilder::from(found).project([column(FILE)])?.distinct()?.build()
}

/// The paths that the query for files has found.
pub(super) fn paths(found: &[RecordBatch]) -> BTreeSet<String> {
    let of =
        |batch: &RecordBatch| batch.column(0).as_string_view().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
    found.iter().flat_map(of).collect()
}
