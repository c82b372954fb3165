//! Dates and times as values: what `run_started_at` is, and what `modules.datetime` makes.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use minijinja::value::{DynObject, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, State, Value};

use super::CallFailure;
use crate::template::render::{Render, TimeUse};

/// A value of Python's `datetime`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// A date with a time, as a clock shows it, in a zone or in none.
    DateTime(NaiveDateTime, Option<Zone>),
    Date(NaiveDate),
    Time(NaiveTime),
    Delta(TimeDelta),
    Zone(Zone),
}

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    pub const UTC: Zone = Zone::Named(Tz::UTC);

    /// How far its clocks are ahead of UTC when they show this time.
    fn offset(self, local: NaiveDateTime) -> FixedOffset {
        match self {
            Zone::Fixed(offset) => offset,
            Zone::Named(zone) => match zone.offset_from_local_datetime(&local).earliest() {
                Some(offset) => offset.fix(),
                // Clocks skip this time: what they showed in UTC is near enough to tell the offset.
                None => zone.offset_from_utc_datetime(&local).fix(),
            },
        }
    }

    /// What its clocks show at an instant.
    fn local(self, instant: NaiveDateTime) -> NaiveDateTime {
        match self {
            Zone::Fixed(offset) => offset.from_utc_datetime(&instant).naive_local(),
            Zone::Named(zone) => zone.from_utc_datetime(&instant).naive_local(),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Named(zone) => write!(formatter, "{zone}"),
            Zone::Fixed(offset) => write!(formatter, "UTC{offset}"),
        }
    }
}

/// A moment in a template.
pub(super) struct TimeValue {
    pub moment: Moment,
    /// For what comes from the run's time: the render that wants to know how much of it was used.
    pub noticed_by: Option<Arc<Render>>,
}

/// The run's time.
pub(super) fn run_started_at(render: &Arc<Render>) -> Value {
    let moment = Moment::DateTime(render.facts().now.naive_utc(), Some(Zone::UTC));
    Value::from_object(TimeValue { moment, noticed_by: Some(Arc::clone(render)) })
}

pub(super) fn value(moment: Moment) -> Value {
    Value::from_object(TimeValue { moment, noticed_by: None })
}

/// `left + right` or `left - right`, if one of them is a moment.
pub(super) fn arithmetic(left: &Value, right: &Value, is_minus: bool) -> Option<Result<Value, Error>> {
    let [one, other] = [left, right].map(|value| value.downcast_object_ref::<TimeValue>());
    let noticed_by = one.or(other)?.noticed_by.clone().or_else(|| other.and_then(|other| other.noticed_by.clone()));
    let result = match (one?.moment, other.map(|other| other.moment)) {
        (one, Some(other)) if is_minus => minus(one, other),
        (one, Some(Moment::Delta(delta))) => plus(one, delta),
        (Moment::Delta(delta), Some(other)) => plus(other, delta),
        (_, Some(_) | None) => None,
    };
    let sign = if is_minus { "-" } else { "+" };
    Some(result.map(|moment| Value::from_object(TimeValue { moment, noticed_by })).ok_or_else(|| {
        CallFailure::new(format!("`{left} {sign} {right}` is not a date, a time or a timedelta")).into()
    }))
}

fn plus(moment: Moment, delta: TimeDelta) -> Option<Moment> {
    Some(match moment {
        Moment::DateTime(local, zone) => Moment::DateTime(local.checked_add_signed(delta)?, zone),
        // Only whole days count for a date.
        Moment::Date(date) => Moment::Date(date.checked_add_signed(TimeDelta::days(days(delta)))?),
        Moment::Delta(other) => Moment::Delta(other.checked_add(&delta)?),
        Moment::Time(_) | Moment::Zone(_) => return None,
    })
}

fn minus(one: Moment, other: Moment) -> Option<Moment> {
    Some(match (one, other) {
        (one, Moment::Delta(delta)) => plus(one, -delta)?,
        (Moment::DateTime(..), Moment::DateTime(..)) => {
            Moment::Delta(instant(one)?.signed_duration_since(instant(other)?))
        }
        (Moment::Date(one), Moment::Date(other)) => Moment::Delta(one.signed_duration_since(other)),
        _ => return None,
    })
}

