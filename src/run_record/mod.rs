//! What a lake keeps of each run: what was asked for, what became of every model and test, and why.
//!
//! A record is written when its run ends, also one that failed or was stopped. Nothing is decided by records: people and
//! queries read them. `critical_path.rs` finds the models that a run had to wait for; `rows.rs` makes tables of records.

mod critical_path;
mod rows;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use critical_path::critical_path;
pub(crate) use rows::{RunTable, run_rows};

/// So many of the newest runs say how models and tests stand. What ended before them says so by its table.
pub(crate) const RECENT_RUNS: usize = 50;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// As commits and histories of tables name it; the time at which it began is its first part.
    pub id: String,
    /// As artifacts name it.
    pub invocation: String,
    /// `build`
    pub command: String,
    /// The command line without secrets.
    pub line: String,
    pub target: String,
    /// The project's revision, if it is kept in git and something was built.
    pub git: Option<String>,
    /// The version of karat.
    pub karat: String,
    /// Milliseconds since 1970, as all times here.
    pub started: i64,
    pub ended: i64,
    /// The time that the run took to be now.
    pub logical_time: i64,
    pub status: RunStatus,
    /// The number of the release, if there was a new one.
    pub release: Option<u64>,
    /// In the order in which they were planned.
    pub steps: Vec<StepRecord>,
    pub tests: Vec<TestRecord>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    Done,
    Failed,
    /// By Ctrl-C or a signal.
    Interrupted,
}

/// What became of a model, a seed or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    pub model: String,
    /// `schema.table`
    pub table: String,
    /// `model`, `seed` or `snapshot`
    pub kind: String,
    pub status: StepStatus,
    /// Why it was built or left as it was, or what went wrong.
    pub why: String,
    /// `None` if it was not begun.
    pub started: Option<i64>,
    pub ended: Option<i64>,
    /// The last version that was committed.
    pub version: Option<u64>,
    pub rows: u64,
    pub bytes: u64,
    pub files: u64,
    pub slices: Vec<SliceRecord>,
    /// The models of the run that it reads.
    pub reads: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepStatus {
    Built,
    Unchanged,
    Failed,
    Skipped,
    Interrupted,
}

/// What was written of a slice. Stored as a list of four: a full build of ten years has thousands of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSlice", into = "StoredSlice")]
pub(crate) struct SliceRecord {
    /// `2023-05-01`, `null` or `all`
    pub slice: String,
    pub rows: u64,
    /// `None` if its files hold rows of other slices too.
    pub bytes: Option<u64>,
    pub files: Option<u64>,
}

type StoredSlice = (String, u64, Option<u64>, Option<u64>);

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestRecord {
    pub test: String,
    /// The model that it guards or tests, if that is one.
    pub model: Option<String>,
    /// `data` or `unit`
    pub kind: String,
    pub status: TestStatus,
    /// How many rows break its rule.
    pub failures: Option<u64>,
    /// When it ended; `None` for a unit test.
    pub ended: Option<i64>,
}

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TestStatus {
    Passed,
    Warned,
    Failed,
    NotRun,
}

impl From<StoredSlice> for SliceRecord {
    fn from(parts: StoredSlice) -> Self {
        let (slice, rows, bytes, files) = parts;
        Self { slice, rows, bytes, files }
    }
}

impl From<SliceRecord> for StoredSlice {
    fn from(record: SliceRecord) -> Self {
        (record.slice, record.rows, record.bytes, record.files)
    }
}

impl RunRecord {
    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written as JSON")
    }

    /// Reads it back; the error says what is wrong with it.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are no record.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// How many of its steps ended so.
    pub fn count(&self, status: StepStatus) -> usize {
        self.steps.iter().filter(|step| step.status == status).count()
    }

    /// How many of its tests ended so.
    pub fn count_tests(&self, status: TestStatus) -> usize {
        self.tests.iter().filter(|test| test.status == status).count()
    }
}

/// What tests found when they last ran, by the model that each guards or tests, and its own name.
pub(crate) type LatestTests<'r> = BTreeMap<(Option<&'r str>, &'r str), &'r TestRecord>;

/// The newest result of each test, whichever run has it. `runs` begin with the newest.
pub(crate) fn latest_tests(runs: &[RunRecord]) -> LatestTests<'_> {
    let mut latest = LatestTests::new();
    for test in runs.iter().flat_map(|run| &run.tests).filter(|test| test.status != TestStatus::NotRun) {
        latest.entry((test.model.as_deref(), test.test.as_str())).or_insert(test);
    }
    latest
}

impl StepRecord {
    /// How long it took, in milliseconds. `None` if it was not begun or has no end.
    pub fn duration(&self) -> Option<i64> {
        // Clocks may be set back while a run goes on.
        Some((self.ended? - self.started?).max(0))
    }
}

impl RunStatus {
    pub fn word(self) -> &'static str {
        match self {
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
        }
    }
}

impl StepStatus {
    pub fn word(self) -> &'static str {
        match self {
            StepStatus::Built => "built",
            StepStatus::Unchanged => "unchanged",
            StepStatus::Failed => "failed",
            StepStatus::Skipped => "skipped",
            StepStatus::Interrupted => "interrupted",
        }
    }
}

impl TestStatus {
    pub fn word(self) -> &'static str {
        match self {
            TestStatus::Passed => "passed",
            TestStatus::Warned => "warned",
            TestStatus::Failed => "failed",
            TestStatus::NotRun => "not run",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
