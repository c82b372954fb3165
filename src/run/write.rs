//! The rows of a step, planned physically and written as files that nobody sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;

use super::context::RunContext;
use super::replace::Replaced;
use super::staged::Staged;
use crate::analyze::{InputTable, TypedModel, as_stored};
use crate::engine::{
    RowsOfFiles, WriteNode, WriteTarget, all_paths, claimed, written_files, written_origins, written_slices,
};
use crate::execute::{
    FoundInSources, Joins, KeyedRows, Reader, Versions, begins, check_keys, in_columns, own_rows, parts_of,
    since_begin, slice_cut, whole_plans,
};
use crate::incremental::{
    Bound, Build, BuildKind, FileLoad, Proved, Write, bind, bind_proved, is_loaded_by_file, queries, traced,
};
use crate::partition_writer::{WriterOptions, WrittenFile};
use crate::table::{DataFile, SliceKey, SliceMap, SliceRows, SliceSet};

/// Where a plan's rows are written to, and how they are come by.
#[derive(Clone, Copy)]
pub(super) struct WriteJob<'j> {
    pub model: &'j TypedModel,
    pub joins: Joins,
    /// What the names of the files begin with: unique to one plan of one commit.
    pub name: &'j str,
    pub staged: &'j Staged,
}

impl<'j> WriteJob<'j> {
    /// A job whose joins are hash joins.
    pub fn new(model: &'j TypedModel, name: &'j str, staged: &'j Staged) -> Self {
        Self { model, joins: Joins::Hash, name, staged }
    }

    /// The same job under another name.
    pub fn named(self, name: &'j str) -> Self {
        Self { name, ..self }
    }
}

/// A step's data, written but invisible.
pub(super) struct WrittenStep {
    pub files: Vec<WrittenFile>,
    /// The slices that have rows.
    pub slices: SliceMap<SliceRows>,
    /// The files of the table that go.
    pub replaced: Vec<DataFile>,
    pub found: FoundInSources,
    /// Which rows came from which source file, if each row comes from one.
    pub origins: Option<RowsOfFiles>,
}

impl WrittenStep {
    /// The rows of a batch, beside which nothing goes yet.
    pub(super) fn of_batch(batch: PlanWritten) -> WrittenStep {
        WrittenStep {
            files: batch.files,
            slices: batch.slices,
            replaced: Vec::new(),
            found: FoundInSources::default(),
            origins: None,
        }
    }

    /// The same with the rows of the whole table: its rows before, without those that go. Digests of rows are sums: what goes
    /// is subtracted, what comes is added, and no other row is read.
    pub(super) fn beside(self, before: SliceRows, gone: SliceRows) -> WrittenStep {
        let mut rows = before;
        rows -= gone;
        rows += sum(&self.slices);
        WrittenStep { slices: SliceMap::from_iter([(SliceKey::All, rows)]), ..self }
    }
}

/// What all of these slices hold.
pub(super) fn sum(slices: &SliceMap<SliceRows>) -> SliceRows {
    slices.values().fold(SliceRows::default(), |mut sum, slice| {
        sum += *slice;
        sum
    })
}

/// What a plan has written.
#[derive(Default)]
pub(super) struct PlanWritten {
    pub files: Vec<WrittenFile>,
    pub slices: SliceMap<SliceRows>,
    pub origins: RowsOfFiles,
}

impl PlanWritten {
    /// What the rows of write nodes say, whose claims are accepted.
    pub(super) fn read(rows: &[RecordBatch]) -> EngineResult<PlanWritten> {
        Ok(PlanWritten { files: written_files(rows)?, slices: written_slices(rows)?, origins: written_origins(rows)? })
    }
}

/// Some files of a model's table, and which of their rows.
pub(super) struct BoundFiles<'b> {
    pub files: Vec<DataFile>,
    pub bound: Bound<'b>,
}

