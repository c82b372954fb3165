//! Floating-point numbers of which zero has one sign only.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct UnsignedZero {
    signature: Signature,
}

/// The number, or 0 where it is -0: they are equal, and the engine tells them from each other.
pub(in crate::analyze) fn without_sign_of_zero(value: Expr) -> Expr {
    let function = UnsignedZero { signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::from(function).call(vec![value])
}

/// What an author has written of such a number; `None` if the function is another.
pub(super) fn written(call: &ScalarFunction) -> Option<&Expr> {
    call.func.inner().downcast_ref::<UnsignedZero>().and_then(|_| call.args.first())
}

impl ScalarUDFImpl for UnsignedZero {
    fn name(&self) -> &str {
        "unsigned_zero"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return exec_err!("a sign is taken off one number") };
        let doubles = cast(&value.to_array(1)?, &DataType::Float64)?;
        let unsigned: Float64Array = doubles.as_primitive::<Float64Type>().unary(|number| number + 0.0);
        let unsigned: ArrayRef = Arc::new(unsigned);
        match value {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&unsigned, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(unsigned)),
        }
    }
}
