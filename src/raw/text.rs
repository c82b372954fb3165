//! Turns the text of a field into a value, strictly: nothing is trimmed, rounded or guessed. Other forms than the usual
//! ones are read where a source declares them.

use super::field::Field;
use crate::forms::{Forms, zone};

/// `-?[0-9]+` within 64 bits.
#[inline]
pub(super) fn integer(field: Field<'_>) -> Option<i64> {
    match field.tail().split_first() {
        _ if field.len() > 18 => long_integer(field.text()),
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

/// An integer that may have more digits than always fit.
#[cold]
fn long_integer(text: &[u8]) -> Option<i64> {
    let is_plain = text.strip_prefix(b"-").unwrap_or(text).iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

/// A whole number that may be written with a plus, as `12.0` or as `1e3`.
pub(super) fn lenient_integer(field: Field<'_>, forms: &Forms) -> Option<i64> {
    i64::try_from(scaled(field.text(), 0, forms)?).ok()
}

/// The number that a text in any usual form is, times ten to the power of `scale`; `None` if that is not whole.
fn scaled(text: &[u8], scale: i32, forms: &Forms) -> Option<i128> {
    let point = if forms.decimal_comma { b',' } else { b'.' };
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (text.get(..at)?, std::str::from_utf8(text.get(at + 1..)?).ok()?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(|byte| *byte != point).collect();
    let behind = mantissa.iter().position(|byte| *byte == point).map_or(0, |at| mantissa.len() - at - 1);
    if digits.is_empty() || mantissa.len() > digits.len() + 1 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut power = exponent.checked_sub(i32::try_from(behind).ok()?)?.checked_add(scale)?;
    while power < 0 && digits.last() == Some(&b'0') {
        digits.pop();
        power += 1;
    }
    let mantissa =
        digits.iter().try_fold(0_i128, |value, digit| value.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?;
    let value = match (mantissa, u32::try_from(power)) {
        (0, _) => 0,
        (_, Ok(power)) => mantissa.checked_mul(10_i128.checked_pow(power)?)?,
        (_, Err(_)) => return None,
    };
    Some(if negative { -value } else { value })
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

/// A float whose decimals stand behind a comma.
pub(super) fn comma_float(field: Field<'_>) -> Option<f64> {
    if field.text().contains(&b'.') {
        return None;
    }
    let pointed: Vec<u8> = field.text().iter().map(|byte| if *byte == b',' { b'.' } else { *byte }).collect();
    float(Field::new(&pointed))
}

/// What PostgreSQL reads as a boolean: `true`, `t`, `yes`, `y`, `on`, `1` and their opposites, in any case.
#[inline]
pub(super) fn boolean(field: Field<'_>) -> Option<bool> {
    match field.text() {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        text => boolean_word(text),
    }
}

#[cold]
fn boolean_word(text: &[u8]) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["true", "t", "yes", "y", "on"]) {
        return Some(true);
    }
    is_one_of(&["false", "f", "no", "n", "off"]).then_some(false)
}

/// A boolean, also in the words that the source declares.
pub(super) fn declared_boolean(field: Field<'_>, words: &[String; 2]) -> Option<bool> {
    let [yes, no] = words;
    if field.text() == yes.as_bytes() {
        return Some(true);
    }
    if field.text() == no.as_bytes() { Some(false) } else { boolean(field) }
}

/// A decimal in a form that the source declares.
pub(super) fn declared_decimal(field: Field<'_>, precision: u8, scale: i8, forms: &Forms) -> Option<i128> {
    if !forms.lenient_numbers {
        if field.text().contains(&b'.') {
            return None;
        }
        let pointed: Vec<u8> = field.text().iter().map(|byte| if *byte == b',' { b'.' } else { *byte }).collect();
        return decimal(Field::new(&pointed), precision, scale);
    }
    let most = 10_i128.checked_pow(u32::from(precision))?;
    scaled(field.text(), i32::from(scale), forms).filter(|value| value.abs() < most)
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

/// A real instant in ISO 8601, in microseconds since 1970-01-01 00:00:00 UTC: `2023-05-03 13:00:00` or with a `T`, without
/// seconds, with up to six digits of them, with a zone. Without a zone it is UTC.
#[inline]
pub(super) fn timestamp(field: Field<'_>) -> Option<i64> {
    if field.len() != 19 {
        long_timestamp(field)
    } else {
        seconds(field.chunk()?, true).or_else(|| long_timestamp(field))
    }
}

/// A real `YYYY-MM-DD HH:MM:SS` and nothing else.
#[inline]
pub(super) fn plain_timestamp(field: Field<'_>) -> Option<i64> {
    if field.len() == 19 { seconds(field.chunk()?, false) } else { None }
}

#[inline]
fn seconds(text: &[u8; 19], with_t: bool) -> Option<i64> {
    let (day, time) = text.split_first_chunk::<10>()?;
    let &[between, h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let (hour, minute, second) = (two_digits(h1, h2), two_digits(m1, m2), two_digits(s1, s2));
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
    let (century, year, month, day) = (two_digits(y1, y2), two_digits(y3, y4), two_digits(m1, m2), two_digits(d1, d2));
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
    fn an_integer_has_64_bits_and_perhaps_a_minus() {
        for text in [
            "0",
            "-0",
            "7",
            "-12",
            "12345678",
            "123456789",
            "-999999999999999999",
            "000000000000000001",
            "1234567890123456789",
            "9223372036854775807",
            "-9223372036854775808",
            "00000000000000000000000000001",
        ] {
            assert_eq!(both(integer, text), Some(text.parse().unwrap()), "{text}");
        }
        for text in ["", "-", "+1", " 1", "1 ", "1.0", "1e3", "--1", "12a4567", "1:", "/1", "١"] {
            assert_eq!(both(integer, text), None, "{text}");
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "+1234567890123456789",
            "123456789012345678a",
            "99999999999999999999",
        ] {
            assert_eq!(both(integer, text), None, "{text}");
        }
    }

    #[test]
    fn a_lenient_number_loses_nothing() {
        let lenient = Forms { lenient_numbers: true, ..Forms::default() };
        let integer = |text: &str| both(|field| lenient_integer(field, &lenient), text);
        for (text, value) in
            [("+5", 5), ("10.0", 10), ("1e3", 1_000), ("1.5E1", 15), ("-2500e-2", -25), ("7.", 7), ("0e99", 0)]
        {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        assert_eq!(integer("9223372036854775807.0"), Some(i64::MAX));
        for text in [
            "",
            "+",
            ".",
            "1.5",
            "1e",
            "1e-1",
            "1.2.3",
            "1e99",
            "9223372036854775808",
            "1,0",
            "e3",
            "+-1",
            "1e2147483648",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
        let comma = Forms { decimal_comma: true, ..lenient.clone() };
        let decimal = |text: &str, forms: &Forms| both(|field| declared_decimal(field, 5, 2, forms), text);
        assert_eq!((decimal("+1,5", &comma), decimal("1.5", &comma)), (Some(150), None));
        assert_eq!(
            (decimal("1e2", &lenient), decimal("1.005", &lenient), decimal("1000", &lenient)),
            (Some(10_000), None, None)
        );
        let strict = Forms { decimal_comma: true, ..Forms::default() };
        assert_eq!(
            (decimal("-1,50", &strict), decimal("1.5", &strict), decimal("+1", &strict)),
            (Some(-150), None, None)
        );
        assert_eq!((both(comma_float, "1,5e1"), both(comma_float, "1.5")), (Some(15.0), None));
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
    fn a_boolean_is_what_postgresql_takes_for_one() {
        for text in ["true", "True", "TRUE", "t", "T", "yes", "Y", "on", "1"] {
            assert_eq!(both(boolean, text), Some(true), "{text}");
        }
        for text in ["false", "False", "f", "no", "N", "OFF", "0"] {
            assert_eq!(both(boolean, text), Some(false), "{text}");
        }
        for text in ["", "true ", "2", "01", "ja", "o", "tru"] {
            assert_eq!(both(boolean, text), None, "{text}");
        }
        let words = ["ja".to_owned(), "0".to_owned()];
        let declared = |text: &str| both(|field| declared_boolean(field, &words), text);
        assert_eq!(
            (declared("ja"), declared("0"), declared("t"), declared("Ja")),
            (Some(true), Some(false), Some(true), None)
        );
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

        #[test]
        fn short_texts_are_integers_as_the_rule_says(text in "-?[0-9/:]{0,10}") {
            let number = text.strip_prefix('-').unwrap_or(&text);
            let real = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(both(integer, &text), real.then(|| text.parse().unwrap()));
        }
    }
}
