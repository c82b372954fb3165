//! The rows that break a data test: written whole by each run of the test. No config of a model names it.

use super::{Materialization, Upkeep};

#[derive(Debug)]
pub(super) struct TestTable;

impl Materialization for TestTable {
    fn word(&self) -> &'static str {
        "test"
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Whole
    }
}
