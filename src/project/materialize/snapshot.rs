//! A snapshot: the versions that the rows of a query have had. No config names it: snapshots are found by their blocks, or
//! by what properties say.

use super::{BatchWrite, Materialization, Upkeep};

#[derive(Debug)]
pub(super) struct SnapshotTable;

impl Materialization for SnapshotTable {
    fn word(&self) -> &'static str {
        "snapshot"
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Batch(BatchWrite::Versions)
    }

    fn is_incremental(&self) -> bool {
        // As in dbt: its query is the same for all runs.
        false
    }
}
