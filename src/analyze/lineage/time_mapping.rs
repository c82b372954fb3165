//! What an expression does to a time: the steps that lead from its value to the column that it is made of.

use arrow::datatypes::{DataType, TimeUnit as ArrowUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Operator};

use super::{Shift, TimeStep, TimeUnit};

/// An expression as steps over a base, which is a column if everything in between is understood.
#[derive(Debug, Clone)]
pub(crate) struct TimeMapping<'e> {
    pub base: &'e Expr,
    /// The outermost function first.
    pub steps: Vec<TimeStep>,
}

/// Takes an expression apart, as far down as each function is known to move times in one way only.
pub(crate) fn time_mapping<'e>(expression: &'e Expr, schema: &DFSchema) -> TimeMapping<'e> {
    let mut base = expression;
    let mut steps = Vec::new();
    while let Some((inner, step)) = peel(base, schema) {
        steps.extend(step);
        base = inner;
    }
    let is_date = base.get_type(schema).is_ok_and(|data_type| data_type == DataType::Date32);
    TimeMapping { base, steps: simplified(steps, is_date) }
}

/// Leaves out what cuts nothing off: a day of what was cut to months, a day of a date.
pub(crate) fn simplified(steps: Vec<TimeStep>, is_date: bool) -> Vec<TimeStep> {
    let mut kept: Vec<TimeStep> = Vec::new();
    for step in steps.into_iter().rev() {
        let cut = match (&step, kept.last()) {
            (TimeStep::Truncate(outer), Some(TimeStep::Truncate(inner))) => inner.consists_of(*outer),
            (TimeStep::Truncate(outer), None) => is_date && TimeUnit::Day.consists_of(*outer),
            _ => false,
        };
        if !cut {
            kept.push(step);
        }
    }
    kept.reverse();
    kept
}

/// One function off an expression: what is inside, and the step if it is one.
fn peel<'e>(expression: &'e Expr, schema: &DFSchema) -> Option<(&'e Expr, Option<TimeStep>)> {
    match expression {
        Expr::Alias(alias) => Some((&alias.expr, None)),
        Expr::Cast(Cast { expr, field }) => {
            cast_step(&expr.get_type(schema).ok()?, field.data_type()).map(|step| (expr.as_ref(), step))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "date_trunc" => {
            let [unit, inner] = args.as_slice() else { return None };
            let unit = TimeUnit::parse(text(unit)?)?;
            is_time(&inner.get_type(schema).ok()?).then_some((inner, Some(TimeStep::Truncate(unit))))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (inner, interval, negative) = match (op, left.as_ref(), right.as_ref()) {
                (Operator::Plus, inner, Expr::Literal(interval, _)) => (inner, interval, false),
                (Operator::Plus, Expr::Literal(interval, _), inner) => (inner, interval, false),
                (Operator::Minus, inner, Expr::Literal(interval, _)) => (inner, interval, true),
                _ => return None,
            };
            let shift = shift_of(interval)?;
            let data_type = inner.get_type(schema).ok()?;
            // A date has no room for hours: what becomes of them is the engine's business.
            let fits = is_time(&data_type) && (shift.microseconds == 0 || data_type != DataType::Date32);
            let shift = if negative { shift.negated() } else { shift };
            fits.then_some((inner, Some(TimeStep::Shift(shift))))
        }
        _ => None,
    }
}

/// What a cast does, if it moves times in one way only; the inner nothing: it changes the type alone.
fn cast_step(from: &DataType, to: &DataType) -> Option<Option<TimeStep>> {
    match (from, to) {
        (from, to) if from == to => Some(None),
        (DataType::Timestamp(_, None), DataType::Date32) => Some(Some(TimeStep::Truncate(TimeUnit::Day))),
        (DataType::Date32, DataType::Timestamp(_, None)) => Some(None),
        (DataType::Timestamp(_, None), DataType::Timestamp(ArrowUnit::Microsecond | ArrowUnit::Nanosecond, None)) => {
            Some(None)
        }
        _ => None,
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(_, None))
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.as_deref()
        }
        _ => None,
    }
}

/// An interval as a shift to the future.
pub(crate) fn shift_of(interval: &ScalarValue) -> Option<Shift> {
    match interval {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.nanoseconds % 1000 == 0 => Some(Shift {
            months: interval.months,
            days: i64::from(interval.days),
            microseconds: interval.nanoseconds / 1000,
        }),
        ScalarValue::IntervalDayTime(Some(interval)) => Some(Shift {
            months: 0,
            days: i64::from(interval.days),
            microseconds: i64::from(interval.milliseconds) * 1000,
        }),
        ScalarValue::IntervalYearMonth(Some(months)) => Some(Shift { months: *months, ..Shift::default() }),
        _ => None,
    }
}

/// What `coalesce` chooses from, also where the optimizer has written it out as a CASE.
pub(crate) fn alternatives(expression: &Expr) -> Option<Vec<&Expr>> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => Some(args.iter().collect()),
        Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(last) }) => {
            let mut found = Vec::new();
            for (when, then) in when_then_expr {
                if !matches!(when.as_ref(), Expr::IsNotNull(tested) if tested == then) {
                    return None;
                }
                found.push(then.as_ref());
            }
            found.push(last);
            Some(found)
        }
        _ => None,
    }
}

/// Whether the expression is null on a row whose columns are all null, as an outer join makes it.
pub(crate) fn is_null_on_nulls(expression: &Expr) -> bool {
    match expression {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_null_on_nulls(&alias.expr),
        Expr::Cast(cast) => is_null_on_nulls(&cast.expr),
        other => alternatives(other).is_some_and(|found| found.into_iter().all(is_null_on_nulls)),
    }
}
