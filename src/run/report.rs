//! What a run did, step by step.

use chrono::{DateTime, Utc};

use crate::check::CheckResult;
use crate::execute::Built;
use crate::failure::Failure;
use crate::name::ModelName;

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Versions were committed: one, or one a batch.
    Built(Vec<Built>),
    /// The table is up to date, or the model has none.
    Unchanged,
    Failed(Failure),
    Skipped {
        because: ModelName,
    },
}

/// What became of one step of a plan.
#[derive(Debug)]
pub(crate) struct StepReport {
    pub model: ModelName,
    /// None if the step was not begun.
    pub times: Option<StepTimes>,
    pub outcome: Outcome,
    /// Why it was built, left as it was, or skipped.
    pub why: String,
    pub checks: Vec<CheckResult>,
    /// How many data tests were not run again, because they have passed on what is there.
    pub unchanged_tests: usize,
}

impl StepReport {
    /// A step that has nothing to do, for a reason.
    pub(super) fn new(model: &ModelName, why: &str) -> Self {
        Self {
            model: model.clone(),
            times: None,
            outcome: Outcome::Unchanged,
            why: why.to_owned(),
            checks: Vec::new(),
            unchanged_tests: 0,
        }
    }

    /// The same for another reason.
    pub(super) fn because(self, why: &str) -> Self {
        Self { why: why.to_owned(), ..self }
    }

    pub(super) fn failed(self, failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), ..self }
    }
}

/// From when to when a step was at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepTimes {
    pub started: DateTime<Utc>,
    pub ended: DateTime<Utc>,
}

/// Every step of the plan, in its order, each once.
#[derive(Debug, Default)]
pub(crate) struct RunReport {
    pub steps: Vec<StepReport>,
}

impl RunReport {
    /// Whether every step did what it was to do.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, Outcome::Built(_) | Outcome::Unchanged))
    }

    /// Whether a step failed because the project is wrong.
    pub fn has_project_failure(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(Failure::Project(_))))
    }

    /// Whether a step failed because the world did not let it happen.
    pub fn has_world_failure(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(Failure::World(_))))
    }
}

/// What a build that did not fail leaves.
pub(super) enum StepResult {
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
