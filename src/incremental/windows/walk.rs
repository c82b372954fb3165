//! Follows the output's time down through a plan: which rows of every scan count.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Unnest};
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlan, TableScan};

use super::time_constraint::{ProofGap, Remedy, TimeConstraint};
use super::{frame, join};
use crate::analyze::InputTable;
use crate::analyze::lineage::{Derivation, Inflow, transfer};
use crate::engine::declared_table;

/// A scan, and what came down to it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub table: InputTable,
    pub constraint: TimeConstraint,
}

/// Walks an optimized plan over declared tables, and returns every scan in the order of the plan.
pub(super) fn walk(plan: &LogicalPlan, constraint: TimeConstraint) -> Vec<Arrived> {
    let mut found = Vec::new();
    into(plan, constraint, &mut found);
    found
}

fn into(plan: &LogicalPlan, constraint: TimeConstraint, found: &mut Vec<Arrived>) {
    let visited = plan.apply_subqueries(|subquery| {
        // What the optimizer could not turn into a join is computed for itself, whatever rows the slice has.
        let nothing = matches!(constraint, TimeConstraint::Nothing);
        let everything = TimeConstraint::blocked("a subquery may read any day", Some("select"), Remedy::Lookback);
        into(subquery, if nothing { TimeConstraint::Nothing } else { everything }, found);
        Ok(TreeNodeRecursion::Continue)
    });
    visited.expect("looking at subqueries cannot fail");
    if let LogicalPlan::TableScan(scan) = plan {
        if let Some(table) = declared_table(scan) {
            let constraint = at_scan(scan, constraint);
            found.push(Arrived { table, constraint });
        }
        return;
    }
    let inputs = plan.inputs();
    let constraints = below(plan, constraint);
    // Most nodes have one input, and unions as many as they like.
    let rest = constraints.last().cloned().unwrap_or(TimeConstraint::Nothing);
    let constraints = constraints.into_iter().chain(std::iter::repeat(rest));
    for (input, constraint) in inputs.into_iter().zip(constraints) {
        into(input, constraint, found);
    }
}

/// The constraints on the inputs of a node, one each; the last one stands for all that follow.
fn below(plan: &LogicalPlan, constraint: TimeConstraint) -> Vec<TimeConstraint> {
    if constraint.on().is_none() {
        return vec![constraint];
    }
    vec![match plan {
        LogicalPlan::Join(join) => return join::below(join, constraint),
        LogicalPlan::Union(_) | LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            let inflows = transfer(plan).unwrap_or_default();
            return inflows.iter().map(|inflow| constraint.clone().below(inflow)).collect();
        }
        LogicalPlan::Filter(_) | LogicalPlan::Repartition(_) | LogicalPlan::Distinct(Distinct::All(_)) => constraint,
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => constraint,
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            TimeConstraint::blocked("`limit` chooses among the rows of all days", Some("limit"), Remedy::BuildWhole)
        }
        LogicalPlan::Aggregate(aggregate) => of_groups(aggregate, constraint),
        LogicalPlan::Window(window) => frame::below(window, constraint),
        LogicalPlan::Unnest(unnest) => of_unnest(unnest, constraint),
        LogicalPlan::RecursiveQuery(_) => {
            TimeConstraint::blocked("a recursive query may read any day", Some("recursive"), Remedy::BuildWhole)
        }
        other => {
            let what = format!("`{}` is not understood", other.display().to_string().to_lowercase());
            TimeConstraint::blocked(what, None, Remedy::Lookback)
        }
    }]
}

/// Rows of one group have one time if the time is a part of what they are grouped by.
fn of_groups(aggregate: &Aggregate, constraint: TimeConstraint) -> TimeConstraint {
    if let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() {
        let word = match set {
            GroupingSet::Rollup(_) => "rollup",
            GroupingSet::Cube(_) => "cube",
            GroupingSet::GroupingSets(_) => "group",
        };
        return TimeConstraint::blocked("the rows include totals over all days", Some(word), Remedy::BuildWhole);
    }
    // `distinct on` becomes the first value of the columns of each group: of what they are grouped by, that is it.
    let inflow = Inflow::of_groups(aggregate).rewritten(|made| {
        let argument = one_of_a_group(made)?;
        aggregate.group_expr.contains(argument).then(|| argument.clone())
    });
    let mut columns = constraint.on().into_iter().flat_map(Expr::column_refs);
    let aggregated = columns.find_map(|column| match inflow.made_of(column) {
        Derivation::By(made) => aggregate_name(&made),
        Derivation::PartOf(_) | Derivation::Elsewhere => None,
    });
    match aggregated {
        Some(name) => {
            let what = format!("`{name}()` over several days produces the event time of the output");
            TimeConstraint::blocked(what, Some(&name), Remedy::Lookback)
        }
        None if aggregate.group_expr.is_empty() => {
            TimeConstraint::blocked("all days are aggregated", None, Remedy::Lookback)
        }
        None => constraint.below(&inflow),
    }
}

/// The argument of an aggregate that returns one of its values, and on equal values that one.
fn one_of_a_group(expression: &Expr) -> Option<&Expr> {
    let expression = bare(expression);
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expression else { return None };
    let AggregateFunctionParams { args, filter: None, .. } = params else { return None };
    let [argument] = args.as_slice() else { return None };
    ["first_value", "last_value", "min", "max"].contains(&func.name()).then_some(argument)
}

fn aggregate_name(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::AggregateFunction(function) => Some(function.func.name().to_owned()),
        _ => None,
    }
}

pub(super) fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

/// A column that is not unnested is the same on all rows that one row becomes.
fn of_unnest(unnest: &Unnest, constraint: TimeConstraint) -> TimeConstraint {
    let inflow = Inflow::of_unnest(unnest);
    let mut columns = constraint.on().into_iter().flat_map(Expr::column_refs);
    if !columns.all(|column| matches!(inflow.made_of(column), Derivation::By(_))) {
        return TimeConstraint::blocked(
            "`unnest` produces the event time of the output",
            Some("unnest"),
            Remedy::Lookback,
        );
    }
    constraint.below(&inflow)
}

fn at_scan(scan: &TableScan, constraint: TimeConstraint) -> TimeConstraint {
    match constraint.on() {
        Some(_) if scan.fetch.is_some() => {
            TimeConstraint::blocked("`limit` chooses among the rows of all days", Some("limit"), Remedy::BuildWhole)
        }
        _ => constraint,
    }
}

impl ProofGap {
    /// Words for a time that is made of a column which is not the table's event time.
    pub fn other_column(on: &Expr) -> ProofGap {
        let (what, word) = match on {
            Expr::Column(column) => {
                (format!("the event time of the output is derived from `{}`", column.name), Some(column.name.clone()))
            }
            other => {
                let shown = crate::engine::show_filter(other);
                (format!("the event time of the output is `{shown}`, which is more than one column of one table"), None)
            }
        };
        ProofGap { what, word, remedy: Remedy::UseEventTime }
    }
}
