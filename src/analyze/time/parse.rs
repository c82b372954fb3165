//! Texts as dates and timestamps: the ISO forms that PostgreSQL reads, and no guesses.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::zone;

const EXPECTED: &str = "write it like `2023-05-01` or `2023-05-01 13:00:00`";

/// A time as it is written, with what stands behind it as its zone.
struct TimeText<'t> {
    /// As it is written: `24:00` belongs to it.
    day: NaiveDate,
    clock: NaiveDateTime,
    zone: &'t str,
}

/// The clock time alone: a `timestamp` has no zone, and what the text says of one is not looked at.
pub(super) fn timestamp(text: &str) -> Result<i64, String> {
    let written = written(text)?;
    offset(written.zone, written.clock).map_err(|reason| failed(text, &reason))?;
    Ok(written.clock.and_utc().timestamp_micros())
}

/// The instant; a text without a zone is in UTC.
pub(super) fn instant(text: &str) -> Result<i64, String> {
    let written = written(text)?;
    offset(written.zone, written.clock).map_err(|reason| failed(text, &reason))
}

/// The days since 1970.
pub(super) fn date(text: &str) -> Result<i32, String> {
    let written = written(text)?;
    offset(written.zone, written.clock).map_err(|reason| failed(text, &reason))?;
    let days = written.day.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).map_err(|_| failed(text, EXPECTED))
}

fn failed(text: &str, reason: &str) -> String {
    format!("the text `{text}` is not a date or a timestamp: {reason}")
}

fn written(text: &str) -> Result<TimeText<'_>, String> {
    parts(text.trim()).ok_or_else(|| failed(text, EXPECTED))
}

fn parts(text: &str) -> Option<TimeText<'_>> {
    let date_end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let day = day(text.get(..date_end)?)?;
    let rest = text.get(date_end..)?;
    if rest.is_empty() {
        return Some(TimeText { day, clock: day.and_time(NaiveTime::MIN), zone: "" });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let time_end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let since_midnight = since_midnight(rest.get(..time_end)?)?;
    let clock = day.and_time(NaiveTime::MIN).checked_add_signed(since_midnight)?;
    Some(TimeText { day, clock, zone: rest.get(time_end..)?.trim() })
}

fn day(text: &str) -> Option<NaiveDate> {
    let digits = |text: &str| (!text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())).then_some(());
    let found = if text.len() == 8 && digits(text).is_some() {
        NaiveDate::from_ymd_opt(
            text.get(..4)?.parse().ok()?,
            text.get(4..6)?.parse().ok()?,
            text.get(6..)?.parse().ok()?,
        )
    } else {
        let mut fields = text.split('-');
        let year = fields.next().filter(|year| year.len() == 4)?;
        let month = fields.next().filter(|month| month.len() <= 2)?;
        let day = fields.next().filter(|day| day.len() <= 2)?;
        if fields.next().is_some() {
            return None;
        }
        [year, month, day].into_iter().try_for_each(digits)?;
        NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    };
    found.filter(|day| *day >= NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default())
}

/// `13:00`, `13:00:05.25`; `24:00:00` is the next midnight.
fn since_midnight(text: &str) -> Option<TimeDelta> {
    let mut fields = text.split(':');
    let hours = number(fields.next()?)?;
    let minutes = number(fields.next()?)?;
    let seconds = fields.next();
    if fields.next().is_some() {
        return None;
    }
    let seconds = match seconds {
        None => 0,
        Some(seconds) => micros(seconds)?,
    };
    let total = (hours * 60 + minutes) * 60_000_000 + seconds;
    (minutes < 60 && seconds < 60_000_000 && total <= 86_400_000_000).then(|| TimeDelta::microseconds(total))
}

fn number(text: &str) -> Option<i64> {
    (1..=2).contains(&text.len()).then(|| text.parse().ok())?
}

/// Seconds in microseconds; finer digits are rounded.
fn micros(text: &str) -> Option<i64> {
    let Some((whole, fraction)) = text.split_once('.') else { return Some(number(text)? * 1_000_000) };
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) || fraction.len() > 18 {
        return None;
    }
    let padded = format!("{fraction:0<7}");
    let round = i64::from(padded.as_bytes().get(6).is_some_and(|digit| *digit >= b'5'));
    Some(number(whole)? * 1_000_000 + padded.get(..6)?.parse::<i64>().ok()? + round)
}

/// The instant of a clock time with this zone behind it, in microseconds.
fn offset(text: &str, clock: NaiveDateTime) -> Result<i64, String> {
    let micros = clock.and_utc().timestamp_micros();
    let sign = match text.as_bytes().first() {
        None => return Ok(micros),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => {
            let zone = zone::parse(text)?;
            return zone::instant(zone, micros).ok_or_else(|| EXPECTED.to_owned());
        }
    };
    let digits = text.get(1..).unwrap_or_default();
    let pieces = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => Some([hours, minutes]),
        (None, 4) => digits.split_at_checked(2).map(|(hours, minutes)| [hours, minutes]),
        (None, _) => Some([digits, "0"]),
    };
    let pieces = pieces.and_then(|[hours, minutes]| Some([number(hours)?, number(minutes)?]));
    match pieces.filter(|[hours, minutes]| *hours <= 15 && *minutes < 60) {
        Some([hours, minutes]) => Ok(micros - sign * (hours * 60 + minutes) * 60_000_000),
        None => Err("write the zone like `Z` or `+02:00`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_forms_are_read_and_nothing_else() {
        let day = 1_719_792_000_000_000;
        assert_eq!(timestamp(" 2024-07-01 "), Ok(day));
        assert_eq!(timestamp("20240701T01:00"), Ok(day + 3_600_000_000));
        assert_eq!(timestamp("2024-7-1 24:00:00"), Ok(day + 86_400_000_000));
        assert_eq!(timestamp("2024-07-01 00:00:00.0000015+02"), Ok(day + 2));
        assert_eq!(instant("2024-07-01 02:00:00+02"), Ok(day));
        assert_eq!(instant("2024-07-01 00:00:00Z"), Ok(day));
        assert_eq!(instant("2024-06-30 20:00:00 America/New_York"), Ok(day));
        for wrong in [
            "",
            "tomorrow",
            "2024-02-30",
            "0000-01-01",
            "01.07.2024",
            "2024-07-01 25:00",
            "2024-07-01x",
            "24-7-1",
            "2024-07-01 10",
        ] {
            assert!(timestamp(wrong).is_err(), "{wrong}");
        }
    }
}
