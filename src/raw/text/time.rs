//! Dates and instants of texts in ISO 8601.

use crate::forms::zone;
use crate::raw::field::Field;

/// A real `YYYY-MM-DD`, in days since 1970-01-01.
#[inline]
pub(in crate::raw) fn date(field: Field<'_>) -> Option<i32> {
    if field.len() == 10 { day_number(field.chunk()?) } else { None }
}

/// A real instant in ISO 8601, in microseconds since 1970-01-01 00:00:00 UTC: `2023-05-03 13:00:00` or with a `T`, without
/// seconds, with up to six digits of them, with a zone. Without a zone it is UTC.
#[inline]
pub(in crate::raw) fn timestamp(field: Field<'_>) -> Option<i64> {
    if field.len() != 19 {
        long_timestamp(field)
    } else {
        seconds(field.chunk()?, true).or_else(|| long_timestamp(field))
    }
}

/// A real `YYYY-MM-DD HH:MM:SS` and nothing else.
#[inline]
pub(in crate::raw) fn plain_timestamp(field: Field<'_>) -> Option<i64> {
    if field.len() == 19 { seconds(field.chunk()?, false) } else { None }
}

#[inline]
fn seconds(text: &[u8; 19], with_t: bool) -> Option<i64> {
    let (day, time) = text.split_first_chunk::<10>()?;
    let &[between, h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let hour = two_digits(h1, h2);
    let minute = two_digits(m1, m2);
    let second = two_digits(s1, s2);
    if hour > 23 || minute > 59 || second > 59 || !(between == b' ' || (with_t && matches!(between, b'T' | b't'))) {
        return None;
    }
    let seconds = i64::from(day_number(day)?) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    Some(seconds * 1_000_000)
}

/// A timestamp in one of its less usual lengths.
#[cold]
fn long_timestamp(field: Field<'_>) -> Option<i64> {
    /// 9999-12-31 23:59:59.999999.
    const LAST: i64 = 253_402_300_799_999_999;
    /// 0001-01-01 00:00:00.
    const FIRST: i64 = -62_135_596_800_000_000;
    let text = field.text();
    let (minutes, mut rest) = text.split_first_chunk::<16>()?;
    let mut whole = *b"0000-00-00 00:00:00";
    whole.first_chunk_mut::<16>()?.copy_from_slice(minutes);
    let mut micros = 0;
    if let [b':', s1, s2, behind @ ..] = rest {
        whole.last_chunk_mut::<2>()?.copy_from_slice(&[*s1, *s2]);
        rest = behind;
        if let [b'.', behind @ ..] = rest {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, behind) = behind.split_at(digits);
            micros = fraction_micros(fraction)?;
            rest = behind;
        }
    }
    if let [b' ', behind @ ..] = rest {
        rest = if behind == b"UTC" { b"Z" } else { behind };
        if rest.is_empty() {
            return None;
        }
    }
    let (offset, rest) = if rest.is_empty() { (0, rest) } else { zone(rest)? };
    let instant = seconds(&whole, true)? + micros - offset * 1_000_000;
    (rest.is_empty() && (FIRST..=LAST).contains(&instant)).then_some(instant)
}

