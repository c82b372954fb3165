//! The record of a run in its lake, and records read back.

use std::time::Duration;

use super::artifacts::ArtifactRequest;
use super::charts::write_whole;
use super::faults::StoppedModels;
use super::load::Compiled;
use super::recorder::{RecordedStep, RecordedTest, StepState};
use super::run_metrics::run_metrics;
use super::run_results::RecordedRun;
use super::testing::TestReport;
use crate::check::CheckResult;
use crate::failure::Failure;
use crate::name::ModelName;
use crate::run::{Done, RunIdentity};
use crate::run_record::{RunRecord, RunStatus, SliceRecord, StepRecord, StepStatus, TestRecord, TestStatus};
use crate::store::{KeptRuns, Lake, StoreError};
use crate::template::invocation_id;
use crate::unit_test::{UnitTestResult, UnitTestVerdict};

/// Nobody waits longer for a record: the run itself is over.
const LONGEST: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Clone, Copy)]
pub(crate) struct RunEnd<'a> {
    pub identity: &'a RunIdentity,
    pub status: RunStatus,
    /// The number of the release, if there was a new one.
    pub release: Option<u64>,
}

impl<'a> RunEnd<'a> {
    /// `done` is `None` if the run was stopped from outside. A model that could not be begun makes a failure of any run.
    /// Returns `None` if the run was refused its store: nothing is written there.
    pub fn new(
        identity: &'a RunIdentity,
        done: Option<&Result<Done, StoreError>>,
        stopped: &StoppedModels,
    ) -> Option<Self> {
        let is_complete = |done: &Done| done.report.is_complete() && stopped.is_none();
        let status = match done {
            None => RunStatus::Interrupted,
            Some(Ok(done)) if is_complete(done) => RunStatus::Done,
            Some(Ok(_)) => RunStatus::Failed,
            Some(Err(_)) => return None,
        };
        let release = done.and_then(|done| done.as_ref().ok()?.released);
        Some(Self { identity, status, release })
    }

    /// The same of a clone: what it gave as its end, if it came to one.
    pub fn of_clone(identity: &'a RunIdentity, released: Option<Option<u64>>) -> Self {
        let status = if released.is_some() { RunStatus::Done } else { RunStatus::Failed };
        Self { identity, status, release: released.flatten() }
    }

    /// The same of tests alone.
    pub fn of_tests(identity: &'a RunIdentity, report: Option<&TestReport>, units: &[UnitTestResult]) -> Self {
        let passes = |report: &TestReport| {
            // Nobody knows what a test would have found that could not run.
            report.failures.is_empty()
                && !report.results.iter().any(CheckResult::stops)
                && units.iter().all(UnitTestResult::passed)
        };
        let status = match report {
            None => RunStatus::Interrupted,
            Some(report) if passes(report) => RunStatus::Done,
            Some(_) => RunStatus::Failed,
        };
        Self { identity, status, release: None }
    }
}

/// A run that has ended, and what was asked for.
pub(crate) struct EndedRun<'a> {
    pub run: &'a RecordedRun<'a>,
    pub end: RunEnd<'a>,
    pub request: &'a ArtifactRequest,
    /// A text without what nobody may see.
    pub hide: &'a dyn Fn(&str) -> String,
}

impl EndedRun<'_> {
    /// Keeps the record of the run in its lake. A run that found everything up to date has nothing to record, even if it
    /// released versions that another engine made: the release tells of itself.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written within ten seconds.
    pub async fn keep(&self, lake: &Lake, record: &RunRecord) -> Result<(), StoreError> {
        let did_nothing = record.steps.iter().all(|step| step.status == StepStatus::Unchanged);
        // Tests alone are worth a record; those that a build runs again on what stayed as it was are not.
        let is_of_tests = record.steps.is_empty() && !record.tests.is_empty();
        if record.status == RunStatus::Done && did_nothing && !is_of_tests {
            return Ok(());
        }
        match tokio::time::timeout(LONGEST, lake.keep_run(record)).await {
            Ok(kept) => kept,
            Err(_elapsed) => {
                let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "the store does not answer");
                Err(StoreError::Unavailable { path: "_karat/runs".to_owned(), source })
            }
        }
    }

    /// Writes the metrics of the run, if that was asked for.
    ///
    /// # Errors
    ///
    /// Returns what to say if the file cannot be written.
    pub fn write_metrics(&self, record: &RunRecord) -> Result<(), String> {
        let Some(path) = &self.request.metrics_file else { return Ok(()) };
        let loaded = &self.run.compiled.loaded;
        let text = run_metrics(record, &loaded.project.name.value);
        write_whole(&loaded.host().current_folder().join(path), &text)
            .map_err(|error| format!("the metrics were not written to `{}`: {error}", path.display()))
    }

    /// What there is to tell of the run.
    pub fn record(&self) -> RunRecord {
        let RecordedRun { compiled, recorder, selected, units, .. } = *self.run;
        let RunEnd { identity, status, release } = self.end;
        let loaded = &compiled.loaded;
        let logical_time = loaded.host().logical_time();
        let line = std::iter::once("karat").chain(self.request.words.iter().map(String::as_str)).collect::<Vec<_>>();
        // What was selected and never reached is listed too.
        let steps = recorder.steps();
        let steps = selected.iter().filter_map(|model| step_record(compiled, model, steps.get(model)));
        let data_tests = recorder.tests();
        let tests = data_tests.iter().map(data_test).chain(units.iter().map(unit_test));
        RunRecord {
            id: identity.id.clone(),
            invocation: invocation_id(&loaded.project.name.value, logical_time),
            command: self.request.command.clone(),
            line: (self.hide)(&line.join(" ")),
            target: loaded.project.target.name.clone(),
            git: identity.git.clone(),
            karat: env!("CARGO_PKG_VERSION").to_owned(),
            started: recorder.started.timestamp_millis(),
            ended: loaded.host().now().timestamp_millis(),
            logical_time: logical_time.timestamp_millis(),
            status,
            release,
            // Messages quote SQL, paths and servers, and these may hold secrets.
            steps: steps.map(|step| StepRecord { why: (self.hide)(&step.why), ..step }).collect(),
            tests: tests.collect(),
        }
    }
}

