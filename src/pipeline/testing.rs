//! Data tests on the tables as they are.

use crate::check::{CheckResult, Guards};
use crate::execute::Tester;
use crate::failure::Failure;

/// What data tests have found.
#[derive(Debug, Default)]
pub(crate) struct TestReport {
    pub results: Vec<CheckResult>,
    /// Why tests could not be run.
    pub failures: Vec<Failure>,
}

/// Runs every test: one whose table cannot be read says nothing about the others. A store that does not answer ends it, and
/// with `fail_fast` so does the first test that fails.
pub(crate) async fn test(tester: &Tester<'_>, tests: &Guards, fail_fast: bool) -> TestReport {
    let mut tested = TestReport::default();
    for batch in tests.values().flatten() {
        match tester.run(std::slice::from_ref(batch), None).await {
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
