//! Casts between numbers that lose digits, by PostgreSQL's rules: it rounds, and never cuts off.
//!
//! A decimal is rounded half away from zero, a floating-point number half to even. A floating-point number becomes a
//! decimal by way of its first fifteen digits. What does not fit is an error.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, GenericListArray, Int64Array,
    OffsetSizeTrait,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::decimal::{Digits, rescaled};
use super::fault::overflow_of;
use crate::analyze::rewrite::type_name;

/// `cast(value as to)`, or `try_cast`, that knows how the author's expression reads.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct NumberCast {
    name: String,
    pub to: DataType,
    pub is_try: bool,
    pub text: String,
    signature: Signature,
}

impl NumberCast {
    /// Whether a cast may lose digits, so that it is one of these.
    pub fn is_for(from: &DataType, to: &DataType) -> bool {
        if let (Some(from), Some(to)) = (item(from), item(to)) {
            return NumberCast::is_for(from, to);
        }
        let is_fraction = from.is_floating() || from.is_decimal();
        match to {
            other if other.is_integer() => is_fraction,
            DataType::Decimal128(..) if from.is_decimal() => {
                let digits = Digits::of(from).zip(Digits::of(to));
                // Digits are lost behind the point, or do not fit before it.
                digits.is_some_and(|(from, to)| to.scale < from.scale || before_point(to) < before_point(from))
            }
            DataType::Decimal128(..) => from.is_floating(),
            DataType::Float64 => from.is_decimal(),
            DataType::Float32 => from.is_decimal() || *from == DataType::Float64,
            _ => false,
        }
    }

    /// A cast that reads as `text`. A literal becomes a floating-point number at once.
    pub fn call(value: Expr, to: DataType, is_try: bool, text: String) -> Expr {
        if let (Expr::Literal(literal, _), DataType::Float64) = (&value, &to)
            && let Some(number) = double_of(literal)
        {
            return Expr::Literal(ScalarValue::Float64(Some(number)), None);
        }
        let data_type = type_name(&to);
        let words = data_type.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        let name = format!("{}to_{}", if is_try { "try_" } else { "" }, words.collect::<Vec<_>>().join("_"));
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::from(NumberCast { name, to, is_try, text, signature }).call(vec![value])
    }

    /// How a cast reads; `None` if the function is another.
    pub fn text_of(function: &ScalarFunction) -> Option<String> {
        function.func.inner().downcast_ref::<NumberCast>().map(|cast| cast.text.clone())
    }

    fn convert(&self, values: &dyn Array, to: &DataType) -> Result<ArrayRef> {
        match (values.data_type(), to) {
            (DataType::List(_), DataType::List(field)) => self.items(values.as_list::<i32>(), field),
            (DataType::LargeList(_), DataType::LargeList(field)) => self.items(values.as_list::<i64>(), field),
            (from, DataType::Decimal128(precision, scale)) => {
                let digits = Digits { precision: *precision, scale: *scale };
                let found = self.each(values, to, |row| match numbers(values)? {
                    Numbers::Decimals(decimals, of) => Ok(rescaled(decimals.value(row), of, *scale)),
                    Numbers::Doubles(doubles) => Ok(fifteen_digits(doubles.value(row), from, *scale)),
                })?;
                let found = found.into_iter().map(|value| match value {
                    Some(value) if !digits.holds(value) => self.lost(to),
                    other => Ok(other),
                });
                let found = found.collect::<Result<Decimal128Array>>()?;
                Ok(Arc::new(found.with_precision_and_scale(*precision, *scale)?))
            }
            (_, DataType::Float64) => Ok(Arc::new(self.doubles(values)?)),
            (_, DataType::Float32) => {
                let doubles = self.doubles(values)?;
                let narrowed = doubles.iter().map(|value| match value {
                    Some(value) => narrowed(value).map_or_else(|| self.lost(to), |value| Ok(Some(value))),
                    None => Ok(None),
                });
                Ok(Arc::new(narrowed.collect::<Result<Float32Array>>()?))
            }
            (_, to) => {
                let whole = self.each(values, to, |row| match numbers(values)? {
                    Numbers::Decimals(decimals, of) => {
                        Ok(rescaled(decimals.value(row), of, 0).and_then(|value| i64::try_from(value).ok()))
                    }
                    Numbers::Doubles(doubles) => Ok(whole(doubles.value(row))),
                })?;
                let options = CastOptions { safe: self.is_try, ..CastOptions::default() };
                let whole = Int64Array::from(whole);
                cast_with_options(&whole, to, &options).map_err(|_| overflow_of(&self.text, to))
            }
        }
    }

