//! The rows of a step, planned physically and written as files that nobody sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as EngineResult;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;

use super::columns::in_columns;
use super::failure::Failure;
use super::parts::{parts, parts_of};
use super::publish::Staged;
use super::quarantine::FoundInSources;
use super::read::{Reader, batches_of};
use super::replace::Replaced;
use super::retry::worth_a_merge_join;
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::{InputTable, TypedModel, as_stored};
use crate::day::TimeRange;
use crate::engine::{RowsOfFiles, SliceCut, WriteNode, written_files, written_origins, written_slices};
use crate::incremental::{Bound, Build, FileLoad, Proved, bind, bind_proved, is_loaded_by_file, queries, traced};
use crate::partition_writer::{WriterOptions, WrittenFile};
use crate::table::{DataFile, SliceLayout, SliceMap, SliceRows, SliceSet};

/// A step's data, written but invisible.
pub(super) struct Written {
    pub files: Vec<WrittenFile>,
    /// The slices that have rows.
    pub slices: SliceMap<SliceRows>,
    /// The files of the table that go.
    pub replaced: Vec<DataFile>,
    pub found: FoundInSources,
    /// Which rows came from which source file, if each row comes from one.
    pub origins: Option<RowsOfFiles>,
}

/// What a plan has written.
#[derive(Default)]
pub(super) struct PlanWritten {
    pub files: Vec<WrittenFile>,
    pub slices: SliceMap<SliceRows>,
    pub origins: RowsOfFiles,
}

impl Workshop<'_> {
    /// Writes the rows with hash joins, and if those do not fit into memory, once more with merge joins.
    pub(super) async fn write(
        &self,
        model: &TypedModel,
        (build, replaced): (&Build, &Replaced),
        token: &str,
        staged: &Staged,
    ) -> Result<Written, Failure> {
        match self.write_with(model, (build, replaced, Joins::Hash), token, staged).await {
            Err(error) if worth_a_merge_join(&error) => {
                tracing::info!(model = %model.name, "does not fit into memory: planned again with merge joins");
                staged.staging().restart();
                let token = format!("{token}-m");
                self.write_with(model, (build, replaced, Joins::Merge), &token, staged).await
            }
            other => other,
        }
        .map_err(|error| engine(&error))
    }

    async fn write_with(
        &self,
        model: &TypedModel,
        (build, replaced, joins): (&Build, &Replaced, Joins),
        token: &str,
        staged: &Staged,
    ) -> EngineResult<Written> {
        let reader = Reader::new(self, Some(model)).await;
        let state = self.session.state(joins);
        let plans = match build {
            Build::Batch => return self.write_batch(&reader, (model, joins), (token, staged)).await,
            Build::Slices(slices) => {
                let proved = self.windows.of(model).proved();
                let queries = self.observed(|observed| queries(model, slices, observed));
                match queries.as_slice() {
                    [one] => slices_to_write(&reader, (model, &proved), &parts_of(self, model, one, state)?, replaced)?,
                    several => slices_to_write(&reader, (model, &proved), several, replaced)?,
                }
            }
            Build::Whole if is_loaded_by_file(model) => {
                vec![traced_to_write(model, begins(model), &mut |table| reader.provide(table))?]
            }
            Build::Whole => whole_plans(self, &reader, model, state)?,
            Build::Files(load) => vec![files_to_write(&reader, model, load)?],
        };
        let (mut written, mut all_slices) = (PlanWritten::default(), Vec::new());
        for (part, logical) in plans.iter().enumerate() {
            let name = format!("{token}-{part}");
            let of_part = self.write_plan(&reader, (model, joins), logical, (&name, staged)).await?;
            written.files.extend(of_part.files);
            written.origins.extend(of_part.origins);
            all_slices.extend(of_part.slices);
        }
        let (PlanWritten { files, origins, .. }, slices) = (written, SliceMap::summed(all_slices));
        if !model.config.unique_key.is_empty() {
            self.check_keys((model, joins), &files).await?;
        }
        let is_traced = !matches!(build, Build::Slices(_)) && is_loaded_by_file(model);
        let (replaced, origins) = (replaced.files.clone(), is_traced.then_some(origins));
        Ok(Written { files, slices, replaced, found: reader.take_found(), origins })
    }

    /// Rows of two sets of files of a model, each with a bound of its own, as new files.
    pub(super) async fn write_merged(
        &self,
        model: &TypedModel,
        (mine, theirs): ((Vec<DataFile>, Bound<'_>), (Vec<DataFile>, Bound<'_>)),
        token: &str,
        staged: &Staged,
    ) -> Result<Vec<WrittenFile>, Failure> {
        let merged = async {
            let reader = Reader::new(self, Some(model)).await;
            let one = own_rows(&reader, model, mine.0, mine.1)?;
            let other = own_rows(&reader, model, theirs.0, theirs.1)?;
            let plan = LogicalPlanBuilder::from(one).union(other)?.build()?;
            self.write_plan(&reader, (model, Joins::Hash), &plan, (token, staged)).await
        };
        merged.await.map(|written| written.files).map_err(|error| engine(&error))
    }

    pub(super) async fn write_plan(
        &self,
        reader: &Reader<'_>,
        (model, joins): (&TypedModel, Joins),
        logical: &LogicalPlan,
        (name, staged): (&str, &Staged),
    ) -> EngineResult<PlanWritten> {
        let state = self.session.state(joins);
        let physical = state.create_physical_plan(logical).await?;
        let options = WriterOptions {
            partition_columns: model.partition_columns(),
            sort_columns: model.config.sort_by.iter().map(|column| column.value.clone()).collect(),
            memory_budget: (self.session.settings.memory / 8).clamp(16 << 20, 128 << 20),
            threads: self.session.settings.partitions,
            ..WriterOptions::new(format!("part-{name}"))
        };
        let written = WriteNode::new(physical, options, slice_cut(model), Arc::new(staged.staging().clone()));
        let physical: Arc<dyn ExecutionPlan> = Arc::new(written);
        let watch = reader.watch(self.observer, &model.name, &physical);
        let batches = watch.during(batches_of(state, Arc::clone(&physical))).await?;
        reader.part_is_read(&physical);
        let (files, slices) = (written_files(&batches)?, written_slices(&batches)?);
        Ok(PlanWritten { files, slices, origins: written_origins(&batches)? })
    }
}

