//! Calls of functions that DuckDB has under the same name with another meaning, or that only DuckDB has.

use sqlparser::ast::{BinaryOperator, DataType, DateTimeField, Expr, Function, FunctionArguments, OrderByExpr, Value};

use super::super::{
    arguments, binary, call, case, dates, is_plain, literal, may_stand_twice, number, order_key, renamed, when,
};
use super::{NotRewritten, formats, is_negative, patterns, values};

/// Functions whose results differ, and that PostgreSQL's words cannot say.
const DIFFERENT: [&str; 17] = [
    "percentile_disc",
    "date_sub",
    "datesub",
    "age",
    "date_bin",
    "regexp_match",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "array_slice",
    "list_slice",
    "array_position",
    "list_position",
    "to_char",
    "to_date",
    "trunc_date",
    "bit_length",
];

/// The call in PostgreSQL's words; `None` if it means the same there.
pub(super) fn rewritten(function: &mut Function) -> Result<Option<Expr>, NotRewritten> {
    let [part] = function.name.0.as_slice() else { return Ok(None) };
    let Some(name) = part.as_ident().map(|word| word.value.to_lowercase()) else { return Ok(None) };
    let Some(arguments) = arguments(function) else { return Ok(None) };
    let arguments: Vec<Expr> = arguments.into_iter().cloned().collect();
    let arguments: Vec<&Expr> = arguments.iter().collect();
    let name = name.as_str();
    if let Some(found) = of_groups(name, function, &arguments) {
        return Ok(Some(found));
    }
    if !is_plain(function) {
        return different(name);
    }
    if let Some(found) = of_texts(name, &arguments).transpose()? {
        return Ok(Some(found));
    }
    if let Some(found) = of_times(name, &arguments).transpose()? {
        return Ok(Some(found));
    }
    if let Some(found) = of_numbers(name, &arguments) {
        return Ok(Some(found));
    }
    different(name)
}

fn different(name: &str) -> Result<Option<Expr>, NotRewritten> {
    match DIFFERENT.contains(&name) {
        true => Err(NotRewritten::new(
            format!("`{name}` is not supported in the dialect `duckdb`"),
            "use another function, or put it into a project of the dialect `postgres`",
        )),
        false => Ok(None),
    }
}

fn of_numbers(name: &str, arguments: &[&Expr]) -> Option<Expr> {
    Some(match (name, arguments) {
        ("round", [value]) => values::round(value, None),
        ("round", [value, digits]) => values::round(value, Some(digits)),
        ("sqrt" | "exp" | "ln" | "log" | "log10" | "log2" | "cbrt", [value]) => call(name, [dates::double(value)]),
        ("power" | "pow", [base, exponent]) => call("power", [dates::double(base), dates::double(exponent)]),
        ("log", [base, value]) => dates::logarithm(base, value),
        ("sign", [value]) if may_stand_twice(value) => {
            let compared = |op: BinaryOperator| binary((*value).clone(), op, number(0));
            let branches = vec![
                when(&compared(BinaryOperator::Gt), &number(1)),
                when(&compared(BinaryOperator::Lt), &binary(number(0), BinaryOperator::Minus, number(1))),
                when(&compared(BinaryOperator::Eq), &number(0)),
            ];
            dates::as_type(case(None, branches, None), DataType::SmallInt(None))
        }
        ("len", [value]) => values::length(value),
        ("array_length", [list]) => call("cardinality", [(*list).clone()]),
        _ => return None,
    })
}