    fn items<O: OffsetSizeTrait>(&self, lists: &GenericListArray<O>, field: &Arc<Field>) -> Result<ArrayRef> {
        let items = self.convert(lists.values(), field.data_type())?;
        let offsets = lists.offsets().clone();
        Ok(Arc::new(GenericListArray::try_new(Arc::clone(field), offsets, items, lists.nulls().cloned())?))
    }

    /// The number of every row that has one; one that does not fit is null in a `try_cast`, and otherwise an error.
    fn each<N>(
        &self,
        values: &dyn Array,
        to: &DataType,
        number: impl Fn(usize) -> Result<Option<N>>,
    ) -> Result<Vec<Option<N>>> {
        let mut found = Vec::with_capacity(values.len());
        for row in 0..values.len() {
            found.push(match values.is_null(row) {
                true => None,
                false => number(row)?.map_or_else(|| self.lost(to), |number| Ok(Some(number)))?,
            });
        }
        Ok(found)
    }

    fn lost<N>(&self, to: &DataType) -> Result<Option<N>> {
        if self.is_try { Ok(None) } else { Err(overflow_of(&self.text, to)) }
    }

    fn doubles(&self, values: &dyn Array) -> Result<Float64Array> {
        match numbers(values)? {
            Numbers::Decimals(decimals, scale) => {
                Ok(decimals.iter().map(|value| value.map(|value| double(value, scale))).collect())
            }
            Numbers::Doubles(doubles) => Ok(doubles),
        }
    }
}

impl ScalarUDFImpl for NumberCast {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(values)] => Ok(ColumnarValue::Array(self.convert(values, &self.to)?)),
            [ColumnarValue::Scalar(value)] => {
                let converted = self.convert(&value.to_array()?, &self.to)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&converted, 0)?))
            }
            _ => exec_err!("a cast takes one value"),
        }
    }
}

/// How many digits there are before the point.
fn before_point(digits: Digits) -> i16 {
    i16::from(digits.precision) - i16::from(digits.scale)
}

/// Numbers that may have fractions.
enum Numbers {
    Decimals(Decimal128Array, i8),
    Doubles(Float64Array),
}

fn numbers(values: &dyn Array) -> Result<Numbers> {
    match values.data_type() {
        DataType::Decimal128(_, scale) => {
            Ok(Numbers::Decimals(values.as_primitive::<Decimal128Type>().clone(), *scale))
        }
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            let wide = cast(values, &DataType::Decimal128(38, *scale))?;
            Ok(Numbers::Decimals(wide.as_primitive::<Decimal128Type>().clone(), *scale))
        }
        other if other.is_floating() => {
            let wide = cast(values, &DataType::Float64)?;
            Ok(Numbers::Doubles(wide.as_primitive::<Float64Type>().clone()))
        }
        other => exec_err!("{other} is not a number with a fraction"),
    }
}

/// What the elements of a list are; `None` for everything else.
fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) => Some(field.data_type()),
        _ => None,
    }
}

/// The nearest whole number, of two the even one; `None` if there is none of 64 bits.
fn whole(value: f64) -> Option<i64> {
    // 2^63 is a floating-point number, and the first that does not fit.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let rounded = value.round_ties_even();
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within the range")]
    let number = rounded as i64;
    (-END..END).contains(&rounded).then_some(number)
}

