//! Calls that the three engines mean alike, and otherwise than PostgreSQL.

use sqlparser::ast::{BinaryOperator, DateTimeField, Expr, Function, FunctionArguments, Value};

use super::super::duckdb::calls::is_a_place;
use super::super::duckdb::patterns;
use super::super::{
    binary, call, case, dates, first_by, has_own_clauses, literal, may_stand_twice, not_null, number, renamed, when,
};
use super::{NotRewritten, Warehouse, is_negative, typed};

type Rewritten = Result<Option<Expr>, NotRewritten>;

/// Calls of aggregates.
pub(super) fn of_groups(engine: Warehouse, name: &str, function: &Function, arguments: &[&Expr]) -> Rewritten {
    let in_doubles = |name: &str| {
        let values = arguments.iter().map(|value| dates::double(value)).collect();
        renamed(function, name, values)
    };
    Ok(match (name, arguments) {
        ("avg" | "mean", [value]) => average(engine, function, value),
        (
            "stddev" | "stddev_samp" | "stddev_pop" | "variance" | "var_samp" | "var_pop" | "corr" | "covar_pop"
            | "covar_samp",
            [_, ..],
        ) => in_doubles(name),
        ("array_agg" | "collect_list", [value]) if engine != Warehouse::BigQuery && !has_own_clauses(function) => {
            without_nulls(function, value, engine)?
        }
        ("array_agg", _) if engine == Warehouse::BigQuery => {
            let ignores_nulls = match &function.args {
                FunctionArguments::List(list) => list
                    .clauses
                    .iter()
                    .any(|clause| matches!(clause, sqlparser::ast::FunctionArgumentClause::IgnoreOrRespectNulls(_))),
                _ => false,
            };
            if ignores_nulls {
                return Err(NotRewritten::new(
                    "`ignore nulls` in `array_agg` is not supported",
                    "write `array_agg(a) filter (where a is not null)`",
                ));
            }
            None
        }
        ("listagg", [text]) => listed(function, text, &dates::text("")),
        ("listagg", [text, separator]) => listed(function, text, separator),
        ("string_agg", [text]) if engine == Warehouse::BigQuery => {
            renamed(function, "string_agg", vec![(*text).clone(), dates::text(",")])
        }
        ("percentile_cont" | "percentile_disc", [_, _]) => {
            return Err(NotRewritten::new(
                format!("`{name}` with two arguments is not supported"),
                "write `percentile_cont(0.5) within group (order by a)` in a query that groups",
            ));
        }
        ("max_by" | "min_by", [value, key]) if super::super::is_plain(function) => by_key(name, value, key),
        _ => None,
    })
}

fn average(engine: Warehouse, function: &Function, value: &Expr) -> Option<Expr> {
    // In Snowflake an average has six digits more than its values, as the quotient of sum and count.
    if engine == Warehouse::Snowflake {
        let total = renamed(function, "sum", vec![value.clone()])?;
        let count = renamed(function, "count", vec![value.clone()])?;
        return Some(typed::quotient(engine, &total, &count));
    }
    let average = renamed(function, "avg", vec![typed::averaged(engine, value)])?;
    Some(typed::rounded_average(engine, &average))
}

/// An array of the values that are known. PostgreSQL's has a null for each other row.
fn without_nulls(function: &Function, value: &Expr, engine: Warehouse) -> Rewritten {
    if !may_stand_twice(value) || function.over.is_some() {
        return Err(NotRewritten::new(
            format!("this form of `array_agg` is not supported in the dialect `{}`", engine.word()),
            "write `array_agg(a) filter (where a is not null)` in a query that groups",
        ));
    }
    let known = not_null(value);
    let filter = match &function.filter {
        Some(filter) => binary(Expr::Nested(filter.clone()), BinaryOperator::And, known),
        None => known,
    };
    let Some(Expr::Function(mut made)) = renamed(function, "array_agg", vec![value.clone()]) else { return Ok(None) };
    made.filter = Some(Box::new(filter));
    // An array without elements where there are none.
    let empty = Expr::Array(sqlparser::ast::Array { elem: Vec::new(), named: true });
    Ok(Some(call("coalesce", [Expr::Function(made), empty])))
}

