//! Arithmetic with PostgreSQL's meaning: exact, rounded as it rounds, or an error.
//!
//! The engine's own wraps around where a number does not fit its type, cuts digits off, and goes on with infinity where
//! something is divided by zero. So numbers get their types before the engine casts anything (`typed`), and when
//! everything has a type, operators and functions that stop at such values take the place of its own (`CheckedNumbers`).

mod decimal;
mod decimal_places;
mod fault;
mod float;
mod function;
mod guard;
mod literal;
mod number_cast;
mod operator;
mod places;
#[cfg(feature = "cluster")]
mod shipped;
mod spelling;
mod sum;
mod sum_by_group;
mod sum_total;
mod text;
mod zero;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{AggregateUDF, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, try_cast};
use datafusion::optimizer::AnalyzerRule;

use super::aggregate;
use super::rewrite::{rewritten, shown, type_name};
use decimal::Digits;
pub(super) use decimal::quotient;
pub(crate) use fault::ArithmeticFault;
pub(super) use fault::overflow_of;
pub(super) use function::{checked_functions, numeric_casts};
pub(super) use literal::{WrittenNumber, written};
use number_cast::NumberCast;
#[cfg(feature = "cluster")]
pub(super) use shipped::ShippedArithmetic;
pub(super) use sum::{CheckedSum, RunningSum};
pub(super) use zero::without_sign_of_zero;

/// `sum` that is exact for integers and decimals, or an error.
pub(super) fn checked_sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(CheckedSum::default()))
}

