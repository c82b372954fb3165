//! One step of a run: plan physically, write files that nobody sees, test them, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;

use super::checks::{Checking, failed, run_checks};
use super::failure::{Failure, from_engine};
use super::observer::{Built, Observer};
use super::parts::parts;
use super::quarantine::{self, FoundInSources};
use super::read::{Reader, batches_of};
use super::replace::{Replaced, data_file, kept};
use super::retry::worth_a_merge_join;
use super::session::{Joins, Session};
use super::sources::SourceListing;
use crate::analyze::{InputTable, TypedModel, as_stored};
use crate::check::{CheckResult, Guards};
use crate::day::TimeRange;
use crate::diag::{Code, Diagnostic};
use crate::engine::{SliceCut, WriteNode, is_event_time, written_files, written_slices};
use crate::incremental::{Bound, Build, bind, input_versions};
use crate::name::{ModelName, TableName};
use crate::partition_writer::{WriterOptions, WrittenFile, delta_schema};
use crate::project::Project;
use crate::store::{Commit, Lake, LocalBackend, LocalDestination};
use crate::table::{DataFile, Record, SliceKey, SliceRows, TableState, Tables};

/// Everything that the steps of a run share.
pub(crate) struct Workshop<'a> {
    pub project: &'a Project,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub lake: Lake,
    /// The project's folder, where source files lie.
    pub folder: LocalBackend,
    pub session: Session,
    /// The tables as they were observed, then as the steps left them.
    pub tables: Mutex<Tables>,
    pub sources: BTreeMap<TableName, SourceListing>,
    pub checks: Guards,
    pub run_id: String,
    pub now: DateTime<Utc>,
    pub observer: &'a dyn Observer,
}

/// What a successful step leaves.
pub(crate) struct StepResult {
    pub built: Built,
    pub checks: Vec<CheckResult>,
}

/// A step's data, written but invisible.
struct Staged {
    files: Vec<WrittenFile>,
    /// Those of which rows were written, as far as they were.
    slices: BTreeMap<SliceKey, SliceRows>,
    found: FoundInSources,
}