/// The microseconds of one to six digits behind the point; more are only taken if they are zeros.
fn fraction_micros(digits: &[u8]) -> Option<i64> {
    let (kept, beyond) = digits.split_at(digits.len().min(6));
    if kept.is_empty() || beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let padded = kept.iter().chain(std::iter::repeat(&b'0')).take(6);
    Some(padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

#[inline]
fn day_number(text: &[u8; 10]) -> Option<i32> {
    /// Days of a common year before each month; the number of a month is its index.
    const DAYS_BEFORE: [u16; 14] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    /// Days from 0001-01-01 to 1970-01-01.
    const EPOCH: i32 = 719_162;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let century = two_digits(y1, y2);
    let year = two_digits(y3, y4);
    let month = two_digits(m1, m2);
    let day = two_digits(d1, d2);
    if century > 99 || year > 99 || century + year == 0 || !(1..=12).contains(&month) {
        return None;
    }
    let year = (century * 100 + year).cast_signed();
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = i32::from(*DAYS_BEFORE.get(month as usize)?);
    let after = i32::from(*DAYS_BEFORE.get(month as usize + 1)?);
    let length = after - before + i32::from(leap && month == 2);
    let day = day.cast_signed();
    if day < 1 || day > length {
        return None;
    }
    let past = year - 1;
    let leap_days = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    Some(past * 365 + leap_days + before + i32::from(leap && month > 2) + day - 1 - EPOCH)
}

/// The number of two digits, or more than 99.
#[inline]
fn two_digits(tens: u8, ones: u8) -> u32 {
    let tens = u32::from(tens.wrapping_sub(b'0'));
    let ones = u32::from(ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { 100 } else { tens * 10 + ones }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, NaiveDateTime};
    use proptest::prelude::*;

    use super::*;
    use crate::raw::text::both;

    #[test]
    fn a_date_is_real() {
        for text in ["1970-01-01", "2024-02-29", "2000-02-29", "1900-02-28", "0001-01-01", "9999-12-31"] {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
            assert_eq!(both(date, text), Some(day.to_epoch_days()), "{text}");
        }
        for text in ["2023-02-29", "1900-02-29", "2023-13-45", "2023-00-10", "2023-01-00", "2023-04-31", "2023-1-01"] {
            assert_eq!(both(date, text), None, "{text}");
        }
        for text in ["0000-02-29", "2023/01/01", "20230101", "2023-01-01 ", "-023-01-01", "2023-01-0a", "2023-01-01T"] {
            assert_eq!(both(date, text), None, "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_real_and_written_in_iso_8601() {
        for (text, seconds) in [
            ("1970-01-01 00:00:01", 1.0),
            ("1969-12-31 23:59:59", -1.0),
            ("1970-01-01T00:00:01", 1.0),
            ("1970-01-01T00:01", 60.0),
            ("1970-01-01 00:01Z", 60.0),
            ("1970-01-01T00:00:01Z", 1.0),
            ("1970-01-01 00:00:00.5", 0.5),
            ("1969-12-31 23:59:59.75", -0.25),
            ("1970-01-01T00:00:00.125000000Z", 0.125),
            ("1970-01-01 02:00:00+02", 0.0),
            ("1970-01-01 02:00:00.25 +0200", 0.25),
            ("1970-01-01T00:00:00-00:30", 1800.0),
            ("1970-01-01 00:00:07 UTC", 7.0),
        ] {
            assert_eq!(both(timestamp, text), Some((seconds * 1e6) as i64), "{text}");
        }
        assert_eq!(both(timestamp, "2023-05-03T13:00:00.123456Z"), Some(1_683_118_800_123_456));
        for text in
            ["2023-01-01 24:00:00", "2023-01-01 00:60:00", "2023-01-01 23:59:60", "2023-01-01T24:00", "2023-13-45"]
        {
            assert_eq!(both(timestamp, text), None, "{text}");
        }
        for text in [
            "",
            "2023-01-01",
            "2023-01-01T",
            "2023-01-01 00",
            "2023-01-01  00:00:00",
            " 2023-01-01 00:00:00",
            "2023-01-01 00:00:00 ",
            "2023-01-01 00:00:00.",
            "2023-01-01 00:00:00.1234567",
            "2023-01-01 00:00:00,5",
            "2023-01-01 00:00.5",
            "2023-01-01 00:00:00 CET",
            "2023-01-01 00:00:00+24",
            "2023-01-01 00:00:00Zx",
            "2023-1-1 00:00:00",
            "2023-01-01_00:00:00",
            "0001-01-01 00:00:00+01",
            "9999-12-31 23:59:59-01",
        ] {
            assert_eq!(both(timestamp, text), None, "{text}");
        }
        assert_eq!(both(plain_timestamp, "1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(both(plain_timestamp, "1970-01-01T00:00:01"), None);
        assert_eq!(both(plain_timestamp, "1970-01-01 00:00:01Z"), None);
    }

    proptest! {
        #[test]
        fn every_day_is_the_calendars(day in -719_162_i32..2_932_896) {
            let day = NaiveDate::from_epoch_days(day).unwrap();
            prop_assert_eq!(both(date, &day.to_string()), Some(day.to_epoch_days()));
        }

        #[test]
        fn digits_that_are_no_date_are_none(text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9]") {
            let real = NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M:%S").ok();
            // The calendar library takes a leap second, karat does not.
            let real = real.filter(|_| !text.ends_with("60") && !text.starts_with("0000")).map(|instant| instant.and_utc().timestamp_micros());
            prop_assert_eq!(both(timestamp, &text), real);
        }
    }
}