impl RunContext<'_> {
    /// Writes the rows with hash joins, and if those do not fit into memory, once more with merge joins.
    pub(super) async fn write(
        &self,
        job: WriteJob<'_>,
        build: &Build,
        replaced: &Replaced,
    ) -> EngineResult<WrittenStep> {
        match self.write_with(job, build, replaced).await {
            Err(error) if Joins::may_need_less(&error) => {
                tracing::info!(model = %job.model.name, "does not fit into memory: planned again with merge joins");
                job.staged.staging().restart();
                let name = format!("{}-m", job.name);
                self.write_with(WriteJob { joins: Joins::Merge, ..job.named(&name) }, build, replaced).await
            }
            other => other,
        }
    }

    async fn write_with(&self, job: WriteJob<'_>, build: &Build, replaced: &Replaced) -> EngineResult<WrittenStep> {
        let model = job.model;
        let reader = Reader::for_model(&self.catalog, model).await;
        // Only a build of everything replaces all bad records: any other keeps those of the files that it does not read.
        let reader = if build.is_whole() { reader.reading_bad_files() } else { reader };
        if let Some(versions) = Versions::of(model) {
            return self.write_versions(&reader, job, versions).await;
        }
        if build.write() == Write::AddBatch {
            return self.write_batch(&reader, job).await;
        }
        let mut files = Vec::new();
        let mut origins = RowsOfFiles::default();
        let mut all_slices = Vec::new();
        for (part, logical) in self.plans(&reader, job, build, replaced)?.iter().enumerate() {
            let name = format!("{}-{part}", job.name);
            let of_part = self.write_plan(&reader, job.named(&name), logical).await?;
            files.extend(of_part.files);
            origins.extend(of_part.origins);
            all_slices.extend(of_part.slices);
        }
        if !model.config.unique_key.is_empty() {
            self.check_new_keys(job, &files).await?;
        }
        let is_traced = build.kind() != BuildKind::Slices && is_loaded_by_file(model);
        Ok(WrittenStep {
            files,
            slices: SliceMap::summed(all_slices),
            replaced: replaced.files.clone(),
            found: reader.take_found(),
            origins: is_traced.then_some(origins),
        })
    }

    /// The plans that together give the rows of a build; a batch is written by `write_batch`.
    fn plans(
        &self,
        reader: &Reader<'_>,
        job: WriteJob<'_>,
        build: &Build,
        replaced: &Replaced,
    ) -> EngineResult<Vec<LogicalPlan>> {
        let model = job.model;
        let state = self.engine.state(job.joins);
        match build {
            Build::Batch => Ok(Vec::new()),
            Build::Slices(slices) => {
                let mut queries = self.catalog.observed(|observed| queries(model, slices, observed));
                if let [one] = queries.as_slice() {
                    queries = parts_of(&self.engine, &self.catalog, model, one, state)?;
                }
                self.slices_to_write(reader, model, &queries, replaced)
            }
            Build::Whole if is_loaded_by_file(model) => {
                Ok(vec![traced_to_write(model, begins(model), &mut |table| reader.provide(table))?])
            }
            Build::Whole => whole_plans(&self.engine, reader, model, state),
            Build::Files(load) => Ok(vec![files_to_write(reader, model, load)?]),
        }
    }

    /// Fails if the key does not tell rows apart that were written.
    pub(super) async fn check_new_keys(&self, job: WriteJob<'_>, files: &[WrittenFile]) -> EngineResult<()> {
        let files: Vec<DataFile> = files.iter().map(DataFile::from).collect();
        check_keys(&self.engine, job.joins, job.model, &files, KeyedRows::New).await
    }

    /// Rows of two sets of files of a model, each with a bound of its own, as new files.
    pub(super) async fn write_merged(
        &self,
        job: WriteJob<'_>,
        mine: BoundFiles<'_>,
        theirs: BoundFiles<'_>,
    ) -> EngineResult<Vec<WrittenFile>> {
        let reader = Reader::for_model(&self.catalog, job.model).await;
        let one = own_rows(&reader, job.model, mine.files, mine.bound)?;
        let other = own_rows(&reader, job.model, theirs.files, theirs.bound)?;
        let plan = LogicalPlanBuilder::from(one).union(other)?.build()?;
        Ok(self.write_plan(&reader, job, &plan).await?.files)
    }

    pub(super) async fn write_plan(
        &self,
        reader: &Reader<'_>,
        job: WriteJob<'_>,
        logical: &LogicalPlan,
    ) -> EngineResult<PlanWritten> {
        #[cfg(feature = "cluster")]
        if let Some(written) = self.write_on_cluster(job, logical).await? {
            return Ok(written);
        }
        let model = job.model;
        let state = self.engine.state(job.joins);
        let physical = state.create_physical_plan(logical).await?;
        let options = self.writer_options(job);
        let partitions = physical.properties().output_partitioning().partition_count();
        let target = WriteTarget { table: model.table.clone(), name: job.name.to_owned() };
        let _open = self.engine.targets.open(&target, job.staged.staging());
        let written = WriteNode::new(physical, options, slice_cut(model), target);
        let physical: Arc<dyn ExecutionPlan> = Arc::new(written);
        let watch = reader.watch(self.observer, &model.name, &physical);
        let written = async { execute_stream(Arc::clone(&physical), state.task_ctx())?.try_collect::<Vec<_>>().await };
        let batches = watch.during(written).await?;
        reader.part_is_read(&physical);
        let batches = self.accept(job, &batches, partitions)?;
        PlanWritten::read(&batches)
    }

    /// How the files of a job are written.
    pub(super) fn writer_options(&self, job: WriteJob<'_>) -> WriterOptions {
        let settings = &self.engine.settings;
        WriterOptions {
            partition_columns: job.model.partition_columns(),
            sort_columns: job.model.config.sort_by.iter().map(|column| column.value.clone()).collect(),
            memory_budget: (settings.memory / 8).clamp(16 << 20, 128 << 20),
            threads: settings.partitions,
            ..WriterOptions::new(format!("part-{}", job.name))
        }
    }

    /// What is accepted of what a plan has written. Files that hold the same rows once more are given up, and if the rows are not
    /// those of the plan, all of them.
    pub(super) fn accept(
        &self,
        job: WriteJob<'_>,
        batches: &[RecordBatch],
        partitions: usize,
    ) -> EngineResult<Vec<RecordBatch>> {
        let staging = job.staged.staging();
        staging.adopt(all_paths(batches)).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let claimed = claimed(batches, partitions)?;
        staging.give_up_files(claimed.repeated.iter().map(String::as_str));
        Ok(claimed.rows)
    }

    /// The plans of the rows of slices that are dealt out to queries, and of those that are copied because they share files
    /// with them. What goes into shared files is one plan, so that it becomes one file.
    fn slices_to_write(
        &self,
        reader: &Reader<'_>,
        model: &TypedModel,
        queries: &[SliceSet],
        replaced: &Replaced,
    ) -> EngineResult<Vec<LogicalPlan>> {
        let Some(event_time) = model.event_time() else {
            let plan = bind(model.plan()?, Bound::Whole, &mut |table| reader.provide(table))?;
            return Ok(vec![in_columns(plan, &model.schema)?]);
        };
        let proved: Proved = self.catalog.windows.of(model).proved();
        let plan = model.plan_of_later_runs()?;
        let new = queries.iter().map(|slices| {
            let bound = Bound::Slices { event_time, slices: since_begin(model, slices) };
            let plan = bind_proved(plan, bound, &proved, &mut |table| reader.provide(table))?;
            in_columns(plan, &model.schema)
        });
        let new = new.collect::<EngineResult<Vec<LogicalPlan>>>()?;
        if model.layout().has_files_of_slices() {
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
}

/// The plan of the rows of a model that is loaded file by file, each with its file, in the columns that are written.
fn traced_to_write(
    model: &TypedModel,
    bound: Bound<'_>,
    provide: &mut dyn FnMut(&InputTable) -> EngineResult<Arc<dyn TableProvider>>,
) -> EngineResult<LogicalPlan> {
    let plan = bind(&traced(model.plan()?)?, bound, provide)?;
    let origin = plan.schema().fields().last().cloned();
    let columns: Vec<_> = model.schema.fields().iter().cloned().chain(origin).collect();
    in_columns(plan, &Arc::new(Schema::new(columns)))
}

/// The plan of the rows of new and changed files, and of those that others have in slices that are made anew.
fn files_to_write(reader: &Reader<'_>, model: &TypedModel, load: &FileLoad) -> EngineResult<LogicalPlan> {
    let new = rows_of_files(reader, model, &load.read)?;
    let Some(event_time) = model.event_time().filter(|_| !load.again.is_empty()) else { return Ok(new) };
    let bound = Bound::Slices { event_time, slices: load.rebuild.clone() };
    let again = rows_of_files(reader, model, &load.again)?;
    let again = bind(&again, bound, &mut |table| reader.provide(table))?;
    LogicalPlanBuilder::from(new).union(again)?.build()
}

/// The plan of the rows of some files of a model's source.
fn rows_of_files(reader: &Reader<'_>, model: &TypedModel, files: &BTreeSet<String>) -> EngineResult<LogicalPlan> {
    traced_to_write(model, begins(model), &mut |table| reader.provide_source_files(table, files))
}
