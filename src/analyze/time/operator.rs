//! `date + interval`, `date + 1`, `date - date`, `interval * 2` and `extract` as PostgreSQL types them.

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast};
use sqlparser::ast::BinaryOperator;

use super::function::TimeFunctionKind;
use super::{extract, timestamp};

/// Types the operators of dates while the statement is planned.
#[derive(Debug)]
pub(in crate::analyze) struct TimeOperators;

impl ExprPlanner for TimeOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::Plus => Operator::Plus,
            BinaryOperator::Minus => Operator::Minus,
            BinaryOperator::Multiply => Operator::Multiply,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // What has no type yet has its error elsewhere.
        let Ok(left) = expr.left.get_type(schema) else { return Ok(PlannerResult::Original(expr)) };
        let Ok(right) = expr.right.get_type(schema) else { return Ok(PlannerResult::Original(expr)) };
        Ok(match planned(&expr, op, &left, &right) {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        })
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        match args.as_slice() {
            [Expr::Literal(ScalarValue::Utf8(Some(part)), _), time] => {
                extract::call(part, time.clone(), true).map(PlannerResult::Planned)
            }
            _ => Ok(PlannerResult::Original(args)),
        }
    }
}

/// The operator as it is computed; `None` if the engine's meaning is right.
fn planned(expr: &RawBinaryExpr, op: Operator, left: &DataType, right: &DataType) -> Option<Expr> {
    let date = DataType::Date32;
    match (left, right) {
        (DataType::Interval(_), count) if op == Operator::Multiply && count.is_numeric() => {
            Some(times(&expr.left, &expr.right, count))
        }
        (count, DataType::Interval(_)) if op == Operator::Multiply && count.is_numeric() => {
            Some(times(&expr.right, &expr.left, count))
        }
        _ if op == Operator::Multiply => None,
        (DataType::Date32, DataType::Interval(_)) if !is_whole_days(&expr.right) => {
            Some(binary(cast(expr.left.clone(), timestamp()), op, expr.right.clone()))
        }
        (DataType::Interval(_), DataType::Date32) if op == Operator::Plus && !is_whole_days(&expr.left) => {
            Some(binary(cast(expr.right.clone(), timestamp()), op, expr.left.clone()))
        }
        (DataType::Date32, count) if count.is_integer() => Some(moved(&expr.left, op, &expr.right)),
        (count, DataType::Date32) if count.is_integer() && op == Operator::Plus => {
            Some(moved(&expr.right, op, &expr.left))
        }
        (left, right) if *left == date && *right == date && op == Operator::Minus => {
            Some(binary(days(&expr.left), op, days(&expr.right)))
        }
        _ => None,
    }
}

/// An interval so many times.
fn times(interval: &Expr, count: &Expr, data_type: &DataType) -> Expr {
    // A whole number of any type is meant, and an error if it is none.
    let count_type = if data_type.is_integer() { DataType::Int64 } else { DataType::Float64 };
    TimeFunctionKind::Times.call(vec![interval.clone(), cast(count.clone(), count_type)])
}

/// A literal interval that has no hours moves a date to a date. PostgreSQL makes the midnight of that date of it, which is
/// equal in every comparison; but a date can be pruned by, and cut into slices.
fn is_whole_days(interval: &Expr) -> bool {
    match interval {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => interval.nanoseconds == 0,
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => interval.milliseconds == 0,
        Expr::Literal(ScalarValue::IntervalYearMonth(_), _) => true,
        _ => false,
    }
}

/// A date some days later, or earlier.
fn moved(date: &Expr, op: Operator, count: &Expr) -> Expr {
    if let Expr::Literal(ScalarValue::Int64(Some(count)), _) = count
        && let Ok(count) = i32::try_from(*count)
    {
        let interval = IntervalMonthDayNano::new(0, count, 0);
        let interval = Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), None);
        return binary(date.clone(), op, interval);
    }
    let count = cast(count.clone(), DataType::Int32);
    cast(binary(days(date), op, count), DataType::Date32)
}

/// The days since 1970.
fn days(date: &Expr) -> Expr {
    cast(date.clone(), DataType::Int32)
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}
