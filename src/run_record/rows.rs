//! Records as tables, for queries: `karat.runs`, `karat.steps`, `karat.slices` and `karat.tests`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::{RunRecord, SliceRecord, StepRecord, TestRecord};

/// A table of what runs have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RunTable {
    Runs,
    Steps,
    Slices,
    Tests,
}

const TEXT: DataType = DataType::Utf8;
const NUMBER: DataType = DataType::Int64;
/// UTC, as all times of karat.
const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl RunTable {
    pub const ALL: [RunTable; 4] = [RunTable::Runs, RunTable::Steps, RunTable::Slices, RunTable::Tests];

    /// Its name in the schema `karat`.
    pub fn name(self) -> &'static str {
        match self {
            RunTable::Runs => "runs",
            RunTable::Steps => "steps",
            RunTable::Slices => "slices",
            RunTable::Tests => "tests",
        }
    }

    /// Its columns. Whatever was not known of a run, or has no meaning for it, is null.
    pub fn schema(self) -> SchemaRef {
        let columns = match self {
            RunTable::Runs => vec![
                ("run", TEXT),
                ("invocation", TEXT),
                ("command", TEXT),
                ("line", TEXT),
                ("target", TEXT),
                ("git", TEXT),
                ("karat", TEXT),
                ("started_at", TIME),
                ("ended_at", TIME),
                ("logical_time", TIME),
                ("status", TEXT),
                ("release", NUMBER),
            ],
            RunTable::Steps => vec![
                ("run", TEXT),
                ("model", TEXT),
                ("table_name", TEXT),
                ("kind", TEXT),
                ("status", TEXT),
                ("why", TEXT),
                ("started_at", TIME),
                ("ended_at", TIME),
                ("version", NUMBER),
                ("rows", NUMBER),
                ("bytes", NUMBER),
                ("files", NUMBER),
                ("slices", NUMBER),
            ],
            RunTable::Slices => vec![
                ("run", TEXT),
                ("model", TEXT),
                ("slice", TEXT),
                ("rows", NUMBER),
                ("bytes", NUMBER),
                ("files", NUMBER),
            ],
            RunTable::Tests => vec![
                ("run", TEXT),
                ("test", TEXT),
                ("model", TEXT),
                ("kind", TEXT),
                ("status", TEXT),
                ("failures", NUMBER),
                ("ended_at", TIME),
            ],
        };
        Arc::new(Schema::new(columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect::<Vec<_>>()))
    }
}

/// The rows of a table.
///
/// # Errors
///
/// Returns an error if the columns do not fit the schema, which is a bug.
pub(crate) fn run_rows(table: RunTable, runs: &[RunRecord]) -> Result<RecordBatch, ArrowError> {
    let columns = match table {
        RunTable::Runs => of_runs(runs),
        RunTable::Steps => of_steps(runs),
        RunTable::Slices => of_slices(runs),
        RunTable::Tests => of_tests(runs),
    };
    RecordBatch::try_new(table.schema(), columns)
}

fn of_runs(runs: &[RunRecord]) -> Vec<ArrayRef> {
    let text = |get: fn(&RunRecord) -> Option<&str>| texts(runs.iter().map(get));
    let at = |get: fn(&RunRecord) -> Option<i64>| times(runs.iter().map(get));
    vec![
        text(|run| Some(&run.id)),
        text(|run| Some(&run.invocation)),
        text(|run| Some(&run.command)),
        text(|run| Some(&run.line)),
        text(|run| Some(&run.target)),
        text(|run| run.git.as_deref()),
        text(|run| Some(&run.karat)),
        at(|run| Some(run.started)),
        at(|run| Some(run.ended)),
        at(|run| Some(run.logical_time)),
        text(|run| Some(run.status.word())),
        numbers(runs.iter().map(|run| run.release)),
    ]
}

fn of_steps(runs: &[RunRecord]) -> Vec<ArrayRef> {
    // Each step stands with its run, so that the tables can be joined.
    let all = || runs.iter().flat_map(|run| run.steps.iter().map(move |step| (run, step)));
    let text = |get: fn(&StepRecord) -> &str| texts(all().map(|(_, step)| Some(get(step))));
    // What was not begun has written nothing, which is another thing than no row.
    let number = |get: fn(&StepRecord) -> u64| numbers(all().map(|(_, step)| step.started.map(|_| get(step))));
    vec![
        texts(all().map(|(run, _)| Some(run.id.as_str()))),
        text(|step| &step.model),
        text(|step| &step.table),
        text(|step| &step.kind),
        text(|step| step.status.word()),
        text(|step| &step.why),
        times(all().map(|(_, step)| step.started)),
        times(all().map(|(_, step)| step.ended)),
        numbers(all().map(|(_, step)| step.version)),
        number(|step| step.rows),
        number(|step| step.bytes),
        number(|step| step.files),
        number(|step| step.slices.len() as u64),
    ]
}

fn of_slices(runs: &[RunRecord]) -> Vec<ArrayRef> {
    let steps = || runs.iter().flat_map(|run| run.steps.iter().map(move |step| (run, step)));
    let all = || steps().flat_map(|(run, step)| step.slices.iter().map(move |slice| (run, step, slice)));
    let number = |get: fn(&SliceRecord) -> Option<u64>| numbers(all().map(|(_, _, slice)| get(slice)));
    vec![
        texts(all().map(|(run, _, _)| Some(run.id.as_str()))),
        texts(all().map(|(_, step, _)| Some(step.model.as_str()))),
        texts(all().map(|(_, _, slice)| Some(slice.slice.as_str()))),
        number(|slice| Some(slice.rows)),
        number(|slice| slice.bytes),
        number(|slice| slice.files),
    ]
}

fn of_tests(runs: &[RunRecord]) -> Vec<ArrayRef> {
    let all = || runs.iter().flat_map(|run| run.tests.iter().map(move |test| (run, test)));
    let text = |get: fn(&TestRecord) -> Option<&str>| texts(all().map(|(_, test)| get(test)));
    vec![
        texts(all().map(|(run, _)| Some(run.id.as_str()))),
        text(|test| Some(&test.test)),
        text(|test| test.model.as_deref()),
        text(|test| Some(&test.kind)),
        text(|test| Some(test.status.word())),
        numbers(all().map(|(_, test)| test.failures)),
        times(all().map(|(_, test)| test.ended)),
    ]
}

fn texts<'r>(values: impl Iterator<Item = Option<&'r str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(u64::cast_signed)).collect::<Int64Array>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(|value| value.saturating_mul(1000))).collect::<TimestampMicrosecondArray>())
}
