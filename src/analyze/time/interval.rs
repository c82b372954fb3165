//! Intervals: differences of times in days and hours, and how long an interval is.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err};

use super::arrays::{DAY, as_type};

/// The difference of two times as whole days and the rest of a day.
pub(super) fn of_days(differences: &ArrayRef) -> Result<ArrayRef> {
    let micros = as_type(differences, &DataType::Duration(TimeUnit::Microsecond))?;
    let micros = cast(&micros, &DataType::Int64)?;
    let micros = micros.as_primitive::<Int64Type>().iter();
    let intervals = micros.map(|micros| micros.map(whole_days).transpose()).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(IntervalMonthDayNanoArray::from(intervals)))
}

/// PostgreSQL subtracts times to days and hours, never to months, and days count 24 hours in UTC.
fn whole_days(micros: i64) -> Result<IntervalMonthDayNano> {
    let days = i32::try_from(micros / DAY).map_err(|_| exec_datafusion_err!("an interval is too long"))?;
    Ok(IntervalMonthDayNano::new(0, days, micros % DAY * 1000))
}

pub(super) fn lengths(intervals: &ArrayRef) -> Result<ArrayRef> {
    let intervals = match intervals.data_type() {
        DataType::Duration(_) => of_days(intervals)?,
        _ => as_type(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?,
    };
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter();
    let lengths = intervals.map(|interval| {
        let interval = interval?;
        // In 128 bits: 2^31 months are longer than 64 bits of microseconds.
        let days = i128::from(interval.months) * 30 + i128::from(interval.days);
        Some(days * i128::from(DAY) + i128::from(interval.nanoseconds / 1000))
    });
    let lengths = lengths.collect::<Decimal128Array>();
    Ok(Arc::new(lengths.with_precision_and_scale(38, 0)?))
}
