//! Floating-point arithmetic that fails where PostgreSQL's does: by zero, beyond the type's range, and below it.

use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::{add, div, mul, sub};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::Operator;

use super::fault::{division_by_zero, overflow_of, vanishing};

/// `left operator right`; `text` is how the author's expression reads.
pub(super) fn compute(operator: Operator, left: &dyn Datum, right: &dyn Datum, text: &str) -> Result<ArrayRef> {
    let computed = match operator {
        Operator::Plus => add(left, right)?,
        Operator::Minus => sub(left, right)?,
        Operator::Multiply => mul(left, right)?,
        Operator::Divide => div(left, right)?,
        other => return exec_err!("`{other}` is not computed for floating-point numbers"),
    };
    check(operator, left, right, &computed, text)?;
    Ok(computed)
}

/// Looks at the sides of every result that may be wrong: those are few.
fn check(operator: Operator, left: &dyn Datum, right: &dyn Datum, computed: &ArrayRef, text: &str) -> Result<()> {
    let may_vanish = matches!(operator, Operator::Multiply | Operator::Divide);
    let results = doubles(computed)?;
    let results = results.as_primitive::<Float64Type>();
    let suspects: Vec<usize> = (0..results.len())
        .filter(|row| results.is_valid(*row))
        .filter(|row| !results.value(*row).is_finite() || (may_vanish && results.value(*row) == 0.0))
        .collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let left = FloatSide::new(left)?;
    let right = FloatSide::new(right)?;
    for row in suspects {
        let (result, left, right) = (results.value(row), left.value(row), right.value(row));
        if operator == Operator::Divide && right == 0.0 && !left.is_nan() {
            return Err(division_by_zero(text));
        }
        if result.is_infinite() && !left.is_infinite() && !right.is_infinite() {
            return Err(overflow_of(text, computed.data_type()));
        }
        let is_exact = left == 0.0 || (right == 0.0 && operator == Operator::Multiply) || right.is_infinite();
        if may_vanish && result == 0.0 && !is_exact {
            return Err(vanishing(text));
        }
    }
    Ok(())
}

fn doubles(values: &dyn Array) -> Result<ArrayRef> {
    Ok(cast(values, &DataType::Float64)?)
}

/// One side of an operator: a value for each row, or one for all.
struct FloatSide {
    values: ArrayRef,
    is_scalar: bool,
}

impl FloatSide {
    fn new(side: &dyn Datum) -> Result<FloatSide> {
        let (values, is_scalar) = side.get();
        Ok(FloatSide { values: doubles(values)?, is_scalar })
    }

    fn value(&self, row: usize) -> f64 {
        self.values.as_primitive::<Float64Type>().value(if self.is_scalar { 0 } else { row })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;

    use super::*;

    fn result(left: f64, operator: Operator, right: f64) -> String {
        let [left, right] = [left, right].map(|value| Float64Array::from(vec![value]));
        match compute(operator, &left, &right, "a ? b") {
            Ok(array) => array.as_primitive::<Float64Type>().value(0).to_string(),
            Err(error) => error.strip_backtrace(),
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        assert_eq!(result(1.0, Operator::Divide, 0.0), "External error: `a ? b` divides by zero");
        assert_eq!(result(0.0, Operator::Divide, 0.0), "External error: `a ? b` divides by zero");
        assert_eq!(result(f64::INFINITY, Operator::Divide, 0.0), "External error: `a ? b` divides by zero");
        assert_eq!(
            result(1e300, Operator::Multiply, 1e300),
            "External error: `a ? b` does not fit the type double precision"
        );
        assert_eq!(
            result(f64::MAX, Operator::Plus, f64::MAX),
            "External error: `a ? b` does not fit the type double precision"
        );
        assert_eq!(
            result(1e-300, Operator::Multiply, 1e-300),
            "External error: `a ? b` is too small for a floating-point number"
        );
        assert_eq!(
            result(1e-300, Operator::Divide, 1e300),
            "External error: `a ? b` is too small for a floating-point number"
        );
    }

    #[test]
    fn infinite_and_undefined_values_that_are_given_stay() {
        assert_eq!(result(f64::INFINITY, Operator::Plus, 1.0), "inf");
        assert_eq!(result(f64::INFINITY, Operator::Minus, f64::INFINITY), "NaN");
        assert_eq!(result(f64::NAN, Operator::Divide, 0.0), "NaN");
        assert_eq!(result(1.0, Operator::Divide, f64::INFINITY), "0");
        assert_eq!(result(0.0, Operator::Multiply, 5.0), "0");
        assert_eq!(result(0.0, Operator::Divide, 5.0), "0");
    }
}
