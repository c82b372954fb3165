//! How each model stands: up to date or not, how fresh, how it was last built, and what its tests found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDateTime};

use super::load::Compiled;
use super::planning::{BuildRequest, Planned};
use crate::analyze::TypedModel;
use crate::catalog::Catalog;
use crate::check::Guards;
use crate::failure::Failure;
use crate::figures::{counted, grouped};
use crate::incremental::{Decision, Refresh};
use crate::name::ModelName;
use crate::plan::Step;
use crate::project::FreshnessStatus;
use crate::run_record::{RECENT_RUNS, RunRecord, StepStatus, TestStatus, latest_tests};
use crate::store::Lake;
use crate::table::{Ledger, SliceKey, TableState};

/// How a model stands.
#[derive(Debug, Clone)]
pub(crate) struct ModelStatus {
    pub model: ModelName,
    /// `schema.table`
    pub table: String,
    /// In words: `up to date`, `3 slices stale`.
    pub state: String,
    /// Slices that are to be built and have never been.
    pub missing: Option<u64>,
    /// Slices that are to be built again.
    pub stale: Option<u64>,
    pub newest: Option<SliceKey>,
    /// From the end of the newest slice until now.
    pub age: Option<Duration>,
    /// Whether it keeps its promise; `None` if it makes none.
    pub promise: Option<FreshnessStatus>,
    pub rows: Option<u64>,
    /// How its last step ended, and when, in milliseconds since 1970.
    pub last: Option<LastStep>,
    pub tests: TestTally,
    has_errors: bool,
}

/// The last time that a run worked on a model.
#[derive(Debug, Clone)]
pub(crate) struct LastStep {
    pub run: String,
    pub status: StepStatus,
    pub at: i64,
}

/// How the tests of a model ended when they were last run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestTally {
    pub passed: usize,
    pub warned: usize,
    pub failed: usize,
}

/// How these models stand, in their order.
///
/// # Errors
///
/// As [`Planned::new`], and if records of runs cannot be read.
pub(crate) async fn status(
    compiled: &Compiled,
    lake: &Lake,
    order: Vec<ModelName>,
) -> Result<Vec<ModelStatus>, Vec<Failure>> {
    let request = BuildRequest {
        order: order.iter().filter(|name| compiled.typed.contains_key(name)).cloned().collect(),
        refresh: Refresh::Stale,
    };
    let planned = Planned::new(compiled, lake, request, &Guards::new()).await?;
    let runs = lake.runs(RECENT_RUNS).await.map_err(|error| vec![Failure::from(error)])?.records;
    let past = LastRuns::of(&runs);
    let steps: BTreeMap<&ModelName, &Step> = planned.plan.steps.iter().map(|step| (&step.model, step)).collect();
    let standing = Standings { compiled, catalog: &planned.catalog, steps, past };
    Ok(order.into_iter().filter_map(|name| standing.of(name)).collect())
}

/// What the records of runs say of models, each by its newest record.
struct LastRuns<'r> {
    steps: BTreeMap<&'r str, LastStep>,
    tests: BTreeMap<&'r str, TestTally>,
}

impl<'r> LastRuns<'r> {
    /// `runs` begin with the newest.
    fn of(runs: &'r [RunRecord]) -> Self {
        let mut steps = BTreeMap::new();
        for run in runs {
            // What a run left as it was says nothing of how building it goes: an older step does.
            for step in run.steps.iter().filter(|step| step.status != StepStatus::Unchanged) {
                let at = step.ended.or(step.started).unwrap_or(run.ended);
                let last = LastStep { run: run.id.clone(), status: step.status, at };
                steps.entry(step.model.as_str()).or_insert(last);
            }
        }
        let mut tests: BTreeMap<&str, TestTally> = BTreeMap::new();
        for ((model, _), result) in latest_tests(runs) {
            // A test in a file of its own belongs to no model.
            if let Some(model) = model {
                tests.entry(model).or_default().count(result.status);
            }
        }
        Self { steps, tests }
    }
}

