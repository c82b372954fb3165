//! A compiled project over its lake: the door for programs that are not the command line.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use object_store::ObjectStore;

use super::compilation::Compilation;
use super::lake::{LakeOpener, Writers};
use super::load::Compiled;
use super::planning::{BuildRequest, Planned};
use super::query::Query;
use super::storage::Storage;
use crate::catalog::{Shown, observe};
use crate::delta::Version;
use crate::diag::{Code, Diagnostic, Severity, Sink};
use crate::execute::{Built, Engine, EngineSettings, Unheard};
use crate::failure::Failure;
use crate::incremental::Refresh;
use crate::plan::Preview;
use crate::run::{Done, Outcome, RunPace, StepReport};
use crate::select::SelectionRequest;
use crate::store::Lake;

/// What a session may take of the machine, and how it writes.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Who writes to the lake while the session lasts.
    pub writers: Writers,
    /// Bytes for sorting, grouping and joining.
    pub memory: usize,
    /// Threads of one query or model.
    pub threads: usize,
    /// Models that are built at the same time.
    pub models_at_once: usize,
}

impl Default for SessionOptions {
    /// Any number of writers, 2 GiB, all cores, and two models at a time.
    fn default() -> Self {
        let threads = crate::parallel::cores();
        Self { writers: Writers::Many, memory: 2 << 30, threads, models_at_once: 2 }
    }
}

/// Why something could not be done. The diagnostics are shown with [`Compilation::files`].
#[derive(Debug, Clone)]
pub struct SessionError {
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the same call may work later: a store that did not answer, a commit that another run won.
    pub may_pass: bool,
}

impl fmt::Display for SessionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: Vec<&str> = self.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        formatter.write_str(&messages.join("; "))
    }
}

impl std::error::Error for SessionError {}

impl From<Vec<Failure>> for SessionError {
    fn from(failures: Vec<Failure>) -> Self {
        let may_pass = !failures.is_empty() && failures.iter().all(|failure| matches!(failure, Failure::World(_)));
        let diagnostics = failures.iter().map(|failure| failure.diagnostic().clone()).collect();
        Self { diagnostics, may_pass }
    }
}

impl From<Failure> for SessionError {
    fn from(failure: Failure) -> Self {
        Self::from(vec![failure])
    }
}

impl From<Vec<Diagnostic>> for SessionError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, may_pass: false }
    }
}

/// A project whose models are all well, over its lake. Futures are cancelled by dropping them; [`Session::sweep`] then
/// removes what they have left.
pub struct Session<'c> {
    compilation: &'c Compilation,
    compiled: &'c Compiled,
    lake: Lake,
    options: SessionOptions,
}

impl<'c> Session<'c> {
    /// Opens the lake of the project's target. Reads nothing of it.
    ///
    /// # Errors
    ///
    /// Returns the errors of the compilation if there are any, and an error if the lake cannot be opened.
    pub fn open(compilation: &'c Compilation, options: SessionOptions) -> Result<Self, SessionError> {
        let Some(compiled) = compilation.whole() else {
            let all = compilation.diagnostics().iter();
            let errors = all.filter(|diagnostic| diagnostic.severity == Severity::Error);
            return Err(SessionError::from(errors.cloned().collect::<Vec<_>>()));
        };
        let storage = Storage::default();
        let loaded = &compiled.loaded;
        let lake = LakeOpener { loaded, storage: &storage, writers: options.writers, hide: &|_| {} }.open()?;
        Ok(Self { compilation, compiled, lake, options })
    }

