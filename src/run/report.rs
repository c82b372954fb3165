//! What a run did, step by step.

use super::failure::Failure;
use crate::check::CheckResult;
use crate::name::ModelName;

#[derive(Debug)]
pub(crate) enum Outcome {
    Built,
    /// The table is up to date, or the model has none.
    Unchanged,
    Failed(Failure),
    Skipped {
        because: ModelName,
    },
}

#[derive(Debug)]
pub(crate) struct StepReport {
    pub model: ModelName,
    pub outcome: Outcome,
    pub checks: Vec<CheckResult>,
}

/// Every step of the plan, in its order, each once.
#[derive(Debug, Default)]
pub(crate) struct RunReport {
    pub steps: Vec<StepReport>,
}

impl RunReport {
    /// Whether every step did what it was to do.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, Outcome::Built | Outcome::Unchanged))
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
