//! What functions take: PostgreSQL has no `length` of a number, and no condition that is one.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Operator, lit};

use super::family::{Family, item};
use super::literal::{as_typed, text_literal};
use super::{failed, first_span, pair, unified, unlike};
use crate::analyze::arithmetic;
use crate::analyze::rewrite::{shown, type_name};

/// Arguments that are texts, by their places.
fn texts_of(function: &str) -> &'static [usize] {
    match function {
        "ascii" | "bit_length" | "character_length" | "initcap" | "left" | "lower" | "md5" | "octet_length"
        | "repeat" | "right" | "sha224" | "sha256" | "sha384" | "sha512" | "substr" | "upper" | "string_agg" => &[0],
        "btrim" | "contains" | "ends_with" | "levenshtein" | "ltrim" | "regexp_count" | "regexp_like"
        | "regexp_match" | "rtrim" | "split_part" | "starts_with" | "strpos" => &[0, 1],
        "lpad" | "rpad" => &[0, 2],
        "regexp_replace" | "replace" | "translate" => &[0, 1, 2],
        _ => &[],
    }
}

/// An expression whose arguments have the types that PostgreSQL wants.
pub(super) fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(call) => of_one_row(call, schema),
        Expr::AggregateFunction(call) => {
            check_arguments(call.func.name(), &call.params.args, schema)?;
            if let Some(condition) = &call.params.filter {
                check_condition(condition, schema)?;
            }
            Ok(Transformed::no(Expr::AggregateFunction(call)))
        }
        Expr::WindowFunction(call) => of_a_window(call, schema),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            match op {
                Operator::And | Operator::Or => {
                    check_condition(&left, schema)?;
                    check_condition(&right, schema)?;
                }
                Operator::StringConcat => check_concatenated(&left, &right, schema)?,
                _ => {}
            }
            Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        Expr::Not(inner) => {
            check_condition(&inner, schema)?;
            Ok(Transformed::no(Expr::Not(inner)))
        }
        Expr::IsTrue(inner) => {
            check_condition(&inner, schema)?;
            Ok(Transformed::no(Expr::IsTrue(inner)))
        }
        Expr::IsFalse(inner) => {
            check_condition(&inner, schema)?;
            Ok(Transformed::no(Expr::IsFalse(inner)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The branches of `case when …` are chosen by conditions.
pub(super) fn check_case(case: &Case, schema: &DFSchema) -> Result<()> {
    if case.expr.is_some() {
        return Ok(());
    }
    case.when_then_expr.iter().try_for_each(|(when, _)| check_condition(when, schema))
}

fn check_condition(condition: &Expr, schema: &DFSchema) -> Result<()> {
    let data_type = condition.get_type(schema)?;
    if text_literal(condition).is_some() || matches!(data_type, DataType::Boolean | DataType::Null) {
        return Ok(());
    }
    let text = shown(condition);
    let message = format!("`{text}` is a condition, and so boolean, but it is {}", type_name(&data_type));
    let help = match Family::of(&data_type) {
        Some(Family::Number) => format!("compare it: `{text} <> 0`"),
        _ => format!("compare it: `{text} is not null`"),
    };
    Err(failed(message, first_span(condition), help))
}

fn check_arguments(name: &str, arguments: &[Expr], schema: &DFSchema) -> Result<()> {
    for place in texts_of(name) {
        let Some(argument) = arguments.get(*place) else { continue };
        let data_type = argument.get_type(schema)?;
        if matches!(Family::of(&data_type), None | Some(Family::Text | Family::Bytes)) {
            continue;
        }
        let text = shown(argument);
        let message = format!("`{name}({text})` takes the type text, not {}", type_name(&data_type));
        return Err(failed(message, first_span(argument), format!("cast it: `cast({text} as text)`")));
    }
    // A column of texts is no time, though the engine would read it as one.
    if let ("date_trunc", [_, time]) = (name, arguments)
        && text_literal(time).is_none()
        && let data_type = time.get_type(schema)?
        && matches!(Family::of(&data_type), Some(Family::Text | Family::Number))
    {
        let text = shown(time);
        let message = format!("`date_trunc` takes a date or a timestamp, and `{text}` is {}", type_name(&data_type));
        return Err(failed(message, first_span(time), format!("cast it: `cast({text} as timestamp)`")));
    }
    if let ("string_agg", [_, between, ..]) = (name, arguments)
        && !matches!(between, Expr::Literal(..))
    {
        let message = format!("`{}` is not a literal text, which `string_agg` needs as its separator", shown(between));
        return Err(failed(message, first_span(between), "write `string_agg(…, ',')`".to_owned()));
    }
    if let ("max" | "min", [argument]) = (name, arguments)
        && argument.get_type(schema)? == DataType::Boolean
    {
        let text = shown(argument);
        let instead = if name == "max" { "bool_or" } else { "bool_and" };
        let message = format!("`{name}({text})` is not defined for boolean");
        return Err(failed(message, first_span(argument), format!("write `{instead}({text})`")));
    }
    Ok(())
}

fn check_concatenated(left: &Expr, right: &Expr, schema: &DFSchema) -> Result<()> {
    let types = [left.get_type(schema)?, right.get_type(schema)?];
    let is_scalar = |data_type: &DataType| !matches!(Family::of(data_type), None | Some(Family::Text | Family::Bytes));
    if types.iter().all(is_scalar) {
        let message = format!("`{} || {}` does not concatenate texts", shown(left), shown(right));
        return Err(failed(message, first_span(left), "cast one side: `cast(… as text)`".to_owned()));
    }
    Ok(())
}

fn of_one_row(mut call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    check_arguments(call.func.name(), &call.args, schema)?;
    match call.func.name() {
        // Their booleans are `t` and `f`, other than in a cast.
        "concat" | "concat_ws" => {
            let letters = call.args.into_iter().map(|argument| match argument.get_type(schema)? {
                DataType::Boolean => Ok(letter(argument)),
                _ => Ok(argument),
            });
            call.args = letters.collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        "array_append" | "array_has" | "array_position" | "array_positions" | "array_remove" => {
            let text = shown(&Expr::ScalarFunction(call.clone()));
            if let [array, element] = call.args.as_mut_slice() {
                let items = array.get_type(schema)?;
                let Some(items) = item(&items) else { return Ok(Transformed::no(Expr::ScalarFunction(call))) };
                *element = of_items(element, items, schema, &text)?;
            }
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        _ => Ok(Transformed::no(Expr::ScalarFunction(call))),
    }
}

/// A value as it is compared with the items of an array.
fn of_items(element: &Expr, items: &DataType, schema: &DFSchema, text: &str) -> Result<Expr> {
    let data_type = element.get_type(schema)?;
    if let Some(literal) = text_literal(element)
        && Family::of(items).is_some_and(|family| family != Family::Text)
    {
        return as_typed(literal, items).map_err(|reason| super::not_typed(literal, &reason, items, None));
    }
    if !Family::are_like(&data_type, items) {
        return Err(unlike(text, &[type_name(&data_type), type_name(items)], None, first_span(element)));
    }
    if items.is_floating() { Ok(arithmetic::as_double(element.clone(), &data_type)) } else { Ok(element.clone()) }
}

fn letter(truth: Expr) -> Expr {
    let branches = [(truth.clone(), "t"), (Expr::Not(Box::new(truth)), "f")];
    let branches = branches.map(|(when, then)| (Box::new(when), Box::new(lit(then))));
    Expr::Case(Case { expr: None, when_then_expr: branches.to_vec(), else_expr: None })
}

/// `lag` and `lead` give a value of the column or their default, which is of one type with it.
fn of_a_window(mut call: Box<WindowFunction>, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = call.fun.name().to_owned();
    check_arguments(&name, &call.params.args, schema)?;
    if let Some(condition) = &call.params.filter {
        check_condition(condition, schema)?;
    }
    if let ("lag" | "lead", [value, _, default]) = (name.as_str(), call.params.args.as_mut_slice()) {
        let text = format!("{name}({}, …, {})", shown(value), shown(default));
        let [first, last] = pair(unified(vec![value.clone(), default.clone()], schema, &text)?)?;
        *value = first;
        *default = last;
        return Ok(Transformed::yes(Expr::WindowFunction(call)));
    }
    Ok(Transformed::no(Expr::WindowFunction(call)))
}
