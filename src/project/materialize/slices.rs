//! `incremental` by `microbatch`: built slice by slice of event time. What is row by row is loaded file by file.

use super::{Materialization, Options, Upkeep};
use crate::diag::{Checked, Sink};
use crate::name::TableName;

#[derive(Debug)]
pub(super) struct Slices;

const STRATEGY: &str = "microbatch";

impl Materialization for Slices {
    fn word(&self) -> &'static str {
        "incremental"
    }

    fn strategy(&self) -> Option<&'static str> {
        Some(STRATEGY)
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Slices
    }

    fn check(&self, options: &Options<'_>, sink: &mut Sink) -> Checked<()> {
        options.have_an_event_time(sink)
    }

    fn label(&self, table: &TableName) -> String {
        super::incremental_label(table)
    }
}
