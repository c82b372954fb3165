//! `round`, `trunc`, `ceil` and `floor` of decimals: exact, and with one more digit before the point where 9.9 becomes 10.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::decimal::{Digits, MAX_DIGITS, rescaled};
use super::fault::overflow_of;
use super::spelling::argument;

/// Which of the numbers with fewer digits is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The nearest, half away from zero.
    Nearest,
    TowardsZero,
    Up,
    Down,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DecimalPlaces {
    direction: Direction,
    name: String,
    pub from: Digits,
    pub to: Digits,
    /// How the author's expression reads.
    pub text: String,
    signature: Signature,
}

/// The call with karat's function, if it is one of these over a decimal; `None` if not.
pub(super) fn call(call: &ScalarFunction, data_type: &DataType) -> Option<Expr> {
    let name = call.func.name();
    let direction = Direction::of(name)?;
    let from = Digits::of(data_type).filter(|_| data_type.is_decimal())?;
    let places = match call.args.get(1) {
        None => Some(0),
        Some(Expr::Literal(ScalarValue::Int64(places), _)) => *places,
        Some(_) => None,
    };
    // Where the places differ from row to row, so would the scale: it stays as it is.
    let scale = places.map_or(from.scale, |places| i8::try_from(places.clamp(0, i64::from(from.scale))).unwrap_or(0));
    let more = u8::from(direction != Direction::TowardsZero);
    let before = from.precision.saturating_sub(from.scale.unsigned_abs()) + more;
    let to = Digits { precision: (before + scale.unsigned_abs()).clamp(1, MAX_DIGITS), scale };
    let arguments: Vec<String> = call.args.iter().map(argument).collect();
    let text = format!("{name}({})", arguments.join(", "));
    let function = DecimalPlaces::new(name, direction, from, to, text);
    let value = call.args.first()?.clone();
    let places = call.args.get(1).cloned().unwrap_or_else(|| lit(0_i64));
    Some(ScalarUDF::from(function).call(vec![value, places]))
}

impl Direction {
    /// That of one of these functions; `None` if it is another.
    pub fn of(function: &str) -> Option<Direction> {
        match function {
            "round" => Some(Direction::Nearest),
            "trunc" => Some(Direction::TowardsZero),
            "ceil" => Some(Direction::Up),
            "floor" => Some(Direction::Down),
            _ => None,
        }
    }
}

impl DecimalPlaces {
    pub fn new(function: &str, direction: Direction, from: Digits, to: Digits, text: String) -> DecimalPlaces {
        let signature = Signature::any(2, Volatility::Immutable);
        DecimalPlaces { direction, name: format!("{function}_decimal"), from, to, text, signature }
    }

    /// The number, counted in the last digit of the result; `None` if it does not fit.
    fn rounded(&self, value: i128, places: i64) -> Option<i128> {
        let Ok(dropped) = u32::try_from(i64::from(self.from.scale).saturating_sub(places)) else {
            return rescaled(value, self.from.scale, self.to.scale);
        };
        // Beyond all digits there is nothing but zero.
        let Some(unit) = 10_i128.checked_pow(dropped) else { return Some(0) };
        let whole = match self.direction {
            Direction::Nearest => rescaled(value, i8::try_from(dropped).ok()?, 0)?,
            Direction::TowardsZero => value / unit,
            Direction::Up => -((-value).div_euclid(unit)),
            Direction::Down => value.div_euclid(unit),
        };
        rescaled(whole.checked_mul(unit)?, self.from.scale, self.to.scale)
    }

    fn compute(&self, values: &Decimal128Array, places: &Int64Array) -> Result<ArrayRef> {
        let pairs = values.iter().zip(places.iter());
        let rounded = pairs.map(|pair| {
            let (Some(value), Some(places)) = pair else { return Ok(None) };
            let rounded = self.rounded(value, places).filter(|value| self.to.holds(*value));
            rounded.map(Some).ok_or_else(|| overflow_of(&self.text, &self.to.data_type()))
        });
        let rounded = rounded.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(rounded.with_precision_and_scale(self.to.precision, self.to.scale)?))
    }
}

impl ScalarUDFImpl for DecimalPlaces {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [values, places] = arrays.as_slice() else {
            return exec_err!("`{}` takes a number and a number of decimal places", self.name);
        };
        let places = cast(places, &DataType::Int64)?;
        // A decimal of fewer bits has the same digits.
        let values = cast(values, &self.from.data_type())?;
        let found = self.compute(values.as_primitive::<Decimal128Type>(), places.as_primitive::<Int64Type>())?;
        match is_constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)),
            false => Ok(ColumnarValue::Array(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(direction: Direction, value: i128, places: i64) -> Option<i128> {
        let from = Digits { precision: 6, scale: 2 };
        let scale = i8::try_from(places.clamp(0, 2)).unwrap();
        let to = Digits { precision: 7, scale };
        let signature = Signature::any(2, Volatility::Immutable);
        let function = DecimalPlaces { direction, name: String::new(), from, to, text: String::new(), signature };
        function.rounded(value, places)
    }

    #[test]
    fn decimals_are_rounded_at_any_place() {
        assert_eq!(rounded(Direction::Nearest, 999, 1), Some(100));
        assert_eq!(rounded(Direction::Nearest, -125, 1), Some(-13));
        assert_eq!(rounded(Direction::Nearest, 15_000, -2), Some(200));
        assert_eq!(rounded(Direction::Nearest, 999_900, -60), Some(0));
        assert_eq!(rounded(Direction::TowardsZero, -199, 1), Some(-19));
        assert_eq!(rounded(Direction::Up, -199, 0), Some(-1));
        assert_eq!(rounded(Direction::Up, 101, 0), Some(2));
        assert_eq!(rounded(Direction::Down, -101, 0), Some(-2));
        assert_eq!(rounded(Direction::Nearest, 123, 5), Some(123));
    }
}