/// A group without values gives an empty text.
fn listed(function: &Function, text: &Expr, separator: &Expr) -> Option<Expr> {
    let joined = super::super::joined(function, text, separator)?;
    Some(call("coalesce", [joined, dates::text("")]))
}

/// The value of the row with the greatest or least key that is known, a null as well.
fn by_key(name: &str, value: &Expr, key: &Expr) -> Option<Expr> {
    first_by(value, key, name == "min_by", not_null(key))
}

/// Calls that all three read alike.
pub(super) fn call_of_all(engine: Warehouse, name: &str, arguments: &[&Expr]) -> Rewritten {
    Ok(Some(match (name, arguments) {
        ("concat", [first, rest @ ..]) => rest.iter().fold(typed::operand(engine, first), |joined, next| {
            binary(joined, BinaryOperator::StringConcat, typed::operand(engine, next))
        }),
        ("greatest" | "least", [_, _, ..]) if engine != Warehouse::Spark => unless_null(name, arguments)?,
        ("round", [value]) => typed::round(engine, value, None),
        ("round", [value, digits]) => typed::round(engine, value, Some(digits)),
        ("sqrt" | "exp" | "ln" | "log10" | "cbrt", [value]) => call(name, [dates::double(value)]),
        ("power" | "pow", [base, exponent]) => call("power", [dates::double(base), dates::double(exponent)]),
        ("div0", [value, by]) if may_stand_twice(by) => {
            let is_zero = binary((*by).clone(), BinaryOperator::Eq, number(0));
            case(None, vec![when(&is_zero, &number(0))], Some(&typed::quotient(engine, value, by)))
        }
        ("safe_divide" | "try_divide", [value, by]) => {
            typed::quotient(engine, value, &call("nullif", [(*by).clone(), number(0)]))
        }
        ("substring" | "substr", [text, from]) => substring(text, from, None)?,
        ("substring" | "substr", [text, from, length]) => substring(text, from, Some(length))?,
        ("left" | "right", [text, count]) => {
            call(name, [(*text).clone(), call("greatest", [(*count).clone(), number(0)])])
        }
        ("contains", [text, part]) => {
            let place = call("strpos", [(*text).clone(), (*part).clone()]);
            binary(place, BinaryOperator::Gt, number(0))
        }
        ("instr", [text, part]) => call("strpos", [(*text).clone(), (*part).clone()]),
        ("len", [text]) => call("length", [(*text).clone()]),
        ("regexp_replace", [text, pattern]) => replace(engine, text, pattern, &dates::text(""))?,
        ("regexp_replace", [text, pattern, by]) => replace(engine, text, pattern, by)?,
        ("regexp_replace", _) => {
            let help = "write the text, the pattern and what stands in its place; every match is replaced";
            return Err(NotRewritten::new("further arguments of `regexp_replace` are not supported", help));
        }
        ("date", [time]) => dates::date_of(*time),
        ("week" | "weekofyear", [date]) if engine != Warehouse::BigQuery => part(engine, "week", date)?,
        ("array_size" | "cardinality", [list]) => call("cardinality", [(*list).clone()]),
        ("hash" | "farm_fingerprint" | "xxhash64" | "age" | "date_bin" | "to_hex" | "array_position", _) => {
            return Err(NotRewritten::new(
                format!("`{name}` is not supported in the dialect `{}`", engine.word()),
                "use another function: for a key of columns `md5(concat_ws('|', a, b))`",
            ));
        }
        _ => return Ok(None),
    }))
}

