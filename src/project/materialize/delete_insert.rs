//! `incremental` by `delete+insert`: the rows whose keys stand in a batch go, and the batch is added.

use super::{BatchWrite, Materialization, Options, Upkeep};
use crate::diag::{Checked, Sink};
use crate::name::TableName;

#[derive(Debug)]
pub(super) struct DeleteInsert;

const STRATEGY: &str = "delete+insert";

impl Materialization for DeleteInsert {
    fn word(&self) -> &'static str {
        "incremental"
    }

    fn strategy(&self) -> Option<&'static str> {
        Some(STRATEGY)
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Batch(BatchWrite::DeleteInsert)
    }

    fn check(&self, options: &Options<'_>, sink: &mut Sink) -> Checked<()> {
        options.have_a_key_for(STRATEGY, sink)
    }

    fn finds_rows_by_key(&self) -> bool {
        true
    }

    fn label(&self, table: &TableName) -> String {
        super::incremental_label(table)
    }
}