fn of_texts(name: &str, arguments: &[&Expr]) -> Option<Result<Expr, NotRewritten>> {
    Some(match (name, arguments) {
        ("concat" | "concat_ws", [_, ..]) => Ok(call(name, arguments.iter().map(|argument| values::operand(argument)))),
        ("to_hex", [number]) => Ok(call("upper", [call("to_hex", [(*number).clone()])])),
        ("sha256", [text]) => Ok(super::super::hexadecimal("sha256", text)),
        ("instr", [text, part]) => Ok(call("strpos", [(*text).clone(), (*part).clone()])),
        ("prefix", [text, start]) => Ok(call("starts_with", [(*text).clone(), (*start).clone()])),
        ("suffix", [text, end]) => Ok(call("ends_with", [(*text).clone(), (*end).clone()])),
        ("substring" | "substr", [text, from]) => substring(text, Some(from), None),
        ("substring" | "substr", [text, from, length]) => substring(text, Some(from), Some(length)),
        ("string_split" | "str_split" | "split" | "string_to_array", [text, separator]) => split(text, separator),
        ("split_part", [_, separator, _]) if is_empty_text(separator) => {
            Err(NotRewritten::new("an empty separator is not supported", "write `substring(text, n, 1)`"))
        }
        ("split_part", [_, _, _]) => return None,
        ("regexp_matches", [text, pattern]) => matches(text, patterns::part(pattern)),
        ("regexp_full_match", [text, pattern]) => matches(text, patterns::whole(pattern)),
        ("regexp_extract", [text, pattern]) => extract(text, patterns::as_group(pattern), 1),
        ("regexp_extract", [text, pattern, group]) => match literal(group) {
            Some(Value::Number(group, _)) if group == "0" => extract(text, patterns::as_group(pattern), 1),
            Some(Value::Number(group, _)) => match group.parse() {
                Ok(group) => extract(text, patterns::part(pattern), group),
                Err(_) => Err(NotRewritten::new(GROUP, GROUP_HELP)),
            },
            _ => Err(NotRewritten::new(GROUP, GROUP_HELP)),
        },
        ("regexp_replace", [text, pattern, by, options @ ..]) => replace(text, [pattern, by], options),
        ("regexp_matches" | "regexp_full_match" | "regexp_extract", _) => {
            Err(NotRewritten::new(format!("options of `{name}` are not supported"), "write `(?i)` before the pattern"))
        }
        _ => return None,
    })
}

const GROUP: &str = "a group that is not a number is not supported";
const GROUP_HELP: &str = "write the number of the group";

fn matches(text: &Expr, pattern: Result<Expr, NotRewritten>) -> Result<Expr, NotRewritten> {
    Ok(binary(text.clone(), BinaryOperator::PGRegexMatch, pattern?))
}

/// A text without a match gives an empty text, and null gives null.
fn extract(text: &Expr, pattern: Result<Expr, NotRewritten>, group: u32) -> Result<Expr, NotRewritten> {
    if !may_stand_twice(text) {
        return Err(too_long("regexp_extract"));
    }
    let found = call("regexp_match", [text.clone(), pattern?]);
    let found = call("array_element", [found, number(group)]);
    let known = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(text.clone()))));
    let found = call("coalesce", [found, empty_text()]);
    Ok(case(None, vec![when(&known, &found)], None))
}

fn replace(text: &Expr, [pattern, by]: [&Expr; 2], options: &[&Expr]) -> Result<Expr, NotRewritten> {
    let mut arguments = vec![text.clone(), patterns::part(pattern)?, patterns::replacement(by)?];
    match options {
        [] => {}
        [options] if matches!(literal(options), Some(Value::SingleQuotedString(word)) if ["g", "i", "gi", "ig"].contains(&word.as_str())) =>
        {
            arguments.push((*options).clone());
        }
        _ => return Err(NotRewritten::new("these options of `regexp_replace` are not supported", "write 'g' or 'gi'")),
    }
    Ok(call("regexp_replace", arguments))
}

/// An empty text becomes an array with an empty text, where PostgreSQL makes an array without elements.
pub(in crate::analyze::foreign) fn split(text: &Expr, separator: &Expr) -> Result<Expr, NotRewritten> {
    match literal(separator) {
        Some(Value::SingleQuotedString(separator)) if !separator.is_empty() => {}
        _ => {
            return Err(NotRewritten::new(
                "a separator that is not a literal is not supported",
                "write it as a literal",
            ));
        }
    }
    if !may_stand_twice(text) {
        return Err(too_long("string_split"));
    }
    let parts = call("string_to_array", [text.clone(), separator.clone()]);
    let is_empty = binary(text.clone(), BinaryOperator::Eq, empty_text());
    let empty = Expr::Array(sqlparser::ast::Array { elem: vec![empty_text()], named: true });
    Ok(case(None, vec![when(&is_empty, &empty)], Some(&parts)))
}

