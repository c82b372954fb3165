//! "Lies in one of these ranges" as one function: a chain of thousands of comparisons would be deep and slow.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use chrono::NaiveDateTime;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::day::TimeRange;

/// Whether a date or a timestamp in microseconds lies in one of some ranges; null where it is null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct InSlices {
    signature: Signature,
    /// In order and apart, in microseconds since 1970; the ends do not belong to them.
    ranges: Vec<(i64, i64)>,
}

/// The condition that `column` lies in one of the ranges, which are in order and apart.
pub(super) fn in_slices(column: Expr, ranges: &[TimeRange]) -> Expr {
    // Times are compared as numbers, whatever type the column has.
    let ranges = ranges.iter().map(|range| (micros(range.start()), micros(range.end()))).collect();
    let function = InSlices { signature: Signature::any(1, Volatility::Immutable), ranges };
    ScalarUDF::from(function).call(vec![column])
}

fn micros(time: NaiveDateTime) -> i64 {
    match time {
        NaiveDateTime::MIN => i64::MIN,
        NaiveDateTime::MAX => i64::MAX,
        time => time.and_utc().timestamp_micros(),
    }
}

/// As plans that travel have it: the ranges, eight bytes for each end.
#[cfg(feature = "cluster")]
impl InSlices {
    pub fn to_bytes(&self) -> Vec<u8> {
        self.ranges.iter().flat_map(|(start, end)| [start.to_le_bytes(), end.to_le_bytes()]).flatten().collect()
    }

    pub fn of_bytes(bytes: &[u8]) -> Result<InSlices> {
        let (ranges, rest) = bytes.as_chunks::<16>();
        if !rest.is_empty() {
            return exec_err!("the ranges of slices are cut off");
        }
        let ends = |range: &[u8; 16]| {
            let [a, b, c, d, e, f, g, h, rest @ ..] = *range;
            (i64::from_le_bytes([a, b, c, d, e, f, g, h]), i64::from_le_bytes(rest))
        };
        let ranges = ranges.iter().map(ends).collect();
        Ok(InSlices { signature: Signature::any(1, Volatility::Immutable), ranges })
    }
}

const MICROS_OF_A_DAY: i64 = 86_400_000_000;

impl InSlices {
    fn contains(&self, time: i64) -> bool {
        // Binary search for the first range that ends after the time: the ranges are in order and apart.
        let place = self.ranges.partition_point(|(_, end)| *end <= time);
        self.ranges.get(place).is_some_and(|(start, _)| *start <= time)
    }

    fn judge(&self, times: &ArrayRef) -> Result<BooleanArray> {
        match times.data_type() {
            DataType::Date32 => {
                let times = times.as_primitive::<Date32Type>();
                let micros = times.iter().map(|days| Some(i64::from(days?).saturating_mul(MICROS_OF_A_DAY)));
                Ok(micros.map(|time| time.map(|time| self.contains(time))).collect())
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let times = times.as_primitive::<TimestampMicrosecondType>();
                Ok(times.iter().map(|time| time.map(|time| self.contains(time))).collect())
            }
            other => exec_err!("slices are ranges of dates or timestamps, not of {other}"),
        }
    }
}

impl ScalarUDFImpl for InSlices {
    fn name(&self) -> &str {
        "in_slices"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        match arrays.as_slice() {
            [times] => Ok(ColumnarValue::Array(Arc::new(self.judge(times)?))),
            _ => exec_err!("a row has one event time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;
    use crate::day::parse_instant;

    /// Days since 1970 as the engine counts them.
    fn days(date: &str) -> i32 {
        i32::try_from(micros(parse_instant(date).unwrap()) / MICROS_OF_A_DAY).unwrap()
    }

    #[test]
    fn dates_and_timestamps_are_found_in_ranges() {
        let range = |from: &str, to: &str| (micros(parse_instant(from).unwrap()), micros(parse_instant(to).unwrap()));
        let ranges = vec![range("2023-05-01", "2023-05-03"), range("2023-06-01", "2023-06-02")];
        let slices = InSlices { signature: Signature::any(1, Volatility::Immutable), ranges };
        let dates = ["2023-04-30", "2023-05-01", "2023-05-02", "2023-05-03", "2023-06-01"].map(|date| Some(days(date)));
        let dates: ArrayRef = Arc::new(Date32Array::from_iter(dates.into_iter().chain([None])));
        let expected = [Some(false), Some(true), Some(true), Some(false), Some(true), None];
        assert_eq!(slices.judge(&dates).unwrap(), BooleanArray::from(expected.to_vec()));
        let last = micros(parse_instant("2023-05-02 23:59:59").unwrap());
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![last, last + 1_000_000]));
        assert_eq!(slices.judge(&times).unwrap(), BooleanArray::from(vec![true, false]));
    }
}
