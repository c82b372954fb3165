//! Whether a plan makes times of its own: then rows may lie where no input has any, as in a calendar that it writes out.

use datafusion::common::Column;
use datafusion::logical_expr::logical_plan::Distinct;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::analyze::lineage::{Derivation, Inflow, transfer};
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
        // Each column of these comes from one input.
        LogicalPlan::Join(_) | LogicalPlan::Unnest(_) => {
            let inflows = transfer(plan).unwrap_or_default();
            on.column_refs().into_iter().any(|column| of_one_input(&inflows, column))
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_) => transfer(plan).is_none_or(|inflows| inflows.iter().any(|inflow| below(inflow, on))),
        _ => true,
    }
}

fn below(inflow: &Inflow<'_>, on: &Expr) -> bool {
    inflow.replace(on).is_none_or(|on| makes_times(inflow.plan, &on))
}

fn of_one_input(inflows: &[Inflow<'_>], column: &Column) -> bool {
    let mut made = inflows.iter().filter_map(|inflow| match inflow.made_of(column) {
        Derivation::By(made) => Some(makes_times(inflow.plan, &made)),
        // A part of a list is a value that no input has as a column.
        Derivation::PartOf(_) => Some(true),
        Derivation::Elsewhere => None,
    });
    // A mark comes from neither side.
    made.next().unwrap_or(true)
}
