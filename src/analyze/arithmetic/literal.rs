//! Numbers as they are written in SQL.

/// Digits that a decimal cannot have, at which a long exponent is not written out.
const TOO_MANY: i32 = 76;

/// What a number is to the planner.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::analyze) enum WrittenNumber {
    /// An integer as it is written, or digits with a point: `1.5e-3` is `0.0015`, and `.5` is `0.5`.
    Plain(String),
    /// The digits of a decimal that has none behind the point: `1.5e3` is `1500`, and `5.` is `5`.
    Whole(String),
    /// `1e300`, which no decimal holds: it is taken for double precision.
    Double,
}

/// The error says why the number is none of karat's.
pub(in crate::analyze) fn written(number: &str) -> Result<WrittenNumber, String> {
    let has_exponent = number.contains(['e', 'E']);
    match without_exponent(number) {
        Ok(written) => Ok(written),
        Err(()) if has_exponent && number.parse().is_ok_and(f64::is_finite) => Ok(WrittenNumber::Double),
        Err(()) => {
            Err(format!("the number {number} has more than 38 digits: write it with an exponent, like `1.5e300`"))
        }
    }
}

fn without_exponent(number: &str) -> Result<WrittenNumber, ()> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_written_plainly = mantissa.len() == number.len() && (fraction.is_empty() || !whole.is_empty());
    let exponent: i32 = exponent.parse().map_err(|_| ())?;
    if !mantissa.contains('.') && is_written_plainly {
        // An integer; one that does not fit is told by the engine.
        return Ok(WrittenNumber::Plain(number.to_owned()));
    }
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).map_err(|_| ())?.saturating_add(exponent);
    let length = i32::try_from(digits.len()).map_err(|_| ())?;
    if point.abs() > TOO_MANY || length > TOO_MANY {
        return Err(());
    }
    let before = usize::try_from(point.max(0)).unwrap_or(0);
    let zeros_before = "0".repeat(usize::try_from(-point.min(0)).unwrap_or(0));
    let mut digits = format!("{zeros_before}{digits}");
    while digits.len() < before {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at(before);
    let whole = whole.trim_start_matches('0');
    if whole.len() + fraction.len() > 38 {
        return Err(());
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    // A number with an exponent is a decimal, also where it is whole.
    Ok(match fraction {
        "" => WrittenNumber::Whole(whole.to_owned()),
        _ => WrittenNumber::Plain(format!("{whole}.{fraction}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_without_an_exponent() {
        let cases = [("12", "12"), ("1.50", "1.50"), (".5", "0.5"), ("1.5e-3", "0.0015"), ("12.345e1", "123.45")];
        for (number, plain) in cases {
            assert_eq!(written(number), Ok(WrittenNumber::Plain(plain.to_owned())), "{number}");
        }
        for (number, digits) in [("5.", "5"), ("1e3", "1000"), ("1.5e3", "1500"), ("1E+2", "100"), ("0e0", "0")] {
            assert_eq!(written(number), Ok(WrittenNumber::Whole(digits.to_owned())), "{number}");
        }
        for number in ["1e300", "1.5e-50"] {
            assert_eq!(written(number), Ok(WrittenNumber::Double), "{number}");
        }
        for number in ["1e400", "1e99999999999", "0.1234567890123456789012345678901234567890"] {
            assert!(written(number).is_err(), "{number}");
        }
    }
}
