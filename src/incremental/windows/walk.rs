//! Follows the output's time down through a plan: which rows of every scan count.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Unnest};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use super::claim::{Block, Claim, Remedy};
use super::{frame, join};
use crate::analyze::InputTable;
use crate::engine::declared_table;

/// A scan, and what came down to it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub table: InputTable,
    pub claim: Claim,
}

/// Walks an optimized plan over declared tables, and returns every scan in the order of the plan.
pub(super) fn walk(plan: &LogicalPlan, claim: Claim) -> Vec<Arrived> {
    let mut found = Vec::new();
    into(plan, claim, &mut found);
    found
}

fn into(plan: &LogicalPlan, claim: Claim, found: &mut Vec<Arrived>) {
    let visited = plan.apply_subqueries(|subquery| {
        let nothing = matches!(claim, Claim::Nothing);
        let everything = Claim::blocked("a subquery may read any day", Some("select"), Remedy::Lookback);
        into(subquery, if nothing { Claim::Nothing } else { everything }, found);
        Ok(TreeNodeRecursion::Continue)
    });
    visited.expect("looking at subqueries cannot fail");
    if let LogicalPlan::TableScan(scan) = plan {
        if let Some(table) = declared_table(scan) {
            let claim = at_scan(scan, claim);
            found.push(Arrived { table, claim });
        }
        return;
    }
    let inputs = plan.inputs();
    let claims = below(plan, claim);
    let rest = claims.last().cloned().unwrap_or(Claim::Nothing);
    let claims = claims.into_iter().chain(std::iter::repeat(rest));
    for (input, claim) in inputs.into_iter().zip(claims) {
        into(input, claim, found);
    }
}

/// The claims on the inputs of a node, one each; the last one stands for all that follow.
fn below(plan: &LogicalPlan, claim: Claim) -> Vec<Claim> {
    if claim.on().is_none() {
        return vec![claim];
    }
    vec![match plan {
        LogicalPlan::Join(join) => return join::below(join, claim),
        LogicalPlan::Union(union) => {
            let input = |input: &std::sync::Arc<LogicalPlan>| {
                claim.clone().below(&union.schema, &columns(input), input.schema())
            };
            return union.inputs.iter().map(input).collect();
        }
        LogicalPlan::Projection(projection) => {
            claim.below(&projection.schema, &projection.expr, projection.input.schema())
        }
        LogicalPlan::SubqueryAlias(alias) => claim.below(&alias.schema, &columns(&alias.input), alias.input.schema()),
        LogicalPlan::Filter(_) | LogicalPlan::Repartition(_) | LogicalPlan::Distinct(Distinct::All(_)) => claim,
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => claim,
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            Claim::blocked("`limit` chooses among the rows of all days", Some("limit"), Remedy::BuildWhole)
        }
        LogicalPlan::Aggregate(aggregate) => of_groups(aggregate, claim),
        LogicalPlan::Window(window) => frame::below(window, claim),
        LogicalPlan::Unnest(unnest) => of_unnest(unnest, claim),
        LogicalPlan::RecursiveQuery(_) => {
            Claim::blocked("a recursive query may read any day", Some("recursive"), Remedy::BuildWhole)
        }
        other => {
            let what = format!("`{}` is not understood", other.display().to_string().to_lowercase());
            Claim::blocked(what, None, Remedy::Lookback)
        }
    }]
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// Rows of one group have one time if the time is a part of what they are grouped by.
fn of_groups(aggregate: &Aggregate, claim: Claim) -> Claim {
    let input = aggregate.input.schema();
    if let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() {
        let word = match set {
            datafusion::logical_expr::GroupingSet::Rollup(_) => "rollup",
            datafusion::logical_expr::GroupingSet::Cube(_) => "cube",
            datafusion::logical_expr::GroupingSet::GroupingSets(_) => "group",
        };
        return Claim::blocked("the rows include totals over all days", Some(word), Remedy::BuildWhole);
    }
    let groups = aggregate.group_expr.iter().cloned();
    // `distinct on` becomes the first value of the columns of each group: of what they are grouped by, that is it.
    let firsts = aggregate.aggr_expr.iter().map(|expression| match one_of_a_group(expression) {
        Some(argument) if aggregate.group_expr.contains(argument) => argument.clone(),
        _ => expression.clone(),
    });
    let made_by: Vec<Expr> = groups.chain(firsts).collect();
    let is_aggregated = |claim: &Claim| {
        let on = claim.on()?;
        on.column_refs().into_iter().find_map(|column| {
            let made = made_by.get(aggregate.schema.maybe_index_of_column(column)?)?;
            aggregate_name(made)
        })
    };
    match is_aggregated(&claim) {
        Some(name) => {
            let what = format!("`{name}()` over several days produces the event time of the output");
            Claim::blocked(what, Some(&name), Remedy::Lookback)
        }
        None if aggregate.group_expr.is_empty() => Claim::blocked("all days are aggregated", None, Remedy::Lookback),
        None => claim.below(&aggregate.schema, &made_by, input),
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
fn of_unnest(unnest: &Unnest, claim: Claim) -> Claim {
    let input = columns(&unnest.input);
    let unnested = |index: &usize| {
        unnest.struct_type_columns.contains(index) || unnest.list_type_columns.iter().any(|(list, _)| list == index)
    };
    let made_of: Vec<Option<Expr>> = unnest
        .dependency_indices
        .iter()
        .map(|index| (!unnested(index)).then(|| input.get(*index).cloned()).flatten())
        .collect();
    let touched = claim.on().into_iter().flat_map(|on| on.column_refs()).any(|column| {
        let index = unnest.schema.maybe_index_of_column(column);
        index.and_then(|index| made_of.get(index)).is_none_or(Option::is_none)
    });
    if touched {
        return Claim::blocked("`unnest` produces the event time of the output", Some("unnest"), Remedy::Lookback);
    }
    // Those that are unnested are not asked for.
    let made_by: Vec<Expr> =
        made_of.into_iter().map(|made| made.unwrap_or_else(|| datafusion::logical_expr::lit(0))).collect();
    claim.below(&unnest.schema, &made_by, unnest.input.schema())
}

fn at_scan(scan: &TableScan, claim: Claim) -> Claim {
    match claim.on() {
        Some(_) if scan.fetch.is_some() => {
            Claim::blocked("`limit` chooses among the rows of all days", Some("limit"), Remedy::BuildWhole)
        }
        _ => claim,
    }
}

impl Block {
    /// Words for a time that is made of a column which is not the table's event time.
    pub fn other_column(on: &Expr) -> Block {
        let (what, word) = match on {
            Expr::Column(column) => {
                (format!("the event time of the output is derived from `{}`", column.name), Some(column.name.clone()))
            }
            other => {
                let shown = crate::engine::show_filter(other);
                (format!("the event time of the output is `{shown}`, which is more than one column of one table"), None)
            }
        };
        Block { what, word, remedy: Remedy::UseEventTime }
    }
}
