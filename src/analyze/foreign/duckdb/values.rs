//! Functions for what depends on the type of a value: how it reads as a text, and how it is rounded.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err, plan_err};
use datafusion::functions::math;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::{Expr as SqlExpr, Value};

use super::super::{call, literal};
use crate::analyze::rewrite::type_name;

const TEXT: &str = "duckdb_text";
const OPERAND: &str = "duckdb_operand";
const ROUND: &str = "duckdb_round";
const INSTANT: &str = "duckdb_instant";
const CONTINUOUS: &str = "duckdb_continuous";
const LENGTH: &str = "duckdb_length";

/// A value as a text.
pub(super) fn text(value: &SqlExpr) -> SqlExpr {
    call(TEXT, [value.clone()])
}

/// A value that is joined to a text.
pub(super) fn operand(value: &SqlExpr) -> SqlExpr {
    match literal(value) {
        Some(Value::SingleQuotedString(_) | Value::Null) => value.clone(),
        _ => call(OPERAND, [value.clone()]),
    }
}

pub(super) fn round(value: &SqlExpr, digits: Option<&SqlExpr>) -> SqlExpr {
    match digits {
        Some(digits) => call(ROUND, [value.clone(), digits.clone()]),
        None => call(ROUND, [value.clone()]),
    }
}

/// A time to which a length is added: a date becomes a timestamp.
pub(super) fn instant(value: &SqlExpr) -> SqlExpr {
    call(INSTANT, [value.clone()])
}

/// A value between which and others there are more: a decimal is none, since DuckDB cuts the result to its digits.
pub(super) fn continuous(value: &SqlExpr) -> SqlExpr {
    call(CONTINUOUS, [value.clone()])
}

/// How many letters a text has, or elements an array.
pub(super) fn length(value: &SqlExpr) -> SqlExpr {
    call(LENGTH, [value.clone()])
}

/// The function that rounds a floating-point number to its nearest whole number, halves away from zero.
pub(in crate::analyze::foreign) fn rounding() -> Arc<ScalarUDF> {
    Kind::Round.function()
}

/// The functions by their names.
pub(in crate::analyze) fn functions() -> impl Iterator<Item = (String, Arc<ScalarUDF>)> {
    Kind::ALL.into_iter().map(|kind| (kind.name().to_owned(), kind.function()))
}

/// The call of one of these functions, now that the type of its argument is known: what PostgreSQL's functions do alike is left
/// to them.
pub(in crate::analyze) fn typed(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, mut args }) = expr else { return Ok(Transformed::no(expr)) };
    let Some(ValueFunction { kind, signature: _ }) = func.inner().downcast_ref::<ValueFunction>() else {
        return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })));
    };
    let Some(first) = args.first() else { return plan_err!("`{}` takes an argument", func.name()) };
    let data_type = first.get_type(schema)?;
    let settled = match kind {
        Kind::Round if data_type.is_floating() => {
            if let Some(value) = args.first_mut() {
                *value = datafusion::logical_expr::cast(value.clone(), DataType::Float64);
            }
            return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })));
        }
        Kind::Round => Expr::ScalarFunction(ScalarFunction { func: math::round(), args }),
        Kind::Text | Kind::Operand if data_type.is_floating() => {
            return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })));
        }
        Kind::Text => as_text(args.swap_remove(0), &data_type)?,
        Kind::Operand => as_text(args.swap_remove(0), &data_type)?,
        Kind::Instant => {
            let value = args.swap_remove(0);
            let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
            if data_type == DataType::Date32 { datafusion::logical_expr::cast(value, timestamp) } else { value }
        }
        Kind::Continuous if data_type.is_decimal() => {
            return plan_err!("quantiles of decimals are cut to their digits in DuckDB: write `cast(… as double)`");
        }
        Kind::Continuous => args.swap_remove(0),
        Kind::Length if is_list(&data_type) => Expr::ScalarFunction(ScalarFunction {
            func: datafusion::functions_nested::cardinality::cardinality_udf(),
            args,
        }),
        Kind::Length => {
            Expr::ScalarFunction(ScalarFunction { func: datafusion::functions::unicode::character_length(), args })
        }
    };
    Ok(Transformed::yes(settled))
}

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

