//! A plan whose scans declare no windows: what a full refresh computes.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;

use crate::analyze::{InputTable, TypedModel, input_table};
use crate::day::Window;
use crate::template::ReferenceName;

/// Whether a build of one slice rests on something that only its author says: a window, or a text of its own.
///
/// # Errors
///
/// As [`TypedModel::plan`].
pub(super) fn rests_on_declarations(model: &TypedModel) -> Result<bool> {
    Ok(model.is_sliced() && (model.has_sliced_plan || !declared(model)?.is_empty()))
}

/// The scans of a slice's plan that declare windows.
///
/// # Errors
///
/// As [`TypedModel::plan`].
pub(super) fn declared(model: &TypedModel) -> Result<BTreeMap<ReferenceName, Vec<Window>>> {
    let mut found = BTreeMap::new();
    model.plan_of_later_runs()?.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = input_table(scan.source.as_ref())
            && !table.windows.is_empty()
        {
            found.insert(table.name.clone(), table.windows.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The plan without the windows of all scans, or of all but one.
pub(super) fn without_windows(plan: &LogicalPlan, but: Option<&ReferenceName>) -> LogicalPlan {
    let rebuilt = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        match input_table(scan.source.as_ref()) {
            Some(table) if !table.windows.is_empty() && but != Some(&table.name) => {
                scan.source = Arc::new(InputTable { windows: Vec::new(), ..table.clone() });
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            _ => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        }
    });
    rebuilt.expect("changing the windows of scans cannot fail").data
}
