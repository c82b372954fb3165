//! Turns the text of a field into a value, strictly: nothing is trimmed, rounded or guessed.

use super::field::Field;

/// `-?[0-9]{1,18}`
#[inline]
pub(super) fn integer(field: Field<'_>) -> Option<i64> {
    match field.tail().split_first() {
        Some((b'-', tail)) if field.len() > 1 => digits(Field::within(tail, field.len() - 1)).map(|value| -value),
        _ => digits(field),
    }
}

#[inline]
fn digits(field: Field<'_>) -> Option<i64> {
    match (field.len(), field.chunk::<8>()) {
        (1..=8, Some(chunk)) => eight_digits(u64::from_le_bytes(*chunk), field.len()),
        (1..=18, _) => field.text().iter().try_fold(0, |value, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then_some(value * 10 + i64::from(digit))
        }),
        _ => None,
    }
}

/// The number whose first digit is the lowest byte of `word`, all digits at once; `length` is 1 to 8.
#[inline]
fn eight_digits(word: u64, length: usize) -> Option<i64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let junk = 8 * (8 - length);
    // Zeros are put in front, so that every number has eight digits.
    let word = (word << junk) | (ZEROS & !(u64::MAX << junk));
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let carried = (word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) >> 4;
    if high | carried != 0x3333_3333_3333_3333 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to eight.
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul((10 << 8) + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) + 1) >> 16;
    let eight = (fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) + 1) >> 32;
    Some(eight.cast_signed())
}

/// What Rust reads as an `f64`, but only digits, signs, a dot and an exponent, and finite.
pub(super) fn float(field: Field<'_>) -> Option<f64> {
    let allowed = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let text = field.text();
    let value: f64 = if text.iter().all(allowed) {
        std::str::from_utf8(text).ok()?.parse().ok()?
    } else {
        return None;
    };
    value.is_finite().then_some(value)
}

/// `true` or `false`.
pub(super) fn boolean(field: Field<'_>) -> Option<bool> {
    match field.text() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// `-?[0-9]+(\.[0-9]+)?` with no more digits than the type holds, as the number without its point.
pub(super) fn decimal(field: Field<'_>, precision: u8, scale: i8) -> Option<i128> {
    let text = field.text();
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (text.get(..point)?, text.get(point + 1..)?),
        None => (text, &b"0"[..]),
    };
    let scale = usize::from(scale.unsigned_abs());
    // Zeros at the end of a fraction add no digit.
    let zeros = fraction.iter().rev().take_while(|byte| **byte == b'0').count();
    let significant = fraction.len() - zeros;
    if whole.is_empty() || fraction.is_empty() || significant > scale {
        return None;
    }
    let fraction = fraction.iter().take(significant).copied();
    let padding = std::iter::repeat_n(b'0', scale - significant);
    let value = whole.iter().copied().chain(fraction).chain(padding).try_fold(0_i128, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { value.checked_mul(10)?.checked_add(i128::from(digit)) } else { None }
    })?;
    let most = 10_i128.checked_pow(u32::from(precision))?;
    (value < most).then_some(if negative { -value } else { value })
}

/// A real `YYYY-MM-DD`, in days since 1970-01-01.
#[inline]
pub(super) fn date(field: Field<'_>) -> Option<i32> {
    if field.len() == 10 { day_number(field.chunk()?) } else { None }
}

