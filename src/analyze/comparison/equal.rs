//! Values that are equal though the engine would tell them from each other: zeros of both signs, and intervals like a day and 24
//! hours.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use crate::analyze::{arithmetic, time};

/// Values that are compared, so that those that are equal are the same.
pub(super) fn compared(values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = types_of(&values, schema)?;
    if types.iter().any(|data_type| matches!(data_type, DataType::Interval(_))) {
        return Ok(values.into_iter().map(time::interval_length).collect());
    }
    without_signed_zeros(values, schema)
}

/// Floating-point numbers without negative zeros, which the engine puts before the others. Beside a literal that is not zero their
/// sign does not count, and a column stays one that files can be pruned by.
pub(super) fn without_signed_zeros(values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = types_of(&values, schema)?;
    let others_are_not_zero = values.iter().filter(|value| !is_other_than_zero(value)).count() <= 1;
    if others_are_not_zero || !types.iter().any(DataType::is_floating) {
        return Ok(values);
    }
    let pairs = values.into_iter().zip(&types);
    // PostgreSQL holds -0 and 0 for equal; adding 0 takes the sign away.
    let unsigned = pairs.map(|(value, data_type)| match value {
        Expr::Literal(ScalarValue::Float64(Some(number)), metadata) => {
            Expr::Literal(ScalarValue::Float64(Some(number + 0.0)), metadata)
        }
        value if data_type.is_floating() => arithmetic::without_sign_of_zero(value),
        value => value,
    });
    Ok(unsigned.collect())
}

fn is_other_than_zero(value: &Expr) -> bool {
    match value {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => *number != 0.0,
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => *number != 0,
        _ => false,
    }
}

fn types_of(values: &[Expr], schema: &DFSchema) -> Result<Vec<DataType>> {
    values.iter().map(|value| value.get_type(schema)).collect()
}

/// `value in (…)`. What is not a constant is compared by itself: the engine may take its value for some row for that of all.
pub(super) fn in_list(value: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let (varying, constant): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(|item| !item.column_refs().is_empty());
    if varying.is_empty() {
        return Expr::InList(InList::new(Box::new(value), constant, negated));
    }
    let mut conditions: Vec<Expr> = varying.into_iter().map(|item| binary(value.clone(), Operator::Eq, item)).collect();
    if !constant.is_empty() {
        conditions.push(Expr::InList(InList::new(Box::new(value), constant, false)));
    }
    let is_in = any(conditions);
    if negated { Expr::Not(Box::new(is_in)) } else { is_in }
}

/// The conditions with `or` between them, as a tree that is not deep.
fn any(mut conditions: Vec<Expr>) -> Expr {
    while conditions.len() > 1 {
        let mut pairs = Vec::new();
        let mut rest = conditions.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => binary(left, Operator::Or, right),
                None => left,
            });
        }
        conditions = pairs;
    }
    conditions.pop().unwrap_or(Expr::Literal(ScalarValue::Boolean(Some(false)), None))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}
