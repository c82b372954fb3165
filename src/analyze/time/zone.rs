//! Time zones: from a clock to an instant and back.

use arrow::array::timezone::Tz;
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};

/// A zone by its name in the tz database. The error is why it is none.
pub(super) fn parse(name: &str) -> Result<Tz, String> {
    let remedy = "write a name of the tz database, like 'Europe/Berlin'";
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(format!("`{name}` is not the name of a time zone: {remedy}"));
    }
    let known = if name.eq_ignore_ascii_case("z") { "UTC" } else { name };
    known.parse().map_err(|_| format!("no time zone is called `{name}`: {remedy}"))
}

/// What the zone's clock shows at an instant.
pub(super) fn clock(zone: Tz, micros: i64) -> Option<i64> {
    let instant: DateTime<Utc> = DateTime::from_timestamp_micros(micros)?;
    Some(instant.with_timezone(&zone).naive_local().and_utc().timestamp_micros())
}

/// The instant at which the zone's clock shows this. As in PostgreSQL, a time that is skipped is read with the offset from
/// before, and a time that comes twice is the second one.
pub(super) fn instant(zone: Tz, micros: i64) -> Option<i64> {
    let local: NaiveDateTime = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let offset = match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => offset.fix(),
        LocalResult::Ambiguous(one, other) => {
            let later = one.fix().local_minus_utc().min(other.fix().local_minus_utc());
            return Some(micros - i64::from(later) * 1_000_000);
        }
        LocalResult::None => zone.offset_from_utc_datetime(&(local - TimeDelta::days(1))).fix(),
    };
    Some(micros - i64::from(offset.local_minus_utc()) * 1_000_000)
}
