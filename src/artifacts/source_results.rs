//! `sources.json`: how fresh sources are.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::invocation::{Invocation, Metadata, instant};
use super::run_results::{Timing, seconds};
use super::sources::Criteria;
use crate::project::{Freshness, FreshnessStatus};

/// How fresh one source is.
#[derive(Debug, Clone)]
pub(crate) struct SourceResult<'a> {
    pub unique_id: String,
    pub freshness: &'a Freshness,
    /// When the question was asked and answered.
    pub times: [DateTime<Utc>; 2],
    /// The answer, or why there is none.
    pub outcome: Result<NewestRow, String>,
}

/// The newest row of a source, or its newest file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NewestRow {
    pub loaded_at: DateTime<Utc>,
    /// The time by which its age is reckoned.
    pub now: DateTime<Utc>,
    pub status: FreshnessStatus,
}

impl NewestRow {
    /// Seconds.
    pub fn age(&self) -> f64 {
        seconds([self.loaded_at, self.now])
    }
}

#[derive(Serialize)]
struct SourcesFile<'a> {
    metadata: Metadata<'a>,
    results: Vec<SourceResultView<'a>>,
    elapsed_time: f64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SourceResultView<'a> {
    Failed {
        unique_id: &'a str,
        error: &'a str,
        status: &'static str,
    },
    Found {
        unique_id: &'a str,
        max_loaded_at: String,
        snapshotted_at: String,
        max_loaded_at_time_ago_in_s: f64,
        status: &'static str,
        criteria: Box<Criteria<'a>>,
        adapter_response: Map<String, Value>,
        timing: Vec<Timing>,
        thread_id: &'static str,
        execution_time: f64,
    },
}

impl<'a> SourceResultView<'a> {
    fn new(result: &'a SourceResult<'a>) -> Self {
        match &result.outcome {
            Err(error) => SourceResultView::Failed { unique_id: &result.unique_id, error, status: "runtime error" },
            Ok(newest) => SourceResultView::Found {
                unique_id: &result.unique_id,
                max_loaded_at: instant(newest.loaded_at),
                snapshotted_at: instant(newest.now),
                max_loaded_at_time_ago_in_s: newest.age(),
                status: match newest.status {
                    FreshnessStatus::Pass => "pass",
                    FreshnessStatus::Warn => "warn",
                    FreshnessStatus::Error => "error",
                },
                criteria: Box::new(Criteria::new(result.freshness)),
                adapter_response: Map::new(),
                timing: Timing::of(result.times),
                thread_id: "Thread-1",
                execution_time: seconds(result.times),
            },
        }
    }
}

/// Writes the artifact.
///
/// # Errors
///
/// Returns an error of the writer.
pub(crate) fn write_sources(
    invocation: &Invocation,
    results: &[SourceResult<'_>],
    elapsed: f64,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let file = SourcesFile {
        metadata: invocation.metadata("sources/v3"),
        results: results.iter().map(SourceResultView::new).collect(),
        elapsed_time: elapsed,
    };
    serde_json::to_writer(out, &file).map_err(io::Error::from)
}
