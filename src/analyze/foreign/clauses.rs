//! Clauses of a query that the engine does not know, in words that it knows.

use std::ops::ControlFlow;

use sqlparser::ast::{
    DateTimeField, Expr, Fetch, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LimitClause, ObjectName, Query,
    Select, SelectItem, SetExpr, SetOperator, Statement, TableAlias, TableAliasColumnDef, TableFactor,
    TableFunctionArgs, Value, VisitMut, VisitorMut,
};

use super::number;

/// `fetch first n rows` is a limit, and `minus` is Oracle's word for `except`.
pub(in crate::analyze) fn in_known_words(query: &mut Query) {
    if let Some(Fetch { with_ties: _, percent: _, quantity }) = query.fetch.take() {
        let rows = Some(quantity.unwrap_or_else(|| number(1)));
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset: _, limit_by: _ }) => *limit = rows,
            Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) => {}
            none @ None => {
                *none = Some(LimitClause::LimitOffset { limit: rows, offset: None, limit_by: Vec::new() });
            }
        }
    }
    // A chain of set operations may be thousands long.
    let mut body = query.body.as_mut();
    while let SetExpr::SetOperation { left, op, set_quantifier: _, right } = body {
        if *op == SetOperator::Minus {
            *op = SetOperator::Except;
        }
        if let SetExpr::SetOperation { op: op @ SetOperator::Minus, .. } = right.as_mut() {
            *op = SetOperator::Except;
        }
        body = left;
    }
}

/// Whether a limit is all that `fetch` means. With ties it is not, and a limit may stand there already.
pub(in crate::analyze) fn is_a_limit(query: &Query) -> bool {
    let is_limited = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset: _, limit_by: _ }) => limit.is_some(),
        Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) => true,
        None => false,
    };
    query.fetch.as_ref().is_none_or(|fetch| !fetch.with_ties && !fetch.percent && !is_limited)
}

/// `generate_series(…)` as a table is its array, unnested. The column of an unnested array is called as its table.
pub(in crate::analyze) fn series_as_table(relation: &mut TableFactor) {
    if let TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } = relation {
        if array_exprs.len() == 1 && alias.columns.is_empty() {
            alias.columns.push(column_of(&alias.name));
        }
        return;
    }
    let (name, alias, args) = match relation {
        TableFactor::Table {
            name,
            alias,
            args: Some(TableFunctionArgs { args, settings: _ }),
            with_ordinality: false,
            ..
        } => (name, alias, args),
        TableFactor::Function { lateral: _, name, args, with_ordinality: false, alias } => (name, alias, args),
        _ => return,
    };
    let [part] = name.0.as_slice() else { return };
    let Some(word) = part.as_ident() else { return };
    let function = word.value.to_lowercase();
    let arrays = match function.as_str() {
        "generate_series" | "range" => call_of(word, std::mem::take(args)),
        "unnest" => match args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] => array.clone(),
            _ => return,
        },
        _ => return,
    };
    let mut alias = alias.take().unwrap_or_else(|| named(word));
    if alias.columns.is_empty() {
        alias.columns.push(column_of(&alias.name));
    }
    *relation = TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs: vec![arrays],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
}

fn call_of(word: &Ident, args: Vec<FunctionArg>) -> Expr {
    let mut series = crate::analyze::syntax::call("", []);
    if let Expr::Function(function) = &mut series {
        function.name = ObjectName::from(vec![word.clone()]);
        if let FunctionArguments::List(list) = &mut function.args {
            list.args = args;
        }
    }
    series
}

fn named(name: &Ident) -> TableAlias {
    TableAlias { explicit: true, name: name.clone(), columns: Vec::new(), at: None }
}

fn column_of(name: &Ident) -> TableAliasColumnDef {
    TableAliasColumnDef { name: name.clone(), data_type: None }
}

/// In a SELECT list `generate_series(…)` makes rows, as in PostgreSQL.
pub(in crate::analyze) fn series_as_rows(statement: &mut Statement) {
    struct Lists;
    impl VisitorMut for Lists {
        type Break = std::convert::Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
            select.projection.iter_mut().for_each(as_rows);
            ControlFlow::Continue(())
        }
    }
    let ControlFlow::Continue(()) = statement.visit(&mut Lists);
}

/// The column is called as the function.
fn as_rows(item: &mut SelectItem) {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, alias: _ }) = item else { return };
    let Expr::Function(series) = &*expr else { return };
    if !series.name.to_string().eq_ignore_ascii_case("generate_series") {
        return;
    }
    let rows = crate::analyze::syntax::call("unnest", [expr.clone()]);
    let name = series.name.0.first().and_then(|part| part.as_ident()).cloned();
    match (item, name) {
        (SelectItem::ExprWithAlias { expr, alias: _ }, _) => *expr = rows,
        (item, Some(alias)) => *item = SelectItem::ExprWithAlias { expr: rows, alias },
        _ => {}
    }
}

/// The patterns of `like any (…)` that are written out.
pub(in crate::analyze) fn patterns_of(any: &Expr) -> Option<Vec<&Expr>> {
    match any {
        Expr::Array(array) => Some(array.elem.iter().collect()),
        Expr::Tuple(patterns) => Some(patterns.iter().collect()),
        Expr::Nested(pattern) => patterns_of(pattern).or_else(|| Some(vec![&**pattern])),
        _ => None,
    }
}

/// `a like any ('x%', 'y%')` as one LIKE for each pattern.
fn each_pattern(like: &Expr) -> Option<Expr> {
    let (Expr::Like { negated: false, any: true, expr, pattern, escape_char: _ }
    | Expr::ILike { negated: false, any: true, expr, pattern, escape_char: _ }) = like
    else {
        return None;
    };
    let patterns = patterns_of(pattern)?;
    if patterns.len() > 1 && expr.to_string().len() * patterns.len() > 10 * super::LONGEST_TWICE {
        return None;
    }
    let one = |pattern: &Expr| {
        let mut one = like.clone();
        if let Expr::Like { any, pattern: of_one, .. } | Expr::ILike { any, pattern: of_one, .. } = &mut one {
            *any = false;
            **of_one = pattern.clone();
        }
        one
    };
    let all = patterns.into_iter().map(one);
    all.reduce(super::either).map(|all| Expr::Nested(Box::new(all)))
}

/// Forms of expressions that the engine does not know.
pub(in crate::analyze) fn in_known_forms(expr: &mut Expr) {
    match expr {
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            if let Some(each) = each_pattern(expr) {
                *expr = each;
            }
        }
        // `extract('year' from a)` is `extract(year from a)`.
        Expr::Extract { field: DateTimeField::Custom(part), syntax: _, expr: _ } => part.quote_style = None,
        // A text in any quotes that PostgreSQL has, in plain ones.
        Expr::Value(literal) => {
            if let Value::UnicodeStringLiteral(text) = &mut literal.value {
                literal.value = Value::SingleQuotedString(std::mem::take(text));
            }
        }
        _ => {}
    }
}
