//! `table`: built whole.

use super::{Materialization, Upkeep};

#[derive(Debug)]
pub(super) struct Table;

impl Materialization for Table {
    fn word(&self) -> &'static str {
        "table"
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Whole
    }
}
