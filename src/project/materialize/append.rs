//! `incremental` by `append`: the rows of a batch are added.

use super::{BatchWrite, Materialization, Upkeep};
use crate::name::TableName;

#[derive(Debug)]
pub(super) struct Append;

const STRATEGY: &str = "append";

impl Materialization for Append {
    fn word(&self) -> &'static str {
        "incremental"
    }

    fn strategy(&self) -> Option<&'static str> {
        Some(STRATEGY)
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Batch(BatchWrite::Append)
    }

    fn label(&self, table: &TableName) -> String {
        super::incremental_label(table)
    }
}
