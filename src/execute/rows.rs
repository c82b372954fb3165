//! The plans that give the rows of a model: of all of its table, or as they lie in its files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, Result as EngineResult, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::engine::Engine;
use super::parts::parts;
use super::reader::Reader;
use crate::analyze::{InputTable, TypedModel};
use crate::day::TimeRange;
use crate::engine::SliceCut;
use crate::incremental::{Bound, bind};
use crate::table::{DataFile, SliceSet};

/// How the rows of a model's table are dealt to slices.
pub(crate) fn slice_cut(model: &TypedModel) -> SliceCut {
    let event_time = model.event_time().filter(|_| model.is_sliced()).map(str::to_owned);
    SliceCut { event_time, grain: model.config.batch_size }
}

/// The plans of the rows of a whole table, part by part.
pub(crate) fn whole_plans(
    engine: &Engine,
    reader: &Reader<'_>,
    model: &TypedModel,
    state: &SessionState,
) -> EngineResult<Vec<LogicalPlan>> {
    let parts = parts(engine, reader.catalog(), model, state)?;
    let plan = model.plan()?;
    let mut provide = |table: &InputTable| reader.provide(table);
    if let from @ Bound::From { .. } = begins(model) {
        return Ok(vec![in_columns(bind(plan, from, &mut provide)?, &model.schema)?]);
    }
    parts.into_iter().map(|bound| in_columns(bind(plan, bound, &mut provide)?, &model.schema)).collect()
}

/// All rows that a model has.
pub(crate) fn begins(model: &TypedModel) -> Bound<'_> {
    match (model.event_time(), model.config.begin) {
        (Some(event_time), Some(begin)) => Bound::From { event_time, begin },
        _ => Bound::Whole,
    }
}

/// What of the slices a full refresh makes too: no row before the model's beginning.
pub(crate) fn since_begin(model: &TypedModel, slices: &SliceSet) -> SliceSet {
    let Some(begin) = model.config.begin else { return slices.clone() };
    let since = |range: &TimeRange| TimeRange::new(range.start().max(begin), range.end());
    SliceSet::new(slices.ranges().iter().filter_map(since).collect(), slices.timeless())
}

/// The rows of some files of a model's own table within a bound.
pub(crate) fn own_rows(
    reader: &Reader<'_>,
    model: &TypedModel,
    files: impl Into<Arc<Vec<DataFile>>>,
    bound: Bound<'_>,
) -> EngineResult<LogicalPlan> {
    let own = reader.provide_files(model, files);
    let own = LogicalPlanBuilder::scan(model.name.as_str(), provider_as_source(own), None)?.build()?;
    bind(&own, bound, &mut |table| reader.provide(table))
}

/// The rows of a model's plan with the columns that are written: null where the model has none.
pub(crate) fn in_columns(plan: LogicalPlan, columns: &SchemaRef) -> EngineResult<LogicalPlan> {
    let names = |index: usize| plan.schema().fields().get(index).map(|field| field.name());
    let is_same = plan.schema().fields().len() == columns.fields().len()
        && columns.fields().iter().enumerate().all(|(index, field)| names(index) == Some(field.name()));
    if is_same {
        return Ok(plan);
    }
    let column = |field: &Arc<arrow::datatypes::Field>| -> EngineResult<Expr> {
        match plan.schema().qualified_field_with_unqualified_name(field.name()) {
            Ok((qualifier, _)) => Ok(Expr::Column(Column::new(qualifier.cloned(), field.name()))),
            Err(_) => Ok(lit(ScalarValue::try_from(field.data_type())?).alias(field.name())),
        }
    };
    let columns = columns.fields().iter().map(column).collect::<EngineResult<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}
