//! A value of an array as JSON text, as it stands in `_rescued`.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, Schema};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::sync::Arc;

/// The JSON text of a value that is not null: numbers and booleans as they are, lists and structs nested, all else in quotes.
pub(super) fn json_text(array: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    match array.data_type() {
        DataType::Float16 => Ok(float(array.as_primitive::<Float16Type>().value(row).to_f32())),
        DataType::Float32 => Ok(float(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => Ok(float(array.as_primitive::<Float64Type>().value(row))),
        data_type if data_type.is_nested() && !matches!(data_type, DataType::Dictionary(..)) => nested(array, row),
        data_type => {
            let text = plain_text(array, row)?;
            let is_bare = data_type.is_numeric() || *data_type == DataType::Boolean;
            Ok(if is_bare { text } else { serde_json::Value::from(text).to_string() })
        }
    }
}

/// The text of a value without quotes.
pub(super) fn plain_text(array: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    let options = FormatOptions::default().with_display_error(true);
    Ok(ArrayFormatter::try_new(array.as_ref(), &options)?.value(row).to_string())
}

/// The shortest text that is this number and no other. JSON has no words for what is no number.
fn float(value: impl std::fmt::Debug + Into<f64> + Copy) -> String {
    if value.into().is_finite() { format!("{value:?}") } else { format!("\"{value:?}\"") }
}

fn nested(array: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    let field = Field::new("v", array.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array.slice(row, 1)])?;
    let mut written = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut written);
    writer.write(&batch)?;
    writer.finish()?;
    let line = String::from_utf8_lossy(&written);
    let value = line.trim_end().strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}'));
    Ok(value.unwrap_or("null").to_owned())
}
