//! The engine's own rules make calls of its own functions: `distinct on` becomes a `first_value` of each column. Afterwards they
//! become karat's.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::in_order::InOrder;

/// Puts karat's accumulators in the place of the engine's.
#[derive(Debug)]
pub(crate) struct UseOwnAggregates;

impl OptimizerRule for UseOwnAggregates {
    fn name(&self) -> &str {
        "use_own_aggregates"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            // Names and types stay, so the schema does too.
            LogicalPlan::Aggregate(_) => plan.map_expressions(|expression| expression.transform(with_own)),
            _ => Ok(Transformed::no(plan)),
        }
    }
}

fn with_own(mut call: Expr) -> Result<Transformed<Expr>> {
    let own = match &call {
        Expr::AggregateFunction(call) if !call.func.inner().is::<InOrder>() => InOrder::function(&call.func),
        _ => None,
    };
    match (&mut call, own) {
        (Expr::AggregateFunction(function), Some(own)) => {
            function.func = own;
            Ok(Transformed::yes(call))
        }
        _ => Ok(Transformed::no(call)),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::analyze::plan_options;
    use crate::engine::session;

    #[tokio::test]
    async fn the_first_rows_of_distinct_on_are_found_by_accumulators_of_ours() {
        let context = SessionContext::new_with_state(session(plan_options(2)).build());
        let sql = "select distinct on (k) k, v, w from (values (1, 2, 'a'), (1, 1, 'b'), (2, 3, 'c')) as t(k, v, w) order by k, v";
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let mut is_ours = Vec::new();
        plan.apply(|node| {
            node.apply_expressions(|expression| {
                expression.apply(|part| {
                    if let Expr::AggregateFunction(call) = part {
                        is_ours.push(call.func.inner().is::<InOrder>());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })
        .unwrap();
        assert_eq!(is_ours, [true; 3], "{plan}");
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        let shown = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
        assert!(shown.contains("| 1 | 1 | b |") && shown.contains("| 2 | 3 | c |"), "{shown}");
    }
}
