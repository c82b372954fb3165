//! What plans read.

use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::input::{Input, InputTable};
use crate::template::{OnChange, ReferenceName};

/// A table as plans read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScannedTable {
    pub name: ReferenceName,
    pub input: Input,
    pub has_event_time: bool,
    pub on_change: OnChange,
}

impl From<&InputTable> for ScannedTable {
    fn from(table: &InputTable) -> ScannedTable {
        ScannedTable {
            name: table.name.clone(),
            input: table.input.clone(),
            has_event_time: table.event_time.is_some(),
            on_change: table.on_change,
        }
    }
}

/// What plans read, sub-queries too, each reference once.
pub(super) fn scans_of<'p>(plans: impl Iterator<Item = &'p LogicalPlan>) -> Vec<ScannedTable> {
    let mut found: Vec<ScannedTable> = Vec::new();
    for plan in plans {
        let visited = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = input_table(scan.source.as_ref())
                && !found.iter().any(|other| other.name == table.name && other.input == table.input)
            {
                found.push(table.into());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        visited.expect("looking at scans cannot fail");
    }
    found
}

/// Everything below a plan that is read, sub-queries too.
pub(crate) fn inputs_of(plan: &LogicalPlan) -> BTreeSet<Input> {
    let mut found = BTreeSet::new();
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = input_table(scan.source.as_ref())
        {
            found.insert(table.input.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.expect("collecting inputs cannot fail");
    found
}

/// The declared table behind a scan.
pub(crate) fn input_table(source: &dyn datafusion::logical_expr::TableSource) -> Option<&InputTable> {
    (source as &dyn std::any::Any).downcast_ref::<InputTable>()
}