impl TestTally {
    fn count(&mut self, status: TestStatus) {
        match status {
            TestStatus::Passed => self.passed += 1,
            TestStatus::Warned => self.warned += 1,
            TestStatus::Failed => self.failed += 1,
            TestStatus::NotRun => {}
        }
    }

    /// `3 passed, 1 failed`
    fn text(self) -> String {
        let parts = [(self.passed, "passed"), (self.warned, "warned"), (self.failed, "failed")];
        let told = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

struct Standings<'a> {
    compiled: &'a Compiled,
    catalog: &'a Catalog<'a>,
    steps: BTreeMap<&'a ModelName, &'a Step>,
    past: LastRuns<'a>,
}

impl Standings<'_> {
    /// How a model stands. Returns `None` for one that has no table.
    fn of(&self, name: ModelName) -> Option<ModelStatus> {
        let rendered = self.compiled.loaded.rendered.outline(&name)?;
        if !rendered.config.materialized.is_stored() {
            return None;
        }
        let mut status = ModelStatus {
            table: rendered.table.to_string(),
            state: "has errors".to_owned(),
            missing: None,
            stale: None,
            newest: None,
            age: None,
            promise: None,
            rows: None,
            last: self.past.steps.get(name.as_str()).cloned(),
            tests: self.past.tests.get(name.as_str()).copied().unwrap_or_default(),
            has_errors: true,
            model: name,
        };
        // Nothing can be planned of a model with errors; what earlier runs left of it is known all the same.
        let Some(model) = self.compiled.typed.get(&status.model) else { return Some(status) };
        status.has_errors = false;
        let table = self.catalog.state_of(&model.table);
        let ledger = table.as_deref().and_then(TableState::known_ledger);
        if let Some(step) = self.steps.get(&status.model) {
            status.pend(model, &step.decision, table.is_some(), ledger.map(Arc::as_ref));
        }
        if let Some(ledger) = ledger {
            status.rows = Some(ledger.slices.values().map(|entry| entry.rows.rows).sum());
            let with_rows = ledger.slices.iter().filter(|(_, entry)| entry.rows.rows > 0);
            // A table that is not cut by time has no newest slice.
            status.newest = with_rows.map(|(slice, _)| *slice).filter(|slice| matches!(slice, SliceKey::At(_))).max();
        }
        status.measure_age(model, self.compiled.loaded.host().logical_time().naive_utc());
        Some(status)
    }
}

impl ModelStatus {
    /// What a run would build.
    fn pend(&mut self, model: &TypedModel, decision: &Decision, exists: bool, ledger: Option<&Ledger>) {
        self.state = match (&decision.build, exists) {
            (Some(_), false) => "not built".to_owned(),
            (Some(build), true) => match build.slices() {
                Some(slices) if model.layout().is_sliced() => {
                    // A slice that the ledger does not name was never built.
                    let is_known = |slice: &SliceKey| ledger.is_some_and(|ledger| ledger.slices.contains_key(slice));
                    let (stale, missing): (Vec<SliceKey>, Vec<SliceKey>) =
                        slices.slices(model.config.batch_size).partition(is_known);
                    self.stale = Some(stale.len() as u64);
                    self.missing = Some(missing.len() as u64);
                    pending_text(stale.len(), missing.len())
                }
                // Built whole, or of files that nobody has looked into: there are no slices to count.
                Some(_) | None => "out of date".to_owned(),
            },
            (None, _) if decision.blocked.is_some() => "cannot be read".to_owned(),
            // Whether there is anything to build depends on what the new files of a parent hold.
            (None, _) if decision.may_build() => "new files to read".to_owned(),
            (None, false) => "not built".to_owned(),
            (None, true) => {
                self.stale = Some(0);
                self.missing = Some(0);
                "up to date".to_owned()
            }
        };
    }

    fn measure_age(&mut self, model: &TypedModel, now: NaiveDateTime) {
        let promise = model.config.freshness.as_ref();
        if let Some(SliceKey::At(time)) = self.newest {
            // A slice is complete when its time is over: its age counts from there.
            let end = model.config.batch_size.next(time);
            self.age = Some((now - end).to_std().unwrap_or_default());
        }
        self.promise = promise.map(|promise| match self.age {
            Some(age) => promise.status(age.as_secs_f64()),
            // Nothing is as old as what was never there.
            None => promise.status(f64::INFINITY),
        });
    }

