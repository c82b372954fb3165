//! Whether a plan makes times of its own: then rows may lie where no input has any, as in a calendar that it writes out.

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::logical_plan::{Distinct, Join, Unnest};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};

use super::claim::replace;
use crate::engine::declared_table;

/// Whether the values of an expression over a plan's rows may come from something else than columns of inputs. What is not
/// understood may.
pub(super) fn makes_times(plan: &LogicalPlan, on: &Expr) -> bool {
    if on.column_refs().is_empty() {
        return true;
    }
    match plan {
        LogicalPlan::TableScan(scan) => declared_table(scan).is_none(),
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => plan.inputs().into_iter().any(|input| makes_times(input, on)),
        LogicalPlan::Projection(node) => below(on, &node.schema, &node.expr, &node.input),
        LogicalPlan::SubqueryAlias(node) => below(on, &node.schema, &columns(&node.input), &node.input),
        LogicalPlan::Union(node) => node.inputs.iter().any(|input| below(on, &node.schema, &columns(input), input)),
        LogicalPlan::Aggregate(node) => {
            let made_by: Vec<Expr> = node.group_expr.iter().chain(&node.aggr_expr).cloned().collect();
            below(on, &node.schema, &made_by, &node.input)
        }
        LogicalPlan::Window(node) => {
            let made_by: Vec<Expr> = columns(&node.input).into_iter().chain(node.window_expr.iter().cloned()).collect();
            below(on, &node.schema, &made_by, &node.input)
        }
        LogicalPlan::Join(join) => on.column_refs().into_iter().any(|column| of_join(join, column)),
        LogicalPlan::Unnest(node) => on.column_refs().into_iter().any(|column| of_unnest(node, column)),
        _ => true,
    }
}

fn below(on: &Expr, schema: &DFSchema, made_by: &[Expr], input: &LogicalPlan) -> bool {
    replace(on, schema, made_by).is_none_or(|on| makes_times(input, &on))
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

fn of_join(join: &Join, column: &Column) -> bool {
    let Some(index) = join.schema.maybe_index_of_column(column) else { return true };
    let is_right = match join.join_type {
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => true,
        _ => index >= join.left.schema().fields().len(),
    };
    let side = if is_right { &join.right } else { &join.left };
    // A mark is a column of neither side.
    !side.schema().has_column(column) || makes_times(side, &Expr::Column(column.clone()))
}

fn of_unnest(node: &Unnest, column: &Column) -> bool {
    let Some(index) = node.schema.maybe_index_of_column(column) else { return true };
    let Some(from) = node.dependency_indices.get(index) else { return true };
    let is_unnested =
        node.struct_type_columns.contains(from) || node.list_type_columns.iter().any(|(list, _)| list == from);
    let made_of = node.input.schema().columns().get(*from).cloned();
    is_unnested || made_of.is_none_or(|column| makes_times(&node.input, &Expr::Column(column)))
}