/// PostgreSQL leaves nulls out, the engines give null.
fn unless_null(name: &str, arguments: &[&Expr]) -> Result<Expr, NotRewritten> {
    if !arguments.iter().all(|argument| may_stand_twice(argument)) {
        return Err(NotRewritten::new(
            format!("the arguments of `{name}` are too long"),
            "put them into a CTE, and name their columns",
        ));
    }
    let known = arguments.iter().map(|argument| not_null(argument));
    let all = known.reduce(|all, known| binary(all, BinaryOperator::And, known));
    let found = call(name, arguments.iter().map(|argument| (*argument).clone()));
    Ok(match all {
        Some(all) => case(None, vec![when(&all, &found)], None),
        None => found,
    })
}

/// `struct(1 as a, 'x' as b)`, whose fields all have names.
pub(super) fn structure(values: &[Expr]) -> Option<Expr> {
    let mut arguments = Vec::with_capacity(2 * values.len());
    for value in values {
        let (name, value) = match value {
            Expr::Named { expr, name } => (name.value.clone(), expr.as_ref().clone()),
            Expr::Identifier(name) => (name.value.clone(), value.clone()),
            Expr::CompoundIdentifier(parts) => (parts.last()?.value.clone(), value.clone()),
            _ => return None,
        };
        arguments.push(dates::text(&name));
        arguments.push(value);
    }
    Some(call("named_struct", arguments))
}

/// A negative start counts from the end, and 0 is the first letter as 1 is.
pub(super) fn substring(text: &Expr, from: &Expr, length: Option<&Expr>) -> Result<Expr, NotRewritten> {
    if !is_a_place(from) {
        let message = "a start that may be negative is not supported: it would count from the end";
        return Err(NotRewritten::new(message, "write `right(text, n)`, or `substring(text, greatest(n, 1))`"));
    }
    let start = match literal(from) {
        Some(Value::Number(digits, _)) if digits != "0" => from.clone(),
        _ => call("greatest", [from.clone(), number(1)]),
    };
    Ok(match length {
        Some(length) => {
            if is_negative(length) {
                return Err(NotRewritten::new("a negative length gives an empty text", "write `''`"));
            }
            call("substr", [text.clone(), start, call("greatest", [length.clone(), number(0)])])
        }
        None => call("substr", [text.clone(), start]),
    })
}

/// Every match is replaced. Java writes a group as `$1`, the others as `\1`.
fn replace(engine: Warehouse, text: &Expr, pattern: &Expr, by: &Expr) -> Result<Expr, NotRewritten> {
    let by = match (literal(by), engine) {
        (Some(Value::SingleQuotedString(by)), Warehouse::Spark) => dates::text(&of_java(by)?),
        (Some(Value::SingleQuotedString(by)), _) if !by.contains("\\&") => dates::text(&by.replace("\\0", "\\&")),
        _ => {
            let message = "a replacement that is not a plain literal is not supported";
            return Err(NotRewritten::new(message, "write it as a literal"));
        }
    };
    Ok(call("regexp_replace", [text.clone(), patterns::part(pattern)?, by, dates::text("g")]))
}

fn of_java(by: &str) -> Result<String, NotRewritten> {
    let mut written = String::new();
    let mut letters = by.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '$' => match letters.next() {
                Some('0') => written.push_str("\\&"),
                Some(digit @ '1'..='9') => written.extend(['\\', digit]),
                _ => return Err(NotRewritten::new("`$` without a group is not supported", "write `$1`, or `\\\\$`")),
            },
            '\\' => match letters.next() {
                Some('$') => written.push('$'),
                _ => return Err(NotRewritten::new("this replacement is not supported", "write `$1` for a group")),
            },
            other => written.push(other),
        }
    }
    Ok(written)
}

/// What a pattern matches, or the group of a number; null where nothing matches.
pub(super) fn matched(text: &Expr, pattern: &Expr, group: u32) -> Result<Expr, NotRewritten> {
    let (pattern, place) = match group {
        0 => (patterns::as_group(pattern)?, 1),
        group => (patterns::part(pattern)?, group),
    };
    Ok(call("array_element", [call("regexp_match", [text.clone(), pattern]), number(place)]))
}

