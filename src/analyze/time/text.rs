//! How PostgreSQL writes times and intervals.

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// The clock time of microseconds since 1970. The error is that they are beyond the calendar.
pub(super) fn clock(micros: i64) -> Result<NaiveDateTime, String> {
    let time = DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc());
    time.filter(|time| (1..=9999).contains(&time.year()))
        .ok_or_else(|| "a timestamp is outside the years 1 to 9999".to_owned())
}

/// `2018-01-01 00:00:00.5`, with `+00` behind it for an instant.
pub(super) fn timestamp(micros: i64, is_instant: bool) -> Result<String, String> {
    let time = clock(micros)?;
    let zone = if is_instant { "+00" } else { "" };
    Ok(format!("{}{}{zone}", time.format("%Y-%m-%d %H:%M:%S"), fraction(i64::from(time.nanosecond() / 1000))))
}

/// `2018-01-01`
pub(super) fn date(micros: i64) -> Result<String, String> {
    let day = clock(micros).map_err(|_| "a date is outside the years 1 to 9999".to_owned())?;
    Ok(day.format("%Y-%m-%d").to_string())
}

/// `.5` for half a second, nothing for none.
fn fraction(micros: i64) -> String {
    if micros == 0 {
        return String::new();
    }
    let digits = format!(".{micros:06}");
    digits.trim_end_matches('0').to_owned()
}

/// `1 year 2 mons 3 days 04:05:06`.
pub(super) fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut parts = Vec::new();
    let mut is_after_negative = false;
    for (count, word) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if count != 0 {
            let plural = if count == 1 { "" } else { "s" };
            let sign = if is_after_negative && count > 0 { "+" } else { "" };
            parts.push(format!("{sign}{count} {word}{plural}"));
            is_after_negative = count < 0;
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = match micros {
            negative if negative < 0 => "-",
            _ if is_after_negative => "+",
            _ => "",
        };
        let micros = micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        let rest = fraction(i64::try_from(micros % 1_000_000).unwrap_or_default());
        parts.push(format!("{sign}{:02}:{:02}:{:02}{rest}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_intervals_read_as_in_postgresql() {
        assert_eq!(timestamp(1_514_764_800_000_000, false).unwrap(), "2018-01-01 00:00:00");
        assert_eq!(timestamp(1_514_764_800_120_000, true).unwrap(), "2018-01-01 00:00:00.12+00");
        assert_eq!(interval(14, 1, -3_000_000), "1 year 2 mons 1 day -00:00:03");
        assert_eq!(interval(0, -1, 3_500_000), "-1 days +00:00:03.5");
        assert_eq!(interval(0, 0, 0), "00:00:00");
        assert!(timestamp(i64::MAX, false).is_err());
    }
}
