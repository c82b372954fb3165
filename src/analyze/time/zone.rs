//! Time zones: from a clock to an instant and back.

use arrow::array::timezone::Tz;
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};

use crate::diag::nearest;

/// A zone by its name in the tz database. The error is why it is none.
pub(super) fn parse(name: &str) -> Result<Tz, String> {
    let remedy = "write a name of the tz database, like 'Europe/Berlin'";
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(format!("`{name}` is not the name of a time zone: {remedy}"));
    }
    let near = || nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
    let known = if name.eq_ignore_ascii_case("z") { "UTC" } else { name };
    known.parse().map_err(|_| match near() {
        Some(near) => format!("no time zone is called `{name}`: write `{near}`"),
        None => format!("no time zone is called `{name}`: {remedy}"),
    })
}

/// The table of zones ends with this year; later ones go on by the rule of the last.
const LAST_YEAR: i32 = 2099;

/// By how much a time of a year after the last is earlier in a year of the table with the same calendar: as long, and
/// beginning on the same day of the week.
fn ahead(micros: i64) -> Option<i64> {
    let year = DateTime::from_timestamp_micros(micros)?.naive_utc().year();
    if year <= LAST_YEAR {
        return Some(0);
    }
    let begin = NaiveDate::from_ymd_opt(year, 1, 1)?;
    // The Gregorian calendar repeats within 28 years as long as no century is in between: forty hold each of the fourteen
    // kinds of a year.
    let mut known = (LAST_YEAR - 40..LAST_YEAR).filter_map(|year| NaiveDate::from_ymd_opt(year, 1, 1));
    let known = known.find(|other| other.leap_year() == begin.leap_year() && other.weekday() == begin.weekday())?;
    begin.signed_duration_since(known).num_microseconds()
}

/// What the zone's clock shows at an instant.
pub(super) fn clock(zone: Tz, micros: i64) -> Option<i64> {
    // Computed in the similar year, and carried back by the same distance.
    let ahead = ahead(micros)?;
    let micros = micros - ahead;
    let instant: DateTime<Utc> = DateTime::from_timestamp_micros(micros)?;
    Some(instant.with_timezone(&zone).naive_local().and_utc().timestamp_micros() + ahead)
}

/// The instant at which the zone's clock shows this. As in PostgreSQL, a time that is skipped is read with the offset from
/// before, and a time that comes twice is the second one.
pub(super) fn instant(zone: Tz, micros: i64) -> Option<i64> {
    let ahead = ahead(micros)?;
    let micros = micros - ahead;
    let local: NaiveDateTime = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let offset = match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => offset.fix(),
        LocalResult::Ambiguous(one, other) => {
            // The smaller offset belongs to the later instant: clocks are set back, so standard time is the second.
            let later = one.fix().local_minus_utc().min(other.fix().local_minus_utc());
            return Some(micros - i64::from(later) * 1_000_000 + ahead);
        }
        // A day before, no clock is changed yet.
        LocalResult::None => zone.offset_from_utc_datetime(&(local - TimeDelta::days(1))).fix(),
    };
    Some(micros - i64::from(offset.local_minus_utc()) * 1_000_000 + ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<NaiveDateTime>().unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn zones_change_their_clocks_in_every_year() {
        let zone = parse("America/New_York").unwrap();
        for year in ["2024", "2099", "2100", "2150", "2400", "9998"] {
            let [summer, winter] = ["07-01T12:00:00", "12-01T12:00:00"].map(|day| micros(&format!("{year}-{day}")));
            assert_eq!(clock(zone, summer), Some(summer - 4 * 3_600_000_000), "{year}");
            assert_eq!(instant(zone, winter), Some(winter + 5 * 3_600_000_000), "{year}");
        }
    }

    #[test]
    fn what_is_no_name_of_a_zone_is_an_error() {
        for wrong in ["Mars/Olympus", "+02:00", "", "PST"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
