//! Floating-point numbers as texts, as PostgreSQL writes them: `1`, `0.1`, `1e+15`, `Infinity`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FloatText {
    signature: Signature,
}

/// `cast(value as to)`, where the value is a floating-point number and the type one of texts.
pub(super) fn call(value: Expr, to: &DataType) -> Expr {
    let function = FloatText { signature: Signature::any(1, Volatility::Immutable) };
    let text = ScalarUDF::from(function).call(vec![value]);
    if *to == DataType::Utf8 { text } else { cast(text, to.clone()) }
}

impl ScalarUDFImpl for FloatText {
    fn name(&self) -> &str {
        "float_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(values)] => Ok(ColumnarValue::Array(texts(values)?)),
            [ColumnarValue::Scalar(value)] => {
                let text = texts(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&text, 0)?))
            }
            _ => exec_err!("a cast takes one value"),
        }
    }
}

fn texts(values: &dyn Array) -> Result<ArrayRef> {
    let texts: StringArray = match values.data_type() {
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>().iter();
            values.map(|value| value.map(|value| text(&format!("{value:e}"), 6))).collect()
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>().iter();
            values.map(|value| value.map(|value| text(&format!("{value:e}"), 15))).collect()
        }
        other => return exec_err!("{other} is not a floating-point number"),
    };
    Ok(Arc::new(texts))
}

/// From `1.5e3`, the fewest digits that read back as the number; `digits` before the point are written out.
fn text(scientific: &str, digits: i32) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.replace("inf", "Infinity");
    };
    let exponent: i32 = exponent.parse().expect("a number is written with a whole exponent");
    if !(-4..digits).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let figures = mantissa.replace('.', "");
    let Ok(before) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{figures}");
    };
    if before == 0 {
        return format!("{sign}0.{figures}");
    }
    if figures.len() <= before {
        return format!("{sign}{figures:0<before$}");
    }
    let (whole, fraction) = figures.split_at(before);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_postgresql_writes_them() {
        let cases = [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-300, "1.5e-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (1234.5, "1234.5"),
        ];
        for (value, written) in cases {
            assert_eq!(text(&format!("{value:e}"), 15), written);
        }
        assert_eq!(text(&format!("{:e}", 1_234_567_f32), 6), "1.234567e+06");
    }
}
