//! Parts of dates and distances between them, as DuckDB and Snowflake write both.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, Expr, ExtractSyntax, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, TimezoneInfo, Value,
};

use super::{binary, call, literal, may_stand_twice, number};

pub(super) fn rewritten(name: &str, arguments: &[&Expr]) -> Option<Expr> {
    match (name, arguments) {
        ("datediff" | "date_diff", [unit, from, to]) => distance(&unit_of(unit)?, from, to),
        ("last_day", [date]) => Some(last_day(date)),
        (part, [date]) => part_of(part, date),
        _ => None,
    }
}

/// A unit is a word or a text.
pub(super) fn unit_of(unit: &Expr) -> Option<String> {
    match unit {
        Expr::Identifier(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        _ => match literal(unit)? {
            Value::SingleQuotedString(text) => Some(text.to_lowercase()),
            _ => None,
        },
    }
}

/// `year(date)` and its like: a whole number, and not PostgreSQL's decimal.
fn part_of(part: &str, date: &Expr) -> Option<Expr> {
    let field = match part {
        "year" => DateTimeField::Year,
        "quarter" => DateTimeField::Quarter,
        "month" => DateTimeField::Month,
        // The week of ISO 8601, which begins on a Monday.
        "weekofyear" => DateTimeField::Week(None),
        "day" | "dayofmonth" => DateTimeField::Day,
        "dayofyear" => DateTimeField::Doy,
        "hour" => DateTimeField::Hour,
        "minute" => DateTimeField::Minute,
        "second" => return Some(whole(call("floor", [extract(DateTimeField::Second, date)]))),
        _ => return None,
    };
    Some(whole(extract(field, date)))
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`, each with its name or at its place.
pub(super) fn interval_of_parts(function: &Function) -> Option<Expr> {
    const PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];
    let FunctionArguments::List(list) = &function.args else { return None };
    let parts = list.args.iter().enumerate().map(|(place, argument)| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(count)) => PARTS.get(place).copied().zip(Some(count)),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(count), operator: _ } => {
            PARTS.into_iter().find(|part| name.value.eq_ignore_ascii_case(part)).zip(Some(count))
        }
        _ => None,
    });
    let each = parts.map(|part| {
        let (unit, count) = part?;
        let unit = match unit {
            "mins" => "minute",
            "secs" => "second",
            other => other.strip_suffix('s').unwrap_or(other),
        };
        let count = Expr::Nested(Box::new(count.clone()));
        if unit == "second" {
            // The only part that may have digits after its point: six count.
            let micros = call("round", [binary(count, BinaryOperator::Multiply, number(1_000_000))]);
            return Some(binary(whole(micros), BinaryOperator::Multiply, interval("1 microsecond")));
        }
        Some(binary(count, BinaryOperator::Multiply, interval(&format!("1 {unit}"))))
    });
    let each = each.collect::<Option<Vec<Expr>>>()?;
    each.into_iter().reduce(|sum, part| binary(sum, BinaryOperator::Plus, part))
}

fn last_day(date: &Expr) -> Expr {
    let first = call("date_trunc", [text("month"), as_type(date.clone(), timestamp())]);
    let next = binary(first, BinaryOperator::Plus, interval("1 month"));
    as_type(binary(next, BinaryOperator::Minus, interval("1 day")), DataType::Date)
}

/// How many boundaries of a unit lie between two times. Weeks are left: at the turn of a year DuckDB counts others than
/// Snowflake.
pub(super) fn distance(unit: &str, from: &Expr, to: &Expr) -> Option<Expr> {
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    match unit {
        "day" => Some(whole(minus(date_of(to), date_of(from)))),
        "year" => {
            Some(whole(minus(extract(DateTimeField::Year, &instant(to)), extract(DateTimeField::Year, &instant(from)))))
        }
        "quarter" => steps(DateTimeField::Quarter, 4, from, to),
        "month" => steps(DateTimeField::Month, 12, from, to),
        "hour" => Some(of_seconds("hour", 3600, from, to)),
        "minute" => Some(of_seconds("minute", 60, from, to)),
        "second" => Some(of_seconds("second", 1, from, to)),
        _ => None,
    }
}

/// Months or quarters, counted from the year 0.
fn steps(field: DateTimeField, per_year: u32, from: &Expr, to: &Expr) -> Option<Expr> {
    if !may_stand_twice(from) || !may_stand_twice(to) {
        return None;
    }
    let count = |time: &Expr| {
        let years = extract(DateTimeField::Year, &instant(time));
        let of_years = binary(years, BinaryOperator::Multiply, number(per_year));
        binary(of_years, BinaryOperator::Plus, extract(field.clone(), &instant(time)))
    };
    Some(whole(minus(count(to), count(from))))
}

fn of_seconds(unit: &str, seconds: u32, from: &Expr, to: &Expr) -> Expr {
    let since = |time: &Expr| extract(DateTimeField::Epoch, &truncated(unit, time));
    binary(whole(minus(since(to), since(from))), BinaryOperator::Divide, number(seconds))
}

fn minus(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Minus, right)
}

fn truncated(unit: &str, time: &Expr) -> Expr {
    call("date_trunc", [text(unit), instant(time)])
}

fn instant(time: &Expr) -> Expr {
    as_type(time.clone(), timestamp())
}

pub(super) fn date_of(time: impl std::borrow::Borrow<Expr>) -> Expr {
    as_type(time.borrow().clone(), DataType::Date)
}

/// Whole seconds since 1970.
pub(super) fn whole_seconds(time: &Expr) -> Expr {
    whole(call("floor", [extract(DateTimeField::Epoch, time)]))
}

pub(super) fn logarithm(base: &Expr, number: &Expr) -> Expr {
    binary(call("ln", [double(number)]), BinaryOperator::Divide, call("ln", [double(base)]))
}

pub(super) fn double(number: &Expr) -> Expr {
    as_type(number.clone(), DataType::DoublePrecision)
}

pub(super) fn whole(number: Expr) -> Expr {
    as_type(number, DataType::BigInt(None))
}

fn timestamp() -> DataType {
    DataType::Timestamp(Some(6), TimezoneInfo::None)
}

pub(super) fn extract(field: DateTimeField, time: &Expr) -> Expr {
    Expr::Extract { field, syntax: ExtractSyntax::From, expr: Box::new(time.clone()) }
}

pub(super) fn as_type(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

pub(super) fn interval(length: &str) -> Expr {
    let interval = sqlparser::ast::Interval {
        value: Box::new(text(length)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    };
    Expr::Interval(interval)
}

pub(super) fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}
