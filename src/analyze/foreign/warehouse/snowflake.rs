//! Calls of Snowflake.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use super::super::duckdb::patterns;
use super::super::{binary, call, case, dates, literal, not_null, when};
use super::shared::{self, Moved, text_of, timestamp};
use super::{CallFamily, NotRewritten, Warehouse, formats, typed};

const ENGINE: Warehouse = Warehouse::Snowflake;

/// What its calls become, asked one after the other.
pub(super) const FAMILIES: [CallFamily; 4] = [of_times, of_types, of_values, of_texts];

fn of_times(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("dateadd" | "timeadd" | "timestampadd", [unit, count, time]) => {
            shared::moved(ENGINE, unit, BinaryOperator::Plus, Moved { count, time })?
        }
        ("datediff" | "timediff" | "timestampdiff", [unit, from, to]) => shared::distance(ENGINE, unit, from, to)?,
        ("date_trunc", [unit, time]) => shared::truncated(ENGINE, unit, time)?,
        ("trunc", [time, unit]) if text_of(unit).is_some() => shared::truncated(ENGINE, unit, time)?,
        ("date_part", [part, time]) => shared::part(ENGINE, &dates::unit_of(part).unwrap_or_default(), time)?,
        ("dayofweek", [time]) => shared::part(ENGINE, "dayofweek", time)?,
        ("dayofweekiso", [time]) => shared::part(ENGINE, "dayofweekiso", time)?,
        ("dayname", [date]) => call("to_char", [(*date).clone(), dates::text("Dy")]),
        ("monthname", [date]) => call("to_char", [(*date).clone(), dates::text("Mon")]),
        ("to_date", [time]) => dates::date_of(*time),
        ("to_date" | "date", [text, format]) => shared::read("to_date", text, pattern(format))?,
        ("try_to_date", [time]) => typed::tried((*time).clone(), DataType::Date),
        ("to_timestamp" | "to_timestamp_ntz", [time]) => dates::as_type((*time).clone(), timestamp()),
        ("to_timestamp" | "to_timestamp_ntz", [text, format]) => shared::read("to_timestamp", text, pattern(format))?,
        ("try_to_timestamp" | "try_to_timestamp_ntz", [time]) => typed::tried((*time).clone(), timestamp()),
        _ => return Ok(None),
    }))
}

fn of_types(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("to_char" | "to_varchar", [value]) => dates::as_type(typed::text(ENGINE, value), DataType::Text),
        ("to_char" | "to_varchar", [time, format]) => shared::formatted(time, pattern(format))?,
        ("to_number" | "to_decimal" | "to_numeric", [text]) => dates::as_type((*text).clone(), whole_digits()),
        ("try_to_number" | "try_to_decimal" | "try_to_numeric", [text]) => {
            typed::tried((*text).clone(), whole_digits())
        }
        ("to_number" | "to_decimal" | "to_numeric", [text, precision, scale]) => {
            dates::as_type((*text).clone(), digits(precision, scale)?)
        }
        ("try_to_number" | "try_to_decimal" | "try_to_numeric", [text, precision, scale]) => {
            typed::tried((*text).clone(), digits(precision, scale)?)
        }
        ("to_double", [text]) => dates::double(text),
        ("try_to_double", [text]) => typed::tried((*text).clone(), DataType::DoublePrecision),
        ("to_boolean", [text]) => dates::as_type((*text).clone(), DataType::Boolean),
        ("try_to_boolean", [text]) => typed::tried((*text).clone(), DataType::Boolean),
        _ => return Ok(None),
    }))
}

fn of_values(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("div0null", [value, by]) => {
            let by = call("nullif", [call("coalesce", [(*by).clone(), super::number(0)]), super::number(0)]);
            call("coalesce", [typed::quotient(ENGINE, value, &by), super::number(0)])
        }
        ("equal_null", [left, right]) => {
            Expr::Nested(Box::new(Expr::IsNotDistinctFrom(Box::new((*left).clone()), Box::new((*right).clone()))))
        }
        ("square", [value]) => binary((*value).clone(), BinaryOperator::Multiply, (*value).clone()),
        _ => return Ok(None),
    }))
}

