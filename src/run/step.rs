//! One step of a run: write files that nobody sees, test them, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;

use super::checks::{Checking, failed, run_checks};
use super::columns::made_as;
use super::compact::Replacement;
use super::failure::{Failure, from_engine};
use super::file_facts::{self, FilesRead};
use super::observer::{Built, Observer};
use super::publish::{Published, Staged};
use super::quarantine;
use super::replace::{Replaced, data_file};
use super::session::Session;
use super::settle::{Computed, Settled};
use super::sources::{Listings, digests, list_sources};
use super::tolerance;
use super::turns::Turns;
use crate::analyze::{Input, TypedModel};
use crate::check::{CheckResult, Guards};
use crate::diag::{Code, Diagnostic};
use crate::incremental::{
    Build, Decider, Decision, FilesSeen, Observed, Refresh, Windows, facts_to_read, input_versions,
};
use crate::name::{ModelName, TableName};
use crate::partition_writer::delta_schema;
use crate::plan::Batch;
use crate::project::Project;
use crate::store::{About, Change, Lake, LocalBackend, Unreadable, kept};
use crate::table::{DataFile, FactsName, Provenance, SourceFacts, SourceListing, TableState, Tables, Work};

/// Everything that the steps of a run share.
pub(crate) struct Workshop<'a> {
    pub project: &'a Project,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// What every model reads, for those that are asked for.
    pub windows: Arc<Windows<'a>>,
    pub lake: Lake,
    /// The project's folder, where source files lie.
    pub folder: LocalBackend,
    pub session: Session,
    /// The tables as they were observed, then as the steps left them.
    pub tables: Mutex<Tables>,
    /// Tables that are there and could not be read.
    pub unreadable: Unreadable,
    /// The files of sources as they were listed.
    pub sources: Mutex<Listings>,
    /// What is known of source files, by the name under which ledgers know it.
    pub facts: Mutex<BTreeMap<FactsName, Arc<SourceFacts>>>,
    /// Whether a step has looked at an input once more: then the tables may not belong together.
    pub inputs_moved: AtomicBool,
    pub checks: Guards,
    /// How a person asked: what must be decided anew is decided by it.
    pub refresh: Refresh,
    pub run_id: String,
    /// The project's revision, for commits, if it is kept in git.
    pub git: Option<String>,
    pub now: DateTime<Utc>,
    pub observer: &'a dyn Observer,
    /// Who may commit to a table next: batches of one run would only take each other's slots.
    pub turns: Turns,
}

/// What a step that did not fail leaves.
pub(crate) enum StepResult {
    Built {
        built: Built,
        checks: Vec<CheckResult>,
    },
    /// Another run has built the same meanwhile.
    Superseded,
    /// All rows came out as they were, and there was nothing to record.
    Same {
        checks: Vec<CheckResult>,
    },
}

const UNPOISONED: &str = "no thread panics while it holds this lock";