/// A negative start counts from the end.
pub(super) fn substring(text: &Expr, from: Option<&Expr>, length: Option<&Expr>) -> Result<Expr, NotRewritten> {
    let Some(from) = from else {
        let length = length.map_or_else(|| number(0), Clone::clone);
        return Ok(call("substr", [text.clone(), number(1), length]));
    };
    if !is_a_place(from) {
        let message = "a start that may be negative is not supported: it would count from the end";
        return Err(NotRewritten::new(message, "write `right(text, n)`, or `substring(text, greatest(n, 1))`"));
    }
    Ok(match length {
        Some(length) => call("substr", [text.clone(), from.clone(), length.clone()]),
        None => call("substr", [text.clone(), from.clone()]),
    })
}

/// Whether a number cannot be negative.
pub(in crate::analyze::foreign) fn is_a_place(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_a_place(inner),
        Expr::Position { .. } => true,
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Multiply, right } => {
            is_a_place(left) && is_a_place(right)
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let counts = ["strpos", "length", "char_length", "instr"].contains(&name.as_str());
            let FunctionArguments::List(list) = &function.args else { return counts };
            let is_bounded = name == "greatest"
                && list.args.iter().any(|argument| match argument {
                    sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(bound)) => {
                        is_a_place(bound)
                    }
                    _ => false,
                });
            counts || is_bounded
        }
        other => matches!(literal(other), Some(Value::Number(..))) && !is_negative(other),
    }
}

fn of_times(name: &str, arguments: &[&Expr]) -> Option<Result<Expr, NotRewritten>> {
    let taken = |field: DateTimeField, time: &Expr| Ok(dates::whole(dates::extract(field, time)));
    Some(match (name, arguments) {
        ("date_part" | "datepart", [part, time]) => {
            let Some(word) = dates::unit_of(part) else {
                return Some(Err(NotRewritten::new("a part that is not a literal is not supported", "write its word")));
            };
            let field = DateTimeField::Custom(sqlparser::ast::Ident::new(word.clone()));
            of_part(&word, dates::extract(field, time))
        }
        ("datetrunc", [unit, time]) => Ok(call("date_trunc", [(*unit).clone(), (*time).clone()])),
        ("date_add", [time, length]) => Ok(binary(values::instant(time), BinaryOperator::Plus, (*length).clone())),
        ("dayofweek" | "weekday", [date]) => taken(DateTimeField::Dow, date),
        ("isodow", [date]) => taken(DateTimeField::Isodow, date),
        ("week", [date]) => taken(DateTimeField::Week(None), date),
        ("isoyear", [date]) => taken(DateTimeField::Isoyear, date),
        ("epoch", [time]) => Ok(dates::double(&dates::extract(DateTimeField::Epoch, time))),
        ("dayname", [date]) => Ok(call("to_char", [(*date).clone(), dates::text("FMDay")])),
        ("monthname", [date]) => Ok(call("to_char", [(*date).clone(), dates::text("FMMonth")])),
        ("strftime", [first, second]) => formatted(first, second),
        ("to_years" | "to_months" | "to_weeks" | "to_days" | "to_hours" | "to_minutes" | "to_seconds", [count]) => {
            let unit = name.trim_start_matches("to_").trim_end_matches('s');
            let count = Expr::Nested(Box::new((*count).clone()));
            Ok(binary(count, BinaryOperator::Multiply, dates::interval(&format!("1 {unit}"))))
        }
        _ => return None,
    })
}

