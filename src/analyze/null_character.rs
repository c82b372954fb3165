//! `chr` never makes the character 0, which no text of PostgreSQL holds.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::guarded::{Guard, GuardedFunction};

/// The function under its name, with its guard.
pub(super) fn guarded_chr(inner: &Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    GuardedFunction::function(inner, NoNullCharacter)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NoNullCharacter;

impl Guard for NoNullCharacter {
    fn invoke(&self, inner: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let made = inner.invoke_with_args(args)?;
        let texts = match &made {
            ColumnarValue::Array(texts) => Arc::clone(texts),
            ColumnarValue::Scalar(text) => text.to_array()?,
        };
        let texts = cast(&texts, &DataType::Utf8View)?;
        if texts.as_string_view().iter().flatten().any(|text| text == "\0") {
            return exec_err!("a text cannot hold the character of `chr(0)`");
        }
        Ok(made)
    }
}
