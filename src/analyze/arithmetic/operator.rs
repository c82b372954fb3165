//! `+`, `-`, `*`, `/` and `%` of two numbers, as functions that fail where there is no result.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::decimal::{self, Digits};
use super::fault::{division_by_zero, overflow_of};
use super::float;

/// An operator that knows how the author's expression reads, so that its error can name it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CheckedOperator {
    pub operator: Operator,
    /// Both sides, as in `price * quantity`.
    pub text: String,
    signature: Signature,
}

impl Hash for CheckedOperator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operator.hash(state);
        self.text.hash(state);
    }
}

impl CheckedOperator {
    /// Whether it is a division, which has no result for zero.
    pub fn may_divide(&self) -> bool {
        matches!(self.operator, Operator::Divide | Operator::Modulo)
    }

    /// `left operator right`, which reads as `text`.
    pub fn call(text: String, left: Expr, operator: Operator, right: Expr) -> Expr {
        let checked = CheckedOperator { operator, text, signature: Signature::any(2, Volatility::Immutable) };
        ScalarUDF::from(checked).call(vec![left, right])
    }

    /// Both sides as they read, `None` if the function is another.
    pub fn text_of(function: &ScalarFunction) -> Option<&str> {
        function.func.inner().downcast_ref::<CheckedOperator>().map(|operator| operator.text.as_str())
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let data_type = left.get().0.data_type();
        if data_type.is_floating() {
            return float::compute(self.operator, left, right, &self.text);
        }
        if data_type.is_decimal() {
            return decimal::compute(self.operator, left, right, &self.text);
        }
        let computed = match self.operator {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            Operator::Multiply => mul(left, right),
            Operator::Divide => div(left, right),
            Operator::Modulo => rem(left, right),
            other => return exec_err!("`{other}` is not checked"),
        };
        computed.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => overflow_of(&self.text, data_type),
            ArrowError::DivideByZero => division_by_zero(&self.text),
            other => other.into(),
        })
    }
}

impl ScalarUDFImpl for CheckedOperator {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            Operator::Divide => "divide",
            Operator::Modulo => "remainder",
            _ => "multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [left, right] if left.is_decimal() && right.is_decimal() => {
                let digits = Digits::of(left).zip(Digits::of(right));
                let result = digits.and_then(|(left, right)| left.of_result(self.operator, right));
                result.map_or_else(|| exec_err!("decimals have no `{}`", self.operator), |found| Ok(found.data_type()))
            }
            [left, right] if left == right => Ok(left.clone()),
            _ => exec_err!("a checked operator has two sides of one type"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("a checked operator has two sides");
        };
        let array = match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => self.compute(left, right)?,
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => self.compute(left, &right.to_scalar()?)?,
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => self.compute(&left.to_scalar()?, right)?,
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let array = self.compute(&left.to_scalar()?, &right.to_scalar()?)?;
                return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?));
            }
        };
        Ok(ColumnarValue::Array(Arc::clone(&array)))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        let [left, right] = inputs else { return Ok(SortProperties::Unordered) };
        // Without overflow a sum grows with both sides. Products turn around where a side changes its sign.
        Ok(match self.operator {
            Operator::Plus => left.sort_properties.add(&right.sort_properties),
            Operator::Minus => left.sort_properties.sub(&right.sort_properties),
            _ => SortProperties::Unordered,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn checked(operator: Operator) -> CheckedOperator {
        let signature = Signature::any(2, Volatility::Immutable);
        CheckedOperator { operator, text: "a ? b".to_owned(), signature }
    }

    #[test]
    fn what_fits_is_computed_and_nulls_stay() {
        let left = Int64Array::from(vec![Some(5), None, Some(i64::MAX)]);
        let right = Int64Array::from(vec![Some(2), Some(1), Some(0)]);
        let sum = checked(Operator::Plus).compute(&left, &right).unwrap();
        assert_eq!(sum.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(7), None, Some(i64::MAX)]));
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_the_expression() {
        let (most, least, two) = (i64::MAX, i64::MIN, Int64Array::new_scalar(2));
        for (operator, value) in [(Operator::Plus, most), (Operator::Minus, least), (Operator::Multiply, most)] {
            let error = checked(operator).compute(&Int64Array::new_scalar(value), &two).unwrap_err();
            assert_eq!(error.strip_backtrace(), "External error: `a ? b` does not fit the type bigint");
        }
    }
}