/// Whole days, rounded down, as in Python.
fn days(delta: TimeDelta) -> i64 {
    delta.num_seconds().div_euclid(86_400)
}

/// The time in UTC; that of a clock without a zone is taken as it is.
fn instant(moment: Moment) -> Option<NaiveDateTime> {
    match moment {
        Moment::DateTime(local, Some(zone)) => {
            local.checked_sub_signed(TimeDelta::seconds(i64::from(zone.offset(local).local_minus_utc())))
        }
        Moment::DateTime(local, None) => Some(local),
        Moment::Date(_) | Moment::Time(_) | Moment::Delta(_) | Moment::Zone(_) => None,
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::DateTime(local, zone) => {
                write!(formatter, "{} {}{}", local.date(), clock(local.time()), offset_text(*local, *zone))
            }
            Moment::Date(date) => write!(formatter, "{date}"),
            Moment::Time(time) => formatter.write_str(&clock(*time)),
            Moment::Delta(delta) => {
                let whole = days(*delta);
                let rest = *delta - TimeDelta::days(whole);
                let name = if whole.abs() == 1 { "day" } else { "days" };
                if whole != 0 {
                    write!(formatter, "{whole} {name}, ")?;
                }
                let seconds = rest.num_seconds();
                write!(formatter, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
                match rest.subsec_nanos() / 1000 {
                    0 => Ok(()),
                    micros => write!(formatter, ".{micros:06}"),
                }
            }
            Moment::Zone(zone) => write!(formatter, "{zone}"),
        }
    }
}

fn clock(time: NaiveTime) -> String {
    let micros = time.nanosecond() / 1000;
    let seconds = time.format("%H:%M:%S");
    if micros == 0 { seconds.to_string() } else { format!("{seconds}.{micros:06}") }
}

fn offset_text(local: NaiveDateTime, zone: Option<Zone>) -> String {
    zone.map(|zone| zone.offset(local).to_string()).unwrap_or_default()
}

impl TimeValue {
    fn notice(&self, time_use: TimeUse) {
        if let Some(render) = &self.noticed_by {
            render.notice_time(match self.moment {
                Moment::Date(_) => TimeUse::Date,
                Moment::DateTime(..) | Moment::Time(_) | Moment::Delta(_) | Moment::Zone(_) => time_use,
            });
        }
    }

    fn with(&self, moment: Moment) -> Value {
        Value::from_object(TimeValue { moment, noticed_by: self.noticed_by.clone() })
    }

    fn local(&self) -> Option<NaiveDateTime> {
        match self.moment {
            Moment::DateTime(local, _) => Some(local),
            Moment::Date(date) => date.and_hms_opt(0, 0, 0),
            Moment::Time(time) => NaiveDate::from_ymd_opt(1900, 1, 1).map(|date| date.and_time(time)),
            Moment::Delta(_) | Moment::Zone(_) => None,
        }
    }

    fn zone(&self) -> Option<Zone> {
        match self.moment {
            Moment::DateTime(_, zone) => zone,
            Moment::Date(_) | Moment::Time(_) | Moment::Delta(_) | Moment::Zone(_) => None,
        }
    }

    /// `strftime`, with Python's letters.
    fn formatted(&self, format: &str) -> Option<String> {
        let local = self.local()?;
        let is_date = !["%H", "%I", "%M", "%S", "%f", "%p", "%X", "%c", "%s", "%T", "%R", "%-H", "%-I", "%-M", "%-S"]
            .iter()
            .any(|letter| format.contains(letter));
        self.notice(if is_date { TimeUse::Date } else { TimeUse::Instant });
        let zone = self.zone();
        let offset = zone.map_or(Utc.fix(), |zone| zone.offset(local));
        // Python's `%f` has six digits, and its `%z` and `%Z` are empty without a zone.
        let offset_digits = if zone.is_some() { "%z" } else { "" };
        let zone_name = match zone {
            Some(Zone::Named(zone)) => zone.offset_from_utc_datetime(&(local - offset)).to_string(),
            Some(Zone::Fixed(offset)) => format!("UTC{offset}"),
            None => String::new(),
        };
        let format = format
            .replace("%f", "%6f")
            .replace("%z", offset_digits)
            .replace("%Z", &zone_name)
            .replace("%c", "%a %b %e %H:%M:%S %Y")
            .replace("%x", "%m/%d/%y")
            .replace("%X", "%H:%M:%S");
        let items: Vec<Item<'_>> = StrftimeItems::new(&format).collect();
        if items.contains(&Item::Error) {
            return None;
        }
        let moment: DateTime<FixedOffset> = offset.from_local_datetime(&local).single()?;
        Some(moment.format_with_items(items.iter()).to_string())
    }

