//! What a run has done, in numbers and in words.

use std::time::Duration;

use serde_json::{Value, json};

use super::failure_place::placed;
use super::faults::StoppedModels;
use super::load::Compiled;
use crate::failure::Failure;
use crate::figures::counted;
use crate::run::{Done, Outcome};

/// How many models and data tests ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunCounts {
    built: usize,
    unchanged: usize,
    failed: usize,
    skipped: usize,
    tests: usize,
    test_warnings: usize,
    unchanged_tests: usize,
}

impl RunCounts {
    /// `stopped` could not be begun.
    pub fn new(done: &Done, stopped: &StoppedModels) -> Self {
        let steps = &done.report.steps;
        let count = |wanted: fn(&Outcome) -> bool| steps.iter().filter(|step| wanted(&step.outcome)).count();
        let checks = || steps.iter().flat_map(|step| &step.checks).filter(|result| !result.check.is_constraint());
        Self {
            built: count(|outcome| matches!(outcome, Outcome::Built(_))),
            unchanged: count(|outcome| matches!(outcome, Outcome::Unchanged)),
            failed: count(|outcome| matches!(outcome, Outcome::Failed(_))) + stopped.broken(),
            skipped: count(|outcome| matches!(outcome, Outcome::Skipped { .. })) + stopped.skipped(),
            tests: checks().count(),
            test_warnings: checks().filter(|check| check.warns()).count(),
            unchanged_tests: steps.iter().map(|step| step.unchanged_tests).sum(),
        }
    }

    /// Whether something was not done that was asked for.
    pub fn is_wrong(&self, stopped: &StoppedModels) -> bool {
        self.failed > 0 || !stopped.is_none()
    }

    /// `3 built, 1 unchanged, 20 tests passed`
    pub fn text(&self) -> String {
        let tests = match (self.tests, self.test_warnings) {
            (0, _) => String::new(),
            (all, 0) => format!(", {} passed", counted(all, "test")),
            (all, warned) => format!(", {} passed, {warned} warned", counted(all - warned, "test")),
        };
        let same = match self.unchanged_tests {
            0 => String::new(),
            same => format!(", {} unchanged", counted(same, "test")),
        };
        let parts =
            [(self.built, "built"), (self.unchanged, "unchanged"), (self.failed, "failed"), (self.skipped, "skipped")];
        let told: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let told = if told.is_empty() { "nothing to build".to_owned() } else { told.join(", ") };
        format!("{told}{tests}{same}")
    }

    /// The same for programs.
    pub fn facts(&self, released: Option<u64>, elapsed: Duration) -> Value {
        json!({
            "built": self.built, "unchanged": self.unchanged, "failed": self.failed, "skipped": self.skipped,
            "tests": self.tests, "test_warnings": self.test_warnings, "tests_unchanged": self.unchanged_tests,
            "release": released,
            "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Compiled {
    /// What went wrong in a run. A failure without a place of its own points at the model's file.
    pub fn failures_of(&self, done: &Done) -> Vec<Failure> {
        let failures = done.report.steps.iter().filter_map(|step| match &step.outcome {
            Outcome::Failed(failure) => Some(placed(failure, self, &step.model)),
            Outcome::Built(_) | Outcome::Unchanged | Outcome::Skipped { .. } => None,
        });
        failures.collect()
    }
}