/// A real `YYYY-MM-DD HH:MM:SS`, in microseconds since 1970-01-01 00:00:00.
#[inline]
pub(super) fn timestamp(field: Field<'_>) -> Option<i64> {
    let text: &[u8; 19] = if field.len() == 19 {
        field.chunk()?
    } else {
        return None;
    };
    let (day, time) = text.split_first_chunk::<10>()?;
    let &[b' ', h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let (hour, minute, second) = (two_digits(h1, h2), two_digits(m1, m2), two_digits(s1, s2));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(day_number(day)?) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    Some(seconds * 1_000_000)
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
    let (century, year, month, day) = (two_digits(y1, y2), two_digits(y3, y4), two_digits(m1, m2), two_digits(d1, d2));
    if century > 99 || year > 99 || !(1..=12).contains(&month) {
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
    let (tens, ones) = (u32::from(tens.wrapping_sub(b'0')), u32::from(ones.wrapping_sub(b'0')));
    if tens > 9 || ones > 9 { 100 } else { tens * 10 + ones }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, NaiveDateTime};
    use proptest::prelude::*;

    use super::*;

    /// Converts a text that ends the block and one with more text behind it; both must agree.
    fn both<T: PartialEq + std::fmt::Debug>(convert: impl Fn(Field<'_>) -> Option<T>, text: &str) -> Option<T> {
        let value = convert(Field::new(text.as_bytes()));
        let block = format!("{text},12345678901234567890");
        assert_eq!(convert(Field::within(block.as_bytes(), text.len())), value, "{text}");
        value
    }

    #[test]
    fn an_integer_has_one_to_eighteen_digits_and_perhaps_a_minus() {
        for text in ["0", "-0", "7", "-12", "12345678", "123456789", "-999999999999999999", "000000000000000001"] {
            assert_eq!(both(integer, text), Some(text.parse().unwrap()), "{text}");
        }
        for text in ["", "-", "+1", " 1", "1 ", "1.0", "1e3", "--1", "1234567890123456789", "12a4567", "1:", "/1", "١"]
        {
            assert_eq!(both(integer, text), None, "{text}");
        }
    }

    #[test]
    fn a_float_is_finite_and_written_in_digits() {
        for text in ["1", "-1.5", "+2", ".5", "1.", "1e3", "1E-3"] {
            assert_eq!(both(float, text), Some(text.parse().unwrap()), "{text}");
        }
        for text in ["", ".", "inf", "-inf", "NaN", "nan", "infinity", "1e999", " 1", "1_0", "0x1", "1e"] {
            assert_eq!(both(float, text), None, "{text}");
        }
    }

    #[test]
    fn a_boolean_is_true_or_false_in_small_letters() {
        assert_eq!((both(boolean, "true"), both(boolean, "false")), (Some(true), Some(false)));
        for text in ["True", "1", "t", "yes", "true "] {
            assert_eq!(both(boolean, text), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_is_never_rounded() {
        let decimal = |text: &str| both(|field| decimal(field, 5, 2), text);
        for (text, value) in
            [("1", 100), ("-1.5", -150), ("999.99", 99_999), ("0001.50", 150), ("1.500", 150), ("0", 0)]
        {
            assert_eq!(decimal(text), Some(value), "{text}");
        }
        for text in ["", "-", ".5", "1.", "1.005", "1000", "+1", "1e2", "1.2.3", "1 "] {
            assert_eq!(decimal(text), None, "{text}");
        }
        let most = "9".repeat(38);
        assert_eq!(both(|field| super::decimal(field, 38, 0), &most), Some(most.parse().unwrap()));
        assert_eq!(both(|field| super::decimal(field, 38, 0), &format!("{most}0")), None);
    }

    #[test]
    fn a_date_is_real() {
        for text in ["1970-01-01", "2024-02-29", "2000-02-29", "1900-02-28", "0000-02-29", "0001-01-01", "9999-12-31"] {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
            assert_eq!(both(date, text), Some(day.to_epoch_days()), "{text}");
        }
        for text in ["2023-02-29", "1900-02-29", "2023-13-45", "2023-00-10", "2023-01-00", "2023-04-31", "2023-1-01"] {
            assert_eq!(both(date, text), None, "{text}");
        }
        for text in ["2023/01/01", "20230101", "2023-01-01 ", "-023-01-01", "2023-01-0a", "2023-01-01T"] {
            assert_eq!(both(date, text), None, "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_real_and_written_one_way() {
        assert_eq!(both(timestamp, "1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(both(timestamp, "1969-12-31 23:59:59"), Some(-1_000_000));
        for text in ["2023-01-01T00:00:00", "2023-01-01 24:00:00", "2023-01-01 00:60:00", "2023-01-01 23:59:60"] {
            assert_eq!(both(timestamp, text), None, "{text}");
        }
        for text in ["2023-01-01", "2023-01-01 00:00", "2023-01-01 00:00:00.5", " 2023-01-01 00:00:00", "2023-13-45"] {
            assert_eq!(both(timestamp, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_the_calendars(day in -719_528_i32..2_932_896) {
            let day = NaiveDate::from_epoch_days(day).unwrap();
            prop_assert_eq!(both(date, &day.to_string()), Some(day.to_epoch_days()));
        }

        #[test]
        fn digits_that_are_no_date_are_none(text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9]") {
            let real = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok();
            // The calendar library takes a leap second, karat does not.
            let real = real.filter(|_| !text.ends_with("60")).map(|instant| instant.and_utc().timestamp_micros());
            prop_assert_eq!(both(timestamp, &text), real);
        }

        #[test]
        fn short_texts_are_integers_as_the_rule_says(text in "-?[0-9/:]{0,10}") {
            let number = text.strip_prefix('-').unwrap_or(&text);
            let real = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(both(integer, &text), real.then(|| text.parse().unwrap()));
        }
    }
}
