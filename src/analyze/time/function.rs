//! The functions of time that karat computes itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::arrays::{DAY, argument, as_type, beyond, checked, failed, micros, texts, timestamps};
use super::pattern::Item;
use super::{instant, interval, parse, pattern, pattern_read, text, timestamp, zone};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TimeFunctionKind {
    /// `timezone(zone, time)`.
    Timezone,
    /// A timestamp or an interval as PostgreSQL writes it.
    Text,
    ParseTimestamp {
        is_try: bool,
    },
    ParseInstant {
        is_try: bool,
    },
    ParseDate {
        is_try: bool,
    },
    ToChar,
    ToDate,
    ToTimestamp,
    /// Of so many of its units a second consists.
    FromEpoch(&'static str, i64),
    DateBin,
    /// The difference of two times as an interval of days and hours.
    Interval,
    /// The microseconds of an interval, by which PostgreSQL compares: a month has 30 days.
    Length,
    /// An interval so many times.
    Times,
}

/// What stands under a name in SQL.
pub(super) fn named() -> Vec<ScalarUDF> {
    let units = [
        ("to_timestamp_seconds", 1),
        ("to_timestamp_millis", 1000),
        ("to_timestamp_micros", 1_000_000),
        ("to_timestamp_nanos", 1_000_000_000),
    ];
    let epochs = units.map(|(name, units)| TimeFunctionKind::FromEpoch(name, units));
    let kinds = [
        TimeFunctionKind::Timezone,
        TimeFunctionKind::ToChar,
        TimeFunctionKind::ToDate,
        TimeFunctionKind::ToTimestamp,
        TimeFunctionKind::DateBin,
    ];
    kinds.into_iter().chain(epochs).map(TimeFunctionKind::function).collect()
}

impl TimeFunctionKind {
    pub fn function(self) -> ScalarUDF {
        let counts = match self {
            TimeFunctionKind::Timezone
            | TimeFunctionKind::ToChar
            | TimeFunctionKind::ToDate
            | TimeFunctionKind::Times => &[2][..],
            TimeFunctionKind::ToTimestamp => &[1, 2],
            TimeFunctionKind::DateBin => &[2, 3],
            TimeFunctionKind::Text
            | TimeFunctionKind::ParseTimestamp { is_try: _ }
            | TimeFunctionKind::ParseInstant { is_try: _ }
            | TimeFunctionKind::ParseDate { is_try: _ }
            | TimeFunctionKind::FromEpoch(..)
            | TimeFunctionKind::Interval
            | TimeFunctionKind::Length => &[1],
        };
        let signature = TypeSignature::OneOf(counts.iter().map(|count| TypeSignature::Any(*count)).collect());
        ScalarUDF::from(TimeFunction { kind: self, signature: Signature::new(signature, Volatility::Immutable) })
    }

    /// The function over these arguments.
    pub fn call(self, args: Vec<Expr>) -> Expr {
        self.function().call(args)
    }
}

/// The microseconds of an interval, by which PostgreSQL compares: a month has 30 days, and a day 24 hours.
pub(in crate::analyze) fn interval_length(interval: Expr) -> Expr {
    TimeFunctionKind::Length.call(vec![interval])
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeFunction {
    pub kind: TimeFunctionKind,
    signature: Signature,
}

impl ScalarUDFImpl for TimeFunction {
    fn name(&self) -> &str {
        match self.kind {
            TimeFunctionKind::Timezone => "timezone",
            TimeFunctionKind::Text => "time_text",
            TimeFunctionKind::ParseTimestamp { is_try: false } => "read_timestamp",
            TimeFunctionKind::ParseInstant { is_try: false } => "read_timestamptz",
            TimeFunctionKind::ParseDate { is_try: false } => "read_date",
            TimeFunctionKind::ParseTimestamp { is_try: true } => "try_read_timestamp",
            TimeFunctionKind::ParseInstant { is_try: true } => "try_read_timestamptz",
            TimeFunctionKind::ParseDate { is_try: true } => "try_read_date",
            TimeFunctionKind::ToChar => "to_char",
            TimeFunctionKind::ToDate => "to_date",
            TimeFunctionKind::ToTimestamp => "to_timestamp",
            TimeFunctionKind::FromEpoch(name, _) => name,
            TimeFunctionKind::DateBin => "date_bin",
            TimeFunctionKind::Interval => "interval_of_days",
            TimeFunctionKind::Length => "interval_length",
            TimeFunctionKind::Times => "interval_times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let time = |at: usize| types.get(at).is_some_and(is_time);
        let text = |at: usize| types.get(at).is_some_and(is_text);
        let number = types.first().is_some_and(|found| found.is_numeric() || found.is_null());
        let (is_fine, found) = match self.kind {
            TimeFunctionKind::Timezone => {
                let is_clock = matches!(types.get(1), Some(DataType::Timestamp(_, None)));
                (text(0) && (time(1) || text(1)), if is_clock { instant() } else { timestamp() })
            }
            TimeFunctionKind::Text => (true, DataType::Utf8),
            TimeFunctionKind::Interval | TimeFunctionKind::Times => {
                (true, DataType::Interval(IntervalUnit::MonthDayNano))
            }
            TimeFunctionKind::Length => (true, DataType::Decimal128(38, 0)),
            TimeFunctionKind::ParseTimestamp { is_try: _ } => (text(0), timestamp()),
            TimeFunctionKind::ParseInstant { is_try: _ } => (text(0), instant()),
            TimeFunctionKind::ParseDate { is_try: _ } => (text(0), DataType::Date32),
            TimeFunctionKind::ToChar => (time(0) && text(1), DataType::Utf8),
            TimeFunctionKind::ToDate => (text(0) && text(1), DataType::Date32),
            TimeFunctionKind::ToTimestamp if types.len() == 2 => (text(0) && text(1), instant()),
            TimeFunctionKind::ToTimestamp => (number, instant()),
            TimeFunctionKind::FromEpoch(..) => (number, timestamp()),
            TimeFunctionKind::DateBin => {
                let is_interval = matches!(types.first(), Some(DataType::Interval(_)));
                let zoned = matches!(types.get(1), Some(DataType::Timestamp(_, Some(_))));
                (is_interval && time(1) && (types.len() == 2 || time(2)), if zoned { instant() } else { timestamp() })
            }
        };
        if is_fine { Ok(found) } else { plan_err!("{}", self.usage()) }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let result = self.compute(&arrays)?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

impl TimeFunction {
    fn usage(&self) -> &'static str {
        match self.kind {
            TimeFunctionKind::Timezone => "`at time zone` takes a timestamp and the name of a time zone",
            TimeFunctionKind::ToChar => "`to_char` takes a date or a timestamp, and a pattern like 'YYYY-MM-DD'",
            TimeFunctionKind::ToDate => {
                "`to_date` takes a text and a pattern like 'YYYY-MM-DD'; without a pattern write `cast(… as date)`"
            }
            TimeFunctionKind::ToTimestamp => {
                "`to_timestamp` takes a text and a pattern, or the seconds since 1970; without either write `cast(… as timestamp)`"
            }
            TimeFunctionKind::FromEpoch(..) => "it takes a number since 1970; for a text write `cast(… as timestamp)`",
            TimeFunctionKind::DateBin => {
                "`date_bin` takes an interval, a timestamp and a timestamp at which the intervals begin"
            }
            TimeFunctionKind::Text
            | TimeFunctionKind::ParseTimestamp { is_try: _ }
            | TimeFunctionKind::ParseInstant { is_try: _ }
            | TimeFunctionKind::ParseDate { is_try: _ }
            | TimeFunctionKind::Interval
            | TimeFunctionKind::Times
            | TimeFunctionKind::Length => "this type is not cast",
        }
    }

    fn compute(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let first = argument(args, 0)?;
        match self.kind {
            TimeFunctionKind::Timezone => in_zone(first, argument(args, 1)?),
            TimeFunctionKind::Text => written(first),
            TimeFunctionKind::ParseTimestamp { is_try } => {
                Ok(timestamps(parsed(first, parse::timestamp, is_try)?, false))
            }
            TimeFunctionKind::ParseInstant { is_try } => Ok(timestamps(parsed(first, parse::instant, is_try)?, true)),
            TimeFunctionKind::ParseDate { is_try } => {
                Ok(Arc::new(Date32Array::from(parsed(first, parse::date, is_try)?)))
            }
            TimeFunctionKind::ToChar => to_char(first, argument(args, 1)?),
            TimeFunctionKind::ToDate => {
                let days = read_all(first, argument(args, 1)?)?.into_iter().map(|micros| {
                    micros.map(|micros| i32::try_from(micros.div_euclid(DAY))).transpose().map_err(|_| beyond())
                });
                Ok(Arc::new(days.collect::<Result<Date32Array>>()?))
            }
            TimeFunctionKind::ToTimestamp if args.len() == 2 => {
                Ok(timestamps(read_all(first, argument(args, 1)?)?, true))
            }
            TimeFunctionKind::ToTimestamp => Ok(timestamps(from_epoch(first, 1)?, true)),
            TimeFunctionKind::FromEpoch(_, units) => Ok(timestamps(from_epoch(first, units)?, false)),
            TimeFunctionKind::DateBin => super::bin::date_bin(args),
            TimeFunctionKind::Interval => interval::of_days(first),
            TimeFunctionKind::Length => interval::lengths(first),
            TimeFunctionKind::Times => interval::times(first, argument(args, 1)?),
        }
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Null)
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string() || data_type.is_null()
}

/// The times that texts say. One that says none is null in a `try_cast`, and otherwise an error.
fn parsed<T>(array: &ArrayRef, parse: fn(&str) -> Result<T, String>, is_try: bool) -> Result<Vec<Option<T>>> {
    let texts = texts(array)?;
    let times = texts.iter().map(|text| match text.map(parse) {
        Some(Err(_)) if is_try => Ok(None),
        found => found.transpose().map_err(failed),
    });
    times.collect()
}

fn in_zone(zones: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let zones = texts(zones)?;
    let to_instant = matches!(times.data_type(), DataType::Timestamp(_, None));
    let micros = match is_text(times.data_type()) {
        true => TimestampMicrosecondArray::from(parsed(times, parse::instant, false)?),
        false => micros(times)?,
    };
    // The zone seldom changes from row to row, and looking it up is what takes time.
    let mut known = None;
    let moved = zones.iter().zip(micros.iter()).map(|pair| {
        let (Some(name), Some(micros)) = pair else { return Ok(None) };
        let zone = match &known {
            Some((known, zone)) if known == name => *zone,
            _ => {
                let zone = zone::parse(name).map_err(failed)?;
                known = Some((name.to_owned(), zone));
                zone
            }
        };
        let moved = if to_instant { zone::instant(zone, micros) } else { zone::clock(zone, micros) };
        checked(moved.ok_or_else(beyond)?).map(Some)
    });
    Ok(timestamps(moved.collect::<Result<_>>()?, to_instant))
}

fn written(array: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match array.data_type() {
        DataType::Date32 => {
            let days = micros(array)?;
            days.iter().map(|day| day.map(text::date).transpose().map_err(failed)).collect::<Result<_>>()?
        }
        DataType::Timestamp(_, zone) => {
            let times = micros(array)?;
            let is_instant = zone.is_some();
            let texts = times.iter().map(|time| time.map(|time| text::timestamp(time, is_instant)).transpose());
            texts.map(|text| text.map_err(failed)).collect::<Result<_>>()?
        }
        DataType::Duration(_) => {
            let micros = as_type(
                &as_type(array, &DataType::Duration(arrow::datatypes::TimeUnit::Microsecond))?,
                &DataType::Int64,
            )?;
            let lengths = micros.as_primitive::<Int64Type>().iter();
            let texts = lengths.map(|micros| {
                let days = i32::try_from(micros? / DAY).unwrap_or(i32::MAX);
                Some(text::interval(0, days, micros? % DAY))
            });
            texts.collect()
        }
        _ => {
            let intervals = as_type(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().clone();
            let texts = intervals.iter().map(|interval| {
                let interval = interval?;
                Some(text::interval(interval.months, interval.days, interval.nanoseconds / 1000))
            });
            texts.collect()
        }
    };
    Ok(Arc::new(texts))
}

/// Patterns seldom change from row to row: the last one is kept as it was taken apart.
#[derive(Default)]
struct Patterns {
    known: Option<(String, Vec<Item>)>,
}

impl Patterns {
    fn get(&mut self, pattern: &str, is_read: bool) -> Result<&[Item]> {
        if self.known.as_ref().is_none_or(|(known, _)| known != pattern) {
            let items = pattern::parse(pattern).map_err(failed)?;
            if is_read {
                pattern_read::check(&items).map_err(failed)?;
            }
            self.known = Some((pattern.to_owned(), items));
        }
        Ok(self.known.as_ref().map_or(&[], |(_, items)| items))
    }
}

fn to_char(times: &ArrayRef, patterns: &ArrayRef) -> Result<ArrayRef> {
    // A date is cast to `timestamptz` there.
    let is_instant = !matches!(times.data_type(), DataType::Timestamp(_, None));
    let times = micros(times)?;
    let patterns = texts(patterns)?;
    let mut known = Patterns::default();
    let written = times.iter().zip(patterns.iter()).map(|pair| {
        let (Some(micros), Some(pattern)) = pair else { return Ok(None) };
        let clock = text::clock(micros).map_err(failed)?;
        pattern::write(known.get(pattern, false)?, clock, is_instant).map(Some).map_err(failed)
    });
    Ok(Arc::new(written.collect::<Result<StringArray>>()?))
}

fn read_all(array: &ArrayRef, patterns: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let values = texts(array)?;
    let patterns = texts(patterns)?;
    let mut known = Patterns::default();
    let read = values.iter().zip(patterns.iter()).map(|pair| {
        let (Some(value), Some(pattern)) = pair else { return Ok(None) };
        let time = pattern_read::read(known.get(pattern, true)?, value).map_err(failed)?;
        Ok(Some(time.and_utc().timestamp_micros()))
    });
    read.collect()
}

/// Numbers of which a second has `units`, as microseconds.
fn from_epoch(array: &ArrayRef, units: i64) -> Result<Vec<Option<i64>>> {
    if array.data_type().is_integer() {
        let numbers = as_type(array, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>().iter();
        return numbers.map(|number| number.map(|number| scaled(number, units)).transpose()).collect();
    }
    let numbers = as_type(array, &DataType::Float64)?;
    numbers
        .as_primitive::<Float64Type>()
        .iter()
        .map(|number| number.map(|number| rounded(number, units)).transpose())
        .collect()
}

/// Whole numbers are scaled in 128 bits: nothing is lost, and nanoseconds are cut to the microsecond that they lie in.
fn scaled(number: i64, units: i64) -> Result<i64> {
    let micros = (i128::from(number) * 1_000_000).div_euclid(i128::from(units));
    checked(i64::try_from(micros).map_err(|_| beyond())?)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the bounds are checked before the cast"
)]
fn rounded(number: f64, units: i64) -> Result<i64> {
    let micros = (number * (1_000_000.0 / units as f64)).round_ties_even();
    if micros.abs() < 4e17 { checked(micros as i64) } else { Err(beyond()) }
}
