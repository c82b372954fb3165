//! Numbers that choose among rows or elements: where they are literals, it is known that no row can have a result.

use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Expr, Limit};

use super::super::literal_fault::{LiteralFault, is_text_literal};

/// Aggregates that take a part of the rows, from 0 to 1.
const OF_PARTS: [&str; 3] = ["percentile_cont", "quantile_cont", "approx_percentile_cont"];

/// Refuses a call with a number that is wrong for all rows.
pub(super) fn check(expr: &Expr) -> Result<()> {
    match expr {
        Expr::WindowFunction(window) => check_window(expr, window),
        Expr::AggregateFunction(aggregate) => check_part(expr, aggregate),
        Expr::ScalarFunction(function) => check_function(expr, function),
        _ => Ok(()),
    }
}

fn check_window(expr: &Expr, window: &WindowFunction) -> Result<()> {
    let arguments = &window.params.args;
    match window.fun.name() {
        "ntile" if is_below(arguments.first(), 1) => {
            fault(expr, "`ntile` takes a number of groups from 1", "write `ntile(4)`")
        }
        "nth_value" if is_below(arguments.get(1), 1) => {
            fault(expr, "`nth_value` counts the rows from 1", "write `nth_value(a, 1)` for the first row")
        }
        name @ ("lag" | "lead") if arguments.get(1).is_some_and(is_text_literal) => {
            let message = format!("`{name}` takes a number of rows");
            fault(expr, &message, &format!("write `{name}(a, 1)`, and a default as the third argument"))
        }
        _ => Ok(()),
    }
}

fn check_part(expr: &Expr, aggregate: &AggregateFunction) -> Result<()> {
    let is_no_part = |argument: &Expr| match number(argument) {
        Some(number) => !(0.0..=1.0).contains(&number),
        None => false,
    };
    if !OF_PARTS.contains(&aggregate.func.name()) || !aggregate.params.args.iter().any(is_no_part) {
        return Ok(());
    }
    let message = format!("`{}` takes a part of the rows from 0 to 1", aggregate.func.name());
    fault(expr, &message, "write `0.5` for the middle")
}

fn check_function(expr: &Expr, function: &ScalarFunction) -> Result<()> {
    match function.name() {
        "generate_series" | "range" if function.args.get(2).and_then(number) == Some(0.0) => {
            let message = format!("`{}` never ends with a step of 0", function.name());
            fault(expr, &message, "write another step, or leave it out: it is 1")
        }
        _ => Ok(()),
    }
}

/// Refuses a negative number of rows.
pub(super) fn check_limit(limit: &Limit) -> Result<()> {
    for (word, count) in [("limit", &limit.fetch), ("offset", &limit.skip)] {
        if let Some(count) = count
            && is_below(Some(count), 0)
        {
            let message = format!("`{word}` takes a number of rows from 0");
            return fault(count, &message, &format!("leave `{word}` out to take all rows"));
        }
    }
    Ok(())
}

fn fault(expr: &Expr, message: &str, help: &str) -> Result<()> {
    let fault: DataFusionError = LiteralFault::of(expr, message.to_owned()).with_help(help.to_owned()).into();
    Err(fault)
}

fn is_below(argument: Option<&Expr>, least: i64) -> bool {
    argument.and_then(number).is_some_and(|number| number < least as f64)
}

/// The value of a literal.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(value, _) if value.data_type().is_numeric() && !value.is_null() => {
            match value.cast_to(&arrow::datatypes::DataType::Float64).ok()? {
                ScalarValue::Float64(number) => number,
                _ => None,
            }
        }
        Expr::Negative(inner) => number(inner).map(|number| -number),
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}