/// The number with as many digits as its type is sure of, as a decimal of this scale.
fn fifteen_digits(value: f64, from: &DataType, scale: i8) -> Option<i128> {
    // PostgreSQL prints `%.15g` (`%.6g` of a `real`) and reads that: one digit before the point, the others behind it.
    let sure = if *from == DataType::Float64 { 14 } else { 5 };
    let text = format!("{value:.sure$e}");
    let (digits, exponent) = text.split_once('e')?;
    let digits: i128 = digits.replace('.', "").parse().ok()?;
    let last: i32 = exponent.parse::<i32>().ok()? - i32::try_from(sure).ok()?;
    let to = i32::from(scale);
    // Digits far behind the scale are nothing; far before it they do not fit.
    match i8::try_from(-last) {
        Ok(from) => rescaled(digits, from, i8::try_from(to).ok()?),
        Err(_) if last < 0 || digits == 0 => Some(0),
        Err(_) => None,
    }
}

/// The floating-point number that is nearest to a decimal.
fn double(value: i128, scale: i8) -> f64 {
    // Both are exact up to here, so that one division rounds once.
    const EXACT: u128 = 1 << 53;
    if value.unsigned_abs() <= EXACT && (0..=22).contains(&scale) {
        #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
        let whole = value as f64;
        return whole / 10_f64.powi(i32::from(scale));
    }
    // Beyond that the parser of the standard library is what rounds once.
    format!("{value}e{}", -i16::from(scale)).parse().unwrap_or(f64::NAN)
}

fn double_of(literal: &ScalarValue) -> Option<f64> {
    match literal {
        ScalarValue::Decimal128(Some(value), _, scale) => Some(double(*value, *scale)),
        _ => None,
    }
}

/// The number in 32 bits; `None` if it leaves their range.
fn narrowed(value: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "looked at below")]
    let narrow = value as f32;
    let is_lost = (narrow.is_infinite() && !value.is_infinite()) || (narrow == 0.0 && value != 0.0);
    (!is_lost).then_some(narrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floating_point_number_is_rounded_to_the_even_neighbour() {
        let rounded = [2.5, 3.5, -2.5, 2.7, -2.7, 0.4].map(whole);
        assert_eq!(rounded, [2, 4, -2, 3, -3, 0].map(Some));
        assert_eq!([f64::NAN, f64::INFINITY, 9.3e18, -9.3e18].map(whole), [None; 4]);
        assert_eq!(whole(-9_223_372_036_854_775_808.0), Some(i64::MIN));
    }

    #[test]
    fn a_floating_point_number_becomes_a_decimal_by_its_first_fifteen_digits() {
        let decimal = |value: f64, scale: i8| fifteen_digits(value, &DataType::Float64, scale);
        assert_eq!(decimal(2.675, 2), Some(268));
        assert_eq!(decimal(0.1 + 0.2, 20), Some(30_000_000_000_000_000_000));
        assert_eq!(decimal(1e300, 2), None);
        assert_eq!(decimal(1e-300, 2), Some(0));
        assert_eq!(decimal(0.0, 38), Some(0));
        assert_eq!(decimal(f64::NAN, 2), None);
        assert_eq!(fifteen_digits(f64::from(0.1_f32), &DataType::Float32, 10), Some(1_000_000_000));
    }

    #[test]
    fn a_decimal_becomes_the_nearest_floating_point_number() {
        assert_eq!(double(1, 1), 0.1);
        assert_eq!(double(30_000_000_000_000_004, 17), 0.300_000_000_000_000_04);
        assert_eq!(double(12_345_678_901_234_567_890_123, 22), 1.234_567_890_123_456_8);
    }

    #[test]
    fn what_leaves_the_range_of_real_is_lost() {
        assert_eq!([1e39, 1e-50].map(narrowed), [None; 2]);
        assert_eq!([0.5, 0.0, f64::INFINITY].map(narrowed), [Some(0.5), Some(0.0), Some(f32::INFINITY)]);
    }
}
