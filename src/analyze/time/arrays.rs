//! Columns of times, in microseconds, and the errors that all functions of time share.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};

use super::{instant, text, timestamp};

pub(super) const DAY: i64 = 86_400_000_000;

pub(super) fn argument(args: &[ArrayRef], at: usize) -> Result<&ArrayRef> {
    args.get(at).ok_or_else(|| exec_datafusion_err!("an argument is missing"))
}

pub(super) fn failed(reason: String) -> DataFusionError {
    DataFusionError::Execution(reason)
}

pub(super) fn beyond() -> DataFusionError {
    exec_datafusion_err!("a timestamp is outside the years 1 to 9999")
}

/// Whether a time is one that karat has.
pub(super) fn checked(micros: i64) -> Result<i64> {
    text::clock(micros).map(|_| micros).map_err(failed)
}

pub(super) fn as_type(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, data_type, &CastOptions { safe: false, ..CastOptions::default() })?)
}

pub(super) fn texts(array: &ArrayRef) -> Result<StringArray> {
    Ok(as_type(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Microseconds since 1970: of a clock in UTC, or of an instant.
pub(super) fn micros(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    if array.data_type() == &DataType::Date32 {
        let days = array.as_primitive::<Date32Type>();
        // What is beyond the calendar stays beyond it.
        return Ok(days.unary(|days| i64::from(days).saturating_mul(DAY)));
    }
    let is_instant = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let wanted = if is_instant { instant() } else { timestamp() };
    Ok(as_type(array, &wanted)?.as_primitive::<TimestampMicrosecondType>().clone())
}

pub(super) fn timestamps(micros: Vec<Option<i64>>, is_instant: bool) -> ArrayRef {
    let array = TimestampMicrosecondArray::from(micros);
    if is_instant { Arc::new(array.with_timezone("UTC")) } else { Arc::new(array) }
}