impl Workshop<'_> {
    pub fn state_of(&self, table: &TableName) -> Option<Arc<TableState>> {
        self.tables.lock().expect(UNPOISONED).get(table).cloned().flatten()
    }

    pub fn remember(&self, table: &TableName, state: Option<Arc<TableState>>) {
        let mut tables = self.tables.lock().expect(UNPOISONED);
        let newer = tables.get(table).and_then(Option::as_ref).filter(|known| {
            // Another batch may have committed while this state was read.
            state.as_ref().is_some_and(|state| state.id == known.id && state.version < known.version)
        });
        if newer.is_none() {
            tables.insert(table.clone(), state);
        }
    }

    /// What is to do now that the inputs are as this run leaves them.
    pub fn decide_now(&self, model: &TypedModel) -> Decision {
        self.observed(|observed| Decider::new(*observed, self.refresh).decide(model))
    }

    /// Looks at what is known by now.
    pub fn observed<T>(&self, look: impl FnOnce(&Observed<'_>) -> T) -> T {
        let (sources, files) = (self.source_digests(), self.files_seen());
        let tables = self.tables.lock().expect(UNPOISONED);
        look(&Observed {
            typed: self.typed,
            windows: &self.windows,
            tables: &tables,
            unreadable: &self.unreadable,
            sources: &sources,
            files: &files,
        })
    }

    /// Builds one model. Where another run came first and neither result is newer, what to do is decided anew.
    pub async fn build(&self, model: &TypedModel, decision: Decision) -> Result<StepResult, Failure> {
        self.build_or_plan_again(model, decision, None).await
    }

    /// Builds one batch of a backfill, whether it is up to date or not.
    pub async fn build_batch(&self, model: &TypedModel, batch: &Batch) -> Result<StepResult, Failure> {
        let decision = self.decide_batch(model, batch);
        self.build_or_plan_again(model, decision, Some(batch)).await
    }

    fn decide_batch(&self, model: &TypedModel, batch: &Batch) -> Decision {
        self.observed(|observed| Decider::new(*observed, self.refresh).decide_slices(model, &batch.slices, batch.asked))
    }

    /// Why a table that a model needs cannot be read.
    pub fn why_unreadable(&self, table: &TableName) -> Option<Failure> {
        self.unreadable.get(table).map(|error| Failure::from(&**error))
    }

    async fn build_or_plan_again(
        &self,
        model: &TypedModel,
        mut decision: Decision,
        batch: Option<&Batch>,
    ) -> Result<StepResult, Failure> {
        /// How often two runs that disagree may disturb each other.
        const MOST_PLANS: u32 = 10;
        let mut last = None;
        for _ in 0..MOST_PLANS {
            let Some(build) = &decision.build else { return Ok(StepResult::Superseded) };
            match self.try_build(model, (build, &decision.why), batch).await? {
                Published::Step(result) => return Ok(result),
                Published::PlanAgain(conflict) => last = Some(conflict),
            }
            self.look_again(model).await?;
            decision = match batch {
                Some(batch) => self.decide_batch(model, batch),
                None => self.decide_now(model),
            };
        }
        Err(last.expect("a step is tried at least once").into())
    }

    /// Looks at the table and its inputs once more.
    async fn look_again(&self, model: &TypedModel) -> Result<(), Failure> {
        // The table before its inputs: what it was made of must not be newer than what is built from now.
        let own = [model.table.clone(), crate::analyze::quarantine_table(&model.table)];
        for table in own {
            let state = self.lake.observe(&table).await?;
            self.remember(&table, state);
        }
        for parent in model.models_read().filter_map(|name| self.typed.get(&name)) {
            let state = self.lake.observe(&parent.table).await?;
            let before = self.state_of(&parent.table);
            if before.map(|before| before.version) != state.as_ref().map(|state| state.version) {
                self.inputs_moved.store(true, Ordering::Relaxed);
            }
            self.remember(&parent.table, state);
        }
        self.list_again(model)?;
        self.learn_facts(model).await;
        Ok(())
    }

    /// Reads what is known of the files of a model's source, where a decision needs it.
    async fn learn_facts(&self, model: &TypedModel) {
        let Some(state) = self.state_of(&model.table) else { return };
        if let Some(digest) = facts_to_read(model, &state, &self.source_digests()) {
            let facts = self.lake.source_files(&model.table, digest).await;
            self.facts.lock().expect(UNPOISONED).insert(digest.clone(), facts);
        }
    }

    /// What is known of source files now.
    pub(super) fn files_seen(&self) -> FilesSeen {
        FilesSeen {
            listings: self.sources.lock().expect(UNPOISONED).clone(),
            facts: self.facts.lock().expect(UNPOISONED).clone(),
            arrivals: BTreeMap::new(),
        }
    }

    async fn try_build(
        &self,
        model: &TypedModel,
        (build, why): (&Build, &str),
        batch: Option<&Batch>,
    ) -> Result<Published, Failure> {
        let started = Instant::now();
        let base = self.state_of(&model.table);
        self.keeps_what_is_gone(model, build, base.as_deref()).await?;
        let replaced = Replaced::by(model, build, base.as_deref());
        let model = &*self.as_written(model, (build, &replaced), base.as_deref())?;
        let token = self.token()?;
        let provenance = Arc::new(self.provenance(model));
        let staged = Staged::new(self.lake.stage(&model.table)?);
        let written = self.write(model, (build, &replaced), &token, &staged).await?;
        let read = FilesRead { build, found: &written.found, origins: written.origins.as_ref() };
        let facts = file_facts::facts(self, model, base.as_deref(), read).await;
        tolerance::check(self.project, &written.found, facts.as_ref())?;

        let new: Vec<DataFile> = written.files.iter().map(data_file).collect();
        let (refresh, slices) = (self.refresh, written.slices);
        let computed = Computed { model, build, refresh, base: base.as_deref(), slices };
        let Settled { work, remove, add, same } = computed.settle(Arc::clone(&provenance), written.replaced, new);
        let whole = || kept(base.as_deref(), &remove).into_iter().chain(&add).cloned().collect();
        let checks = self.check(model, &add, whole).await?;

        let (source_files, bad_records) = self.keep_facts(model, base.as_deref(), facts).await?;
        let backfill = batch.map(|batch| Arc::new(batch.record.clone()));
        let work = Work { source_files, bad_records, backfill, ..work };
        let about = About { made_as: Some(made_as(model)), ..self.about(token.clone(), model.name.as_str(), why) };
        let gone = self.gone(model, build).await;
        let quarantined = quarantine::publish(self, model, &written.found, (build, &provenance), &gone).await?;
        if base.as_deref().is_some_and(|base| work.says_nothing_new(base)) {
            return Ok(Published::Step(StepResult::Same { checks }));
        }
        let built = Built {
            version: 0,
            rows: add.iter().filter_map(|file| file.rows).sum(),
            partitions: add.iter().map(|file| &file.partition).collect::<BTreeSet<_>>().len(),
            files: add.len(),
            bytes: add.iter().map(|file| file.bytes).sum(),
            same,
            quarantined,
            rescued: tolerance::rescued(self.project, read),
            elapsed: started.elapsed(),
        };
        let target = (token.as_str(), &staged);
        let replacement = Replacement { remove, add, together: Vec::new() };
        let Replacement { remove, add, together } =
            self.compacted(model, build, (base.as_deref(), replacement), target).await?;
        let change = Change {
            base,
            work,
            remove,
            add,
            together,
            schema: delta_schema(&model.schema).map_err(|error| engine(&error.into()))?,
            partition_columns: model.partition_columns(),
            about,
        };
        self.publish(model, (change, staged), (built, started), checks).await
    }

    async fn check(
        &self,
        model: &TypedModel,
        new: &[DataFile],
        whole: impl FnOnce() -> Vec<DataFile>,
    ) -> Result<Vec<CheckResult>, Failure> {
        let Some(checks) = self.checks.get(&model.name) else {
            return Ok(Vec::new());
        };
        let checking = Checking { model, new: Arc::new(new.to_vec()), whole: Arc::new(whole()) };
        let results = run_checks(self, checks, Some(&checking)).await?;
        match failed(&results) {
            None => Ok(results),
            Some(failed) => Err(Failure::Project(failed)),
        }
    }

    /// What the rows of a build are made of: the code, and the inputs as this run has pinned them.
    pub(super) fn provenance(&self, model: &TypedModel) -> Provenance {
        let sources = self.source_digests();
        let tables = self.tables.lock().expect(UNPOISONED);
        let inputs = input_versions(model, self.typed, &tables, &sources);
        Provenance { fingerprint: model.fingerprint.clone(), inputs }
    }

    pub fn source_digests(&self) -> BTreeMap<TableName, String> {
        digests(&self.sources.lock().expect(UNPOISONED))
    }

    pub(super) fn listings(&self) -> Listings {
        self.sources.lock().expect(UNPOISONED).clone()
    }

    pub fn listing(&self, source: &TableName) -> Option<Arc<SourceListing>> {
        self.sources.lock().expect(UNPOISONED).get(source).cloned()
    }

    fn list_again(&self, model: &TypedModel) -> Result<(), Failure> {
        for input in model.inputs() {
            if let Input::Source(name) = input
                && let Some(source) = self.project.sources.get(&name)
            {
                let listing = Arc::new(list_sources(&self.folder, source)?);
                self.sources.lock().expect(UNPOISONED).insert(name, listing);
            }
        }
        Ok(())
    }

    pub(super) fn about(&self, token: String, model: &str, why: &str) -> About {
        let (model, why) = (model.to_owned(), why.to_owned());
        let (run, git) = (self.run_id.clone(), self.git.clone());
        About { token, model, run, why, git, made_as: None, now: self.now.timestamp_millis() }
    }

    /// Random, unique to one commit.
    pub(super) fn token(&self) -> Result<String, Failure> {
        let token = self.lake.committer().random.token();
        token.map_err(|error| Failure::World(Diagnostic::error(Code::Storage, error.to_string())))
    }
}

pub(super) fn engine(error: &DataFusionError) -> Failure {
    from_engine(error)
}