fn of_texts(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("regexp_like" | "rlike", [text, pattern]) => {
            binary((*text).clone(), BinaryOperator::PGRegexMatch, patterns::whole(pattern)?)
        }
        ("regexp_substr", [text, pattern]) => shared::matched(text, pattern, 0)?,
        ("regexp_substr", [text, pattern, start, which, rest @ ..]) if is_one(start) && is_one(which) => {
            match rest {
                [] => shared::matched(text, pattern, 0)?,
                // `e` without a number is the first group.
                [options] if text_of(options) == Some("e") => shared::matched(text, pattern, 1)?,
                [options, group] if text_of(options) == Some("e") => match literal(group) {
                    Some(Value::Number(group, _)) => shared::matched(text, pattern, group.parse().unwrap_or(0))?,
                    _ => return Err(refused(name)),
                },
                _ => return Err(refused(name)),
            }
        }
        ("regexp_substr" | "regexp_instr" | "regexp_count" | "regexp_like" | "regexp_substr_all", _) => {
            return Err(refused(name));
        }
        ("split", [text, separator]) => shared::split(text, separator)?,
        ("split_part", [_, _, part]) if super::is_negative(part) || is_zero(part) => {
            return Err(NotRewritten::new(
                "a part that is not counted from 1 is not supported",
                "write a number from 1 on",
            ));
        }
        ("concat_ws", [separator, texts @ ..]) if !texts.is_empty() => {
            // One null makes all of it null.
            let mut parts = Vec::new();
            for text in texts {
                if !parts.is_empty() {
                    parts.push((*separator).clone());
                }
                parts.push((*text).clone());
            }
            let joined = parts.into_iter().map(|part| typed::operand(ENGINE, &part));
            joined
                .reduce(|all, part| binary(all, BinaryOperator::StringConcat, part))
                .unwrap_or_else(|| dates::text(""))
        }
        ("nvl2", [value, known, unknown]) => {
            let is_known = not_null(value);
            case(None, vec![when(&is_known, known)], Some(unknown))
        }
        ("get", [list, Expr::Value(place)]) => match &place.value {
            Value::Number(digits, _) => {
                let place = digits.parse::<u32>().unwrap_or(u32::MAX).saturating_add(1);
                call("array_element", [(*list).clone(), super::number(place)])
            }
            _ => return Err(NotRewritten::new("`get` of a name is not supported", "declare the values as columns")),
        },
        ("log", [base, value]) => dates::logarithm(base, value),
        _ => return Ok(None),
    }))
}

fn refused(name: &str) -> NotRewritten {
    NotRewritten::new(
        format!("this form of `{name}` is not supported in the dialect `snowflake`"),
        "write `regexp_substr(text, 'pattern')`, or with a group `regexp_substr(text, 'p(att)ern', 1, 1, 'e', 1)`",
    )
}

fn pattern(format: &Expr) -> Option<String> {
    formats::of_snowflake(text_of(format)?)
}

fn whole_digits() -> DataType {
    DataType::Decimal(sqlparser::ast::ExactNumberInfo::PrecisionAndScale(38, 0))
}

fn digits(precision: &Expr, scale: &Expr) -> Result<DataType, NotRewritten> {
    match (literal(precision), literal(scale)) {
        (Some(Value::Number(precision, _)), Some(Value::Number(scale, _))) => {
            let found = precision.parse().ok().zip(scale.parse().ok());
            found.map(|(precision, scale)| {
                DataType::Decimal(sqlparser::ast::ExactNumberInfo::PrecisionAndScale(precision, scale))
            })
        }
        _ => None,
    }
    .ok_or_else(|| NotRewritten::new("a format of numbers is not supported", "write `cast(a as decimal(18, 2))`"))
}

fn is_one(expr: &Expr) -> bool {
    matches!(literal(expr), Some(Value::Number(digits, _)) if digits == "1")
}

fn is_zero(expr: &Expr) -> bool {
    matches!(literal(expr), Some(Value::Number(digits, _)) if digits == "0")
}
