//! The ways to the rows of some slices: as they lie in the table, as a build makes them, as a full refresh makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::task::JoinSet;

use super::windows::without_windows;
use crate::analyze::{TypedModel, as_stored};
use crate::catalog::Catalog;
use crate::engine::SliceTally;
use crate::execute::{Engine, Joins, Observer, Reader, own_rows, since_begin, slice_cut, whole_plans};
use crate::incremental::{Bound, Proved, bind, bind_proved};
use crate::table::{DataFile, SliceKey, SliceRows, SliceSet};
use crate::template::ReferenceName;

/// One way to the rows of slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// As they lie in the table's files.
    Stored,
    /// As a build of these slices makes them.
    Built,
    /// As a full refresh makes them: by the text for the whole table, and no window counts.
    Refreshed,
    /// As a build of these slices makes them, but of all windows only those of this scan count.
    Windows(Option<&'a ReferenceName>),
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Exact,
    /// Sums of floating-point numbers depend on their order in the last digits, which this leaves out.
    SevenDigits,
}

/// A model whose rows can be come by: its inputs as they were, and its own table as it is.
pub(super) struct VerifySubject<'a> {
    pub catalog: &'a Catalog<'a>,
    pub engine: &'a Engine,
    pub observer: &'a dyn Observer,
    pub model: &'a TypedModel,
    /// The files of the model's table.
    pub files: &'a [DataFile],
}

/// How many slices are computed beside each other, where each must be computed alone.
const BESIDE: usize = 4;

impl VerifySubject<'_> {
    /// The digests of the rows of slices that are computed each alone: together each would see what the windows of the
    /// others let through, and a window that is too small would not be found.
    pub async fn tally_apart(
        &self,
        way: Way<'_>,
        precision: Precision,
        slices: &[SliceKey],
    ) -> EngineResult<BTreeMap<SliceKey, SliceRows>> {
        let one = |slice: &SliceKey| {
            let alone = [*slice];
            async move { self.tally(way, precision, &alone).await }
        };
        let tallies = stream::iter(slices).map(one).buffer_unordered(BESIDE);
        tallies
            .try_fold(BTreeMap::new(), |mut all, tally| async move {
                all.extend(tally);
                Ok(all)
            })
            .await
    }

    /// The digests of the rows of the slices. One without rows may be left out.
    pub async fn tally(
        &self,
        way: Way<'_>,
        precision: Precision,
        slices: &[SliceKey],
    ) -> EngineResult<BTreeMap<SliceKey, SliceRows>> {
        match self.tally_with(way, precision, slices, Joins::Hash).await {
            Err(error) if Joins::may_need_less(&error) => self.tally_with(way, precision, slices, Joins::Merge).await,
            other => other,
        }
    }

    async fn tally_with(
        &self,
        way: Way<'_>,
        precision: Precision,
        slices: &[SliceKey],
        joins: Joins,
    ) -> EngineResult<BTreeMap<SliceKey, SliceRows>> {
        // Without the model, what is known of source files from earlier builds is not relied upon.
        let reader = Reader::new(self.catalog);
        let state = self.engine.state(joins);
        let mut found = BTreeMap::new();
        for plan in self.plans(&reader, way, slices)? {
            let plan = match precision {
                Precision::Exact => plan,
                Precision::SevenDigits => rounded(as_stored(plan, &self.model.schema))?,
            };
            let physical = state.create_physical_plan(&plan).await?;
            let watch = reader.watch(self.observer, &self.model.name, &physical);
            let tallied = watch.during(tally(self.model, &physical, state.task_ctx())).await?;
            reader.part_is_read(&physical);
            for (slice, rows) in tallied.finish() {
                *found.entry(slice).or_insert_with(SliceRows::default) += rows;
            }
        }
        Ok(found)
    }

    /// The slices that have rows by a way to all of them and are not among these.
    pub async fn beyond(&self, way: Way<'_>, known: &SliceSet) -> EngineResult<BTreeSet<SliceKey>> {
        let Some(event_time) = self.model.event_time() else { return Ok(BTreeSet::new()) };
        let reader = Reader::new(self.catalog);
        let mut plan = self.plan(&reader, way, Bound::Outside { event_time, slices: known.clone() })?;
        if let Some(begin) = self.model.config.begin.filter(|_| way != Way::Stored) {
            plan = bind(&plan, Bound::From { event_time, begin }, &mut |table| reader.provide(table))?;
        }
        let state = self.engine.state(Joins::Hash);
        let tallied = tally(self.model, &state.create_physical_plan(&plan).await?, state.task_ctx()).await?;
        Ok(tallied.finish().into_iter().map(|(slice, _)| slice).collect())
    }

    /// The plans that together give the rows of the slices.
    pub fn plans(&self, reader: &Reader<'_>, way: Way<'_>, slices: &[SliceKey]) -> EngineResult<Vec<LogicalPlan>> {
        let set = SliceSet::of(slices.iter().copied(), self.model.config.batch_size);
        match (self.model.event_time().zip(set), way) {
            (Some((event_time, slices)), way) => {
                let slices = if matches!(way, Way::Stored) { slices } else { since_begin(self.model, &slices) };
                Ok(vec![self.plan(reader, way, Bound::Slices { event_time, slices })?])
            }
            (None, Way::Stored) => Ok(vec![own_rows(reader, self.model, self.files.to_vec(), Bound::Whole)?]),
            (None, Way::Built | Way::Refreshed | Way::Windows(_)) => {
                whole_plans(self.engine, reader, self.model, self.engine.state(Joins::Hash))
            }
        }
    }

    fn plan(&self, reader: &Reader<'_>, way: Way<'_>, bound: Bound<'_>) -> EngineResult<LogicalPlan> {
        let whole = self.model.plan()?;
        let sliced = self.model.sliced_plan()?;
        let proved = || self.catalog.windows.of(self.model).proved();
        let (plan, proved) = match way {
            Way::Stored => return own_rows(reader, self.model, self.files.to_vec(), bound),
            Way::Built => (sliced.unwrap_or(whole).clone(), proved()),
            Way::Refreshed => (without_windows(whole, None), Proved::new()),
            Way::Windows(scan) => (without_windows(sliced.unwrap_or(whole), scan), proved()),
        };
        bind_proved(&plan, bound, &proved, &mut |table| reader.provide(table))
    }
}

/// Runs a plan on all its threads and tallies what each puts out. The tasks end with the future.
async fn tally(
    model: &TypedModel,
    physical: &Arc<dyn ExecutionPlan>,
    context: Arc<datafusion::execution::TaskContext>,
) -> EngineResult<SliceTally> {
    // Each partition of the plan is tallied by a task of its own. Digests are sums, so the order does not matter.
    let mut sum = SliceTally::new(&physical.schema(), &slice_cut(model))?;
    let mut tasks = JoinSet::new();
    for mut stream in execute_stream_partitioned(Arc::clone(physical), context)? {
        let mut part = sum.clone();
        tasks.spawn(async move {
            while let Some(batch) = stream.try_next().await? {
                part.add(&batch)?;
            }
            Ok::<_, DataFusionError>(part)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        sum.merge(joined.map_err(|error| DataFusionError::External(Box::new(error)))??);
    }
    Ok(sum)
}

/// Floating-point columns with the digits that do not depend on the order of a sum.
fn rounded(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let columns = schema.iter().map(|(table, field)| {
        let column = Expr::Column(Column::new(table.cloned(), field.name()));
        match field.data_type() {
            DataType::Float64 => cast(column, DataType::Float32).alias(field.name()),
            _ => column,
        }
    });
    LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()
}