/// How the rows of a model's table are dealt to slices.
pub(crate) fn slice_cut(model: &TypedModel) -> SliceCut {
    let event_time = match model.layout() {
        SliceLayout::Whole => None,
        SliceLayout::ByFile { .. } | SliceLayout::Shared => model.event_time().map(str::to_owned),
    };
    SliceCut { event_time, grain: model.config.batch_size }
}

/// The plans of the rows of a whole table, part by part.
pub(crate) fn whole_plans(
    shop: &Workshop<'_>,
    reader: &Reader<'_>,
    model: &TypedModel,
    state: &SessionState,
) -> EngineResult<Vec<LogicalPlan>> {
    let parts = parts(shop, model, state)?;
    let mut provide = |table: &InputTable| reader.provide(table);
    if let from @ Bound::From { .. } = begins(model) {
        return Ok(vec![in_columns(bind(&model.plan, from, &mut provide)?, &model.schema)?]);
    }
    parts.into_iter().map(|bound| in_columns(bind(&model.plan, bound, &mut provide)?, &model.schema)).collect()
}

/// All rows that a model has.
pub(super) fn begins(model: &TypedModel) -> Bound<'_> {
    match (model.event_time(), model.config.begin) {
        (Some(event_time), Some(begin)) => Bound::From { event_time, begin },
        _ => Bound::Whole,
    }
}

/// The plan of the rows of a model that is loaded file by file, each with its file, in the columns that are written.
fn traced_to_write(
    model: &TypedModel,
    bound: Bound<'_>,
    provide: &mut dyn FnMut(&InputTable) -> EngineResult<Arc<dyn TableProvider>>,
) -> EngineResult<LogicalPlan> {
    let plan = bind(&traced(&model.plan)?, bound, provide)?;
    let origin = plan.schema().fields().last().cloned();
    let columns: Vec<_> = model.schema.fields().iter().cloned().chain(origin).collect();
    in_columns(plan, &Arc::new(Schema::new(columns)))
}

/// The plan of the rows of new and changed files, and of those that others have in slices that are made anew.
fn files_to_write(reader: &Reader<'_>, model: &TypedModel, load: &FileLoad) -> EngineResult<LogicalPlan> {
    let of_files = |files: &BTreeSet<String>| {
        traced_to_write(model, begins(model), &mut |table| reader.provide_source_files(table, files))
    };
    let new = of_files(&load.read)?;
    let (Some(event_time), false) = (model.event_time(), load.again.is_empty()) else {
        return Ok(new);
    };
    let bound = Bound::Slices { event_time, slices: load.rebuild.clone() };
    let again = bind(&of_files(&load.again)?, bound, &mut |table| reader.provide(table))?;
    LogicalPlanBuilder::from(new).union(again)?.build()
}

/// The plans of the rows of slices that are dealt out to queries, and of those that are copied because they share files
/// with them. What goes into shared files is one plan, so that it becomes one file.
fn slices_to_write(
    reader: &Reader<'_>,
    (model, proved): (&TypedModel, &Proved),
    queries: &[SliceSet],
    replaced: &Replaced,
) -> EngineResult<Vec<LogicalPlan>> {
    let mut provide = |table: &InputTable| reader.provide(table);
    let Some(event_time) = model.event_time() else {
        return Ok(vec![in_columns(bind(&model.plan, Bound::Whole, &mut provide)?, &model.schema)?]);
    };
    let plan = model.sliced.as_ref().unwrap_or(&model.plan);
    let new = queries.iter().map(|slices| {
        let bound = Bound::Slices { event_time, slices: since_begin(model, slices) };
        in_columns(bind_proved(plan, bound, proved, &mut provide)?, &model.schema)
    });
    let new = new.collect::<EngineResult<Vec<LogicalPlan>>>()?;
    if matches!(model.layout(), SliceLayout::ByFile { .. }) {
        return Ok(new);
    }
    let mut together: Vec<LogicalPlan> = new.into_iter().map(|plan| as_stored(plan, &model.schema)).collect();
    if replaced.shared && !replaced.files.is_empty() {
        let slices = queries.iter().fold(SliceSet::default(), |all, slices| all.and(slices));
        together.push(own_rows(reader, model, replaced.files.clone(), Bound::Outside { event_time, slices })?);
    }
    let mut plans = together.into_iter();
    let Some(first) = plans.next() else { return Ok(Vec::new()) };
    let union = plans.try_fold(LogicalPlanBuilder::from(first), LogicalPlanBuilder::union)?;
    Ok(vec![union.build()?])
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
