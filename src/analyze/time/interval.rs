//! Intervals: differences of times in days and hours, and how long an interval is.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, exec_datafusion_err, exec_err};

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
/// Numbers of times. PostgreSQL spreads a fraction of a month over days and a fraction of a day over hours, which nobody means.
fn whole_numbers(counts: &ArrayRef) -> Result<ArrayRef> {
    if *counts.data_type() == DataType::Float64 {
        let fraction = counts.as_primitive::<Float64Type>().iter().flatten().find(|count| count.fract() != 0.0);
        if let Some(fraction) = fraction {
            return exec_err!("an interval cannot be multiplied by {fraction}: use a smaller unit and a whole number");
        }
    }
    as_type(counts, &DataType::Int64)
}

/// Each interval so many times: months, days and microseconds each by themselves, as PostgreSQL multiplies by a whole number.
pub(super) fn times(intervals: &ArrayRef, counts: &ArrayRef) -> Result<ArrayRef> {
    let intervals = as_type(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let counts = whole_numbers(counts)?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let counts = counts.as_primitive::<Int64Type>();
    let product = |interval: IntervalMonthDayNano, count: i64| {
        let months = i32::try_from(i64::from(interval.months).checked_mul(count)?).ok()?;
        let days = i32::try_from(i64::from(interval.days).checked_mul(count)?).ok()?;
        let nanoseconds = interval.nanoseconds.checked_mul(count)?;
        Some(IntervalMonthDayNano::new(months, days, nanoseconds))
    };
    let products = intervals.iter().zip(counts.iter()).map(|pair| match pair {
        (Some(interval), Some(count)) => {
            product(interval, count).map(Some).ok_or_else(|| exec_datafusion_err!("an interval is out of range"))
        }
        (None, _) | (_, None) => Ok(None),
    });
    Ok(Arc::new(products.collect::<Result<IntervalMonthDayNanoArray>>()?))
}
