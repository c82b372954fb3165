//! Values of unlike types are never compared or mixed: what PostgreSQL refuses before it reads a row is refused here.
//!
//! The engine would cast one side, mostly towards the narrower type: `code = 1` over texts would hold for `01`, and fail
//! on the day on which a letter comes. As in PostgreSQL, a text literal has no type yet: it takes the type of what it
//! stands beside (`day >= '2023-05-01'`), or is an error if it cannot.

mod arguments;
mod coalesce;
mod equal;
mod family;
mod literal;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Diagnostic, Result, Span};
use datafusion::logical_expr::expr::{InList, InSubquery};
use datafusion::logical_expr::{Between, BinaryExpr, Case, Expr, ExprSchemable, Like, LogicalPlan, Operator};

use super::arithmetic;
use super::rewrite::{shown, type_name};
pub(super) use coalesce::coalesce;
use family::Family;
use literal::{as_typed, text_literal};

/// Functions whose arguments, and whose result, are of one type.
const OF_ONE_TYPE: [&str; 6] = ["coalesce", "greatest", "ifnull", "least", "nullif", "nvl"];

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Whether an expression compares or mixes values: most do not, and need not be looked at.
fn brings_together(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => is_comparison(binary.op),
        Expr::ScalarFunction(function) => OF_ONE_TYPE.contains(&function.func.name()),
        Expr::Between(_) | Expr::InList(_) | Expr::Case(_) | Expr::Like(_) | Expr::InSubquery(_) => true,
        _ => false,
    }
}

