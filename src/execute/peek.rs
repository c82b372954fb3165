//! What new and changed files will bring: their rows are counted, slice by slice, and nothing is written.

use std::collections::BTreeSet;

use datafusion::common::{Column, DFSchema, Result as EngineResult};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::engine::{Engine, Joins};
use super::reader::Reader;
use super::rows::{begins, slice_cut};
use crate::analyze::{ORIGIN, TypedModel};
use crate::catalog::Catalog;
use crate::engine::OriginTally;
use crate::incremental::{Arrivals, bind, is_loaded_by_file, traced};

/// The rows of each slice in some source files, read as a build would, for a model that is loaded file by file; none of any
/// other model.
///
/// # Errors
///
/// Returns an error if a file cannot be read.
pub(crate) async fn peek(
    engine: &Engine,
    catalog: &Catalog<'_>,
    model: &TypedModel,
    files: &BTreeSet<String>,
) -> EngineResult<Arrivals> {
    let Some(event_time) = model.event_time().filter(|_| is_loaded_by_file(model)) else { return Ok(Arrivals::new()) };
    let reader = Reader::for_model(catalog, model).await;
    let plan = traced(model.plan()?)?;
    let plan = bind(&plan, begins(model), &mut |table| reader.provide_source_files(table, files))?;
    // Only the time and the file: the optimizer then reads no other column of a Parquet file.
    let columns = vec![column(plan.schema(), event_time)?, column(plan.schema(), ORIGIN)?];
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
    let state = engine.state(Joins::Hash);
    let physical = state.create_physical_plan(&plan).await?;
    let mut tally = OriginTally::new(&physical.schema(), &slice_cut(model))?;
    let mut batches = execute_stream(physical, state.task_ctx())?;
    while let Some(batch) = batches.try_next().await? {
        tally.add(batch)?;
    }
    let mut arrivals = Arrivals::new();
    for (slice, file, rows) in tally.finish() {
        if let Some(file) = file {
            *arrivals.entry(slice).or_default().entry(file).or_default() += rows.rows;
        }
    }
    Ok(arrivals)
}

fn column(schema: &DFSchema, name: &str) -> EngineResult<Expr> {
    let field = schema.qualified_field_with_unqualified_name(name)?;
    Ok(Expr::Column(Column::from(field)))
}
