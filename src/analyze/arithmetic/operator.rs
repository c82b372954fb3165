//! `+`, `-` and `*` of two integers of one type, as functions that fail where the result does not fit.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::analyze::rewrite::shown;
use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// An operator that knows how the author's expression reads, so that its error can name it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CheckedOperator {
    operator: Operator,
    /// Both sides, as in `price * quantity`.
    text: String,
    signature: Signature,
}

impl Hash for CheckedOperator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operator.hash(state);
        self.text.hash(state);
    }
}

impl CheckedOperator {
    /// `left operator right`, checked.
    pub fn call(left: Expr, operator: Operator, right: Expr) -> Expr {
        let text = format!("{} {operator} {}", operand(&left), operand(&right));
        let checked = CheckedOperator { operator, text, signature: Signature::any(2, Volatility::Immutable) };
        ScalarUDF::from(checked).call(vec![left, right])
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let computed = match self.operator {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            Operator::Multiply => mul(left, right),
            other => return exec_err!("`{other}` is not checked"),
        };
        computed.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => overflow_of(&self.text, left.get().0.data_type()),
            other => other.into(),
        })
    }
}

/// A side of an operator as the author wrote it: without the names of tables, and in parentheses if it has operators.
pub(super) fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::Cast(cast) => operand(&cast.expr),
        Expr::ScalarFunction(function) => match function.func.inner().downcast_ref::<CheckedOperator>() {
            Some(inner) => format!("({})", inner.text),
            None => shown(expr),
        },
        Expr::Literal(value, _) => value.to_string(),
        other => shown(other),
    }
}

/// A result that does not fit its type.
#[derive(Debug)]
pub(crate) struct Overflow {
    expression: String,
    data_type: &'static str,
}

impl fmt::Display for Overflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` does not fit the type {}", self.expression, self.data_type)
    }
}

impl std::error::Error for Overflow {}

impl Overflow {
    /// What to write instead.
    pub fn help(&self) -> String {
        "compute it in a wider type: `cast(… as decimal(38, 0))`".to_owned()
    }
}

/// The error of an expression whose result does not fit its type.
pub(super) fn overflow_of(expression: &str, data_type: &DataType) -> DataFusionError {
    let data_type = match data_type {
        DataType::Int8 | DataType::UInt8 => "tinyint",
        DataType::Int16 | DataType::UInt16 => "smallint",
        DataType::Int32 | DataType::UInt32 => "integer",
        DataType::Int64 | DataType::UInt64 => "bigint",
        _ => "decimal",
    };
    DataFusionError::External(Box::new(Overflow { expression: expression.to_owned(), data_type }))
}

impl ScalarUDFImpl for CheckedOperator {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            _ => "multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
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
    use datafusion::logical_expr::{col, lit};

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

    #[test]
    fn an_expression_reads_as_it_was_written() {
        let inner = CheckedOperator::call(col("t.a"), Operator::Plus, lit(1_i64));
        let Expr::ScalarFunction(outer) = CheckedOperator::call(inner, Operator::Multiply, col("b")) else { panic!() };
        assert_eq!(outer.func.inner().downcast_ref::<CheckedOperator>().unwrap().text, "(a + 1) * b");
    }
}
