//! `incremental` by `append`: the rows of a batch are added.

use super::{BatchWrite, Materialization, Options, Upkeep};
use crate::diag::{Checked, Sink};
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

    fn check(&self, options: &Options<'_>, sink: &mut Sink) -> Checked<()> {
        let help = "`append` adds all rows of a batch; use `merge` to replace rows by their key";
        options.have_no_key_for(STRATEGY, help, sink)?;
        options.have_no_updated_columns_for(STRATEGY, sink)
    }

    fn label(&self, table: &TableName) -> String {
        super::incremental_label(table)
    }
}
