//! `modules.datetime` and `modules.pytz`.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use minijinja::Value;

use super::super::time::{Moment, TimeValue, Zone, value, zone_of};
use super::{CallFailure, LibraryArguments, LibraryPart};
use crate::template::render::Render;

/// A value of a class that is not called.
pub(super) fn constant(part: LibraryPart, name: &str) -> Option<Value> {
    let moment = match (part, name) {
        (LibraryPart::TimeZoneClass, "utc") | (LibraryPart::Pytz, "utc" | "UTC") => Moment::Zone(Zone::UTC),
        (LibraryPart::DateTimeClass, "min") => {
            Moment::DateTime(NaiveDate::from_ymd_opt(1, 1, 1)?.and_time(NaiveTime::MIN), None)
        }
        (LibraryPart::DateTimeClass, "max") => {
            Moment::DateTime(NaiveDate::from_ymd_opt(9999, 12, 31)?.and_hms_micro_opt(23, 59, 59, 999_999)?, None)
        }
        (LibraryPart::DateClass, "min") => Moment::Date(NaiveDate::from_ymd_opt(1, 1, 1)?),
        (LibraryPart::DateClass, "max") => Moment::Date(NaiveDate::from_ymd_opt(9999, 12, 31)?),
        _ => return None,
    };
    Some(value(moment))
}

/// A call of a class, or of a function of one.
pub(super) fn call(part: LibraryPart, method: Option<&str>, call: &LibraryArguments<'_>) -> Result<Value, CallFailure> {
    match (part, method) {
        (LibraryPart::Pytz, Some("timezone")) => {
            let name = call.text(0, "zone")?;
            let zone = name.parse::<Tz>().map_err(|_| CallFailure::new(format!("`{name}` is not a time zone")))?;
            Ok(value(Moment::Zone(Zone::Named(zone))))
        }
        (_, method) => {
            let made = match (part, method) {
                (LibraryPart::DateTimeClass, None) => datetime(call)?,
                (LibraryPart::DateTimeClass, Some("strptime")) => Some(parsed(call)?),
                (LibraryPart::DateTimeClass, Some("fromisoformat")) => from_iso(&call.text(0, "date_string")?),
                (LibraryPart::DateTimeClass, Some("combine")) => combined(call),
                (LibraryPart::DateTimeClass, Some("fromtimestamp" | "utcfromtimestamp")) => from_timestamp(call),
                (LibraryPart::DateClass, None) => date(call)?.map(Moment::Date),
                (LibraryPart::DateClass, Some("fromisoformat")) => {
                    call.text(0, "date_string")?.parse().ok().map(Moment::Date)
                }
                (LibraryPart::DateClass, Some("fromordinal")) => {
                    let days = call.number(0, "ordinal")?.and_then(|days| i32::try_from(days).ok());
                    days.and_then(NaiveDate::from_num_days_from_ce_opt).map(Moment::Date)
                }
                (LibraryPart::TimeClass, None) => time(call, 0)?.map(Moment::Time),
                (LibraryPart::DeltaClass, None) => delta(call)?.map(Moment::Delta),
                (LibraryPart::TimeZoneClass, None) => fixed_zone(call).map(Moment::Zone),
                _ => return Err(call.unknown()),
            };
            let wrong = || CallFailure::new(format!("`{}()` gets values that are no date or time", call.name));
            made.map(value).ok_or_else(wrong)
        }
    }
}

/// The run's time, as the clock that a template sees.
pub(super) fn now(part: LibraryPart, call: &LibraryArguments<'_>, render: &Arc<Render>) -> Result<Value, CallFailure> {
    let is_date = match part {
        LibraryPart::DateTimeClass => false,
        LibraryPart::DateClass => true,
        _ => return Err(call.unknown()),
    };
    let zone = call.argument(0, "tz");
    let zone = match &zone {
        Some(given) => Some(zone_of(given).ok_or_else(|| CallFailure::new(format!("`{given}` is not a time zone")))?),
        None => None,
    };
    let utc = render.facts().now;
    let local = match zone {
        Some(Zone::Named(zone)) => utc.with_timezone(&zone).naive_local(),
        Some(Zone::Fixed(offset)) => utc.with_timezone(&offset).naive_local(),
        None => utc.naive_utc(),
    };
    let moment = if is_date { Moment::Date(local.date()) } else { Moment::DateTime(local, zone) };
    Ok(Value::from_object(TimeValue { moment, noticed_by: Some(Arc::clone(render)) }))
}

fn small(number: Option<i64>) -> Option<u32> {
    u32::try_from(number.unwrap_or(0)).ok()
}

fn date(call: &LibraryArguments<'_>) -> Result<Option<NaiveDate>, CallFailure> {
    let year = call.number(0, "year")?.and_then(|year| i32::try_from(year).ok());
    let month = small(call.number(1, "month")?);
    let day = small(call.number(2, "day")?);
    Ok(year.zip(month).zip(day).and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day)))
}

fn time(call: &LibraryArguments<'_>, first: usize) -> Result<Option<NaiveTime>, CallFailure> {
    let mut parts = [0; 4];
    for (place, (name, part)) in ["hour", "minute", "second", "microsecond"].into_iter().zip(&mut parts).enumerate() {
        let Some(number) = small(call.number(first + place, name)?) else {
            return Ok(None);
        };
        *part = number;
    }
    let [hour, minute, second, micro] = parts;
    Ok(NaiveTime::from_hms_micro_opt(hour, minute, second, micro))
}

