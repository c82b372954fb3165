//! A text literal takes the type of what it stands beside, by PostgreSQL's rules for the input of that type.

use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, cast};

use crate::day::WrittenTime;

/// The text, if the expression is a text literal.
pub(super) fn text_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => Some(text),
        _ => None,
    }
}

/// The literal in this type. The error is why it is not of it.
pub(super) fn as_typed(text: &str, wanted: &DataType) -> Result<Expr, String> {
    let trimmed = text.trim();
    match wanted {
        other if other.is_integer() => integer(trimmed, other),
        other if other.is_floating() => match trimmed.parse::<f64>() {
            Ok(number) => Ok(literal(ScalarValue::Float64(Some(number)))),
            Err(_) => Err("it is not a number".to_owned()),
        },
        other if other.is_decimal() => decimal(trimmed),
        DataType::Boolean => boolean(trimmed).map(|truth| literal(ScalarValue::Boolean(Some(truth)))),
        DataType::Date32 | DataType::Date64 => {
            let date = time(trimmed)?.start().date();
            let days = date.signed_duration_since(NaiveDate::default()).num_days();
            Ok(literal(ScalarValue::Date32(i32::try_from(days).ok())))
        }
        DataType::Timestamp(_, None) => {
            let micros = time(trimmed)?.start().and_utc().timestamp_micros();
            Ok(literal(ScalarValue::TimestampMicrosecond(Some(micros), None)))
        }
        // The engine knows the input of every other type.
        other => Ok(cast(literal(ScalarValue::Utf8(Some(text.to_owned()))), other.clone())),
    }
}

fn literal(value: ScalarValue) -> Expr {
    Expr::Literal(value, None)
}

fn integer(text: &str, wanted: &DataType) -> Result<Expr, String> {
    let number: i64 = text.parse().map_err(|_| "it is not a whole number that fits".to_owned())?;
    let fits = match wanted {
        DataType::Int8 => i8::try_from(number).is_ok(),
        DataType::Int16 => i16::try_from(number).is_ok(),
        DataType::Int32 => i32::try_from(number).is_ok(),
        _ => true,
    };
    if fits { Ok(literal(ScalarValue::Int64(Some(number)))) } else { Err("it does not fit".to_owned()) }
}

/// All digits count: the literal has the scale that it is written with.
fn decimal(text: &str) -> Result<Expr, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let is_number = !all.is_empty() && all.bytes().all(|digit| digit.is_ascii_digit());
    let value = all.parse::<i128>().ok().filter(|_| is_number && all.len() <= 38);
    match (value, i8::try_from(fraction.len())) {
        (Some(value), Ok(scale)) => Ok(literal(ScalarValue::Decimal128(Some(sign * value), 38, scale))),
        _ => Err("it is not a number of at most 38 digits".to_owned()),
    }
}

/// The words of PostgreSQL, each of which may be cut short while it stays unique.
fn boolean(text: &str) -> Result<bool, String> {
    let lower = text.to_lowercase();
    let begins = |word: &str, least: usize| lower.len() >= least && word.starts_with(&lower);
    // PostgreSQL takes every unambiguous beginning: `t`, `tr`, `on`, but not `o`.
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || lower == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || lower == "0" {
        Ok(false)
    } else {
        Err("it is neither `true` nor `false`".to_owned())
    }
}

fn time(text: &str) -> Result<WrittenTime, String> {
    WrittenTime::parse(text).ok_or_else(|| "write it like `2023-05-01` or `2023-05-01 13:00:00`".to_owned())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn typed(text: &str, wanted: &DataType) -> String {
        match as_typed(text, wanted) {
            Ok(Expr::Literal(value, _)) => format!("{value:?}"),
            Ok(other) => other.to_string(),
            Err(reason) => format!("error: {reason}"),
        }
    }

    #[test]
    fn a_text_takes_the_type_of_what_it_stands_beside() {
        assert_eq!(typed(" 7 ", &DataType::Int64), "Int64(7)");
        assert_eq!(typed("2.0", &DataType::Int64), "error: it is not a whole number that fits");
        assert_eq!(typed("40000", &DataType::Int16), "error: it does not fit");
        assert_eq!(typed("-1.50", &DataType::Decimal128(10, 1)), "Decimal128(-1.50,38,2)");
        assert_eq!(typed("1e3", &DataType::Float64), "Float64(1000)");
        assert_eq!(typed("yes", &DataType::Boolean), "Boolean(true)");
        assert_eq!(typed("o", &DataType::Boolean), "error: it is neither `true` nor `false`");
        assert_eq!(
            typed("9999-12-31", &DataType::Timestamp(TimeUnit::Microsecond, None)),
            "TimestampMicrosecond(253402214400000000, None)"
        );
        assert_eq!(typed("2023-05-01 10:00", &DataType::Date32), "Date32(\"2023-05-01\")");
        assert!(typed("2023-02-30", &DataType::Date32).starts_with("error"));
    }
}