/// What became of a model. Returns `None` for one that has no table.
fn step_record(compiled: &Compiled, model: &ModelName, step: Option<&RecordedStep>) -> Option<StepRecord> {
    let loaded = &compiled.loaded;
    let rendered = loaded.rendered.outline(model)?;
    if !rendered.config.materialized.is_stored() {
        return None;
    }
    let status = match step.map(|step| step.state) {
        Some(StepState::Built) => StepStatus::Built,
        Some(StepState::Unchanged) => StepStatus::Unchanged,
        Some(StepState::Failed) => StepStatus::Failed,
        // It has begun and nothing was heard of its end.
        Some(StepState::Begun) => StepStatus::Interrupted,
        Some(StepState::Skipped) | None => StepStatus::Skipped,
    };
    let not_begun = RecordedStep::default();
    let step = step.unwrap_or(&not_begun);
    let slices = step.figures.written.iter().map(|slice| SliceRecord {
        slice: slice.slice.to_string(),
        rows: slice.rows,
        bytes: slice.bytes,
        files: slice.files,
    });
    Some(StepRecord {
        model: model.to_string(),
        table: rendered.table.to_string(),
        kind: loaded.project.kind_of(model).word().to_owned(),
        status,
        why: step.message.clone(),
        started: step.started.map(|time| time.timestamp_millis()),
        ended: step.ended.map(|time| time.timestamp_millis()),
        version: step.figures.version.map(|version| version.number()),
        rows: step.figures.rows,
        bytes: step.figures.bytes,
        files: step.figures.files as u64,
        slices: slices.collect(),
        reads: loaded.dag.models_read_by(model).map(ModelName::to_string).collect(),
    })
}

fn data_test(test: &RecordedTest) -> TestRecord {
    TestRecord {
        test: test.check.name.clone(),
        model: test.check.declared_on.as_ref().map(ModelName::to_string),
        kind: "data".to_owned(),
        status: test.status(),
        failures: test.failures,
        ended: Some(test.ended.timestamp_millis()),
    }
}

fn unit_test(result: &UnitTestResult) -> TestRecord {
    let (status, failures) = match &result.verdict {
        UnitTestVerdict::Passed => (TestStatus::Passed, Some(0)),
        UnitTestVerdict::Differs { .. } => (TestStatus::Failed, Some(1)),
        UnitTestVerdict::Broken(_) => (TestStatus::NotRun, None),
    };
    TestRecord {
        test: result.test.test.clone(),
        model: Some(result.test.model.to_string()),
        kind: "unit".to_owned(),
        status,
        failures,
        ended: None,
    }
}

/// So many of the newest runs.
///
/// # Errors
///
/// Returns an error if the lake cannot be read.
pub(crate) async fn runs(lake: &Lake, most: usize) -> Result<KeptRuns, Vec<Failure>> {
    lake.runs(most).await.map_err(|error| vec![error.into()])
}

/// The runs whose ids begin so; the newest for `latest`.
///
/// # Errors
///
/// As [`runs`].
pub(crate) async fn runs_named(lake: &Lake, id: &str) -> Result<KeptRuns, Vec<Failure>> {
    if id == "latest" {
        return runs(lake, 1).await;
    }
    lake.runs_named(id).await.map_err(|error| vec![error.into()])
}