impl Workshop<'_> {
    pub fn state_of(&self, table: &TableName) -> Option<TableState> {
        self.tables.lock().expect("no thread panics while it holds this lock").get(table).cloned().flatten()
    }

    pub fn remember(&self, table: &TableName, state: TableState) {
        self.tables.lock().expect("no thread panics while it holds this lock").insert(table.clone(), Some(state));
    }

    /// Builds one model.
    pub async fn build(&self, model: &TypedModel, build: Build) -> Result<StepResult, Failure> {
        let started = Instant::now();
        let base = self.state_of(&model.table);
        self.possible(model, build, base.as_ref())?;
        let replaced = Replaced::by(model, build, base.as_ref());
        let token = random_token()?;
        let destination = Arc::new(self.lake.stage(&model.table));
        let guard = Abandon(Some(Arc::clone(&destination)));
        let staged = self.write(model, (build, &replaced), &token, &destination).await?;
        tracing::debug!(model = %model.name, slices = staged.slices.len(), "is written");
        let found = staged.found;
        quarantine::check_tolerance(self.project, &found)?;

        let kept = replaced.kept(base.as_ref());
        let new: Vec<DataFile> = staged.files.iter().map(data_file).collect();
        let whole: Vec<DataFile> = kept.iter().chain(&new).cloned().collect();
        let checks = self.check(model, &new, whole).await?;

        let source_files = self.keep_facts(model, base.as_ref(), &found, &token).await?;
        let quarantined = quarantine::publish(self, model, &found, build).await?;
        let record = self.record(model, build, base.as_ref(), (token, source_files));
        let commit = Commit {
            base,
            remove: replaced.files,
            add: staged.files,
            schema: delta_schema(&model.schema).map_err(|error| engine(&error.into()))?,
            partition_columns: model.partition_columns(),
            record,
            now_millis: self.now.timestamp_millis(),
        };
        let version = self.commit(&model.table, commit, guard).await?;
        let built = Built {
            version,
            rows: new.iter().filter_map(|file| file.rows).sum(),
            partitions: new.iter().map(|file| &file.partition).collect::<BTreeSet<_>>().len(),
            files: new.len(),
            bytes: new.iter().map(|file| file.bytes).sum(),
            quarantined,
            elapsed: started.elapsed(),
        };
        Ok(StepResult { built, checks })
    }

    /// A part can only be rebuilt alone if the rest of the table has the same columns.
    fn possible(&self, model: &TypedModel, build: Build, base: Option<&TableState>) -> Result<(), Failure> {
        let (Build::Slices(_), Some(base)) = (build, base) else {
            return Ok(());
        };
        let schema = delta_schema(&model.schema).map_err(|error| engine(&error.into()))?;
        if base.schema == schema && base.partition_columns == model.partition_columns() {
            return Ok(());
        }
        let message = format!("the columns of `{}` changed, so a part of it cannot be rebuilt alone", model.name);
        let help = format!("build it whole: `karat run --full-refresh --select {}`", model.name);
        Err(Failure::Project(Diagnostic::error(Code::RunFailed, message).help(help)))
    }

    /// Writes the rows with hash joins, and if those do not fit into memory, once more with merge joins.
    async fn write(
        &self,
        model: &TypedModel,
        (build, replaced): (Build, &Replaced),
        token: &str,
        destination: &Arc<LocalDestination>,
    ) -> Result<Staged, Failure> {
        match self.write_with(model, (build, replaced, Joins::Hash), token, destination).await {
            Err(error) if worth_a_merge_join(&error) => {
                tracing::info!(model = %model.name, "does not fit into memory: planned again with merge joins");
                destination.restart();
                self.write_with(model, (build, replaced, Joins::Merge), token, destination).await
            }
            other => other,
        }
        .map_err(|error| engine(&error))
    }

    async fn write_with(
        &self,
        model: &TypedModel,
        (build, replaced, joins): (Build, &Replaced, Joins),
        token: &str,
        destination: &Arc<LocalDestination>,
    ) -> EngineResult<Staged> {
        let reader = Reader::new(self, Some(model));
        let state = self.session.state(joins);
        let plans = match build {
            Build::Slices(range) => vec![slices_to_write(&reader, model, range, replaced)?],
            Build::Whole => whole_to_write(&reader, model, parts(self, model, state)?)?,
        };
        let (mut files, mut slices) = (Vec::new(), BTreeMap::new());
        for (part, logical) in plans.iter().enumerate() {
            let physical = state.create_physical_plan(logical).await?;
            let options = WriterOptions {
                partition_columns: model.partition_columns(),
                sort_columns: model.config.sort_by.iter().map(|column| column.value.clone()).collect(),
                memory_budget: (self.session.settings.memory / 8).clamp(16 << 20, 128 << 20),
                threads: self.session.settings.partitions,
                ..WriterOptions::new(format!("part-{token}-{part}"))
            };
            let written = WriteNode::new(physical, options, slice_cut(model), Arc::clone(destination) as Arc<_>);
            let physical: Arc<dyn ExecutionPlan> = Arc::new(written);
            let watch = reader.watch(self.observer, &model.name, &physical);
            let batches = watch.during(batches_of(state, Arc::clone(&physical))).await?;
            reader.part_is_read(&physical);
            files.extend(written_files(&batches)?);
            for (key, rows) in written_slices(&batches)? {
                *slices.entry(key).or_insert_with(SliceRows::default) += rows;
            }
        }
        Ok(Staged { files, slices, found: reader.take_found() })
    }

    async fn check(
        &self,
        model: &TypedModel,
        new: &[DataFile],
        whole: Vec<DataFile>,
    ) -> Result<Vec<CheckResult>, Failure> {
        let Some(checks) = self.checks.get(&model.name) else {
            return Ok(Vec::new());
        };
        let checking = Checking { model, new: new.to_vec(), whole };
        let results = run_checks(self, checks, Some(&checking)).await?;
        match failed(&results) {
            None => Ok(results),
            Some(failed) => Err(Failure::Project(failed)),
        }
    }

    async fn keep_facts(
        &self,
        model: &TypedModel,
        base: Option<&TableState>,
        found: &FoundInSources,
        token: &str,
    ) -> Result<Option<String>, Failure> {
        if found.is_empty() {
            return Ok(base.and_then(|base| base.record.as_ref()?.source_files.clone()));
        }
        let facts = quarantine::facts(self, model, base, found);
        let (lake, table, token) = (self.lake.clone(), model.table.clone(), token.to_owned());
        let kept = tokio::task::spawn_blocking(move || lake.keep_source_files(&table, &facts, &token)).await;
        Ok(Some(kept.expect("keeping facts does not panic")?))
    }

    fn record(
        &self,
        model: &TypedModel,
        build: Build,
        base: Option<&TableState>,
        (token, source_files): (String, Option<String>),
    ) -> Record {
        let digests = self.sources.iter().map(|(name, listing)| (name.clone(), listing.digest.clone())).collect();
        let tables = self.tables.lock().expect("no thread panics while it holds this lock");
        let inputs = input_versions(model, self.typed, &tables, &digests);
        // A range built on what the rest was built on leaves the table complete.
        let before = base.and_then(|base| base.record.as_ref());
        let same = before.is_some_and(|before| {
            before.complete && before.fingerprint == model.fingerprint && before.inputs == inputs
        });
        Record {
            token,
            model: model.name.to_string(),
            run: self.run_id.clone(),
            fingerprint: model.fingerprint.clone(),
            complete: build == Build::Whole || same,
            inputs,
            source_files,
        }
    }

    /// Commits, and remembers the new state so that the steps after this one read it.
    pub(super) async fn commit(&self, table: &TableName, commit: Commit, mut guard: Abandon) -> Result<u64, Failure> {
        // From here on the files may be part of a version: only a definite answer allows to remove them.
        let destination = guard.0.take();
        let (lake, name) = (self.lake.clone(), table.clone());
        let done = tokio::task::spawn_blocking(move || (lake.commit(&name, &commit), commit)).await;
        let (committed, commit) = done.expect("committing does not panic");
        let committed = match committed {
            Ok(committed) => committed,
            Err(error @ crate::store::StoreError::Unknown { .. }) => return Err(error.into()),
            Err(error) => {
                drop(Abandon(destination));
                return Err(error.into());
            }
        };
        let mut files = kept(commit.base.as_ref(), &commit.remove);
        files.extend(commit.add.iter().map(data_file));
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let state = TableState {
            id: committed.table_id,
            version: committed.version,
            files,
            partition_columns: commit.partition_columns,
            schema: commit.schema,
            record: Some(commit.record),
        };
        self.remember(table, state);
        Ok(committed.version)
    }
}

