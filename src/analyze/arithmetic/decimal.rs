//! Decimals with PostgreSQL's arithmetic, as far as 38 digits reach: sums and products are exact or an error, and
//! quotients are rounded behind at least sixteen digits.

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::Operator;

use super::fault::{division_by_zero, overflow_of};

/// As many digits as a decimal has at most.
pub(super) const MAX_DIGITS: u8 = 38;

/// A quotient has so many digits behind the point, or more where there is room. PostgreSQL's has at least so many
/// digits in all, which depends on the values and so is no type of a column.
pub(super) const QUOTIENT_SCALE: i8 = 16;
const WIDE_QUOTIENT_SCALE: i8 = 20;

/// Precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digits {
    pub precision: u8,
    pub scale: i8,
}

impl Digits {
    /// The digits of a decimal, or those that an integer may have.
    pub fn of(data_type: &DataType) -> Option<Digits> {
        let (precision, scale) = match data_type {
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => (*precision, *scale),
            DataType::Int8 | DataType::UInt8 => (3, 0),
            DataType::Int16 | DataType::UInt16 => (5, 0),
            DataType::Int32 | DataType::UInt32 => (10, 0),
            DataType::Int64 => (19, 0),
            DataType::UInt64 => (20, 0),
            _ => return None,
        };
        Some(Digits { precision, scale })
    }

    pub fn data_type(self) -> DataType {
        DataType::Decimal128(self.precision, self.scale)
    }

    fn before_the_point(self) -> i16 {
        i16::from(self.precision) - i16::from(self.scale)
    }

    fn with(before_the_point: i16, scale: i8) -> Digits {
        let precision = (before_the_point + i16::from(scale)).clamp(1, i16::from(MAX_DIGITS));
        Digits { precision: u8::try_from(precision).unwrap_or(MAX_DIGITS), scale }
    }

    /// The digits of a result; `None` for an operator that is not one of decimals.
    pub fn of_result(self, operator: Operator, other: Digits) -> Option<Digits> {
        let scale = self.scale.max(other.scale);
        let before = self.before_the_point().max(other.before_the_point());
        Some(match operator {
            Operator::Plus | Operator::Minus => Digits::with(before + 1, scale),
            Operator::Modulo => Digits::with(before, scale),
            Operator::Multiply => {
                let before = self.before_the_point() + other.before_the_point();
                let exact = i16::from(self.scale) + i16::from(other.scale);
                let fits = before + exact <= i16::from(MAX_DIGITS);
                // Where the exact product may need more digits than there are, those far behind the point give way.
                let kept = if fits { exact } else { exact.min(i16::from(scale.max(WIDE_QUOTIENT_SCALE))) };
                Digits::with(before, i8::try_from(kept).unwrap_or(WIDE_QUOTIENT_SCALE))
            }
            Operator::Divide => {
                let before = self.before_the_point() + i16::from(other.scale);
                let is_wide = before + i16::from(WIDE_QUOTIENT_SCALE) <= i16::from(MAX_DIGITS);
                let least = if is_wide { WIDE_QUOTIENT_SCALE } else { QUOTIENT_SCALE };
                Digits::with(before, scale.max(least))
            }
            _ => return None,
        })
    }

    /// Whether a number, counted in its last digit, has no more digits than these.
    pub fn holds(self, value: i128) -> bool {
        10_u128.checked_pow(u32::from(self.precision)).is_none_or(|end| value.unsigned_abs() < end)
    }
}

/// `left operator right`; `text` is how the author's expression reads.
pub(super) fn compute(operator: Operator, left: &dyn Datum, right: &dyn Datum, text: &str) -> Result<ArrayRef> {
    let (left, left_is_scalar) = left.get();
    let (right, right_is_scalar) = right.get();
    let digits = Digits::of(left.data_type()).zip(Digits::of(right.data_type()));
    let Some((of_left, of_right)) = digits else { return exec_err!("an operator of decimals has other sides") };
    let Some(of_result) = of_left.of_result(operator, of_right) else {
        return exec_err!("`{operator}` is not computed for decimals");
    };
    let left = left.as_primitive::<Decimal128Type>();
    let right = right.as_primitive::<Decimal128Type>();
    let rows = if left_is_scalar { right.len() } else { left.len() };
    let one = |row: usize| {
        // A scalar is an array of one row.
        let at_left = if left_is_scalar { 0 } else { row };
        let at_right = if right_is_scalar { 0 } else { row };
        if left.is_null(at_left) || right.is_null(at_right) {
            return Ok(None);
        }
        let sides = Sides { left: left.value(at_left), of_left, right: right.value(at_right), of_right };
        if sides.right == 0 && matches!(operator, Operator::Divide | Operator::Modulo) {
            return Err(division_by_zero(text));
        }
        let value = sides.result(operator, of_result.scale).filter(|value| of_result.holds(*value));
        value.map(Some).ok_or_else(|| overflow_of(text, &of_result.data_type()))
    };
    let values = (0..rows).map(one).collect::<Result<Decimal128Array>>()?;
    Ok(std::sync::Arc::new(values.with_precision_and_scale(of_result.precision, of_result.scale)?))
}

/// Two numbers, each counted in its last digit.
struct Sides {
    left: i128,
    of_left: Digits,
    right: i128,
    of_right: Digits,
}

