//! What to write instead of another engine's call, with the author's own arguments.

use sqlparser::ast::{Expr, Function, Interval, Value};

use super::dates::unit_of;
use super::{arguments, literal};

/// Longer arguments would hide what the help has to say.
const LONGEST: usize = 60;

/// The help for a call; `None` if the form of the function says it better.
pub(in crate::analyze) fn written_out(function: &Function) -> Option<String> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    let arguments = arguments(function)?;
    if arguments.iter().any(|argument| argument.to_string().len() > LONGEST) {
        return None;
    }
    let written = match (name.as_str(), arguments.as_slice()) {
        ("dateadd" | "date_add" | "timestampadd", [unit, count, time]) => moved(&unit_of(unit)?, "+", count, time)?,
        ("date_add" | "datetime_add" | "timestamp_add", [time, Expr::Interval(length)]) => by(time, "+", length),
        ("date_sub" | "datetime_sub" | "timestamp_sub", [time, Expr::Interval(length)]) => by(time, "-", length),
        ("date_add", [date, days]) => format!("{date} + {}", operand(days)),
        ("date_sub", [date, days]) => format!("{date} - {}", operand(days)),
        ("add_months", [date, count]) => moved("month", "+", count, date)?,
        ("months_between", [to, from]) => format!("datediff('month', {from}, {to})"),
        ("div0", [value, by]) => format!("case when {by} = 0 then 0 else {} / {} end", operand(value), operand(by)),
        ("safe_divide", [value, by]) => format!("{} / nullif({by}, 0)", operand(value)),
        ("epoch_ms", [time]) => format!("extract(epoch from {time}) * 1000"),
        ("dayname", [date]) => format!("to_char({date}, 'FMDay')"),
        ("monthname", [date]) => format!("to_char({date}, 'FMMonth')"),
        ("dayofweek" | "weekday", [date]) => format!("extract(dow from {date})"),
        ("string_split" | "str_split" | "split", [text, separator]) => format!("string_to_array({text}, {separator})"),
        ("instr", [text, part]) => format!("strpos({text}, {part})"),
        ("len", [text]) => format!("length({text})"),
        ("regexp_extract" | "regexp_substr", [text, pattern]) => format!("(regexp_match({text}, {pattern}))[1]"),
        ("mode", [value]) => {
            format!("count(*) grouped by {value} in a subquery, and take the first by `row_number()`")
        }
        ("ratio_to_report", [value]) => format!("{value} / sum({value}) over (…)"),
        _ => return None,
    };
    Some(format!("write `{written}`{}", remark(&name)))
}

fn remark(name: &str) -> &'static str {
    match name {
        "dateadd" | "date_add" | "timestampadd" => "; a date plus days alone is `d + 7`",
        "add_months" => {
            ": of the last day of a month it keeps the number, where other engines keep that it is the last"
        }
        "div0" | "safe_divide" => ", with a cast to decimal or double precision for fractions",
        "dayofweek" | "weekday" => ", where Sunday is 0",
        "string_split" | "str_split" | "split" => ": an empty text becomes an array without elements",
        "regexp_extract" | "regexp_substr" => {
            ": the first group in parentheses, or the whole match if there is none; null if nothing matches"
        }
        _ => "",
    }
}

/// `time + 3 * interval '1 day'`, with a literal count within the interval.
fn moved(unit: &str, sign: &str, count: &Expr, time: &Expr) -> Option<String> {
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let (unit, factor) = match unit {
        "quarter" => ("month", 3),
        "year" | "month" | "week" | "day" | "hour" | "minute" | "second" => (unit, 1),
        _ => return None,
    };
    let many = format!("{factor} {unit}{}", if factor == 1 { "" } else { "s" });
    Some(match literal(count) {
        Some(Value::Number(number, _)) if factor == 1 => {
            let plural = if number == "1" { "" } else { "s" };
            format!("{time} {sign} interval '{number} {unit}{plural}'")
        }
        _ => format!("{time} {sign} {} * interval '{many}'", operand(count)),
    })
}

fn by(time: &Expr, sign: &str, length: &Interval) -> String {
    format!("{time} {sign} {}", length.to_string().to_lowercase())
}

/// An operand that needs no parentheses has none.
fn operand(expr: &Expr) -> String {
    match expr {
        Expr::BinaryOp { .. } => format!("({expr})"),
        _ => expr.to_string(),
    }
}
