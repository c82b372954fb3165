//! Remembers what happened in a run, whoever else hears of it: an interrupted run leaves no report of its own.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::openlineage::LineageEvents;
use crate::check::PlannedCheck;
use crate::delta::Version;
use crate::execute::{BackfillEvent, Built, Event, Observer, WrittenSlice};
use crate::host::Host;
use crate::locked::Locked;
use crate::name::ModelName;
use crate::project::TestSeverity;
use crate::run_record::{RunStatus, TestStatus};

/// What became of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StepState {
    /// It has begun and not ended.
    #[default]
    Begun,
    Built,
    Unchanged,
    Failed,
    Skipped,
}

/// What is known of a model's step.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordedStep {
    pub state: StepState,
    pub started: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    /// Why it was built, or left as it was, or what went wrong.
    pub message: String,
    pub figures: StepFigures,
}

/// What was written for a model, all batches together.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepFigures {
    pub version: Option<Version>,
    pub rows: u64,
    pub bytes: u64,
    pub files: usize,
    pub slices: usize,
    /// What was written of each slice.
    pub written: Vec<WrittenSlice>,
}

/// What a data test found.
#[derive(Debug, Clone)]
pub(crate) struct RecordedTest {
    pub check: PlannedCheck,
    pub ended: DateTime<Utc>,
    /// `None` if it could not run.
    pub failures: Option<u64>,
    /// `None` if it passed.
    pub verdict: Option<TestSeverity>,
    /// Why it could not run.
    pub missing: Option<String>,
}

impl RecordedTest {
    pub fn status(&self) -> TestStatus {
        match (self.failures, self.verdict) {
            // A test that could not run has found nothing, which is no success.
            (None, _) => TestStatus::NotRun,
            (Some(_), None) => TestStatus::Passed,
            (Some(_), Some(TestSeverity::Warn)) => TestStatus::Warned,
            (Some(_), Some(TestSeverity::Error)) => TestStatus::Failed,
        }
    }
}

/// Remembers events and passes them on.
pub(crate) struct RunRecorder<'a> {
    observer: &'a dyn Observer,
    host: Arc<dyn Host>,
    pub started: DateTime<Utc>,
    steps: Locked<BTreeMap<ModelName, RecordedStep>>,
    tests: Locked<Vec<RecordedTest>>,
    /// Tells lineage servers of it.
    lineage: Option<LineageEvents<'a>>,
}

impl<'a> RunRecorder<'a> {
    pub fn new(observer: &'a dyn Observer, host: Arc<dyn Host>) -> Self {
        let started = host.now();
        Self { observer, host, started, steps: Locked::default(), tests: Locked::default(), lineage: None }
    }

    /// The same, which also tells lineage servers.
    pub fn telling(self, lineage: Option<LineageEvents<'a>>) -> Self {
        Self { lineage, ..self }
    }

    /// Ends the run for lineage servers.
    ///
    /// # Errors
    ///
    /// Returns why they do not know all of it.
    pub fn finish(&self, status: RunStatus) -> Result<(), String> {
        self.lineage.as_ref().map_or(Ok(()), |lineage| lineage.finish(status))
    }

    /// The steps by model. Nothing is recorded while somebody looks at them.
    pub fn steps(&self) -> impl Deref<Target = BTreeMap<ModelName, RecordedStep>> {
        self.steps.lock()
    }

    /// The tests in the order in which they ended. Nothing is recorded while somebody looks at them.
    pub fn tests(&self) -> impl Deref<Target = Vec<RecordedTest>> {
        self.tests.lock()
    }

    fn end(&self, model: &ModelName, state: StepState, message: &str) {
        let now = self.host.now();
        let mut steps = self.steps.lock();
        let step = steps.entry(model.clone()).or_default();
        step.state = state;
        step.message = message.to_owned();
        // What was not begun has no end.
        step.ended = step.started.map(|_| now);
    }

    fn add_built(&self, model: &ModelName, built: &Built) {
        let now = self.host.now();
        let mut steps = self.steps.lock();
        let step = steps.entry(model.clone()).or_default();
        step.state = StepState::Built;
        step.ended = Some(now);
        let figures = &mut step.figures;
        figures.version = figures.version.max(Some(built.version));
        figures.rows += built.rows;
        figures.bytes += built.bytes;
        figures.files += built.files;
        figures.slices += built.partitions;
        figures.written.extend(&built.slices);
    }

    fn remember(&self, event: &Event<'_>) {
        match event {
            // A model begins once: what is tried again after a conflict is the same step.
            Event::Started { model, why } => {
                let started = Some(self.host.now());
                let step = RecordedStep { started, message: (*why).to_owned(), ..RecordedStep::default() };
                self.steps.lock().insert((*model).clone(), step);
            }
            Event::Built { model, built } => self.add_built(model, built),
            Event::Unchanged { model, why } => self.end(model, StepState::Unchanged, why),
            Event::Failed { model, message } => self.end(model, StepState::Failed, message),
            Event::Skipped { model, because } => {
                self.end(model, StepState::Skipped, &format!("`{because}` failed"));
            }
            Event::Tested { check, failures, verdict } => self.add_test(check, Some(*failures), *verdict, None),
            Event::NotTested { check, missing } => self.add_test(check, None, None, Some(missing)),
            Event::Backfill { model, what } => self.add_batch(model, what),
            // It has no result in this run.
            Event::TestUnchanged { .. }
            | Event::Progress { .. }
            | Event::Verified { .. }
            | Event::NotVerified { .. }
            | Event::Said { .. }
            | Event::Warning { .. } => {}
        }
    }

    fn add_batch(&self, model: &ModelName, what: &BackfillEvent<'_>) {
        match what {
            BackfillEvent::Planned { .. } => {}
            BackfillEvent::Started { .. } => {
                let step = RecordedStep {
                    started: Some(self.host.now()),
                    message: "asked for by a backfill".to_owned(),
                    ..RecordedStep::default()
                };
                // Batches are built side by side, and the first begins the step.
                self.steps.lock().entry(model.clone()).or_insert(step);
            }
            BackfillEvent::Ended { built: Some(built), .. } => self.add_built(model, built),
            BackfillEvent::Ended { built: None, .. } => {
                let now = self.host.now();
                let mut steps = self.steps.lock();
                let step = steps.entry(model.clone()).or_default();
                if step.state == StepState::Begun {
                    step.state = StepState::Unchanged;
                }
                step.ended = Some(now);
            }
        }
    }

    fn add_test(
        &self,
        check: &PlannedCheck,
        failures: Option<u64>,
        verdict: Option<TestSeverity>,
        missing: Option<&str>,
    ) {
        let missing = missing.map(str::to_owned);
        let ended = self.host.now();
        self.tests.lock().push(RecordedTest { check: check.clone(), ended, failures, verdict, missing });
    }
}

impl Observer for RunRecorder<'_> {
    fn event(&self, event: &Event<'_>) {
        self.remember(event);
        if let Some(lineage) = &self.lineage {
            lineage.hear(event);
        }
        self.observer.event(event);
    }
}