impl Sides {
    /// The result at this scale; `None` if it does not fit.
    fn result(&self, operator: Operator, scale: i8) -> Option<i128> {
        match operator {
            Operator::Plus => self.left_at(scale)?.checked_add(self.right_at(scale)?),
            Operator::Minus => self.left_at(scale)?.checked_sub(self.right_at(scale)?),
            Operator::Modulo => self.remainder(scale),
            Operator::Multiply => {
                let surplus = self.of_left.scale + self.of_right.scale - scale;
                match self.left.checked_mul(self.right) {
                    Some(product) if surplus == 0 => Some(product),
                    _ => {
                        let product = i256::from_i128(self.left).checked_mul(i256::from_i128(self.right))?;
                        divided(product, power_of_ten(surplus)?)
                    }
                }
            }
            _ => {
                let factor = power_of_ten(scale + self.of_right.scale - self.of_left.scale)?;
                let quotient = factor.to_i128().and_then(|factor| self.left.checked_mul(factor));
                match quotient {
                    Some(dividend) => half_away(dividend, self.right),
                    None => divided(i256::from_i128(self.left).checked_mul(factor)?, i256::from_i128(self.right)),
                }
            }
        }
    }

    /// Has the sign of the dividend.
    fn remainder(&self, scale: i8) -> Option<i128> {
        let left = i256::from_i128(self.left).checked_mul(power_of_ten(scale - self.of_left.scale)?)?;
        let right = i256::from_i128(self.right).checked_mul(power_of_ten(scale - self.of_right.scale)?)?;
        left.checked_rem(right)?.to_i128()
    }

    fn left_at(&self, scale: i8) -> Option<i128> {
        rescaled(self.left, self.of_left.scale, scale)
    }

    fn right_at(&self, scale: i8) -> Option<i128> {
        rescaled(self.right, self.of_right.scale, scale)
    }
}

fn power_of_ten(exponent: i8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(exponent).ok()?)
}

/// A number at another scale, rounded half away from zero; `None` if it does not fit.
pub(super) fn rescaled(value: i128, from: i8, to: i8) -> Option<i128> {
    let power = 10_i128.checked_pow(u32::from(from.abs_diff(to)));
    match (from <= to, power) {
        (true, Some(power)) => value.checked_mul(power),
        (true, None) => (value == 0).then_some(0),
        (false, Some(power)) => half_away(value, power),
        // Fewer than half of the unit that is left.
        (false, None) => Some(0),
    }
}

/// A sum divided by a count, with so many more digits behind the point, rounded half away from zero; `None` if it has more digits
/// in all than `precision`.
pub(in crate::analyze) fn quotient(sum: i128, count: i128, more_digits: i8, precision: u8) -> Option<i128> {
    let scaled = i256::from_i128(sum).checked_mul(power_of_ten(more_digits)?)?;
    let digits = Digits { precision, scale: 0 };
    divided(scaled, i256::from_i128(count)).filter(|value| digits.holds(*value))
}

/// The quotient, rounded half away from zero.
fn half_away(dividend: i128, divisor: i128) -> Option<i128> {
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?.unsigned_abs();
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    let rounds = rest >= divisor.unsigned_abs() - rest;
    if rounds { quotient.checked_add(away) } else { Some(quotient) }
}

/// As `half_away`, of numbers with twice as many digits.
fn divided(dividend: i256, divisor: i256) -> Option<i128> {
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?.checked_abs()?;
    let away = if (dividend < i256::ZERO) == (divisor < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    let rounds = rest >= divisor.checked_abs()?.checked_sub(rest)?;
    if rounds { quotient.checked_add(away)?.to_i128() } else { quotient.to_i128() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal128Array {
        let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let value: i128 = text.replace('.', "").parse().unwrap();
        let precision = u8::try_from(text.bytes().filter(u8::is_ascii_digit).count()).unwrap();
        Decimal128Array::from(vec![value]).with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap()
    }

    fn result(left: &str, operator: Operator, right: &str) -> String {
        match compute(operator, &decimal(left), &decimal(right), "a ? b") {
            Ok(array) => array.as_primitive::<Decimal128Type>().value_as_string(0),
            Err(error) => error.strip_backtrace(),
        }
    }

    #[test]
    fn sums_and_products_are_exact() {
        assert_eq!(result("1.1", Operator::Plus, "2.25"), "3.35");
        assert_eq!(result("1.1", Operator::Minus, "2.25"), "-1.15");
        assert_eq!(result("0.1", Operator::Multiply, "0.02"), "0.002");
        assert_eq!(result("5.5", Operator::Modulo, "-2"), "1.5");
        assert_eq!(result("-5.5", Operator::Modulo, "2"), "-1.5");
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero_behind_many_digits() {
        assert_eq!(result("1.0", Operator::Divide, "3"), "0.33333333333333333333");
        assert_eq!(result("-2.0", Operator::Divide, "3"), "-0.66666666666666666667");
        assert_eq!(result("1000000000000000000.0", Operator::Divide, "3"), "333333333333333333.3333333333333333");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let most = "9".repeat(38);
        assert_eq!(result(&most, Operator::Plus, "1"), "External error: `a ? b` does not fit the type decimal");
        assert_eq!(result(&most, Operator::Multiply, "10"), "External error: `a ? b` does not fit the type decimal");
        assert_eq!(result("1.0", Operator::Divide, "0.0"), "External error: `a ? b` divides by zero");
    }

    #[test]
    fn a_number_is_rounded_to_fewer_digits_half_away_from_zero() {
        assert_eq!(rescaled(25, 1, 0), Some(3));
        assert_eq!(rescaled(-25, 1, 0), Some(-3));
        assert_eq!(rescaled(24, 1, 0), Some(2));
        assert_eq!(rescaled(1, 0, 38), Some(10_i128.pow(38)));
        assert_eq!(rescaled(2, 0, 38), None);
    }
}