fn as_text(value: Expr, data_type: &DataType) -> Result<Expr> {
    Ok(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => value,
        DataType::Struct(_) | DataType::Map(..) | DataType::Binary | DataType::BinaryView | DataType::LargeBinary => {
            return not_a_text(data_type);
        }
        DataType::Interval(_) | DataType::Duration(_) => return not_a_text(data_type),
        list if is_list(list) => return not_a_text(list),
        _ => datafusion::logical_expr::cast(value, DataType::Utf8View),
    })
}

fn not_a_text(data_type: &DataType) -> Result<Expr> {
    let shown = type_name(data_type);
    plan_err!(
        "a text, or `||`, of {shown} is not supported in the dialect `duckdb`: write `list_concat(…)`, `array_to_string(…)`, or its parts as texts"
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Text,
    Operand,
    Round,
    Instant,
    Continuous,
    Length,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::Text, Kind::Operand, Kind::Round, Kind::Instant, Kind::Continuous, Kind::Length];

    fn name(self) -> &'static str {
        match self {
            Kind::Text => TEXT,
            Kind::Operand => OPERAND,
            Kind::Round => ROUND,
            Kind::Instant => INSTANT,
            Kind::Continuous => CONTINUOUS,
            Kind::Length => LENGTH,
        }
    }

    fn function(self) -> Arc<ScalarUDF> {
        let signature = match self {
            Kind::Text | Kind::Operand | Kind::Instant | Kind::Continuous | Kind::Length => {
                Signature::any(1, Volatility::Immutable)
            }
            Kind::Round => Signature::one_of(
                vec![datafusion::logical_expr::TypeSignature::Any(1), datafusion::logical_expr::TypeSignature::Any(2)],
                Volatility::Immutable,
            ),
        };
        Arc::new(ScalarUDF::from(ValueFunction { kind: self, signature }))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ValueFunction {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for ValueFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // Before it is settled it has the type of its argument, where it may be left out.
        Ok(match (self.kind, types.first()) {
            (Kind::Round, Some(data_type)) if !data_type.is_floating() => data_type.clone(),
            (Kind::Round, _) => DataType::Float64,
            (Kind::Text | Kind::Operand, _) => DataType::Utf8View,
            (Kind::Instant, Some(DataType::Date32)) => DataType::Timestamp(TimeUnit::Microsecond, None),
            (Kind::Instant | Kind::Continuous, Some(other)) => other.clone(),
            (Kind::Length, _) => DataType::Int64,
            (Kind::Instant | Kind::Continuous, None) => DataType::Null,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(values) = columns.first() else { return plan_err!("`{}` takes an argument", self.name()) };
        let made = match self.kind {
            Kind::Text | Kind::Operand => texts(values)?,
            Kind::Round => rounded(values, columns.get(1))?,
            // Settled when the plan was typed.
            Kind::Instant | Kind::Continuous | Kind::Length => {
                return internal_err!("`{}` was not settled", self.name());
            }
        };
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(made),
        })
    }
}

fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    let mut made = StringViewBuilder::with_capacity(values.len());
    let mut shown = String::new();
    let is_single = values.data_type() == &DataType::Float32;
    let singles = cast(values, &DataType::Float32)?;
    let doubles = cast(values, &DataType::Float64)?;
    let (singles, doubles) =
        (singles.as_primitive::<arrow::datatypes::Float32Type>(), doubles.as_primitive::<Float64Type>());
    for place in 0..values.len() {
        if values.is_null(place) {
            made.append_null();
            continue;
        }
        shown.clear();
        // The shortest digits of the type itself.
        let scientific = match is_single {
            true => format!("{:e}", singles.value(place)),
            false => format!("{:e}", doubles.value(place)),
        };
        show(&scientific, &mut shown);
        made.append_value(&shown);
    }
    Ok(Arc::new(made.finish()))
}

