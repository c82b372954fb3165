//! One run as text: what became of each model and when, what the run had to wait for, and the tests that did not pass.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use chrono::DateTime;

use crate::figures::{bytes, counted, grouped, seconds};
use crate::run_record::{RunRecord, StepRecord, StepStatus, TestStatus, critical_path};

/// How wide the time of a run is drawn.
const TIMELINE: usize = 32;

/// All of it, with a line for each model. A star marks the critical path.
pub(crate) fn run_text(run: &RunRecord) -> String {
    let path: Vec<&str> = critical_path(run).into_iter().map(|step| step.model.as_str()).collect();
    let critical: BTreeSet<&str> = path.iter().copied().collect();
    let mut text = header(run);
    // Names may have letters of several bytes.
    let name_width = run.steps.iter().map(|step| step.model.chars().count()).max().unwrap_or(0);
    for step in &run.steps {
        let mark = if critical.contains(step.model.as_str()) { '*' } else { ' ' };
        let line = format!(
            "{mark} {:name_width$}  {:11} {}  {}  {}",
            step.model,
            step.status.word(),
            timeline(run, step),
            figures(step),
            step.why
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if path.len() > 1 {
        let _infallible = write!(text, "\n* the run waited for {}\n", path.join(" → "));
    }
    text.push_str(&tests(run));
    text
}

fn header(run: &RunRecord) -> String {
    let began = DateTime::from_timestamp_millis(run.started).unwrap_or_default().format("%Y-%m-%d %H:%M:%S");
    let release = run.release.map(|number| format!(", release {number}")).unwrap_or_default();
    let git = run.git.as_ref().map(|git| format!(", revision {}", git.get(..12).unwrap_or(git))).unwrap_or_default();
    format!(
        "run {}: {} in {}\n{}\nbegan {began} UTC, target {}{release}{git}\n\n",
        run.id,
        run.status.word(),
        elapsed(run.ended - run.started),
        run.line,
        run.target
    )
}

/// A time as people read it.
pub(super) fn elapsed(milliseconds: i64) -> String {
    seconds(Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()))
}

/// When the step was at work, as a part of the time of the run.
fn timeline(run: &RunRecord, step: &StepRecord) -> String {
    let (Some(started), Some(ended)) = (step.started, step.ended) else { return " ".repeat(TIMELINE) };
    let whole = (run.ended - run.started).max(1) as f64;
    let column = |time: i64| (((time - run.started) as f64 / whole) * TIMELINE as f64) as usize;
    let from = column(started).min(TIMELINE - 1);
    // A step has one column at least, or nobody would see it.
    let to = column(ended).clamp(from + 1, TIMELINE);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(TIMELINE - to))
}

fn figures(step: &StepRecord) -> String {
    let time = step.duration().map(elapsed).unwrap_or_default();
    // What was not built has no rows of this run.
    if step.status != StepStatus::Built {
        return format!("{time:>8}");
    }
    let rows = format!("{} rows", grouped(step.rows));
    let slices = counted(step.slices.len(), "slice");
    format!("{time:>8} {rows:>16} {:>10} {slices:>12}", bytes(step.bytes))
}

fn tests(run: &RunRecord) -> String {
    if run.tests.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{} passed", counted(run.count_tests(TestStatus::Passed), "test"));
    for status in [TestStatus::Warned, TestStatus::Failed, TestStatus::NotRun] {
        let count = run.count_tests(status);
        if count > 0 {
            let _infallible = write!(text, ", {count} {}", status.word());
        }
    }
    text.push('\n');
    // Those that passed are counted; the others are named.
    for test in run.tests.iter().filter(|test| test.status != TestStatus::Passed) {
        let rows = test.failures.map(|rows| format!(": {} rows", grouped(rows))).unwrap_or_default();
        let _infallible = writeln!(text, "  {:8} {}{rows}", test.status.word(), test.test);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_record::tests::sample;

    #[test]
    fn a_run_is_drawn_with_what_it_waited_for() {
        insta::assert_snapshot!(run_text(&sample()), @"
        run 20230506T070000.000000: failed in 1.00 s
        karat build
        began 1970-01-01 00:00:00 UTC, target dev

        * a      built       █████████·······················    0.30 s           3 rows      700 B      1 slice  its table does not exist yet
          aside  built       ███·····························    0.10 s           3 rows      700 B      1 slice  its table does not exist yet
        * b      built       ·········███████████████████····    0.59 s           3 rows      700 B      1 slice  its table does not exist yet
          c      skipped                                                 its table does not exist yet

        * the run waited for a → b

        0 tests passed, 1 failed
          failed   not_null_a_id: 2 rows
        ");
    }
}
