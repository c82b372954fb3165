//! Clauses: where nulls come in an order, and forms of a SELECT that PostgreSQL has not.

use sqlparser::ast::{
    Expr, JoinOperator, NamedWindowExpr, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor,
    SelectItem, SetExpr, TableWithJoins,
};

use super::super::number;

/// Nulls come last, also where an order is descending.
pub(super) fn nulls_last(key: &mut OrderByExpr) {
    key.options.nulls_first.get_or_insert(false);
}

pub(super) fn order(query: &mut Query) {
    let columns = match query.body.as_ref() {
        SetExpr::Select(select) => counted(&select.projection),
        _ => None,
    };
    let Some(order_by) = &mut query.order_by else { return };
    if let OrderByKind::Expressions(keys) = &mut order_by.kind {
        // The parser takes `all` for a column.
        if let [OrderByExpr { expr: Expr::Identifier(all), options, with_fill: None }] = keys.as_slice()
            && all.quote_style.is_none()
            && all.value.eq_ignore_ascii_case("all")
            && let Some(columns) = columns
        {
            let options: OrderByOptions = *options;
            let key = |place| OrderByExpr { expr: number(place), options, with_fill: None };
            *keys = (1..=columns).map(key).collect();
        }
        keys.iter_mut().for_each(nulls_last);
    }
}

/// How many columns a SELECT list makes; `None` if that depends on a table.
fn counted(items: &[SelectItem]) -> Option<u32> {
    let is_one = |item: &SelectItem| {
        matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { expr: _, alias: _ })
    };
    items.iter().all(is_one).then(|| u32::try_from(items.len()).ok()).flatten()
}

pub(super) fn select(select: &mut Select) {
    if select.flavor == SelectFlavor::FromFirstNoSelect {
        select.flavor = SelectFlavor::Standard;
        if select.projection.is_empty() {
            select.projection.push(SelectItem::Wildcard(sqlparser::ast::WildcardAdditionalOptions::default()));
        }
    }
    if select.flavor == SelectFlavor::FromFirst {
        select.flavor = SelectFlavor::Standard;
    }
    for definition in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(window) = &mut definition.1 {
            window.order_by.iter_mut().for_each(nulls_last);
        }
    }
    select.from.iter_mut().for_each(joins);
}

/// A semi join keeps the rows of the left side, each once.
fn joins(table: &mut TableWithJoins) {
    for join in &mut table.joins {
        join.join_operator = match &join.join_operator {
            JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint.clone()),
            JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint.clone()),
            _ => continue,
        };
    }
}
