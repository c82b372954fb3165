//! Window functions that only look back, over rows that come in their order: `row_number()`, `rank()`, `lag()`, running totals.
//!
//! The engine's operator for them keeps a state of each partition, and makes a scalar for each row. This one goes through the
//! columns of each batch once: a row's partition and its peers are those of the row before it unless a key differs, and all that
//! is carried from one batch to the next is the last row's keys and each function's state. A function whose frame ends with the
//! peers of a row (`range`, the default with ORDER BY) waits until the next row is none of them.

mod boundaries;
mod known;
mod operator;
mod positions;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::windows::BoundedWindowAggExec;

pub(super) use operator::RunningWindows;

/// Puts karat's operator in the place of the engine's where it knows all functions.
#[derive(Debug)]
pub(crate) struct UseRunningWindows;

impl PhysicalOptimizerRule for UseRunningWindows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let used = plan.transform_up(|node| {
            let Some(bounded) = node.downcast_ref::<BoundedWindowAggExec>() else { return Ok(Transformed::no(node)) };
            match RunningWindows::in_place_of(bounded)? {
                Some(running) => Ok(Transformed::yes(Arc::new(running) as Arc<dyn ExecutionPlan>)),
                None => Ok(Transformed::no(node)),
            }
        });
        used.data()
    }

    fn name(&self) -> &str {
        "use_running_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
