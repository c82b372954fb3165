//! Calls of Spark.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use super::super::duckdb::patterns;
use super::super::{binary, call, case, dates, literal, may_stand_twice, not_null, when};
use super::shared::{self, Moved, text_of, timestamp};
use super::{CallFamily, NotRewritten, Warehouse, formats, is_interval, typed};

const ENGINE: Warehouse = Warehouse::Spark;

/// What its calls become, asked one after the other.
pub(super) const FAMILIES: [CallFamily; 2] = [of_times, of_values];

fn of_times(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("date_add" | "dateadd", [time, count]) => {
            binary(dates::date_of(*time), BinaryOperator::Plus, typed::count(ENGINE, count))
        }
        ("date_sub", [time, count]) if !is_interval(count) => {
            binary(dates::date_of(*time), BinaryOperator::Minus, typed::count(ENGINE, count))
        }
        ("dateadd" | "date_add" | "timestampadd", [unit, count, time]) => {
            // Spark makes a timestamp of a date, as PostgreSQL does.
            let time = dates::as_type((*time).clone(), timestamp());
            shared::moved(ENGINE, unit, BinaryOperator::Plus, Moved { count, time: &time })?
        }
        ("add_months", [time, count]) => {
            let time = dates::date_of(*time);
            shared::moved(ENGINE, &dates::text("month"), BinaryOperator::Plus, Moved { count, time: &time })?
        }
        ("datediff" | "date_diff", [to, from]) => {
            dates::whole(binary(dates::date_of(*to), BinaryOperator::Minus, dates::date_of(*from)))
        }
        // A unit in quotes is not Spark's: macros write it for all databases.
        ("datediff" | "date_diff", [unit, _, _]) if text_of(unit).is_some() => return Ok(None),
        ("datediff" | "date_diff" | "timestampdiff", [_, _, _]) => {
            return Err(NotRewritten::new(
                format!("`{name}` with a unit counts what has passed in full, which is not supported"),
                "write `datediff(to, from)` for days",
            ));
        }
        ("months_between", _) => {
            let help = "write `extract(year from d) * 12 + extract(month from d)` of both, and their difference";
            return Err(NotRewritten::new("`months_between` is not supported in the dialect `spark`", help));
        }
        ("date_trunc", [unit, time]) => {
            let unit = shared::unit(ENGINE, unit)?;
            call("date_trunc", [dates::text(&unit), dates::as_type((*time).clone(), timestamp())])
        }
        ("trunc", [time, unit]) => shared::truncated(ENGINE, unit, &dates::date_of(*time))?,
        ("date_part" | "datepart", [part, time]) => {
            shared::part(ENGINE, &dates::unit_of(part).unwrap_or_default(), time)?
        }
        ("dayofweek", [time]) => shared::part(ENGINE, "dayofweek", time)?,
        ("weekday", [time]) => {
            binary(shared::part(ENGINE, "dayofweek_iso", time)?, BinaryOperator::Minus, super::number(1))
        }
        ("date_format", [time, format]) => shared::formatted(time, pattern(format))?,
        ("to_date", [time]) => dates::date_of(*time),
        ("to_date", [text, format]) => shared::read("to_date", text, pattern(format))?,
        ("to_timestamp", [time]) => dates::as_type((*time).clone(), timestamp()),
        ("to_timestamp", [text, format]) => shared::read("to_timestamp", text, pattern(format))?,
        ("unix_timestamp", [time]) => dates::whole_seconds(time),
        _ => return Ok(None),
    }))
}

fn of_values(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("regexp_extract", [text, pattern]) => extracted(text, pattern, 1)?,
        ("regexp_extract", [text, pattern, group]) => match literal(group) {
            Some(Value::Number(group, _)) => extracted(text, pattern, group.parse().unwrap_or(0))?,
            _ => return Err(NotRewritten::new("a group that is not a number is not supported", "write its number")),
        },
        ("rlike" | "regexp" | "regexp_like", [text, pattern]) => {
            binary((*text).clone(), BinaryOperator::PGRegexMatch, patterns::part(pattern)?)
        }
        ("regexp_substr", [text, pattern]) => shared::matched(text, pattern, 0)?,
        ("split", [text, pattern]) => shared::split(text, &separator(pattern)?)?,
        ("locate" | "position", [part, text]) => call("strpos", [(*text).clone(), (*part).clone()]),
        ("element_at", [list, place]) if !super::is_negative(place) && literal(place).is_some() => {
            call("array_element", [(*list).clone(), (*place).clone()])
        }
        ("array_contains", [list, value]) => call("array_has", [(*list).clone(), (*value).clone()]),
        ("size", _) => {
            let help = "write `cardinality(list)`, which is null for a null; `size` is -1";
            return Err(NotRewritten::new("`size` is not supported in the dialect `spark`", help));
        }
        ("log", [value]) => call("ln", [dates::double(value)]),
        ("log", [base, value]) => dates::logarithm(base, value),
        ("string", [value]) => dates::as_type(typed::text(ENGINE, value), DataType::Text),
        ("int", [value]) => dates::as_type(typed::whole(ENGINE, value), DataType::Integer(None)),
        ("bigint", [value]) => dates::as_type(typed::whole(ENGINE, value), DataType::BigInt(None)),
        ("double", [value]) => dates::double(value),
        ("timestamp", [value]) => dates::as_type((*value).clone(), timestamp()),
        ("bround" | "percentile_approx" | "approx_percentile" | "first" | "last" | "from_unixtime" | "explode", _) => {
            return Err(NotRewritten::new(
                format!("`{name}` is not supported in the dialect `spark`"),
                "write it in other words: `round(a)`, `percentile_cont(0.5) within group (order by a)`, `min(a)`, `to_timestamp(n)`, `unnest(list)`",
            ));
        }
        _ => return Ok(None),
    }))
}

/// A text without a match gives an empty text, and null gives null.
fn extracted(text: &Expr, pattern: &Expr, group: u32) -> Result<Expr, NotRewritten> {
    if !may_stand_twice(text) {
        return Err(NotRewritten::new("the argument of `regexp_extract` is too long", "put it into a CTE"));
    }
    let known = not_null(text);
    let found = call("coalesce", [shared::matched(text, pattern, group)?, dates::text("")]);
    Ok(case(None, vec![when(&known, &found)], None))
}

/// A separator is a regular expression: one that stands for itself, or is escaped.
fn separator(pattern: &Expr) -> Result<Expr, NotRewritten> {
    const SIGNS: &str = ".|*+?()[]{}^$";
    let help = "write it as a literal; signs such as `|` stand behind a backslash: `'\\\\|'`";
    let refused = || NotRewritten::new("a separator that is a regular expression is not supported", help);
    let written = text_of(pattern).ok_or_else(refused)?;
    let mut plain = String::new();
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(sign) if SIGNS.contains(sign) => plain.push(sign),
                _ => return Err(refused()),
            },
            sign if SIGNS.contains(sign) => return Err(refused()),
            other => plain.push(other),
        }
    }
    Ok(dates::text(&plain))
}

fn pattern(format: &Expr) -> Option<String> {
    formats::of_java(text_of(format)?)
}
