//! `ephemeral`: inlined where it is used, and nowhere else.

use super::{Materialization, Upkeep};
use crate::name::TableName;

#[derive(Debug)]
pub(super) struct Ephemeral;

impl Materialization for Ephemeral {
    fn word(&self) -> &'static str {
        "ephemeral"
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Inlined
    }

    fn label(&self, _table: &TableName) -> String {
        "ephemeral: inlined where it is used".to_owned()
    }
}