    /// Plans what a run of the selected models would do now; all models if `select` is empty. Tests guard the models, as
    /// in `karat build`.
    ///
    /// # Errors
    ///
    /// Returns an error if a selector is wrong, a source has no files, or the store does not answer.
    pub async fn plan(&self, select: &[String]) -> Result<Plan<'_>, SessionError> {
        let mut sink = Sink::default();
        let selection = self.compiled.loaded.select(
            SelectionRequest { select, ..SelectionRequest::default() },
            None,
            None,
            &mut sink,
        );
        let selection = selection.map_err(|_reported| SessionError::from(sink.take()))?;
        let request = BuildRequest { order: selection.iter().cloned().collect(), refresh: Refresh::Stale };
        let planned = Planned::new(self.compiled, &self.lake, request, self.compilation.guards()).await?;
        let planned = if planned.loads_files() { planned.with_arrivals(&self.engine()?).await? } else { planned };
        let preview = planned.preview(self.compiled, true).await;
        Ok(Plan { planned, preview })
    }

    /// Does a plan, and makes its tables visible together if all of it was done.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be trusted with commits. What goes wrong with one model stands in the summary.
    pub async fn run(&self, plan: Plan<'_>) -> Result<BuildSummary, SessionError> {
        let ready = plan.planned.ready(self.compiled, self.engine()?, &Unheard);
        let ready = ready.guarded(self.compilation.guards().clone(), false);
        let done = ready
            .run(RunPace { at_once: self.options.models_at_once, fail_fast: false })
            .await
            .map_err(Failure::from)?;
        self.sweep().await;
        Ok(BuildSummary::new(done))
    }

    /// The rows of one SELECT over the tables as the newest release shows them.
    ///
    /// # Errors
    ///
    /// Returns an error if the SELECT is wrong, a table was not built or released, or the store does not answer.
    pub async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, SessionError> {
        let mut files = self.compilation.files().clone();
        let mut sink = Sink::default();
        let query = Query::new(self.compiled, sql, &mut files, &mut sink);
        let query = query.map_err(|_reported| SessionError::from(sink.take()))?;
        let scope = query.scope(self.compiled, Shown::Released);
        let catalog = observe(self.compiled.over(&self.lake), &scope).await?;
        Ok(query.rows(&catalog, &self.engine()?, 0).await?.batches)
    }

    /// Removes the files of builds that were dropped before they ended.
    pub async fn sweep(&self) {
        self.lake.sweep().await;
    }

    /// The objects of the lake, with the retries and the limits of every command.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(self.lake.objects())
    }

    fn engine(&self) -> Result<Engine, SessionError> {
        let settings = EngineSettings {
            memory: self.options.memory,
            partitions: self.options.threads,
            part_rows: EngineSettings::USUAL_PART_ROWS,
            lake: self.objects(),
        };
        let engine = Engine::open(settings);
        engine.map_err(|error| vec![Diagnostic::error(Code::RunFailed, error.strip_backtrace())].into())
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What a run would do.
pub struct Plan<'s> {
    planned: Planned<'s>,
    preview: Preview,
}

impl Plan<'_> {
    /// As `karat plan` shows it.
    pub fn to_text(&self) -> String {
        self.preview.to_text(false)
    }

    /// As `karat plan --output json` gives it.
    pub fn to_json(&self) -> String {
        self.preview.to_json()
    }

    /// What changed since the last run, one line for each thing.
    pub fn announcement(&self) -> Vec<String> {
        self.planned.announcement()
    }
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_text())
    }
}

/// What a run has done.
#[derive(Debug, Clone)]
pub struct BuildSummary {
    /// Every model of the plan, in its order.
    pub models: Vec<ModelBuild>,
    /// The number of the release, if there is a new one.
    pub released: Option<u64>,
}

impl BuildSummary {
    fn new(done: Done) -> Self {
        Self { models: done.report.steps.into_iter().map(ModelBuild::new).collect(), released: done.released }
    }

    /// Whether every model is up to date now.
    pub fn is_complete(&self) -> bool {
        self.models.iter().all(|model| matches!(model.status, BuildStatus::Built | BuildStatus::Unchanged))
    }
}

/// How a model's step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStatus {
    /// At least one version was committed.
    Built,
    /// The table is up to date, or the model has none.
    Unchanged,
    /// What went wrong stands in the diagnostic.
    Failed,
    /// A model that it depends on failed.
    Skipped,
}

/// What became of one model.
#[derive(Debug, Clone)]
pub struct ModelBuild {
    /// The model's name.
    pub model: String,
    /// How it ended.
    pub status: BuildStatus,
    /// Why it was built, or left as it was.
    pub why: String,
    /// When it began and ended. None if it was not begun.
    pub times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The newest version that was committed.
    pub version: Option<Version>,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Files written.
    pub files: usize,
    /// Data tests that passed, or only warned.
    pub tests: usize,
    /// What went wrong.
    pub error: Option<Diagnostic>,
}

impl ModelBuild {
    fn new(step: StepReport) -> Self {
        let (status, built, error) = match step.outcome {
            Outcome::Built(built) => (BuildStatus::Built, built, None),
            Outcome::Unchanged => (BuildStatus::Unchanged, Vec::new(), None),
            Outcome::Failed(failure) => (BuildStatus::Failed, Vec::new(), Some(failure.diagnostic().clone())),
            Outcome::Skipped { .. } => (BuildStatus::Skipped, Vec::new(), None),
        };
        let sum = |figure: fn(&Built) -> u64| built.iter().map(figure).sum();
        Self {
            model: step.model.to_string(),
            status,
            why: step.why,
            times: step.times.map(|times| (times.started, times.ended)),
            version: built.iter().map(|built| built.version).max(),
            rows: sum(|built| built.rows),
            bytes: sum(|built| built.bytes),
            files: built.iter().map(|built| built.files).sum(),
            tests: step.checks.iter().filter(|result| !result.check.is_constraint()).count(),
            error,
        }
    }
}