    fn replaced(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (_, given): (&[Value], Kwargs) = from_args(arguments)?;
        let number = |name: &str| given.get::<Option<u32>>(name).ok().flatten();
        let zone = match given.get::<Option<Value>>("tzinfo") {
            Ok(Some(zone)) => zone_of(&zone),
            Ok(None) | Err(_) if given.has("tzinfo") => None,
            Ok(None) | Err(_) => self.zone(),
        };
        let replace = || {
            let local = self.local()?;
            let year = given.get::<Option<i32>>("year").ok().flatten().unwrap_or_else(|| local.year());
            let month = number("month").unwrap_or_else(|| local.month());
            let date = NaiveDate::from_ymd_opt(year, month, number("day").unwrap_or_else(|| local.day()))?;
            let time = NaiveTime::from_hms_micro_opt(
                number("hour").unwrap_or_else(|| local.hour()),
                number("minute").unwrap_or_else(|| local.minute()),
                number("second").unwrap_or_else(|| local.second()),
                number("microsecond").unwrap_or_else(|| local.nanosecond() / 1000),
            )?;
            Some(match self.moment {
                Moment::Date(_) => Moment::Date(date),
                Moment::Time(_) => Moment::Time(time),
                Moment::DateTime(..) | Moment::Delta(_) | Moment::Zone(_) => {
                    Moment::DateTime(date.and_time(time), zone)
                }
            })
        };
        let replaced = replace();
        replaced.map(|moment| self.with(moment)).ok_or_else(|| CallFailure::new("there is no such date").into())
    }

    fn in_zone(&self, zone: Zone) -> Option<Value> {
        let moment = Moment::DateTime(zone.local(instant(self.moment)?), Some(zone));
        Some(self.with(moment))
    }

    fn iso(&self, separator: &str) -> String {
        match self.moment {
            Moment::DateTime(local, zone) => {
                format!("{}{separator}{}{}", local.date(), clock(local.time()), offset_text(local, zone))
            }
            other => other.to_string(),
        }
    }
}

/// The zone that a value is: of `pytz`, or a name.
pub(super) fn zone_of(value: &Value) -> Option<Zone> {
    match value.downcast_object_ref::<TimeValue>().map(|value| value.moment) {
        Some(Moment::Zone(zone)) => Some(zone),
        Some(_) => None,
        None => value.as_str()?.parse().ok().map(Zone::Named),
    }
}

impl fmt::Debug for TimeValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.moment)
    }
}

