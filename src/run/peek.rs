//! What new and changed files will bring: their rows are counted, slice by slice, and nothing is written.

use std::collections::BTreeSet;

use datafusion::common::{Column, DFSchema, Result as EngineResult};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::failure::Failure;
use super::read::Reader;
use super::session::Joins;
use super::step::{Workshop, engine};
use super::write::{begins, slice_cut};
use crate::analyze::{ORIGIN, TypedModel};
use crate::engine::OriginTally;
use crate::incremental::{Arrivals, bind, is_loaded_by_file, traced};

impl Workshop<'_> {
    /// Reads these files as a build would, for a model that is loaded file by file; no rows of any other.
    pub(crate) async fn peek(&self, model: &TypedModel, files: &BTreeSet<String>) -> Result<Arrivals, Failure> {
        match model.event_time().filter(|_| is_loaded_by_file(model)) {
            Some(event_time) => self.count(model, event_time, files).await.map_err(|error| engine(&error)),
            None => Ok(Arrivals::new()),
        }
    }

    async fn count(&self, model: &TypedModel, event_time: &str, files: &BTreeSet<String>) -> EngineResult<Arrivals> {
        let reader = Reader::new(self, Some(model)).await;
        let plan = traced(&model.plan)?;
        let plan = bind(&plan, begins(model), &mut |table| reader.provide_source_files(table, files))?;
        let columns = [event_time, ORIGIN].map(|name| column(plan.schema(), name));
        let columns = columns.into_iter().collect::<EngineResult<Vec<Expr>>>()?;
        let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
        let state = self.session.state(Joins::Hash);
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
}

fn column(schema: &DFSchema, name: &str) -> EngineResult<Expr> {
    let field = schema.qualified_field_with_unqualified_name(name)?;
    Ok(Expr::Column(Column::from(field)))
}
