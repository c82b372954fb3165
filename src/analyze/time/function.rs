//! The functions of time that karat computes itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::pattern::Item;
use super::{instant, interval, parse, pattern, pattern_read, text, timestamp, zone};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
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
}

/// What stands under a name in SQL.
pub(super) fn named() -> Vec<ScalarUDF> {
    let units = [
        ("to_timestamp_seconds", 1),
        ("to_timestamp_millis", 1000),
        ("to_timestamp_micros", 1_000_000),
        ("to_timestamp_nanos", 1_000_000_000),
    ];
    let epochs = units.map(|(name, units)| Kind::FromEpoch(name, units));
    let kinds = [Kind::Timezone, Kind::ToChar, Kind::ToDate, Kind::ToTimestamp, Kind::DateBin];
    kinds.into_iter().chain(epochs).map(Kind::function).collect()
}

impl Kind {
    fn function(self) -> ScalarUDF {
        let counts = match self {
            Kind::Timezone | Kind::ToChar | Kind::ToDate => &[2][..],
            Kind::ToTimestamp => &[1, 2],
            Kind::DateBin => &[2, 3],
            Kind::Text
            | Kind::ParseTimestamp { is_try: _ }
            | Kind::ParseInstant { is_try: _ }
            | Kind::ParseDate { is_try: _ }
            | Kind::FromEpoch(..)
            | Kind::Interval
            | Kind::Length => &[1],
        };
        let signature = TypeSignature::OneOf(counts.iter().map(|count| TypeSignature::Any(*count)).collect());
        ScalarUDF::from(TimeFunction { kind: self, signature: Signature::new(signature, Volatility::Immutable) })
    }

    /// The function over these arguments.
    pub fn call(self, args: Vec<Expr>) -> Expr {
        self.function().call(args)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeFunction {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for TimeFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Timezone => "timezone",
            Kind::Text => "time_text",
            Kind::ParseTimestamp { is_try: false } => "read_timestamp",
            Kind::ParseInstant { is_try: false } => "read_timestamptz",
            Kind::ParseDate { is_try: false } => "read_date",
            Kind::ParseTimestamp { is_try: true } => "try_read_timestamp",
            Kind::ParseInstant { is_try: true } => "try_read_timestamptz",
            Kind::ParseDate { is_try: true } => "try_read_date",
            Kind::ToChar => "to_char",
            Kind::ToDate => "to_date",
            Kind::ToTimestamp => "to_timestamp",
            Kind::FromEpoch(name, _) => name,
            Kind::DateBin => "date_bin",
            Kind::Interval => "interval_of_days",
            Kind::Length => "interval_length",
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
            Kind::Timezone => {
                let is_clock = matches!(types.get(1), Some(DataType::Timestamp(_, None)));
                (text(0) && (time(1) || text(1)), if is_clock { instant() } else { timestamp() })
            }
            Kind::Text => (true, DataType::Utf8),
            Kind::Interval => (true, DataType::Interval(IntervalUnit::MonthDayNano)),
            Kind::Length => (true, DataType::Decimal128(38, 0)),
            Kind::ParseTimestamp { is_try: _ } => (text(0), timestamp()),
            Kind::ParseInstant { is_try: _ } => (text(0), instant()),
            Kind::ParseDate { is_try: _ } => (text(0), DataType::Date32),
            Kind::ToChar => (time(0) && text(1), DataType::Utf8),
            Kind::ToDate => (text(0) && text(1), DataType::Date32),
            Kind::ToTimestamp if types.len() == 2 => (text(0) && text(1), instant()),
            Kind::ToTimestamp => (number, instant()),
            Kind::FromEpoch(..) => (number, timestamp()),
            Kind::DateBin => {
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
            Kind::Timezone => "`at time zone` takes a timestamp and the name of a time zone",
            Kind::ToChar => "`to_char` takes a date or a timestamp, and a pattern like 'YYYY-MM-DD'",
            Kind::ToDate => {
                "`to_date` takes a text and a pattern like 'YYYY-MM-DD'; without a pattern write `cast(… as date)`"
            }
            Kind::ToTimestamp => {
                "`to_timestamp` takes a text and a pattern, or the seconds since 1970; without either write `cast(… as timestamp)`"
            }
            Kind::FromEpoch(..) => "it takes a number since 1970; for a text write `cast(… as timestamp)`",
            Kind::DateBin => "`date_bin` takes an interval, a timestamp and a timestamp at which the intervals begin",
            Kind::Text
            | Kind::ParseTimestamp { is_try: _ }
            | Kind::ParseInstant { is_try: _ }
            | Kind::ParseDate { is_try: _ }
            | Kind::Interval
            | Kind::Length => "this type is not cast",
        }
    }

    fn compute(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let first = argument(args, 0)?;
        match self.kind {
            Kind::Timezone => in_zone(first, argument(args, 1)?),
            Kind::Text => written(first),
            Kind::ParseTimestamp { is_try } => Ok(timestamps(parsed(first, parse::timestamp, is_try)?, false)),
            Kind::ParseInstant { is_try } => Ok(timestamps(parsed(first, parse::instant, is_try)?, true)),
            Kind::ParseDate { is_try } => Ok(Arc::new(Date32Array::from(parsed(first, parse::date, is_try)?))),
            Kind::ToChar => to_char(first, argument(args, 1)?),
            Kind::ToDate => {
                let days = read_all(first, argument(args, 1)?)?.into_iter().map(|micros| {
                    micros.map(|micros| i32::try_from(micros.div_euclid(DAY))).transpose().map_err(|_| beyond())
                });
                Ok(Arc::new(days.collect::<Result<Date32Array>>()?))
            }
            Kind::ToTimestamp if args.len() == 2 => Ok(timestamps(read_all(first, argument(args, 1)?)?, true)),
            Kind::ToTimestamp => Ok(timestamps(from_epoch(first, 1)?, true)),
            Kind::FromEpoch(_, units) => Ok(timestamps(from_epoch(first, units)?, false)),
            Kind::DateBin => super::bin::date_bin(args),
            Kind::Interval => interval::of_days(first),
            Kind::Length => interval::lengths(first),
        }
    }
}

pub(super) const DAY: i64 = 86_400_000_000;

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Null)
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string() || data_type.is_null()
}

