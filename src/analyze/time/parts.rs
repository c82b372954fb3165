//! `extract`: the parts of a time that the engine lacks or counts in another way.

use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion::arrow::datatypes::DataType;

/// Parts that are computed here, with the type of their values.
pub(super) fn own_part(unit: &str) -> Option<(&'static str, DataType)> {
    Some(match unit.to_lowercase().as_str() {
        "second" | "seconds" | "sec" | "s" => ("second", DataType::Float64),
        "millisecond" | "milliseconds" | "ms" => ("milliseconds", DataType::Float64),
        "microsecond" | "microseconds" | "us" => ("microseconds", DataType::Int64),
        "epoch" => ("epoch", DataType::Float64),
        "isodow" => ("isodow", DataType::Int32),
        "dow" | "weekday" => ("dow", DataType::Int32),
        "decade" => ("decade", DataType::Int32),
        "century" | "centuries" => ("century", DataType::Int32),
        "millennium" | "millenniums" => ("millennium", DataType::Int32),
        "isoyear" => ("isoyear", DataType::Int32),
        _ => return None,
    })
}

/// The value of a part: a whole number of the smallest unit that its type shows.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of the years 1 to 9999 are below 2^58, shown as `extract` does"
)]
pub(super) fn value(part: &str, time: NaiveDateTime) -> f64 {
    let micros = i64::from(time.second()) * 1_000_000 + i64::from(time.nanosecond() / 1000);
    let year = i64::from(time.year());
    match part {
        "second" => micros as f64 / 1e6,
        "milliseconds" => micros as f64 / 1e3,
        "microseconds" => micros as f64,
        "epoch" => time.and_utc().timestamp_micros() as f64 / 1e6,
        "isodow" => f64::from(time.weekday().number_from_monday()),
        "dow" => f64::from(time.weekday().num_days_from_sunday()),
        "decade" => year.div_euclid(10) as f64,
        "century" => (year + 99).div_euclid(100) as f64,
        "millennium" => (year + 999).div_euclid(1000) as f64,
        _ => f64::from(time.iso_week().year()),
    }
}