/// A floating-point number as DuckDB shows it: with a point, and with an exponent from 1e16 and below 1e-4 on.
fn show(scientific: &str, shown: &mut String) {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        shown.push_str(&scientific.to_lowercase());
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    shown.push_str(sign);
    let plain: String = digits.chars().filter(char::is_ascii_digit).collect();
    if !(-4..16).contains(&exponent) {
        shown.push_str(digits);
        let direction = if exponent < 0 { '-' } else { '+' };
        let _written = write!(shown, "e{direction}{:02}", exponent.abs());
        return;
    }
    if exponent < 0 {
        shown.push_str("0.");
        shown.extend(std::iter::repeat_n('0', usize::try_from(-exponent - 1).unwrap_or_default()));
        shown.push_str(&plain);
        return;
    }
    let whole = usize::try_from(exponent).unwrap_or_default() + 1;
    let mut digits = plain.chars();
    for _ in 0..whole {
        shown.push(digits.next().unwrap_or('0'));
    }
    shown.push('.');
    let rest: String = digits.collect();
    shown.push_str(if rest.is_empty() { "0" } else { &rest });
}

/// The exact value is rounded, and halves away from zero.
fn rounded(values: &ArrayRef, digits: Option<&ArrayRef>) -> Result<ArrayRef> {
    let values = cast(values, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let digits = digits.map(|digits| cast(digits, &DataType::Int64)).transpose()?;
    let digits = digits.as_ref().map(|digits| digits.as_primitive::<Int64Type>());
    let made = values.iter().enumerate().map(|(place, value)| {
        let Some(digits) = digits else { return Some(value?.round()) };
        if digits.is_null(place) {
            return None;
        }
        Some(round_to(value?, digits.value(place)))
    });
    Ok(Arc::new(made.collect::<Float64Array>()))
}

/// Powers of ten up to this one are exact.
const MOST_DIGITS: i64 = 22;

/// From here on a number has no digit behind the point.
const WHOLE: f64 = 4_503_599_627_370_496.0;

fn round_to(value: f64, digits: i64) -> f64 {
    let power = 10_f64.powi(i32::try_from(digits.abs().min(MOST_DIGITS)).unwrap_or_default());
    let size = value.abs();
    // What the multiplication or division has lost, to tell a half from what is next to it.
    let scaled = if digits < 0 { size / power } else { size * power };
    if !scaled.is_finite() || scaled >= WHOLE {
        return value;
    }
    let lost = if digits < 0 { scaled.mul_add(-power, size) } else { size.mul_add(power, -scaled) };
    let below = scaled.trunc();
    let part = scaled - below;
    let is_up = part > 0.5 || (part == 0.5 && lost >= 0.0);
    let whole = if is_up { below + 1.0 } else { below };
    let made = if digits < 0 { whole * power } else { whole / power };
    made.copysign(value)
}

#[cfg(test)]
mod tests {
    use super::{round_to, show};

    #[test]
    fn the_exact_number_is_rounded() {
        let cases = [
            (2.675, 2, 2.67),
            (0.125, 2, 0.13),
            (-0.125, 2, -0.13),
            (1.005, 2, 1.0),
            (1234.5, -2, 1200.0),
            (1250.0, -2, 1300.0),
            (1e300, 2, 1e300),
        ];
        for (number, digits, expected) in cases {
            assert_eq!(round_to(number, digits).to_bits(), f64::to_bits(expected), "{number} to {digits}");
        }
    }

    #[test]
    fn numbers_read_as_in_duckdb() {
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (123_456_789.125, "123456789.125"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ];
        for (number, expected) in cases {
            let mut shown = String::new();
            show(&format!("{number:e}"), &mut shown);
            assert_eq!(shown, expected);
        }
    }
}