/// An expression of numbers, its parts being typed, with the types that PostgreSQL gives it.
pub(super) fn typed(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(binary) if is_arithmetic(binary.op) => operator_of_one_type(binary, schema),
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => Ok(guard::guarded(binary)),
        Expr::Cast(found) => {
            let from = found.expr.get_type(schema)?;
            Ok(match explicit(*found.expr, &from, found.field.data_type(), false)? {
                Ok(cast) => Transformed::yes(cast),
                Err(value) => Transformed::no(cast(value, found.field.data_type().clone())),
            })
        }
        Expr::TryCast(mut found) => {
            let from = found.expr.get_type(schema)?;
            Ok(match explicit(*found.expr, &from, found.field.data_type(), true)? {
                Ok(cast) => Transformed::yes(cast),
                Err(value) => {
                    found.expr = Box::new(value);
                    Transformed::no(Expr::TryCast(found))
                }
            })
        }
        Expr::ScalarFunction(call) if ["numeric", "try_numeric"].contains(&call.func.name()) => {
            numeric(call, schema).map(Transformed::yes)
        }
        Expr::ScalarFunction(mut call) if function::is_of_doubles(call.func.name()) => {
            let arguments = call.args.into_iter().map(|argument| {
                let data_type = argument.get_type(schema)?;
                Ok(as_double(argument, &data_type))
            });
            call.args = arguments.collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(mut call) => {
            let mut data_type = call.args.first().map_or(Ok(DataType::Null), |argument| argument.get_type(schema))?;
            if let Some(wider) = places::type_of_integer(&call, &data_type)
                && let Some(first) = call.args.first_mut()
            {
                *first = cast(first.clone(), wider.clone());
                data_type = wider;
            }
            if let Some(rounded) = decimal_places::call(&call, &data_type) {
                return Ok(Transformed::yes(rounded));
            }
            Ok(match places::of_doubles(call, &data_type) {
                Ok(rounded) => Transformed::yes(rounded),
                Err(call) => Transformed::no(Expr::ScalarFunction(call)),
            })
        }
        Expr::AggregateFunction(mut call) => {
            let filter = call.params.filter.as_deref();
            call.params.args = aggregated(call.func.name(), call.params.args, filter, schema)?;
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        Expr::WindowFunction(mut call) => {
            let filter = call.params.filter.as_deref();
            call.params.args = aggregated(call.fun.name(), call.params.args, filter, schema)?;
            Ok(Transformed::yes(Expr::WindowFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// A cast that the author has written; the value itself if it is one of the engine's.
fn explicit(value: Expr, from: &DataType, to: &DataType, is_try: bool) -> Result<std::result::Result<Expr, Expr>> {
    let is_fraction = |data_type: &DataType| data_type.is_floating() || data_type.is_decimal();
    let truth = DataType::Boolean;
    if (*from == truth && is_fraction(to)) || (*to == truth && is_fraction(from)) {
        let help = if *to == truth { "compare it: `… <> 0`" } else { "write `case when … then 1 else 0 end`" };
        return plan_err!("{} is not cast to {}: {help}", type_name(from), type_name(to));
    }
    if to.is_string() && from.is_floating() {
        return Ok(Ok(text::call(value, to)));
    }
    if NumberCast::is_for(from, to) {
        Ok(Ok(spelling::written_cast(value, to.clone(), is_try)))
    } else {
        Ok(Err(value))
    }
}

/// `cast(value as numeric)`: a decimal with the digits of the value, and of a text or a floating-point number as many as
/// of a quotient.
fn numeric(call: ScalarFunction, schema: &DFSchema) -> Result<Expr> {
    let is_try = call.func.name() == "try_numeric";
    let [value] = <[Expr; 1]>::try_from(call.args).map_err(|_| plan_datafusion_err!("`numeric` takes one value"))?;
    let from = value.get_type(schema)?;
    let widest = DataType::Decimal128(decimal::MAX_DIGITS, decimal::QUOTIENT_SCALE);
    let to = if from.is_integer() { Digits::of(&from).map_or(widest, Digits::data_type) } else { widest };
    if from.is_decimal() {
        return Ok(value);
    }
    // What loses nothing is left to the engine.
    Ok(match explicit(value, &from, &to, is_try)? {
        Ok(done) => done,
        Err(value) if is_try => try_cast(value, to),
        Err(value) => cast(value, to),
    })
}

/// Numbers that are compared or mixed, as double precision if one of them is a floating-point number of another type
/// than the others. The engine would make decimals of all.
pub(super) fn in_one_kind_of_number(values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = values.iter().map(|value| value.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let mut numbers = types.iter().filter(|data_type| data_type.is_numeric());
    let is_floating = types.iter().any(DataType::is_floating);
    let first = numbers.next();
    if !is_floating || numbers.all(|other| Some(other) == first) {
        return Ok(values);
    }
    Ok(values.into_iter().zip(&types).map(|(value, data_type)| as_double(value, data_type)).collect())
}

/// A number with a fraction as double precision; other values stay.
pub(super) fn as_double(value: Expr, data_type: &DataType) -> Expr {
    match data_type {
        other if other.is_decimal() => spelling::implicit_cast(value, DataType::Float64),
        DataType::Float16 | DataType::Float32 => cast(value, DataType::Float64),
        _ => value,
    }
}

/// Both sides of an operator in types between which PostgreSQL has one. Decimals are computed here and now, because
/// the types of their results are others than the engine's.
fn operator_of_one_type(binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let BinaryExpr { left, op, right } = binary;
    let of_left = left.get_type(schema)?;
    let of_right = right.get_type(schema)?;
    let [left, right] = [(*left, &of_left), (*right, &of_right)].map(|(side, of_side)| match of_side {
        // Counts and ranks have no sign, and the difference of two ranks may be negative.
        DataType::UInt64 => cast(side, DataType::Int64),
        _ => side,
    });
    let both = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
    if !of_left.is_numeric() || !of_right.is_numeric() {
        return Ok(Transformed::yes(both(left, right)));
    }
    if of_left.is_floating() || of_right.is_floating() {
        if op == Operator::Modulo {
            let message = format!("`{} % {}` is not defined for double precision", shown(&left), shown(&right));
            return plan_err!("{message}: cast it, `cast(… as decimal(38, 10))`");
        }
        if of_left == of_right {
            return Ok(Transformed::yes(both(left, right)));
        }
        return Ok(Transformed::yes(both(as_double(left, &of_left), as_double(right, &of_right))));
    }
    if !of_left.is_decimal() && !of_right.is_decimal() {
        return Ok(Transformed::yes(both(left, right)));
    }
    match (Digits::of(&of_left), Digits::of(&of_right)) {
        (Some(left_digits), Some(right_digits)) => {
            let left = as_decimal(left, &of_left, left_digits);
            let right = as_decimal(right, &of_right, right_digits);
            Ok(Transformed::yes(spelling::operation(left, op, right)))
        }
        _ => plan_err!("`{} {op} {}` has more than 38 digits, the maximum of a decimal", shown(&left), shown(&right)),
    }
}

fn as_decimal(value: Expr, data_type: &DataType, digits: Digits) -> Expr {
    if *data_type == digits.data_type() { value } else { cast(value, digits.data_type()) }
}

/// What an aggregate is computed of.
fn aggregated(name: &str, arguments: Vec<Expr>, filter: Option<&Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let arguments = if name == "avg" { in_decimals(arguments, schema)? } else { arguments };
    Ok(guard::filtered(arguments, filter))
}

/// Integers as decimals: their average is one.
fn in_decimals(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let converted = arguments.into_iter().map(|argument| {
        let data_type = argument.get_type(schema)?;
        Ok(match Digits::of(&data_type) {
            Some(digits) => as_decimal(argument, &data_type, digits),
            None => argument,
        })
    });
    converted.collect()
}

/// The type of the average of decimals: that of their sum divided by a count. `None` for other types.
pub(super) fn average_type(values: &DataType) -> Option<DataType> {
    let digits = Digits::of(values).filter(|_| values.is_decimal())?;
    Some(digits.of_result(Operator::Divide, Digits::of(&DataType::Int64)?)?.data_type())
}

/// Puts checked operators and casts in the place of the engine's, when both sides of each have one type.
#[derive(Debug)]
pub(super) struct CheckedNumbers;

impl AnalyzerRule for CheckedNumbers {
    fn name(&self) -> &str {
        "checked_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, &checked)
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_arithmetic(op) => {
            let data_type = left.get_type(schema)?;
            let is_number = data_type.is_integer() || data_type.is_floating();
            if is_number && right.get_type(schema)? == data_type {
                return Ok(Transformed::yes(spelling::operation(*left, op, *right)));
            }
            Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        // The least integer has no counterpart.
        Expr::Negative(value) if value.get_type(schema)?.is_integer() => {
            let zero = Expr::Literal(ScalarValue::new_zero(&value.get_type(schema)?)?, None);
            Ok(Transformed::yes(spelling::negation(zero, *value)))
        }
        Expr::Cast(found) => {
            let from = found.expr.get_type(schema)?;
            implicit(*found.expr, &from, found.field.data_type())
        }
        Expr::AggregateFunction(call) => of_rows(call, schema),
        Expr::WindowFunction(call) => of_window(call, schema),
        // The engine contradicts itself about whether these may be null, and stops where one is computed before it is grouped.
        Expr::IsTrue(value) => Ok(guard::is(*value, Operator::IsNotDistinctFrom, true)),
        Expr::IsFalse(value) => Ok(guard::is(*value, Operator::IsNotDistinctFrom, false)),
        Expr::IsNotTrue(value) => Ok(guard::is(*value, Operator::IsDistinctFrom, true)),
        Expr::IsNotFalse(value) => Ok(guard::is(*value, Operator::IsDistinctFrom, false)),
        Expr::IsUnknown(value) => Ok(Transformed::yes(Expr::IsNull(value))),
        Expr::IsNotUnknown(value) => Ok(Transformed::yes(Expr::IsNotNull(value))),
        Expr::ScalarFunction(call) => Ok(function::named(call)),
        other => Ok(Transformed::no(other)),
    }
}

/// A cast that the engine has made: one that loses digits is not what the author wrote.
fn implicit(value: Expr, from: &DataType, to: &DataType) -> Result<Transformed<Expr>> {
    if to.is_string() && from.is_floating() {
        return Ok(Transformed::yes(text::call(value, to)));
    }
    if to.is_string() && from.is_nested() {
        let text = spelling::operand(&value);
        return plan_err!("`{text}` is not a text: write `array_to_string(…, ',')`, or name a part of it");
    }
    if !NumberCast::is_for(from, to) {
        return Ok(Transformed::no(cast(value, to.clone())));
    }
    let loses = to.is_integer() || (from.is_floating() && to.is_decimal());
    if loses {
        let (from, to) = (type_name(from), type_name(to));
        let to = if to.starts_with("decimal") { "decimal".to_owned() } else { to };
        return plan_err!(
            "`{}` is {from}, where {to} is expected: cast it, `cast(… as {to})`",
            spelling::operand(&value)
        );
    }
    Ok(Transformed::yes(spelling::implicit_cast(value, to.clone())))
}

/// An aggregate that stops where PostgreSQL's does, and knows how it reads, because the optimizer gives its argument other names.
fn of_rows(mut call: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = types_of(&call.params.args, schema)?;
    let text = aggregate_text(call.func.name(), &call.params.args, call.params.distinct);
    if let Some(checked) = aggregate::of_rows(call.clone(), &types, text.clone()) {
        return Ok(Transformed::yes(checked));
    }
    if !call.func.inner().is::<CheckedSum>() {
        return Ok(Transformed::no(Expr::AggregateFunction(call)));
    }
    call.func = Arc::new(AggregateUDF::from(CheckedSum::named(text)));
    Ok(Transformed::yes(Expr::AggregateFunction(call)))
}

/// The same over a window.
fn of_window(mut call: Box<WindowFunction>, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = types_of(&call.params.args, schema)?;
    let text = aggregate_text(call.fun.name(), &call.params.args, call.params.distinct);
    if let Some(checked) = aggregate::of_window(call.clone(), &types, text.clone()) {
        return Ok(Transformed::yes(checked));
    }
    let is_sum =
        matches!(&call.fun, WindowFunctionDefinition::AggregateUDF(function) if function.inner().is::<CheckedSum>());
    if !is_sum {
        return Ok(Transformed::no(Expr::WindowFunction(call)));
    }
    call.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(AggregateUDF::from(CheckedSum::named(text))));
    Ok(Transformed::yes(Expr::WindowFunction(call)))
}

fn types_of(arguments: &[Expr], schema: &DFSchema) -> Result<Vec<DataType>> {
    arguments.iter().map(|argument| argument.get_type(schema)).collect()
}

fn aggregate_text(name: &str, arguments: &[Expr], distinct: bool) -> String {
    let arguments: Vec<String> = arguments.iter().map(spelling::argument).collect();
    format!("{name}({}{})", if distinct { "distinct " } else { "" }, arguments.join(", "))
}

fn is_arithmetic(op: Operator) -> bool {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
}
