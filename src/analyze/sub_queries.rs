//! Sub-queries that the engine cannot compute: it can only turn some of them into joins, and says of the others nothing that
//! helps, once a run has begun. So the joins are made before, to see what is left.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{Optimizer, OptimizerContext};

/// A part of a plan that only a join can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Left {
    /// `exists`, `in (select …)` and the like, by their word.
    Test(&'static str),
    /// A column of the query around.
    Outer(String),
}

impl Left {
    fn told(&self) -> String {
        match self {
            Left::Test(word) => format!("`{word}` of a subquery {CANNOT} here"),
            Left::Outer(column) => format!("the use of `{column}` of the outer query in a subquery {CANNOT}"),
        }
    }
}

/// Stands in every message of this kind.
const CANNOT: &str = "cannot be computed";

/// What an author can do. Returns `None` if the message is about something else.
pub(super) fn help(message: &str) -> Option<&'static str> {
    if !message.contains(CANNOT) || !message.contains("subquery") {
        return None;
    }
    Some(if message.contains("of the outer query") {
        "compare by `=`, or join the tables and choose among the pairs: `row_number() over (partition by … order by …)`, \
         or group them"
    } else {
        "put it into `where`, joined by `and`, or join the table: `left join (select distinct …) as s on …`, and ask \
         whether `s.… is not null`"
    })
}

/// Refuses a plan with a sub-query that no join can stand for.
pub(super) fn check(plan: &LogicalPlan, options: &ConfigOptions) -> Result<()> {
    let Some(first) = first_left(plan)? else { return Ok(()) };
    let context = OptimizerContext::new_with_config_options(Arc::new(options.clone()));
    let optimized = Optimizer::new().optimize(plan.clone(), &context, |_, _| {});
    let left = match &optimized {
        Ok(optimized) => first_left(optimized)?,
        Err(_) => Some(first),
    };
    left.map_or(Ok(()), |left| plan_err!("{}", left.told()))
}

/// The first part of a plan that only a join can stand for. None if there is none.
fn first_left(plan: &LogicalPlan) -> Result<Option<Left>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let left = match expr {
                    Expr::Exists(exists) => Some(Left::Test(if exists.negated { "not exists" } else { "exists" })),
                    Expr::InSubquery(within) => Some(Left::Test(if within.negated { "not in" } else { "in" })),
                    Expr::SetComparison(_) => Some(Left::Test("any")),
                    Expr::OuterReferenceColumn(_, column) => Some(Left::Outer(column.flat_name())),
                    _ => None,
                };
                // A column of the query around says more than the test in which it stands.
                if matches!((&found, &left), (None, _) | (Some(Left::Test(_)), Some(Left::Outer(_)))) {
                    found = left.or(found.take());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
