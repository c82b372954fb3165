//! Percentiles of the values in their order. The engine has one between two values to six digits only.

use sqlparser::ast::{BinaryOperator, Expr, Function, FunctionArgumentClause, FunctionArguments, OrderByExpr, Value};

use super::dates::{double, whole};
use super::{binary, call, case, literal, may_stand_twice, number, parenthesized, when};

/// All values of the rows, in their order, and how many there are.
struct Ordered {
    values: Expr,
    count: Expr,
}

/// `percentile_disc(part) within group (order by value)`: the first value with at least that part of the rows up to it.
pub(super) fn discrete(function: &Function, part: &Expr) -> Option<Expr> {
    let [key] = function.within_group.as_slice() else { return None };
    let Ordered { values, count } = ordered(function, part, key.clone())?;
    let rows = binary(double(part), BinaryOperator::Multiply, count);
    let place = call("greatest", [number(1), whole(call("ceil", [rows]))]);
    // A subscript would become another aggregate, the n-th value.
    Some(call("array_element", [values, place]))
}

/// `percentile_cont(part) within group (order by value)`: between two values there is a part of their difference.
pub(super) fn continuous(function: &Function, part: &Expr, key: &OrderByExpr) -> Option<Expr> {
    let key = OrderByExpr { expr: double(&key.expr), ..key.clone() };
    let Ordered { values, count } = ordered(function, part, key)?;
    let last = binary(double(&count), BinaryOperator::Minus, number(1));
    let place = binary(double(part), BinaryOperator::Multiply, last);
    let before = call("floor", [place.clone()]);
    let behind = call("ceil", [place.clone()]);
    let value = |place: &Expr| {
        let index = binary(whole(place.clone()), BinaryOperator::Plus, number(1));
        call("array_element", [values.clone(), index])
    };
    let distance = binary(value(&behind), BinaryOperator::Minus, value(&before));
    let beyond = binary(place, BinaryOperator::Minus, before.clone());
    let between = binary(beyond, BinaryOperator::Multiply, distance);
    let is_one_value = binary(before.clone(), BinaryOperator::Eq, behind);
    let interpolated = binary(value(&before), BinaryOperator::Plus, between);
    Some(case(None, vec![when(&is_one_value, &value(&before))], Some(&interpolated)))
}

/// `None` if the part is no literal between 0 and 1, or the call has clauses beside a filter.
fn ordered(function: &Function, part: &Expr, key: OrderByExpr) -> Option<Ordered> {
    let Value::Number(digits, _) = literal(part)? else { return None };
    let is_part = digits.parse::<f64>().is_ok_and(|part| (0.0..=1.0).contains(&part));
    let is_alone = function.over.is_none() && function.null_treatment.is_none();
    if !is_part || !is_alone || !may_stand_twice(&key.expr) {
        return None;
    }
    let is_known = Expr::IsNotNull(parenthesized(&key.expr));
    let filter = match &function.filter {
        Some(filter) => binary(Expr::Nested(filter.clone()), BinaryOperator::And, is_known),
        None => is_known,
    };
    let mut values = call("array_agg", [key.expr.clone()]);
    let mut count = call("count", [key.expr.clone()]);
    for aggregate in [&mut values, &mut count] {
        if let Expr::Function(aggregate) = aggregate {
            aggregate.filter = Some(Box::new(filter.clone()));
        }
    }
    if let Expr::Function(values) = &mut values
        && let FunctionArguments::List(list) = &mut values.args
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![key]));
    }
    Some(Ordered { values, count })
}
