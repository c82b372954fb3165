//! `run_results.json`: what became of every node that a command worked on.

use std::borrow::Cow;
use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::invocation::{Invocation, Metadata, instant};

/// What became of a node, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResultStatus {
    Success,
    Error,
    Skipped,
    Pass,
    Fail,
    Warn,
}

/// What became of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeResult<'a> {
    pub unique_id: String,
    pub status: ResultStatus,
    /// When it began and ended. `None` if it did not begin.
    pub times: Option<[DateTime<Utc>; 2]>,
    pub message: Option<String>,
    /// The offending rows that a test found.
    pub failures: Option<u64>,
    /// What was written.
    pub response: Map<String, Value>,
    pub compiled_code: Option<Cow<'a, str>>,
    pub relation_name: Option<String>,
}

/// The results of a command.
pub(crate) struct RunResults<'a> {
    pub invocation: &'a Invocation,
    pub results: &'a [NodeResult<'a>],
    /// In seconds.
    pub elapsed: f64,
    /// The command, and what it was told.
    pub arguments: Map<String, Value>,
}

#[derive(Serialize)]
struct RunResultsFile<'a> {
    metadata: Metadata<'a>,
    results: Vec<RunResultView<'a>>,
    elapsed_time: f64,
    args: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct RunResultView<'a> {
    status: ResultStatus,
    timing: Vec<Timing>,
    thread_id: &'static str,
    execution_time: f64,
    adapter_response: &'a Map<String, Value>,
    message: Option<&'a str>,
    failures: Option<u64>,
    unique_id: &'a str,
    compiled: Option<bool>,
    compiled_code: Option<&'a str>,
    relation_name: Option<&'a str>,
    batch_results: Option<()>,
}

/// From when to when a part of the work was done.
#[derive(Debug, Serialize)]
pub(super) struct Timing {
    name: &'static str,
    started_at: String,
    completed_at: String,
}

impl Timing {
    /// All models are compiled before the first is built, so that takes no time of its own.
    pub fn of([started, ended]: [DateTime<Utc>; 2]) -> Vec<Timing> {
        let timing = |name, from, to| Timing { name, started_at: instant(from), completed_at: instant(to) };
        vec![timing("compile", started, started), timing("execute", started, ended)]
    }
}

/// The time between two moments, in seconds.
pub(super) fn seconds([started, ended]: [DateTime<Utc>; 2]) -> f64 {
    // Microseconds of a run are far below the integers that a double cannot hold.
    (ended - started).num_microseconds().unwrap_or_default() as f64 / 1e6
}

impl<'a> RunResultView<'a> {
    fn new(result: &'a NodeResult<'a>) -> Self {
        Self {
            status: result.status,
            timing: result.times.map(Timing::of).unwrap_or_default(),
            // Models share the threads of one engine.
            thread_id: "Thread-1",
            execution_time: result.times.map_or(0.0, seconds),
            adapter_response: &result.response,
            message: result.message.as_deref(),
            failures: result.failures,
            unique_id: &result.unique_id,
            compiled: result.compiled_code.as_ref().map(|_| true),
            compiled_code: result.compiled_code.as_deref(),
            relation_name: result.relation_name.as_deref(),
            batch_results: None,
        }
    }
}

impl RunResults<'_> {
    /// Writes the artifact.
    ///
    /// # Errors
    ///
    /// Returns an error of the writer.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let file = RunResultsFile {
            metadata: self.invocation.metadata("run-results/v6"),
            results: self.results.iter().map(RunResultView::new).collect(),
            elapsed_time: self.elapsed,
            args: &self.arguments,
        };
        serde_json::to_writer(out, &file).map_err(io::Error::from)
    }
}