/// The expression with its text literals typed.
pub(super) fn compared(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !brings_together(&expr) {
        return arguments::checked(expr, schema);
    }
    let text = shown(&expr);
    let unify = |values: Vec<Expr>| unified(values, schema, &text);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let [left, right] = pair(equal::compared(unify(vec![*left, *right])?, schema)?)?;
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let [expr, low, high] = triple(equal::compared(unify(vec![*expr, *low, *high])?, schema)?)?;
            Ok(Transformed::yes(Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high)))))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let values = std::iter::once(*expr).chain(list).collect();
            let mut values = equal::compared(unify(values)?, schema)?.into_iter();
            let expr = values.next().ok_or_else(lost)?;
            Ok(Transformed::yes(equal::in_list(expr, values.collect(), negated)))
        }
        Expr::Case(case) => {
            arguments::check_case(&case, schema)?;
            case_of_like_types(case, schema, &text).map(|case| Transformed::yes(Expr::Case(case)))
        }
        Expr::ScalarFunction(mut function) if OF_ONE_TYPE.contains(&function.func.name()) => {
            function.args = unify(function.args)?;
            if function.func.name() == "nullif" {
                function.args = equal::without_signed_zeros(function.args, schema)?;
            }
            Ok(Transformed::yes(Expr::ScalarFunction(function)))
        }
        Expr::Like(like) => {
            check_like(&like, schema, &text)?;
            Ok(Transformed::no(Expr::Like(like)))
        }
        Expr::InSubquery(within) => {
            check_subquery(&within, schema)?;
            Ok(Transformed::no(Expr::InSubquery(within)))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn case_of_like_types(case: Case, schema: &DFSchema, text: &str) -> Result<Case> {
    let Case { expr, when_then_expr, else_expr } = case;
    let (mut whens, thens): (Vec<Expr>, Vec<Expr>) =
        when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
    // `case x when …` compares x with each `when`, so these are of one type. Without x they are conditions.
    let mut base = None;
    if let Some(expr) = expr {
        let mut values =
            equal::compared(unified(std::iter::once(*expr).chain(whens).collect(), schema, text)?, schema)?.into_iter();
        base = values.next().map(Box::new);
        whens = values.collect();
    }
    // All results become one column.
    let has_else = else_expr.is_some();
    let mut results = unified(thens.into_iter().chain(else_expr.map(|expr| *expr)).collect(), schema, text)?;
    let otherwise = if has_else { results.pop().map(Box::new) } else { None };
    let branches = whens.into_iter().zip(results).map(|(when, then)| (Box::new(when), Box::new(then)));
    Ok(Case { expr: base, when_then_expr: branches.collect(), else_expr: otherwise })
}

/// The values with every text literal in the type of the others; an error if those are unlike.
fn unified(values: Vec<Expr>, schema: &DFSchema, text: &str) -> Result<Vec<Expr>> {
    let mut typed = Vec::new();
    for value in values.iter().filter(|value| text_literal(value).is_none()) {
        typed.push((value.get_type(schema)?, value));
    }
    let known = typed.iter().filter(|(data_type, _)| Family::is_known(data_type));
    let known: Vec<_> = known.map(|(data_type, value)| (data_type, *value)).collect();
    let Some((first, _)) = known.first() else { return Ok(values) };
    for (other, value) in &known {
        if !Family::are_like(first, other) {
            let number = known.iter().map(|(_, value)| *value).find(|value| matches!(value, Expr::Literal(_, _)));
            return Err(unlike(text, &[type_name(first), type_name(other)], number, span_of(&known, value)));
        }
    }
    let wanted = Family::widest(known.iter().map(|(data_type, _)| *data_type)).clone();
    let span = known.iter().find_map(|(_, value)| first_span(value));
    // A text literal has no type of its own in PostgreSQL: it takes that of what it stands beside.
    let typed = values.into_iter().map(|value| match text_literal(&value) {
        None => Ok(value),
        Some(literal) => as_typed(literal, &wanted).map_err(|reason| not_typed(literal, &reason, &wanted, span)),
    });
    arithmetic::in_one_kind_of_number(typed.collect::<Result<Vec<_>>>()?, schema)
}

fn span_of(known: &[(&arrow::datatypes::DataType, &Expr)], value: &Expr) -> Option<Span> {
    first_span(value).or_else(|| known.iter().find_map(|(_, value)| first_span(value)))
}

/// The place of the first column in an expression.
pub(super) fn first_span(value: &Expr) -> Option<Span> {
    let mut found: Vec<Span> = value.column_refs().iter().filter_map(|column| column.spans.first()).collect();
    found.sort_by_key(|span| (span.start.line, span.start.column));
    found.first().copied()
}

fn check_like(like: &Like, schema: &DFSchema, text: &str) -> Result<()> {
    let data_type = like.expr.get_type(schema)?;
    match Family::of(&data_type) {
        None | Some(Family::Text) => Ok(()),
        Some(_) => {
            let message = format!("`{text}` takes the type text, not {}", type_name(&data_type));
            Err(failed(message, first_span(&like.expr), "cast it: `cast(… as text)`".to_owned()))
        }
    }
}

fn check_subquery(within: &InSubquery, schema: &DFSchema) -> Result<()> {
    let left = within.expr.get_type(schema)?;
    let columns = within.subquery.subquery.schema();
    let Some(right) = columns.fields().first().map(|field| field.data_type().clone()) else { return Ok(()) };
    // A literal takes the type of the column.
    if text_literal(&within.expr).is_some() || Family::are_like(&left, &right) {
        return Ok(());
    }
    let text = format!("{} in (select …)", shown(&within.expr));
    Err(unlike(&text, &[type_name(&left), type_name(&right)], None, first_span(&within.expr)))
}

/// Refuses unlike columns that a join or a union brings together.
pub(super) fn check_node(node: &LogicalPlan) -> Result<()> {
    match node {
        // `using` and `natural` compare without an expression in the text.
        LogicalPlan::Join(join) => join.on.iter().try_for_each(|(left, right)| {
            let of_left = left.get_type(join.left.schema())?;
            let of_right = right.get_type(join.right.schema())?;
            if Family::are_like(&of_left, &of_right) {
                return Ok(());
            }
            let text = format!("{} = {}", shown(left), shown(right));
            Err(unlike(&text, &[type_name(&of_left), type_name(&of_right)], None, first_span(left)))
        }),
        LogicalPlan::Union(union) => {
            let [first, rest @ ..] = union.inputs.as_slice() else { return Ok(()) };
            for other in rest {
                for (left, right) in first.schema().fields().iter().zip(other.schema().fields()) {
                    if !Family::are_like(left.data_type(), right.data_type()) {
                        let text = format!("union: {}", left.name());
                        let types = [type_name(left.data_type()), type_name(right.data_type())];
                        return Err(unlike(&text, &types, None, None));
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn unlike(text: &str, types: &[String; 2], literal: Option<&Expr>, span: Option<Span>) -> DataFusionError {
    let [left, right] = types;
    let message = format!("`{text}` mixes incompatible types: {left} and {right}");
    let cast = format!("cast one side, like `cast(… as {})`", if left == "text" { right } else { left });
    let help = match literal {
        Some(literal) if types.iter().any(|name| name == "text") => {
            format!("write the value as a text, `'{}'`, or {cast}", literal.human_display())
        }
        // A year, most often.
        Some(_) if types.iter().any(|name| name == "date") => {
            format!("write a date, as in `date '2024-01-01'`, or {cast}")
        }
        _ => cast,
    };
    failed(message, span, help)
}

fn not_typed(literal: &str, reason: &str, wanted: &arrow::datatypes::DataType, span: Option<Span>) -> DataFusionError {
    let message = format!("the text `{literal}` is not of the type {}: {reason}", type_name(wanted));
    failed(message, span, "correct the text, or cast the other side to text".to_owned())
}

fn failed(message: String, span: Option<Span>, help: String) -> DataFusionError {
    let diagnostic = Diagnostic::new_error(message.clone(), span).with_help(help, None);
    DataFusionError::Plan(message).with_diagnostic(diagnostic)
}

fn lost() -> DataFusionError {
    DataFusionError::Internal("an expression has lost a part".to_owned())
}

fn pair(values: Vec<Expr>) -> Result<[Expr; 2]> {
    values.try_into().map_err(|_| lost())
}

fn triple(values: Vec<Expr>) -> Result<[Expr; 3]> {
    values.try_into().map_err(|_| lost())
}