/// DuckDB takes the time and the format in either order.
fn formatted(first: &Expr, second: &Expr) -> Result<Expr, NotRewritten> {
    let help =
        "write `strftime(t, '%Y-%m-%d')`, with %Y %m %d %H %M %S %f %j %b %B %a %A %p %I and what stands between them";
    let (time, format) = match (literal(first), literal(second)) {
        (_, Some(Value::SingleQuotedString(format))) => (first, format),
        (Some(Value::SingleQuotedString(format)), _) => (second, format),
        _ => return Err(NotRewritten::new("a format that is not a literal is not supported", help)),
    };
    let Some(pattern) = formats::pattern(format) else {
        return Err(NotRewritten::new(format!("the format `{format}` is not supported"), help));
    };
    Ok(call("to_char", [time.clone(), dates::text(&pattern)]))
}

/// A part of a time that was taken: a whole number, or a double for `epoch`.
pub(super) fn of_part(word: &str, taken: Expr) -> Result<Expr, NotRewritten> {
    const WHOLE: [&str; 18] = [
        "year", "years", "isoyear", "quarter", "quarters", "month", "months", "week", "weeks", "day", "days", "doy",
        "dow", "isodow", "hour", "hours", "minute", "minutes",
    ];
    match word {
        "epoch" => Ok(dates::double(&taken)),
        "second" | "seconds" | "millisecond" | "milliseconds" | "microsecond" | "microseconds" => {
            Ok(dates::whole(call("floor", [taken])))
        }
        _ if WHOLE.contains(&word) => Ok(dates::whole(taken)),
        _ => Err(NotRewritten::new(
            format!("the part `{word}` of a time is not supported in the dialect `duckdb`"),
            "write `year`, `quarter`, `month`, `week`, `day`, `hour`, `minute`, `second` or `epoch`",
        )),
    }
}

fn of_groups(name: &str, function: &Function, arguments: &[&Expr]) -> Option<Expr> {
    match (name, arguments) {
        // An exact total, divided once; PostgreSQL's average is a decimal.
        ("avg" | "mean", [value]) => {
            let total = renamed(function, "sum", vec![(*value).clone()])?;
            let count = renamed(function, "count", vec![(*value).clone()])?;
            Some(binary(dates::double(&total), BinaryOperator::Divide, dates::double(&count)))
        }
        (
            "stddev" | "stddev_samp" | "stddev_pop" | "variance" | "var_samp" | "var_pop" | "corr" | "covar_pop"
            | "covar_samp",
            values @ [_, ..],
        ) => renamed(function, name, values.iter().map(|value| dates::double(value)).collect()),
        ("median", [value]) => renamed(function, "median", vec![values::continuous(value)]),
        ("quantile_cont", [value, part]) => {
            renamed(function, "quantile_cont", vec![values::continuous(value), (*part).clone()])
        }
        ("percentile_cont", [part]) if function.within_group.len() == 1 => {
            let mut ordered = function.clone();
            ordered.within_group.iter_mut().for_each(|key| key.expr = values::continuous(&key.expr));
            renamed(&ordered, "percentile_cont", vec![(*part).clone()])
        }
        ("list", [value]) => renamed(function, "array_agg", vec![(*value).clone()]),
        ("max_by", [value, key]) => {
            renamed(function, "arg_max", vec![(*value).clone(), (*key).clone()]).and_then(|renamed| as_known(&renamed))
        }
        ("min_by", [value, key]) => {
            renamed(function, "arg_min", vec![(*value).clone(), (*key).clone()]).and_then(|renamed| as_known(&renamed))
        }
        ("quantile_disc", [value, part]) => {
            let Some(Expr::Function(mut disc)) = renamed(function, "percentile_disc", vec![(*part).clone()]) else {
                return None;
            };
            let key: OrderByExpr = order_key(value, true);
            disc.within_group = vec![key];
            as_known(&Expr::Function(disc))
        }
        _ => None,
    }
}

fn as_known(call: &Expr) -> Option<Expr> {
    match call {
        Expr::Function(function) => super::super::rewritten(function),
        _ => None,
    }
}

fn is_empty_text(expr: &Expr) -> bool {
    matches!(literal(expr), Some(Value::SingleQuotedString(text)) if text.is_empty())
}

fn empty_text() -> Expr {
    dates::text("")
}

fn too_long(name: &str) -> NotRewritten {
    NotRewritten::new(format!("the argument of `{name}` is too long"), "put it into a CTE, and name its column")
}