fn datetime(call: &LibraryArguments<'_>) -> Result<Option<Moment>, CallFailure> {
    let zone = call.argument(7, "tzinfo").as_ref().and_then(zone_of);
    Ok(date(call)?.zip(time(call, 3)?).map(|(date, time)| Moment::DateTime(date.and_time(time), zone)))
}

fn combined(call: &LibraryArguments<'_>) -> Option<Moment> {
    let [date, time] = [call.argument(0, "date")?, call.argument(1, "time")?];
    let date = match date.downcast_object_ref::<TimeValue>()?.moment {
        Moment::Date(date) => date,
        Moment::DateTime(local, _) => local.date(),
        Moment::Time(_) | Moment::Delta(_) | Moment::Zone(_) => return None,
    };
    match time.downcast_object_ref::<TimeValue>()?.moment {
        Moment::Time(time) => Some(Moment::DateTime(date.and_time(time), None)),
        Moment::DateTime(..) | Moment::Date(_) | Moment::Delta(_) | Moment::Zone(_) => None,
    }
}

fn from_timestamp(call: &LibraryArguments<'_>) -> Option<Moment> {
    let seconds = f64::try_from(call.argument(0, "timestamp")?).ok()?;
    let micros = (seconds * 1_000_000.0).round();
    // Beyond this a float no longer counts microseconds, and no date is there either.
    if micros.abs() > 9e15 * 100.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let instant = DateTime::from_timestamp_micros(micros as i64)?;
    let zone = call.argument(1, "tz").as_ref().and_then(zone_of);
    Some(match zone {
        Some(Zone::Named(named)) => Moment::DateTime(instant.with_timezone(&named).naive_local(), zone),
        Some(Zone::Fixed(offset)) => Moment::DateTime(instant.with_timezone(&offset).naive_local(), zone),
        None => Moment::DateTime(instant.naive_utc(), None),
    })
}

/// `strptime`: what the format does not name is 1900-01-01 00:00.
fn parsed(call: &LibraryArguments<'_>) -> Result<Moment, CallFailure> {
    let text = call.text(0, "date_string")?;
    let format = call.text(1, "format")?;
    let wrong = || CallFailure::new(format!("the time `{text}` does not match the format `{format}`"));
    // Chrono's `%f` counts nanoseconds; after a point, `%.f` takes as many digits as there are.
    let format = format.replace(".%f", "%.f");
    if format.contains("%z")
        && let Ok(zoned) = DateTime::parse_from_str(&text, &format)
    {
        return Ok(Moment::DateTime(zoned.naive_local(), Some(Zone::Fixed(*zoned.offset()))));
    }
    let whole = NaiveDateTime::parse_from_str(&text, &format).ok();
    let date = || NaiveDate::parse_from_str(&text, &format).ok().map(|date| date.and_time(NaiveTime::MIN));
    let month = || NaiveDate::parse_from_str(&format!("{text} 01"), &format!("{format} %d")).ok();
    let time = || NaiveTime::parse_from_str(&text, &format).ok();
    let first = NaiveDate::from_ymd_opt(1900, 1, 1);
    let found = whole
        .or_else(date)
        .or_else(|| month().map(|date| date.and_time(NaiveTime::MIN)))
        .or_else(|| first.zip(time()).map(|(date, time)| date.and_time(time)));
    found.map(|local| Moment::DateTime(local, None)).ok_or_else(wrong)
}

fn from_iso(text: &str) -> Option<Moment> {
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Some(Moment::DateTime(zoned.naive_local(), Some(Zone::Fixed(*zoned.offset()))));
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let local = local.or_else(|| text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN)))?;
    Some(Moment::DateTime(local, None))
}

fn fixed_zone(call: &LibraryArguments<'_>) -> Option<Zone> {
    let offset = call.argument(0, "offset")?;
    match offset.downcast_object_ref::<TimeValue>()?.moment {
        Moment::Delta(delta) => Some(Zone::Fixed(FixedOffset::east_opt(i32::try_from(delta.num_seconds()).ok()?)?)),
        Moment::DateTime(..) | Moment::Date(_) | Moment::Time(_) | Moment::Zone(_) => None,
    }
}

/// `timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)`, whole numbers or not.
fn delta(call: &LibraryArguments<'_>) -> Result<Option<TimeDelta>, CallFailure> {
    const UNITS: [(&str, f64); 7] = [
        ("days", 86_400e6),
        ("seconds", 1e6),
        ("microseconds", 1.0),
        ("milliseconds", 1e3),
        ("minutes", 60e6),
        ("hours", 3_600e6),
        ("weeks", 604_800e6),
    ];
    let mut micros = 0.0;
    for (place, (name, unit)) in UNITS.into_iter().enumerate() {
        let Some(given) = call.argument(place, name) else { continue };
        let count = f64::try_from(given)
            .map_err(|_| CallFailure::new(format!("`{}()` needs a number for `{name}`", call.name)))?;
        micros += count * unit;
    }
    // A float counts microseconds exactly up to 285 years.
    if micros.abs() > 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "the days of a float saturate")]
        return Ok(TimeDelta::try_days((micros / 86_400e6).round() as i64));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let micros = micros.round() as i64;
    Ok(Some(TimeDelta::microseconds(micros)))
}
