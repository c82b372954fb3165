//! Rows of a batch that change a part of the columns of rows that are there: what they keep comes from the table.

use datafusion::common::{Column, JoinType, Result as EngineResult, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, when};

use crate::analyze::TypedModel;
use crate::execute::{BATCH, key_columns, scan_batch};
use crate::project::UpdatedColumns;
use crate::table::DataFile;

/// The name under which the rows of the table are read beside those of the batch. No model has such a name.
const TABLE: &str = "rows of the table";

/// The columns of the table whose values stay in a row that is there already. Columns that the model does not put out
/// stay too, as soon as not all columns are written over: the batch has no value for them.
///
/// # Errors
///
/// As [`TypedModel::plan`].
pub(super) fn kept_columns(model: &TypedModel) -> EngineResult<Vec<String>> {
    let plan = model.plan()?;
    let is_put_out = |name: &str| plan.schema().fields().iter().any(|field| field.name() == name);
    let is_key = |name: &str| key_columns(model).any(|part| part == name);
    let is_kept = |name: &str| match &model.config.updated_columns {
        UpdatedColumns::All => false,
        UpdatedColumns::Only(updated) => !updated.iter().any(|column| column.value == name),
        UpdatedColumns::AllBut(kept) => kept.iter().any(|column| column.value == name) || !is_put_out(name),
    };
    let names = model.schema.fields().iter().map(|field| field.name());
    Ok(names.filter(|name| !is_key(name) && is_kept(name)).cloned().collect())
}

/// The rows in the files of a batch; where the table has a row of the same key, with that row's values in the columns that
/// are kept.
pub(super) fn with_kept_values(
    model: &TypedModel,
    batch: &[DataFile],
    table: LogicalPlan,
    kept: &[String],
) -> EngineResult<LogicalPlan> {
    let in_batch = |name: &str| Column::new(Some(TableReference::bare(BATCH)), name);
    let in_table = |name: &str| Column::new(Some(TableReference::bare(TABLE)), name);
    let read = key_columns(model).chain(kept.iter().map(String::as_str));
    let table = LogicalPlanBuilder::from(table)
        .project(read.map(|name| Expr::Column(Column::from_name(name))).collect::<Vec<_>>())?
        .alias(TABLE)?
        .build()?;
    let ours = key_columns(model).map(in_batch).collect::<Vec<_>>();
    let theirs = key_columns(model).map(in_table).collect::<Vec<_>>();
    // No key has a null, so a null says that the table has no such row. A value that is kept may be null itself.
    let is_found = theirs.first().cloned().map(|column| Expr::Column(column).is_not_null());
    let joined = scan_batch(model, batch.to_vec())?.join(table, JoinType::Left, (ours, theirs), None)?;
    let columns = model.schema.fields().iter().map(|field| {
        let name = field.name();
        let new = Expr::Column(in_batch(name));
        match is_found.clone().filter(|_| kept.contains(name)) {
            Some(is_found) => Ok(when(is_found, Expr::Column(in_table(name))).otherwise(new)?.alias(name)),
            None => Ok(new),
        }
    });
    joined.project(columns.collect::<EngineResult<Vec<_>>>()?)?.build()
}
