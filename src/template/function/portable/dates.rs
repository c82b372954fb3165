//! Macros over dates and times.

use minijinja::Value;

use super::{MacroArguments, PortableMacro};
use crate::template::function::CallFailure;
use crate::template::introspection::{Answer, Cell, Question, QuestionQuery};

pub(super) const ALL: [PortableMacro; 13] = [
    PortableMacro { name: "current_timestamp", parameters: &[], write: |given| Ok(now(given, true)) },
    PortableMacro { name: "current_timestamp_backcompat", parameters: &[], write: |given| Ok(now(given, false)) },
    PortableMacro {
        name: "current_timestamp_in_utc_backcompat",
        parameters: &[],
        write: |given| Ok(now(given, false)),
    },
    PortableMacro { name: "date", parameters: &["year", "month", "day"], write: date },
    PortableMacro { name: "date_spine", parameters: &["datepart", "start_date", "end_date"], write: date_spine },
    PortableMacro { name: "date_trunc", parameters: &["datepart", "date"], write: date_trunc },
    PortableMacro { name: "dateadd", parameters: &["datepart", "interval", "from_date_or_timestamp"], write: dateadd },
    PortableMacro { name: "datediff", parameters: &["first_date", "second_date", "datepart"], write: datediff },
    PortableMacro {
        name: "get_intervals_between",
        parameters: &["start_date", "end_date", "datepart"],
        write: get_intervals_between,
    },
    PortableMacro { name: "last_day", parameters: &["date", "datepart"], write: last_day },
    PortableMacro { name: "py_current_timestring", parameters: &[], write: time_stamp },
    PortableMacro { name: "snapshot_get_time", parameters: &[], write: |given| Ok(now(given, true)) },
    PortableMacro { name: "type_timestamp", parameters: &[], write: |_| Ok(Value::from("timestamp")) },
];

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatePart {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl DatePart {
    const ALL: [(DatePart, &'static [&'static str]); 10] = [
        (DatePart::Year, &["year", "years", "yy", "yyyy"]),
        (DatePart::Quarter, &["quarter", "quarters", "qq"]),
        (DatePart::Month, &["month", "months", "mm"]),
        (DatePart::Week, &["week", "weeks", "ww"]),
        (DatePart::Day, &["day", "days", "dd"]),
        (DatePart::Hour, &["hour", "hours", "hh"]),
        (DatePart::Minute, &["minute", "minutes"]),
        (DatePart::Second, &["second", "seconds", "ss"]),
        (DatePart::Millisecond, &["millisecond", "milliseconds", "ms"]),
        (DatePart::Microsecond, &["microsecond", "microseconds", "us"]),
    ];

    fn parse(word: &str) -> Result<DatePart, CallFailure> {
        let found = DatePart::ALL.iter().find(|(_, words)| words.contains(&word));
        found.map(|(part, _)| *part).ok_or_else(|| {
            let words = DatePart::ALL.iter().filter_map(|(_, words)| words.first().copied());
            CallFailure::new(format!("`{word}` is not a part of a date")).suggest(word, words)
        })
    }

    /// As an interval of a number of smaller units, because PostgreSQL has no interval in quarters.
    fn unit(self) -> (i64, &'static str) {
        match self {
            DatePart::Year => (1, "year"),
            DatePart::Quarter => (3, "month"),
            DatePart::Month => (1, "month"),
            DatePart::Week => (7, "day"),
            DatePart::Day => (1, "day"),
            DatePart::Hour => (1, "hour"),
            DatePart::Minute => (1, "minute"),
            DatePart::Second => (1, "second"),
            DatePart::Millisecond => (1, "millisecond"),
            DatePart::Microsecond => (1, "microsecond"),
        }
    }
}

/// The run's time. It stands in the text, so that all models of a run agree on it.
fn now(given: &MacroArguments<'_>, has_zone: bool) -> Value {
    let now = given.call.render.logical_time();
    let text = now.format("%Y-%m-%d %H:%M:%S%.6f");
    Value::from(match has_zone {
        true => format!("cast('{text}+00' as timestamp with time zone)"),
        false => format!("cast('{text}' as timestamp)"),
    })
}

fn time_stamp(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(given.call.render.logical_time().format("%Y%m%d%H%M%S%6f").to_string()))
}

fn date(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(format!("make_date({}, {}, {})", given.text(0), given.text(1), given.text(2))))
}

fn date_trunc(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(truncated(&given.word(0), &given.text(1))))
}

fn truncated(part: &str, value: &str) -> String {
    format!("date_trunc('{part}', {value})")
}

fn dateadd(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let part = DatePart::parse(&given.word(0))?;
    Ok(Value::from(later(part, &given.text(1), &given.text(2))))
}