/// Removes what was staged unless it was committed: also when the step is dropped in the middle.
pub(super) struct Abandon(pub Option<Arc<LocalDestination>>);

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(destination) = &self.0 {
            destination.abandon();
        }
    }
}

pub(super) fn engine(error: &DataFusionError) -> Failure {
    from_engine(error)
}

/// A model that is no incremental one may name an event time that is no time: then it is one slice.
fn slice_cut(model: &TypedModel) -> SliceCut {
    let is_time = |column: &&str| {
        let field = model.schema.field_with_name(column);
        field.is_ok_and(|field| is_event_time(field.data_type()))
    };
    let event_time = model.event_time().filter(is_time).map(str::to_owned);
    SliceCut { event_time, grain: model.config.batch_size }
}

/// Random, unique to one commit.
pub(super) fn random_token() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::World(Diagnostic::error(Code::Storage, format!("the machine gives no random numbers: {error}")))
    })?;
    Ok(blake3::hash(&bytes).to_hex().chars().take(32).collect())
}

/// The plans of the rows of a whole table, part by part.
fn whole_to_write(reader: &Reader<'_>, model: &TypedModel, parts: Vec<Bound<'_>>) -> EngineResult<Vec<LogicalPlan>> {
    let mut provide = |table: &InputTable| reader.provide(table);
    if let (Some(event_time), Some(begin)) = (model.event_time(), model.config.begin) {
        return Ok(vec![bind(&model.plan, Bound::From { event_time, begin }, &mut provide)?]);
    }
    parts.into_iter().map(|bound| bind(&model.plan, bound, &mut provide)).collect()
}

/// The plan of the rows of some slices, and of those that are copied because they share files with them.
fn slices_to_write(
    reader: &Reader<'_>,
    model: &TypedModel,
    range: TimeRange,
    replaced: &Replaced,
) -> EngineResult<LogicalPlan> {
    let mut provide = |table: &InputTable| reader.provide(table);
    let Some(event_time) = model.event_time() else {
        return bind(&model.plan, Bound::Whole, &mut provide);
    };
    let plan = model.sliced.as_ref().unwrap_or(&model.plan);
    let new = bind(plan, Bound::Range { event_time, range }, &mut provide)?;
    if !replaced.shared || replaced.files.is_empty() {
        return Ok(new);
    }
    let own = reader.provide_files(model, replaced.files.clone());
    let own = LogicalPlanBuilder::scan(model.name.as_str(), provider_as_source(own), None)?.build()?;
    let rest = bind(&own, Bound::Outside { event_time, range }, &mut provide)?;
    LogicalPlanBuilder::from(as_stored(new, &model.schema)).union(rest)?.build()
}
