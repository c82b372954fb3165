//! `extract` and `date_part`: parts of times and of intervals, as PostgreSQL counts them.
//!
//! `extract` is exact, a decimal; `date_part` is the same in double precision.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arrays::{DAY, as_type, micros};
use super::text;
use crate::analyze::rewrite::type_name;
use crate::diag::nearest;

const HOUR: i64 = DAY / 24;
const MINUTE: i64 = HOUR / 60;
const SECOND: i64 = MINUTE / 60;

/// What is taken of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TimePart {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Milliseconds,
    Microseconds,
    Epoch,
}

impl TimePart {
    fn named(name: &str) -> Option<TimePart> {
        Some(match name.to_lowercase().as_str() {
            "millennium" | "millenniums" | "millennia" => TimePart::Millennium,
            "century" | "centuries" => TimePart::Century,
            "decade" | "decades" => TimePart::Decade,
            "year" | "years" => TimePart::Year,
            "isoyear" => TimePart::IsoYear,
            "quarter" => TimePart::Quarter,
            "month" | "months" => TimePart::Month,
            "week" | "weeks" => TimePart::Week,
            "day" | "days" => TimePart::Day,
            "doy" => TimePart::DayOfYear,
            "dow" => TimePart::DayOfWeek,
            "isodow" => TimePart::IsoDayOfWeek,
            "hour" | "hours" => TimePart::Hour,
            "minute" | "minutes" => TimePart::Minute,
            "second" | "seconds" => TimePart::Second,
            "millisecond" | "milliseconds" => TimePart::Milliseconds,
            "microsecond" | "microseconds" => TimePart::Microseconds,
            "epoch" => TimePart::Epoch,
            _ => return None,
        })
    }

    /// Precision and scale of the decimal that it is.
    fn digits(self) -> (u8, i8) {
        match self {
            TimePart::Second => (8, 6),
            TimePart::Milliseconds => (8, 3),
            TimePart::Epoch => (20, 6),
            _ => (10, 0),
        }
    }

    fn is_of_a_clock(self) -> bool {
        matches!(
            self,
            TimePart::Hour | TimePart::Minute | TimePart::Second | TimePart::Milliseconds | TimePart::Microseconds
        )
    }

    fn is_of_a_calendar(self) -> bool {
        matches!(
            self,
            TimePart::Week | TimePart::DayOfYear | TimePart::DayOfWeek | TimePart::IsoDayOfWeek | TimePart::IsoYear
        )
    }

    /// The part of a time, counted in the last digit of its decimal.
    fn of_time(self, time: NaiveDateTime) -> i64 {
        let micros = i64::from(time.second()) * SECOND + i64::from(time.nanosecond() / 1000);
        let year = i64::from(time.year());
        match self {
            TimePart::Millennium => (year + 999).div_euclid(1000),
            TimePart::Century => (year + 99).div_euclid(100),
            TimePart::Decade => year.div_euclid(10),
            TimePart::Year => year,
            TimePart::IsoYear => i64::from(time.iso_week().year()),
            TimePart::Quarter => i64::from(time.month0() / 3 + 1),
            TimePart::Month => i64::from(time.month()),
            TimePart::Week => i64::from(time.iso_week().week()),
            TimePart::Day => i64::from(time.day()),
            TimePart::DayOfYear => i64::from(time.ordinal()),
            TimePart::DayOfWeek => i64::from(time.weekday().num_days_from_sunday()),
            TimePart::IsoDayOfWeek => i64::from(time.weekday().number_from_monday()),
            TimePart::Hour => i64::from(time.hour()),
            TimePart::Minute => i64::from(time.minute()),
            TimePart::Second | TimePart::Milliseconds | TimePart::Microseconds => micros,
            TimePart::Epoch => time.and_utc().timestamp_micros(),
        }
    }

