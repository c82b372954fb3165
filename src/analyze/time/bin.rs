//! `date_bin`, in microseconds: the engine's is in nanoseconds, and null where those end.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, exec_datafusion_err};

use super::arrays::{DAY, argument, as_type, beyond, checked, micros, timestamps};

/// Intervals of one length, counted from an origin; the beginning of the one that holds the time.
pub(super) fn date_bin(args: &[ArrayRef]) -> Result<ArrayRef> {
    let source = argument(args, 1)?;
    let is_instant = matches!(source.data_type(), DataType::Timestamp(_, Some(_)));
    let strides = as_type(argument(args, 0)?, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let strides = strides.as_primitive::<IntervalMonthDayNanoType>().clone();
    let times = micros(source)?;
    let origins = args.get(2).map(micros).transpose()?;
    let mut binned = Vec::with_capacity(times.len());
    for at in 0..times.len() {
        let is_null =
            strides.is_null(at) || times.is_null(at) || origins.as_ref().is_some_and(|found| found.is_null(at));
        if is_null {
            binned.push(None);
            continue;
        }
        let stride = strides.value(at);
        let length = i128::from(stride.days) * i128::from(DAY) + i128::from(stride.nanoseconds / 1000);
        if stride.months != 0 || length <= 0 {
            return Err(exec_datafusion_err!(
                "`date_bin` takes a positive interval without months and years: write `date_trunc('month', …)`"
            ));
        }
        let origin = i128::from(origins.as_ref().map_or(0, |found| found.value(at)));
        let begin = origin + (i128::from(times.value(at)) - origin).div_euclid(length) * length;
        binned.push(Some(checked(i64::try_from(begin).map_err(|_| beyond())?)?));
    }
    Ok(timestamps(binned, is_instant))
}
