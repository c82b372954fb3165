//! Calls of BigQuery.

use sqlparser::ast::{BinaryOperator, Expr};

use super::super::duckdb::{formats, patterns};
use super::super::{binary, call, dates};
use super::shared::{self, text_of};
use super::{CallFamily, NotRewritten, Warehouse, is_interval};

const ENGINE: Warehouse = Warehouse::BigQuery;

/// What its calls become, asked one after the other.
pub(super) const FAMILIES: [CallFamily; 2] = [of_times, of_values];

fn of_times(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        // PostgreSQL's order, in which macros write it for all databases.
        ("date_trunc", [unit, time]) if text_of(unit).is_some() => shared::truncated(ENGINE, unit, time)?,
        ("date_trunc" | "timestamp_trunc" | "datetime_trunc", [time, unit]) => shared::truncated(ENGINE, unit, time)?,
        ("date_diff" | "timestamp_diff" | "datetime_diff", [to, from, unit]) => difference(name, unit, from, to)?,
        ("date_add" | "timestamp_add" | "datetime_add", [time, length]) if is_interval(length) => {
            moved(BinaryOperator::Plus, time, length)?
        }
        ("date_sub" | "timestamp_sub" | "datetime_sub", [time, length]) if is_interval(length) => {
            moved(BinaryOperator::Minus, time, length)?
        }
        ("format_date" | "format_timestamp" | "format_datetime", [format, time]) => {
            shared::formatted(time, pattern(format))?
        }
        ("parse_date", [format, text]) => shared::read("to_date", text, pattern(format))?,
        ("parse_timestamp" | "parse_datetime", [format, text]) => shared::read("to_timestamp", text, pattern(format))?,
        ("date", [year, month, day]) => call("make_date", [(*year).clone(), (*month).clone(), (*day).clone()]),
        ("timestamp" | "datetime", [time]) => dates::as_type((*time).clone(), shared::timestamp()),
        ("date" | "timestamp" | "datetime", [_, _]) => {
            return Err(NotRewritten::new(
                format!("`{name}` with a time zone is not supported"),
                "write `cast(t at time zone 'UTC' at time zone 'Europe/Berlin' as date)`",
            ));
        }
        ("unix_seconds", [time]) => {
            dates::whole(call("floor", [dates::extract(sqlparser::ast::DateTimeField::Epoch, time)]))
        }
        _ => return Ok(None),
    }))
}

fn of_values(name: &str, arguments: &[&Expr]) -> Result<Option<Expr>, NotRewritten> {
    Ok(Some(match (name, arguments) {
        ("regexp_contains", [text, pattern]) => {
            binary((*text).clone(), BinaryOperator::PGRegexMatch, patterns::part(pattern)?)
        }
        // The group, if there is one, and else the whole match.
        ("regexp_extract" | "regexp_substr", [text, pattern]) => {
            shared::matched(text, pattern, u32::from(shared::has_group(pattern)))?
        }
        ("regexp_extract" | "regexp_substr" | "regexp_extract_all" | "regexp_instr", _) => {
            return Err(NotRewritten::new(
                format!("this form of `{name}` is not supported in the dialect `bigquery`"),
                "write `regexp_extract(text, 'pattern')`",
            ));
        }
        ("split", [text]) => shared::split(text, &dates::text(","))?,
        ("split", [text, separator]) => shared::split(text, separator)?,
        ("array_length", [list]) => call("cardinality", [(*list).clone()]),
        ("generate_array", [from, to]) => call("generate_series", [(*from).clone(), (*to).clone()]),
        ("generate_date_array", [from, to]) => {
            call("generate_series", [(*from).clone(), (*to).clone(), dates::interval("1 day")])
        }
        ("generate_array", [from, to, step]) => {
            call("generate_series", [(*from).clone(), (*to).clone(), (*step).clone()])
        }
        ("generate_date_array", [from, to, step]) if is_interval(step) => {
            call("generate_series", [(*from).clone(), (*to).clone(), (*step).clone()])
        }
        ("log", [value]) => call("ln", [dates::double(value)]),
        ("log", [value, base]) => dates::logarithm(base, value),
        ("div", [value, by]) => {
            let whole = |expr: &Expr| dates::whole(expr.clone());
            binary(whole(value), BinaryOperator::Divide, whole(by))
        }
        ("mod", [value, by]) => binary((*value).clone(), BinaryOperator::Modulo, (*by).clone()),
        ("ieee_divide" | "format" | "to_json_string" | "approx_quantiles" | "last_day", _) if arguments.len() != 1 => {
            return Err(NotRewritten::new(
                format!("`{name}` is not supported in the dialect `bigquery`"),
                "write it in other words: `concat(a, b)`, `percentile_cont(0.5) within group (order by a)`, `last_day(d)`",
            ));
        }
        _ => return Ok(None),
    }))
}

/// Days and larger units are boundaries; the smaller ones of timestamps are counted in full.
fn difference(name: &str, unit: &Expr, from: &Expr, to: &Expr) -> Result<Expr, NotRewritten> {
    let word = dates::unit_of(unit).unwrap_or_default();
    let seconds = match (name, word.as_str()) {
        ("timestamp_diff", "day") => 86_400,
        ("timestamp_diff", "hour") => 3_600,
        ("timestamp_diff", "minute") => 60,
        ("timestamp_diff", "second") => 1,
        ("timestamp_diff", _) => {
            return Err(NotRewritten::new(
                "this unit of `timestamp_diff` is not supported",
                "write `day`, `hour`, `minute` or `second`; for larger ones `date_diff` of dates",
            ));
        }
        _ => return shared::distance(ENGINE, unit, from, to),
    };
    let epoch = |time: &Expr| {
        let micros = dates::extract(sqlparser::ast::DateTimeField::Epoch, time);
        dates::whole(binary(micros, BinaryOperator::Multiply, super::number(1_000_000)))
    };
    let micros = binary(epoch(to), BinaryOperator::Minus, epoch(from));
    let length = dates::whole(binary(super::number(seconds), BinaryOperator::Multiply, super::number(1_000_000)));
    Ok(binary(micros, BinaryOperator::Divide, length))
}

/// A time that is moved by an interval; a date stays one.
fn moved(sign: BinaryOperator, time: &Expr, length: &Expr) -> Result<Expr, NotRewritten> {
    let Expr::Interval(interval) = length else {
        return Err(NotRewritten::new("a length that is not written out is not supported", "write `interval 1 day`"));
    };
    let Some(unit) = &interval.leading_field else {
        return Err(NotRewritten::new("an interval without a unit is not supported", "write `interval 1 day`"));
    };
    let unit = dates::text(&unit.to_string());
    shared::moved(ENGINE, &unit, sign, shared::Moved { count: &interval.value, time })
}

fn pattern(format: &Expr) -> Option<String> {
    // `%F` and `%T` are short for others.
    let format = text_of(format)?.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
    formats::pattern(&format)
}
