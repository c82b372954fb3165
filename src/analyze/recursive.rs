//! Queries that refer to themselves: the engine casts what they add to the types of what they begin with, whatever that loses.
//! PostgreSQL's decimals have all digits there, and other types must be the same, so a lossy cast that nobody wrote is refused.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, RecursiveQuery};
use sqlparser::ast::{self, Query, SelectItem, SetExpr, Statement, Visit as _, Visitor};

use super::column_name::word;
use super::rewrite::{shown, type_name};
use super::written_casts;

/// For each query that refers to itself how many casts its author has put around each column that it adds.
pub(super) type WrittenCasts = BTreeMap<String, Vec<usize>>;

/// Reads the casts off a statement, as it is given to the planner.
pub(super) fn written_casts(statement: &Statement) -> WrittenCasts {
    let mut found = CastsVisitor(WrittenCasts::new());
    let ControlFlow::Continue(()) = statement.visit(&mut found);
    found.0
}

struct CastsVisitor(WrittenCasts);

impl Visitor for CastsVisitor {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        for cte in query.with.iter().filter(|with| with.recursive).flat_map(|with| &with.cte_tables) {
            // The first branch gives the types, and the second is cast to them.
            if let SetExpr::SetOperation { right, .. } = cte.query.body.as_ref()
                && let SetExpr::Select(select) = right.as_ref()
            {
                self.0.insert(word(&cte.alias.name), select.projection.iter().map(casts_of_item).collect());
            }
        }
        ControlFlow::Continue(())
    }
}

fn casts_of_item(item: &SelectItem) -> usize {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            std::iter::successors(Some(expr), |expr| match expr {
                ast::Expr::Cast { expr, .. } | ast::Expr::Nested(expr) => Some(expr),
                _ => None,
            })
            .filter(|expr| matches!(expr, ast::Expr::Cast { .. }))
            .count()
        }
        _ => 0,
    }
}

/// Refuses casts that nobody wrote and that lose something; the plan is as it was made of the statement.
pub(super) fn check(plan: &LogicalPlan, written: &WrittenCasts) -> Result<()> {
    if written.is_empty() {
        return Ok(());
    }
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::RecursiveQuery(query) = node {
            check_query(query, written.get(&query.name).map_or(&[], Vec::as_slice))?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn check_query(query: &RecursiveQuery, written: &[usize]) -> Result<()> {
    let LogicalPlan::Projection(projection) = query.recursive_term.as_ref() else { return Ok(()) };
    for (place, expr) in projection.expr.iter().enumerate() {
        let expr = expr.clone().unalias_nested().data;
        // Casts are counted on both sides: the plan has those of the author and, at most, one more that the engine has added.
        let casts = std::iter::successors(Some(&expr), |expr| match expr {
            Expr::Cast(cast) => Some(&cast.expr),
            _ => None,
        });
        let is_added = casts.count() - 1 > written.get(place).copied().unwrap_or(0);
        let Expr::Cast(cast) = &expr else { continue };
        let from = cast.expr.get_type(projection.input.schema())?;
        let to = cast.field.data_type();
        if is_added && !keeps_values(&from, to) {
            return plan_err!(
                "`{}` of the query `{}` that refers to itself is {}, and begins as {}: give both the same type, as in `cast(… as {})`",
                shown(&written_casts::without_marks(&cast.expr)),
                query.name,
                type_name(&from),
                type_name(to),
                if to.is_decimal() { "decimal(18, 6)".to_owned() } else { type_name(&from) }
            );
        }
    }
    Ok(())
}

/// Whether a cast loses nothing but what does not fit, which is an error when it happens.
fn keeps_values(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => from <= to,
        _ => {
            from == to
                || from.is_integer() && (to.is_integer() || to.is_decimal())
                || from.is_string() && to.is_string()
        }
    }
}
