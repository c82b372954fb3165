//! Runs as rows, for people and for programs.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampSecondArray};
use arrow::error::ArrowError;

use super::run_text::elapsed;
use crate::run_record::{RunRecord, StepStatus, TestStatus};

/// One row for each run: when and how it was asked for, and what became of it. Programs get the time that it took as a number.
///
/// # Errors
///
/// Returns an error if the engine cannot put the columns together.
pub(crate) fn rows_of_runs(runs: &[RunRecord], for_people: bool) -> Result<RecordBatch, ArrowError> {
    let text = |get: fn(&RunRecord) -> String| -> ArrayRef {
        Arc::new(runs.iter().map(|run| Some(get(run))).collect::<StringArray>())
    };
    let number = |get: &dyn Fn(&RunRecord) -> Option<usize>| -> ArrayRef {
        let numbers = runs.iter().map(|run| i64::try_from(get(run)?).ok());
        Arc::new(numbers.collect::<Int64Array>())
    };
    let steps = |status: StepStatus| number(&|run| Some(run.count(status)));
    let started = runs.iter().map(|run| Some(run.started.div_euclid(1000))).collect::<TimestampSecondArray>();
    let rows = |run: &RunRecord| usize::try_from(run.steps.iter().map(|step| step.rows).sum::<u64>()).ok();
    let milliseconds = |run: &RunRecord| usize::try_from(run.ended - run.started).ok();
    // Programs reckon with numbers, and people read units.
    let elapsed = match for_people {
        true => ("elapsed", text(|run| elapsed(run.ended - run.started)), false),
        false => ("milliseconds", number(&milliseconds), true),
    };
    RecordBatch::try_from_iter_with_nullable(vec![
        ("run", text(|run| run.id.clone()), false),
        ("started_at", Arc::new(started.with_timezone("UTC")), false),
        ("command", text(|run| run.line.strip_prefix("karat ").unwrap_or(&run.line).to_owned()), false),
        ("status", text(|run| run.status.word().to_owned()), false),
        elapsed,
        ("built", steps(StepStatus::Built), false),
        ("unchanged", steps(StepStatus::Unchanged), false),
        ("failed", steps(StepStatus::Failed), false),
        ("skipped", steps(StepStatus::Skipped), false),
        ("rows", number(&rows), true),
        ("tests_failed", number(&|run| Some(run.count_tests(TestStatus::Failed))), false),
        ("release", number(&|run| usize::try_from(run.release?).ok()), true),
    ])
}