/// Whether a pattern has a group that is captured.
pub(super) fn has_group(pattern: &Expr) -> bool {
    match literal(pattern) {
        Some(Value::SingleQuotedString(text)) => {
            let bytes = text.as_bytes();
            (0..bytes.len()).any(|at| {
                let is_escaped =
                    bytes.get(..at).unwrap_or_default().iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
                bytes.get(at) == Some(&b'(') && bytes.get(at + 1) != Some(&b'?') && !is_escaped
            })
        }
        _ => false,
    }
}

/// A text in its parts; an empty text has one.
pub(super) fn split(text: &Expr, separator: &Expr) -> Result<Expr, NotRewritten> {
    super::super::duckdb::calls::split(text, separator)
}

/// A part of a time as a whole number.
pub(super) fn part(engine: Warehouse, word: &str, time: &Expr) -> Result<Expr, NotRewritten> {
    let taken = |field: DateTimeField| dates::whole(dates::extract(field, time));
    let from_one = |field: DateTimeField| binary(taken(field), BinaryOperator::Plus, number(1));
    let word = word.trim_matches('\'');
    Ok(match (word, engine) {
        ("year" | "years" | "yyyy" | "yy", _) => taken(DateTimeField::Year),
        ("quarter" | "qtr", _) => taken(DateTimeField::Quarter),
        ("month" | "months" | "mm" | "mon", _) => taken(DateTimeField::Month),
        ("day" | "days" | "dd" | "dayofmonth", _) => taken(DateTimeField::Day),
        ("hour" | "hours", _) => taken(DateTimeField::Hour),
        ("minute" | "minutes", _) => taken(DateTimeField::Minute),
        ("second" | "seconds", _) => dates::whole(call("floor", [dates::extract(DateTimeField::Second, time)])),
        ("doy" | "dayofyear", _) => taken(DateTimeField::Doy),
        // Snowflake counts from Sunday as 0, as PostgreSQL does; the others from 1.
        ("dow" | "dayofweek", Warehouse::Snowflake) => taken(DateTimeField::Dow),
        ("dow" | "dayofweek", _) => from_one(DateTimeField::Dow),
        ("dayofweekiso" | "dayofweek_iso" | "dow_iso", _) => taken(DateTimeField::Isodow),
        // The week of ISO 8601; BigQuery's begins on a Sunday.
        ("week" | "weekofyear", Warehouse::Snowflake | Warehouse::Spark) | ("isoweek" | "weekiso", _) => {
            taken(DateTimeField::Week(None))
        }
        ("isoyear" | "yearofweekiso", _) => taken(DateTimeField::Isoyear),
        ("epoch" | "epoch_second", Warehouse::Snowflake) => dates::whole_seconds(time),
        ("date", Warehouse::BigQuery) => dates::date_of(time),
        _ => {
            return Err(NotRewritten::new(
                format!("the part `{word}` of a time is not supported in the dialect `{}`", engine.word()),
                "write `year`, `quarter`, `month`, `isoweek`, `day`, `dayofweek`, `hour`, `minute` or `second`",
            ));
        }
    })
}

/// The unit of time that a word names.
pub(super) fn unit(engine: Warehouse, written: &Expr) -> Result<String, NotRewritten> {
    let word = dates::unit_of(written).unwrap_or_default();
    let known = match word.trim_end_matches('s') {
        "year" | "yyyy" | "yy" => "year",
        "quarter" | "qtr" => "quarter",
        "month" | "mm" | "mon" => "month",
        // A week begins on a Monday; that of BigQuery on a Sunday.
        "week" if engine != Warehouse::BigQuery => "week",
        "isoweek" => "week",
        "day" | "dd" => "day",
        "hour" | "hh" => "hour",
        "minute" | "mi" => "minute",
        "second" => "second",
        _ => {
            return Err(NotRewritten::new(
                format!("this unit of time is not supported in the dialect `{}`", engine.word()),
                "write `year`, `quarter`, `month`, `isoweek`, `day`, `hour`, `minute` or `second`",
            ));
        }
    };
    Ok(known.to_owned())
}

