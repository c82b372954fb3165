//! Numbers of texts: integers, floats and decimals, strictly or in a form that the source declares.

use crate::forms::Forms;
use crate::raw::field::Field;

/// `-?[0-9]+` within 64 bits.
#[inline]
pub(in crate::raw) fn integer(field: Field<'_>) -> Option<i64> {
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
pub(in crate::raw) fn lenient_integer(field: Field<'_>, forms: &Forms) -> Option<i64> {
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
pub(in crate::raw) fn float(field: Field<'_>) -> Option<f64> {
    let text = field.text();
    let value: f64 =
        if text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')) {
            std::str::from_utf8(text).ok()?.parse().ok()?
        } else {
            return None;
        };
    value.is_finite().then_some(value)
}

/// A float whose decimals stand behind a comma.
pub(in crate::raw) fn comma_float(field: Field<'_>) -> Option<f64> {
    if field.text().contains(&b'.') {
        return None;
    }
    let pointed: Vec<u8> = field.text().iter().map(|byte| if *byte == b',' { b'.' } else { *byte }).collect();
    float(Field::new(&pointed))
}
/// A decimal in a form that the source declares.
pub(in crate::raw) fn declared_decimal(field: Field<'_>, precision: u8, scale: i8, forms: &Forms) -> Option<i128> {
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
pub(in crate::raw) fn decimal(field: Field<'_>, precision: u8, scale: i8) -> Option<i128> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::raw::text::both;

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

    proptest! {
        #[test]
        fn short_texts_are_integers_as_the_rule_says(text in "-?[0-9/:]{0,10}") {
            let number = text.strip_prefix('-').unwrap_or(&text);
            let real = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(both(integer, &text), real.then(|| text.parse().unwrap()));
        }
    }
}
