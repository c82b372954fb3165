//! `incremental` by `merge`: the rows of a batch go in the place of those with the same keys.

use super::{BatchWrite, Materialization, Options, Upkeep};
use crate::diag::{Checked, Sink};
use crate::name::TableName;

#[derive(Debug)]
pub(super) struct Merge;

const STRATEGY: &str = "merge";

impl Materialization for Merge {
    fn word(&self) -> &'static str {
        "incremental"
    }

    fn strategy(&self) -> Option<&'static str> {
        Some(STRATEGY)
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Batch(BatchWrite::Merge)
    }

    fn check(&self, options: &Options<'_>, sink: &mut Sink) -> Checked<()> {
        options.have_a_key_for(STRATEGY, sink)?;
        options.updated_columns.check_key(options.unique_key, sink)
    }

    fn finds_rows_by_key(&self) -> bool {
        true
    }

    fn updates_columns(&self) -> bool {
        true
    }

    fn label(&self, table: &TableName) -> String {
        super::incremental_label(table)
    }
}