impl Object for TimeValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notice(TimeUse::Instant);
        write!(formatter, "{}", self.moment)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<TimeValue>()?;
        self.notice(TimeUse::Instant);
        other.notice(TimeUse::Instant);
        match (self.moment, other.moment) {
            (Moment::Date(one), Moment::Date(other)) => Some(one.cmp(&other)),
            (Moment::Time(one), Moment::Time(other)) => Some(one.cmp(&other)),
            (Moment::Delta(one), Moment::Delta(other)) => Some(one.cmp(&other)),
            (one, other) => Some(instant(one)?.cmp(&instant(other)?)),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if let Moment::Delta(delta) = self.moment {
            let rest = delta - TimeDelta::days(days(delta));
            return match key {
                "days" => Some(Value::from(days(delta))),
                "seconds" => Some(Value::from(rest.num_seconds())),
                "microseconds" => Some(Value::from(rest.subsec_nanos() / 1000)),
                _ => None,
            };
        }
        if let Moment::Zone(zone) = self.moment {
            return (key == "zone").then(|| Value::from(zone.to_string()));
        }
        let local = self.local()?;
        let has_date = !matches!(self.moment, Moment::Time(_));
        let has_time = !matches!(self.moment, Moment::Date(_));
        let (value, time_use) = match key {
            "year" if has_date => (Value::from(local.year()), TimeUse::Date),
            "month" if has_date => (Value::from(local.month()), TimeUse::Date),
            "day" if has_date => (Value::from(local.day()), TimeUse::Date),
            "hour" if has_time => (Value::from(local.hour()), TimeUse::Instant),
            "minute" if has_time => (Value::from(local.minute()), TimeUse::Instant),
            "second" if has_time => (Value::from(local.second()), TimeUse::Instant),
            "microsecond" if has_time => (Value::from(local.nanosecond() / 1000), TimeUse::Instant),
            "tzinfo" => return Some(self.zone().map_or(Value::from(()), |zone| value(Moment::Zone(zone)))),
            _ => return None,
        };
        self.notice(time_use);
        Some(value)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        let unknown = || Error::from(CallFailure::new(format!("a {} has no method `{method}`", self.kind())));
        let text = arguments.first().and_then(Value::as_str);
        if let Moment::Delta(delta) = self.moment {
            let seconds = delta.num_microseconds().unwrap_or_default() as f64 / 1_000_000.0;
            return if method == "total_seconds" { Ok(Value::from(seconds)) } else { Err(unknown()) };
        }
        if let Moment::Zone(zone) = self.moment {
            return self.of_zone(zone, method, arguments).unwrap_or_else(|| Err(unknown()));
        }
        let local = self.local().ok_or_else(unknown)?;
        let dated = |found: Value| {
            self.notice(TimeUse::Date);
            Ok(found)
        };
        match method {
            "strftime" | "__format__" => {
                let format = text.unwrap_or_default();
                let wrong = || CallFailure::new(format!("`{format}` is not a format of strftime"));
                Ok(Value::from(self.formatted(format).ok_or_else(wrong)?))
            }
            "isoformat" => {
                self.notice(TimeUse::Instant);
                Ok(Value::from(self.iso(text.unwrap_or("T"))))
            }
            "date" => Ok(self.with(Moment::Date(local.date()))),
            "time" => Ok(self.with(Moment::Time(local.time()))),
            "replace" => self.replaced(arguments),
            "weekday" => dated(Value::from(local.weekday().num_days_from_monday())),
            "isoweekday" => dated(Value::from(local.weekday().number_from_monday())),
            "toordinal" => dated(Value::from(local.date().num_days_from_ce())),
            "isocalendar" => {
                let week = local.iso_week();
                let parts =
                    [week.year(), week.week().cast_signed(), local.weekday().number_from_monday().cast_signed()];
                dated(Value::from(minijinja::value::Tuple::new(parts.into_iter().map(Value::from).collect())))
            }
            "timestamp" => {
                self.notice(TimeUse::Instant);
                let micros = instant(self.moment).map(|instant| instant.and_utc().timestamp_micros());
                micros.map(|micros| Value::from(micros as f64 / 1_000_000.0)).ok_or_else(unknown)
            }
            "astimezone" => {
                let zone = arguments.first().map_or(Some(Zone::UTC), zone_of);
                zone.and_then(|zone| self.in_zone(zone)).ok_or_else(|| CallFailure::new("that is no time zone").into())
            }
            "utcoffset" => Ok(self.zone().map_or(Value::from(()), |zone| {
                value(Moment::Delta(TimeDelta::seconds(i64::from(zone.offset(local).local_minus_utc()))))
            })),
            _ => Err(unknown()),
        }
    }
}

impl TimeValue {
    fn kind(&self) -> &'static str {
        match self.moment {
            Moment::DateTime(..) => "datetime",
            Moment::Date(_) => "date",
            Moment::Time(_) => "time",
            Moment::Delta(_) => "timedelta",
            Moment::Zone(_) => "time zone",
        }
    }

    /// The methods of a zone of `pytz`.
    fn of_zone(&self, zone: Zone, method: &str, arguments: &[Value]) -> Option<Result<Value, Error>> {
        let given = arguments.first()?.downcast_object_ref::<TimeValue>()?;
        Some(match method {
            "localize" => Ok(given.with(Moment::DateTime(given.local()?, Some(zone)))),
            "normalize" | "fromutc" => Ok(given.in_zone(zone)?),
            _ => return None,
        })
    }
}