/// `value` plus `count` units.
fn later(part: DatePart, count: &str, value: &str) -> String {
    let (factor, unit) = part.unit();
    let number = count.trim().trim_matches('\'').parse::<i64>().ok();
    match number.and_then(|number| number.checked_mul(factor)) {
        Some(number) => format!("({value} + interval '{number} {unit}')"),
        None if factor == 1 => format!("({value} + cast({count} as bigint) * interval '1 {unit}')"),
        None => format!("({value} + cast({count} as bigint) * {factor} * interval '1 {unit}')"),
    }
}

fn datediff(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let part = DatePart::parse(&given.word(2))?;
    Ok(Value::from(difference(part, &given.text(0), &given.text(1))))
}

/// How often a boundary of the unit is crossed between two times.
fn difference(part: DatePart, first: &str, second: &str) -> String {
    let of = |field: &str| {
        let one = |value: &str| format!("extract({field} from cast({value} as timestamp))");
        format!("({} - {})", one(second), one(first))
    };
    // Whole units since 1970 are exact, and so is their difference.
    let seconds = |unit: &str, length: u32| {
        let one = |value: &str| format!("extract(epoch from date_trunc('{unit}', cast({value} as timestamp)))");
        format!("cast(({} - {}) / {length} as bigint)", one(second), one(first))
    };
    let parts_of_a_second = |count: u32| {
        let one = |value: &str| format!("floor(extract(epoch from cast({value} as timestamp)) * {count})");
        format!("cast({} - {} as bigint)", one(second), one(first))
    };
    let days = format!("cast(cast({second} as date) - cast({first} as date) as bigint)");
    match part {
        DatePart::Year => format!("cast({} as bigint)", of("year")),
        DatePart::Quarter => format!("cast({} * 4 + {} as bigint)", of("year"), of("quarter")),
        DatePart::Month => format!("cast({} * 12 + {} as bigint)", of("year"), of("month")),
        DatePart::Week => weeks(first, second, &days),
        DatePart::Day => days,
        DatePart::Hour => seconds("hour", 3600),
        DatePart::Minute => seconds("minute", 60),
        DatePart::Second => seconds("second", 1),
        DatePart::Millisecond => parts_of_a_second(1000),
        DatePart::Microsecond => parts_of_a_second(1_000_000),
    }
}

/// Weeks begin on Sunday: dbt counts how often one begins.
fn weeks(first: &str, second: &str, days: &str) -> String {
    let weekday = |value: &str| format!("extract(dow from cast({value} as timestamp))");
    let is_forwards = format!("{first} <= {second}");
    format!(
        "({days} / 7 + case when {} <= {} then case when {is_forwards} then 0 else -1 end \
         else case when {is_forwards} then 1 else 0 end end)",
        weekday(first),
        weekday(second)
    )
}

fn last_day(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let part = DatePart::parse(&given.word(1))?;
    let next = later(part, "1", &truncated(&given.word(1), &given.text(0)));
    Ok(Value::from(format!("cast({} as date)", later(DatePart::Day, "-1", &next))))
}

/// All starts of a unit from one time to before another. The database lists them, so that nothing need be asked beforehand.
fn date_spine(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let word = given.word(0);
    let part = DatePart::parse(&word)?;
    let column = format!("date_{word}");
    let (start, end) = (given.text(1), given.text(2));
    let (factor, unit) = part.unit();
    let periods = match part {
        // Adding months one by one would lose the day of the month: the 31st, then the 29th for good.
        DatePart::Year | DatePart::Quarter | DatePart::Month => {
            let count = difference(part, &start, &end);
            let nth = later(part, "periods.n", &format!("cast({start} as timestamp)"));
            format!("select {nth} as {column} from unnest(generate_series(0, {count} - 1)) as periods(n)")
        }
        DatePart::Week
        | DatePart::Day
        | DatePart::Hour
        | DatePart::Minute
        | DatePart::Second
        | DatePart::Millisecond
        | DatePart::Microsecond => format!(
            "select periods.{column} from unnest(generate_series(cast({start} as timestamp), cast({end} as timestamp), \
             interval '{factor} {unit}')) as periods({column})"
        ),
    };
    let crossed = difference(part, &column, &end);
    Ok(Value::from(format!(
        "with all_periods as (\n    {periods}\n),\nfiltered as (\n    select * from all_periods where {crossed} > 0 \
         and {column} <= {end}\n)\nselect * from filtered"
    )))
}

/// The difference as a number, which the compiler computes.
fn get_intervals_between(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let part = DatePart::parse(&given.word(2))?;
    let sql = format!("select {}", difference(part, &given.text(0), &given.text(1)));
    let query = QuestionQuery { sql, references: Vec::new() };
    let missing = || CallFailure::new("the number of intervals is not known");
    match given.call.ask(Question::Rows(query))? {
        Some(Answer::Rows(rows)) => match rows.rows.first().and_then(|row| row.first()) {
            Some(Cell::Integer(count)) => Ok(Value::from(*count)),
            Some(Cell::Null | Cell::Boolean(_) | Cell::Float(_) | Cell::Text(_)) | None => Err(missing()),
        },
        Some(Answer::Columns(_) | Answer::Refused(_)) | None => Err(missing()),
    }
}
