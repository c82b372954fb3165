//! Deeds: a plan becomes tables, and a report of what was done.

mod backfill;
mod bad_record_files;
#[cfg(feature = "cluster")]
mod cluster;
mod columns;
mod commit;
mod commit_locks;
mod compact;
mod context;
mod failing_rows;
mod file_facts;
mod kept_values;
mod known_passes;
mod merge;
mod optimize;
mod publish;
mod quarantine;
mod release;
mod replace;
mod report;
mod schedule;
mod settle;
mod staged;
mod step;
mod tested;
mod tidy;
mod time_left;
mod tolerance;
mod versions;
mod whole;
mod write;
mod written_slices;

pub(crate) use context::{RunContext, RunIdentity};
pub(crate) use optimize::{FileSum, Optimized, OptimizedFiles, table_upkeep};
pub(crate) use report::{Outcome, StepReport};
pub(crate) use schedule::RunPace;
pub(crate) use staged::Staged;
pub(crate) use time_left::{Estimate, Standing};
pub(crate) use whole::Done;
