//! `round` and `trunc` of floating-point numbers.
//!
//! PostgreSQL rounds one to a whole number, half to even, and knows no places behind the point for it. To those places
//! it is rounded by way of its first fifteen digits, as `round(cast(… as numeric), places)` would do.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::decimal::{Digits, rescaled};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RoundToPlaces {
    /// Whether digits are cut off, and not rounded.
    pub truncates: bool,
    signature: Signature,
}

/// The type in which an integer is rounded: a decimal where places are given, and double precision otherwise.
pub(super) fn type_of_integer(call: &ScalarFunction, data_type: &DataType) -> Option<DataType> {
    let is_rounded = ["ceil", "floor", "round", "trunc"].contains(&call.func.name()) && data_type.is_integer();
    let digits = Digits::of(data_type).filter(|_| is_rounded)?;
    Some(if call.args.len() > 1 { digits.data_type() } else { DataType::Float64 })
}

/// The call with karat's function, if it is one of these over a value of this type.
pub(super) fn of_doubles(mut call: ScalarFunction, data_type: &DataType) -> Result<Expr, ScalarFunction> {
    let name = call.func.name();
    if !data_type.is_floating() || !["round", "trunc"].contains(&name) {
        return Err(call);
    }
    let function =
        RoundToPlaces { truncates: name == "trunc", signature: Signature::variadic_any(Volatility::Immutable) };
    call.func = Arc::new(ScalarUDF::from(function));
    Ok(Expr::ScalarFunction(call))
}

impl ScalarUDFImpl for RoundToPlaces {
    fn name(&self) -> &str {
        if self.truncates { "trunc_double" } else { "round_double" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let found = match arrays.as_slice() {
            [values] => self.whole(values)?,
            [values, places] => self.to_places(values, places)?,
            _ => return exec_err!("`{}` takes a number and a number of decimal places", self.name()),
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

impl RoundToPlaces {
    fn whole(&self, values: &ArrayRef) -> Result<Float64Array> {
        let values = cast(values, &DataType::Float64)?;
        let whole = if self.truncates { f64::trunc } else { f64::round_ties_even };
        Ok(values.as_primitive::<Float64Type>().iter().map(|value| value.map(whole)).collect())
    }

    fn to_places(&self, values: &ArrayRef, places: &ArrayRef) -> Result<Float64Array> {
        let values = cast(values, &DataType::Float64)?;
        let places = cast(places, &DataType::Int64)?;
        let pairs = values.as_primitive::<Float64Type>().iter().zip(places.as_primitive::<Int64Type>());
        let found = pairs.map(|(value, places)| Some(to_places(value?, places?, self.truncates)));
        Ok(found.collect())
    }
}

fn to_places(value: f64, places: i64, truncates: bool) -> f64 {
    /// Digits that a floating-point number is sure of.
    const SURE: i64 = 15;
    let text = format!("{value:.14e}");
    let parts = text.split_once('e').and_then(|(digits, exponent)| {
        let digits: i128 = digits.replace('.', "").parse().ok()?;
        Some((digits, exponent.parse::<i64>().ok()? - (SURE - 1)))
    });
    // Infinite and undefined numbers have no digits.
    let Some((digits, last)) = parts else { return value };
    let dropped = -last - places;
    let kept = match i8::try_from(dropped) {
        _ if dropped <= 0 => return value,
        Ok(dropped) if truncates => {
            10_i128.checked_pow(u32::from(dropped.unsigned_abs())).map_or(0, |unit| digits / unit)
        }
        Ok(dropped) => rescaled(digits, dropped, 0).unwrap_or(0),
        Err(_) => 0,
    };
    format!("{kept}e{}", -places).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_by_the_digits_that_are_seen() {
        assert_eq!(to_places(2.675, 2, false), 2.68);
        assert_eq!(to_places(-2.675, 2, false), -2.68);
        assert_eq!(to_places(1.005, 2, false), 1.01);
        assert_eq!(to_places(0.29, 2, true), 0.29);
        assert_eq!(to_places(-1.999, 2, true), -1.99);
        assert_eq!(to_places(1_234.5, -2, false), 1_200.0);
        assert_eq!(to_places(1e300, 2, false), 1e300);
        assert_eq!(to_places(1e-300, 2, false), 0.0);
        assert_eq!(to_places(0.1 + 0.2, 20, false), 0.1 + 0.2);
        assert!(to_places(f64::NAN, 2, false).is_nan());
    }
}