    /// Whether somebody must see to it: it has errors, its last step or a test failed, or it is older than it may be.
    pub fn is_wrong(&self) -> bool {
        // What is only stale is no fault: the next run builds it.
        let has_failed = self.last.as_ref().is_some_and(|last| last.status == StepStatus::Failed);
        self.has_errors || has_failed || self.tests.failed > 0 || self.promise == Some(FreshnessStatus::Error)
    }

    /// Whether somebody may want to: it is older than it should be.
    pub fn is_late(&self) -> bool {
        self.promise == Some(FreshnessStatus::Warn)
    }

    fn promise_text(&self) -> Option<&'static str> {
        Some(match self.promise? {
            FreshnessStatus::Pass => "fresh",
            FreshnessStatus::Warn => "late",
            FreshnessStatus::Error => "too late",
        })
    }

    fn last_text(&self) -> Option<String> {
        let last = self.last.as_ref()?;
        let at = DateTime::from_timestamp_millis(last.at)?.format("%Y-%m-%d %H:%M:%S");
        Some(format!("{} {at}", last.status.word()))
    }
}

/// `3 slices stale, 1 missing`
fn pending_text(stale: usize, missing: usize) -> String {
    match (stale, missing) {
        (0, missing) => format!("{} missing", counted(missing, "slice")),
        (stale, 0) => format!("{} stale", counted(stale, "slice")),
        (stale, missing) => format!("{} stale, {} missing", counted(stale, "slice"), grouped(missing as u64)),
    }
}

/// `3 d 4 h`, `5 h 10 m`, `7 m`
fn age_text(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} m"),
        (0, hours, minutes) => format!("{hours} h {minutes} m"),
        (days, hours, _) => format!("{} d {hours} h", grouped(days)),
    }
}

/// One row for each model. Programs get the age in seconds.
///
/// # Errors
///
/// Returns an error if the engine cannot put the columns together.
pub(crate) fn rows_of_status(all: &[ModelStatus], for_people: bool) -> Result<RecordBatch, ArrowError> {
    let text = |get: &dyn Fn(&ModelStatus) -> Option<String>| -> ArrayRef {
        Arc::new(all.iter().map(get).collect::<StringArray>())
    };
    let number = |get: &dyn Fn(&ModelStatus) -> Option<u64>| -> ArrayRef {
        Arc::new(all.iter().map(|one| get(one).map(u64::cast_signed)).collect::<Int64Array>())
    };
    let age: (&str, ArrayRef, bool) = match for_people {
        true => ("age", text(&|one| one.age.map(age_text)), true),
        false => ("age_seconds", number(&|one| one.age.map(|age| age.as_secs())), true),
    };
    let mut columns = vec![
        ("model", text(&|one| Some(one.model.to_string())), false),
        ("table", text(&|one| Some(one.table.clone())), false),
        ("state", text(&|one| Some(one.state.clone())), false),
        ("newest", text(&|one| one.newest.map(|slice| slice.to_string())), true),
        age,
        ("promise", text(&|one| one.promise_text().map(str::to_owned)), true),
        ("rows", number(&|one| one.rows), true),
        ("tests", text(&|one| Some(one.tests.text()).filter(|text| !text.is_empty())), true),
        ("last_run", text(&ModelStatus::last_text), true),
    ];
    if !for_people {
        columns.push(("stale_slices", number(&|one| one.stale), true));
        columns.push(("missing_slices", number(&|one| one.missing), true));
        columns.push(("run", text(&|one| one.last.as_ref().map(|last| last.run.clone())), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_ages_are_told_in_words() {
        let texts = [(0, 2), (1, 0), (3, 1)].map(|(stale, missing)| pending_text(stale, missing));
        assert_eq!(texts, ["2 slices missing", "1 slice stale", "3 slices stale, 1 missing"]);
        let ages = [59, 3_600, 90_000].map(|seconds| age_text(Duration::from_secs(seconds)));
        assert_eq!(ages, ["0 m", "1 h 0 m", "1 d 1 h"]);
    }
}