pub(super) fn argument(args: &[ArrayRef], at: usize) -> Result<&ArrayRef> {
    args.get(at).ok_or_else(|| exec_datafusion_err!("an argument is missing"))
}

fn failed(reason: String) -> DataFusionError {
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

fn texts(array: &ArrayRef) -> Result<StringArray> {
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

/// The times that texts say. One that says none is null in a `try_cast`, and otherwise an error.
fn parsed<T>(array: &ArrayRef, parse: fn(&str) -> Result<T, String>, is_try: bool) -> Result<Vec<Option<T>>> {
    let texts = texts(array)?;
    let read = |text: Option<&str>| match text.map(parse) {
        Some(Err(_)) if is_try => Ok(None),
        found => found.transpose().map_err(failed),
    };
    texts.iter().map(read).collect()
}

fn in_zone(zones: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let zones = texts(zones)?;
    let to_instant = matches!(times.data_type(), DataType::Timestamp(_, None));
    let micros = match is_text(times.data_type()) {
        true => TimestampMicrosecondArray::from(parsed(times, parse::instant, false)?),
        false => micros(times)?,
    };
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
            let write = |micros: i64| text::date(micros).map_err(failed);
            micros(array)?.iter().map(|micros| micros.map(write).transpose()).collect::<Result<_>>()?
        }
        DataType::Timestamp(_, zone) => {
            let times = micros(array)?;
            let write = |micros: i64| text::timestamp(micros, zone.is_some()).map_err(failed);
            times.iter().map(|micros| micros.map(write).transpose()).collect::<Result<_>>()?
        }
        DataType::Duration(_) => {
            let micros = as_type(
                &as_type(array, &DataType::Duration(arrow::datatypes::TimeUnit::Microsecond))?,
                &DataType::Int64,
            )?;
            let write = |micros: i64| text::interval(0, i32::try_from(micros / DAY).unwrap_or(i32::MAX), micros % DAY);
            micros.as_primitive::<Int64Type>().iter().map(|micros| micros.map(write)).collect()
        }
        _ => {
            let intervals = as_type(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().clone();
            let write = |found: arrow::datatypes::IntervalMonthDayNano| {
                text::interval(found.months, found.days, found.nanoseconds / 1000)
            };
            intervals.iter().map(|interval| interval.map(write)).collect()
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
        let scaled = |number: i64| {
            let micros = (i128::from(number) * 1_000_000).div_euclid(i128::from(units));
            checked(i64::try_from(micros).map_err(|_| beyond())?)
        };
        return numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(scaled).transpose()).collect();
    }
    let numbers = as_type(array, &DataType::Float64)?;
    numbers
        .as_primitive::<Float64Type>()
        .iter()
        .map(|number| number.map(|number| rounded(number, units)).transpose())
        .collect()
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