    /// The same of an interval: it has months, days and microseconds, of which none becomes another.
    fn of_interval(self, months: i32, days: i64, micros: i64) -> i64 {
        let months = i64::from(months);
        match self {
            TimePart::Millennium => months / 12 / 1000,
            TimePart::Century => months / 12 / 100,
            TimePart::Decade => months / 12 / 10,
            TimePart::Year => months / 12,
            TimePart::Quarter => months % 12 / 3 + 1,
            TimePart::Month => months % 12,
            TimePart::Day => days,
            TimePart::Hour => micros / HOUR,
            TimePart::Minute => micros % HOUR / MINUTE,
            TimePart::Second | TimePart::Milliseconds | TimePart::Microseconds => micros % MINUTE,
            // A year has 365.25 days there, and a month beyond the years 30.
            TimePart::Epoch => {
                let quarter_days = months / 12 * 1461 + (months % 12 * 30 + days) * 4;
                quarter_days.saturating_mul(DAY / 4).saturating_add(micros)
            }
            TimePart::Week | TimePart::DayOfYear | TimePart::DayOfWeek | TimePart::IsoDayOfWeek | TimePart::IsoYear => {
                0
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Extract {
    part: TimePart,
    /// As the author wrote it.
    pub name: String,
    pub is_exact: bool,
    signature: Signature,
}

/// The parts by their usual names, for suggestions.
const PARTS: [&str; 18] = [
    "millennium",
    "century",
    "decade",
    "year",
    "isoyear",
    "quarter",
    "month",
    "week",
    "day",
    "doy",
    "dow",
    "isodow",
    "hour",
    "minute",
    "second",
    "milliseconds",
    "microseconds",
    "epoch",
];

/// `extract(part from time)`, or `date_part('part', time)` where the result need not be exact.
pub(super) fn call(part: &str, time: Expr, is_exact: bool) -> Result<Expr> {
    let name = part.to_lowercase();
    let part = TimePart::named(&name).ok_or_else(|| match nearest(&name, PARTS) {
        Some(near) => plan_datafusion_err!("`{name}` is not a part of a time: write `{near}`"),
        None => plan_datafusion_err!("`{name}` is not a part of a time: write `year`, `month`, `day`, `hour` …"),
    })?;
    let signature = Signature::any(1, Volatility::Immutable);
    Ok(ScalarUDF::from(Extract { part, name, is_exact, signature }).call(vec![time]))
}

/// The engine's `date_part` with the parts that PostgreSQL has.
pub(in crate::analyze) fn typed(expr: Expr) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == "date_part" => match call.args.as_slice() {
            [Expr::Literal(ScalarValue::Utf8(Some(part)), _), time] => {
                self::call(part, time.clone(), false).map(Transformed::yes)
            }
            _ => plan_err!("the part that `date_part` takes is written as a literal"),
        },
        other => Ok(Transformed::no(other)),
    }
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let data_type = types.first().unwrap_or(&DataType::Null);
        let has_part = match data_type {
            DataType::Null | DataType::Timestamp(_, _) => true,
            DataType::Date32 => !self.part.is_of_a_clock(),
            DataType::Interval(_) | DataType::Duration(_) => !self.part.is_of_a_calendar(),
            other => {
                return plan_err!("`extract` takes a date, a timestamp or an interval, and not {}", type_name(other));
            }
        };
        if !has_part {
            return plan_err!("`{}` is not a part of the type {}", self.name, type_name(data_type));
        }
        let (precision, scale) = self.part.digits();
        Ok(if self.is_exact { DataType::Decimal128(precision, scale) } else { DataType::Float64 })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = args.args.as_slice() else { return exec_err!("`extract` takes one time") };
        let found = self.compute(&time.to_array(1)?)?;
        match time {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(found)),
        }
    }
}

impl Extract {
    fn compute(&self, times: &ArrayRef) -> Result<ArrayRef> {
        let parts = self.parts(times)?;
        let (precision, scale) = self.part.digits();
        let exact = parts.into_iter().map(|part| part.map(i128::from)).collect::<Decimal128Array>();
        if self.is_exact {
            return Ok(Arc::new(exact.with_precision_and_scale(precision, scale)?));
        }
        #[expect(clippy::cast_precision_loss, reason = "`date_part` is as exact as double precision")]
        let doubles = exact.iter().map(|part| Some(part? as f64 / 10_f64.powi(i32::from(scale))));
        Ok(Arc::new(doubles.collect::<Float64Array>()))
    }

    fn parts(&self, times: &ArrayRef) -> Result<Vec<Option<i64>>> {
        match times.data_type() {
            DataType::Null => Ok(vec![None; times.len()]),
            DataType::Duration(_) => {
                let micros = cast(&as_type(times, &DataType::Duration(TimeUnit::Microsecond))?, &DataType::Int64)?;
                let micros = micros.as_primitive::<Int64Type>().iter();
                Ok(micros.map(|micros| Some(self.part.of_interval(0, micros? / DAY, micros? % DAY))).collect())
            }
            DataType::Interval(_) => {
                let intervals = as_type(times, &DataType::Interval(IntervalUnit::MonthDayNano))?;
                let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter();
                let parts = intervals.map(|interval| {
                    let interval = interval?;
                    let micros = interval.nanoseconds / 1000;
                    Some(self.part.of_interval(interval.months, i64::from(interval.days), micros))
                });
                Ok(parts.collect())
            }
            _ => {
                let micros = micros(times)?;
                let clocks = micros.iter().map(|micros| micros.map(text::clock).transpose());
                let parts = clocks.map(|clock| Ok(clock?.map(|clock| self.part.of_time(clock))));
                parts.collect::<Result<_, String>>().map_err(DataFusionError::Execution)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_interval(part: TimePart) -> i64 {
        // `-1 year -2 months 40 days -01:30:05.5`
        part.of_interval(-14, 40, -(HOUR + 30 * MINUTE + 5 * SECOND + SECOND / 2))
    }

    #[test]
    fn parts_of_an_interval_have_its_signs() {
        assert_eq!([TimePart::Year, TimePart::Month, TimePart::Day, TimePart::Hour].map(of_interval), [-1, -2, 40, -1]);
        assert_eq!([TimePart::Minute, TimePart::Second, TimePart::Quarter].map(of_interval), [-30, -5_500_000, 1]);
        assert_eq!(
            of_interval(TimePart::Epoch),
            ((-365 * 24 - 6 - 60 * 24 + 40 * 24) * 3600 - 5405) * SECOND - SECOND / 2
        );
    }
}
