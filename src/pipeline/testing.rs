//! Data tests on the tables as they are, and how all tests of a command ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{CheckResult, Guards};
use crate::failure::Failure;
use crate::figures::{counted, seconds};
use crate::run::RunContext;
use crate::unit_test::UnitTestResult;

/// What data tests have found.
#[derive(Debug, Default)]
pub(crate) struct TestReport {
    pub results: Vec<CheckResult>,
    /// Why tests could not be run.
    pub failures: Vec<Failure>,
}

/// How many tests ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestTotals {
    pub passed: usize,
    pub failed: usize,
    pub warned: usize,
    pub not_run: usize,
}

impl TestTotals {
    /// `planned` are the data tests that were to be run.
    pub fn new(report: &TestReport, planned: &Guards, units: &[UnitTestResult]) -> Self {
        let all: usize = planned.values().flatten().map(|batch| batch.checks.len()).sum();
        let failed = report.results.iter().filter(|result| result.stops()).count();
        let warned = report.results.iter().filter(|result| result.warns()).count();
        let failed_units = units.iter().filter(|result| !result.passed()).count();
        Self {
            passed: report.results.len() - failed - warned + units.len() - failed_units,
            failed: failed + failed_units,
            warned,
            not_run: all - report.results.len(),
        }
    }

    /// `2 tests passed, 1 failed, 0 warned in 0.10 s`
    pub fn to_text(self, elapsed: Duration) -> String {
        let Self { failed, warned, .. } = self;
        let not_run = if self.not_run == 0 { String::new() } else { format!(", {} not run", self.not_run) };
        let passed = counted(self.passed, "test");
        format!("{passed} passed, {failed} failed, {warned} warned{not_run} in {}", seconds(elapsed))
    }

    pub fn to_json(self) -> Value {
        json!({"passed": self.passed, "failed": self.failed, "warned": self.warned})
    }
}

/// Runs every test: one whose table cannot be read says nothing about the others. A store that does not answer ends it, and
/// with `fail_fast` so does the first test that fails.
pub(crate) async fn test(context: &RunContext<'_>, tests: &Guards, fail_fast: bool) -> TestReport {
    let mut tested = TestReport::default();
    for batch in tests.values().flatten() {
        match context.test(std::slice::from_ref(batch), None).await {
            Ok(found) => {
                let stops = fail_fast && found.iter().any(CheckResult::stops);
                tested.results.extend(found);
                if stops {
                    break;
                }
            }
            Err(failure @ Failure::Project(_)) => tested.failures.push(failure),
            Err(failure @ Failure::World(_)) => {
                tested.failures.push(failure);
                break;
            }
        }
    }
    tested
}