/// The beginning of a unit of time, a date where a date was given.
pub(super) fn truncated(engine: Warehouse, written: &Expr, time: &Expr) -> Result<Expr, NotRewritten> {
    let unit = unit(engine, written)?;
    if !may_stand_twice(time) {
        return Err(NotRewritten::new("the argument of `date_trunc` is too long", "put it into a CTE"));
    }
    Ok(typed::like(engine, time, &call("date_trunc", [dates::text(&unit), time.clone()])))
}

/// A time that is moved by so many units; a date stays one, unless the unit is less than a day.
pub(super) fn moved(
    engine: Warehouse,
    written: &Expr,
    sign: BinaryOperator,
    by: Moved<'_>,
) -> Result<Expr, NotRewritten> {
    let unit = unit(engine, written)?;
    let Moved { count, time } = by;
    let (unit, factor) = match unit.as_str() {
        "quarter" => ("month", 3),
        other => (other, 1),
    };
    if !may_stand_twice(time) {
        return Err(NotRewritten::new("the time is too long an expression", "put it into a CTE, and name its column"));
    }
    let length = dates::interval(&format!("{factor} {unit}"));
    // A part of a unit is rounded by one engine, and cut off by another.
    let count = typed::count(engine, count);
    let length = binary(count, BinaryOperator::Multiply, length);
    let instant = dates::as_type(time.clone(), timestamp());
    let sum = binary(instant, sign, length);
    Ok(match unit {
        "hour" | "minute" | "second" => sum,
        _ => typed::like(engine, time, &sum),
    })
}

/// What is moved, and how far.
pub(super) struct Moved<'e> {
    pub count: &'e Expr,
    pub time: &'e Expr,
}

/// How many boundaries of a unit lie between two times.
pub(super) fn distance(engine: Warehouse, written: &Expr, from: &Expr, to: &Expr) -> Result<Expr, NotRewritten> {
    let unit = unit(engine, written)?;
    if unit == "week" {
        let monday = |time: &Expr| {
            let date = dates::date_of(time);
            dates::date_of(call("date_trunc", [dates::text("week"), date]))
        };
        let days = dates::whole(binary(monday(to), BinaryOperator::Minus, monday(from)));
        return Ok(binary(days, BinaryOperator::Divide, number(7)));
    }
    let boundaries = dates::distance(&unit, from, to);
    boundaries.ok_or_else(|| NotRewritten::new("the times are too long expressions", "put them into a CTE"))
}

/// A time in a text, by a pattern of `to_char`.
pub(super) fn formatted(time: &Expr, pattern: Option<String>) -> Result<Expr, NotRewritten> {
    Ok(call("to_char", [time.clone(), dates::text(&known(pattern)?)]))
}

/// A text read as a time, by a pattern of `to_date`.
pub(super) fn read(name: &str, text: &Expr, pattern: Option<String>) -> Result<Expr, NotRewritten> {
    let found = call(name, [text.clone(), dates::text(&known(pattern)?)]);
    Ok(match name {
        "to_timestamp" => dates::as_type(found, timestamp()),
        _ => found,
    })
}

/// A type whose digits nobody has written.
pub(super) fn timestamp() -> sqlparser::ast::DataType {
    sqlparser::ast::DataType::Timestamp(None, sqlparser::ast::TimezoneInfo::None)
}

fn known(pattern: Option<String>) -> Result<String, NotRewritten> {
    pattern.ok_or_else(|| {
        NotRewritten::new(
            "this format of times is not supported",
            "write a literal of year, month, day, hour, minute and second with signs between them",
        )
    })
}

/// The text of a literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match literal(expr)? {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}
