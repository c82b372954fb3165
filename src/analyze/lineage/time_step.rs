//! Steps that lead from a range of one column's times to those of the column that it is made of, and back.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDateTime, TimeDelta};

use crate::day::{Grain, TimeRange, Window, midnight};

/// One step from a range of the output's times to the times of the input that it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeStep {
    /// The output's time is the input's plus this.
    Shift(Shift),
    /// The output's time is the beginning of the unit that holds the input's.
    Truncate(TimeUnit),
    /// The input's time is the beginning of the unit that holds the output's.
    UnitOf(TimeUnit),
    /// Rows around the range are read too.
    Widen(Window),
}

/// A length of time with a sign, as the calendar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shift {
    pub months: i32,
    pub days: i64,
    pub microseconds: i64,
}

/// What `date_trunc` cuts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    /// Beginning on Monday.
    Week,
    Month,
    Quarter,
    Year,
}

/// By how much adding a month can miss, because months have different lengths.
const MONTH_SLACK: TimeDelta = TimeDelta::days(3);

impl TimeUnit {
    /// Returns `None` if the word names no unit that is known here.
    pub fn parse(word: &str) -> Option<TimeUnit> {
        Some(match word.to_ascii_lowercase().as_str() {
            "second" => TimeUnit::Second,
            "minute" => TimeUnit::Minute,
            "hour" => TimeUnit::Hour,
            "day" => TimeUnit::Day,
            "week" => TimeUnit::Week,
            "month" => TimeUnit::Month,
            "quarter" => TimeUnit::Quarter,
            "year" => TimeUnit::Year,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            TimeUnit::Second => "second",
            TimeUnit::Minute => "minute",
            TimeUnit::Hour => "hour",
            TimeUnit::Day => "day",
            TimeUnit::Week => "week",
            TimeUnit::Month => "month",
            TimeUnit::Quarter => "quarter",
            TimeUnit::Year => "year",
        }
    }

    /// Whether every beginning of this unit is one of the other too.
    pub fn consists_of(self, other: TimeUnit) -> bool {
        self == other || (other < self && (other != TimeUnit::Week))
    }

    /// The beginning of the unit that holds `time`.
    pub fn floor(self, time: NaiveDateTime) -> NaiveDateTime {
        let micros = |unit: i64| {
            let since = time.and_utc().timestamp_micros().rem_euclid(unit);
            time.checked_sub_signed(TimeDelta::microseconds(since)).unwrap_or(NaiveDateTime::MIN)
        };
        match self {
            TimeUnit::Second => micros(1_000_000),
            TimeUnit::Minute => micros(60_000_000),
            TimeUnit::Hour => Grain::Hour.floor(time),
            TimeUnit::Day => Grain::Day.floor(time),
            TimeUnit::Week => {
                let back = u64::from(time.weekday().num_days_from_monday());
                time.date().checked_sub_days(Days::new(back)).map_or(NaiveDateTime::MIN, midnight)
            }
            TimeUnit::Month => Grain::Month.floor(time),
            TimeUnit::Quarter => {
                let month = Grain::Month.floor(time);
                month.checked_sub_months(Months::new(month.month0() % 3)).unwrap_or(NaiveDateTime::MIN)
            }
            TimeUnit::Year => Grain::Year.floor(time),
        }
    }

    /// The first beginning of a unit at or after `time`.
    fn ceiling(self, time: NaiveDateTime) -> NaiveDateTime {
        let floor = self.floor(time);
        if floor == time {
            return time;
        }
        let next = match self {
            TimeUnit::Second => floor.checked_add_signed(TimeDelta::seconds(1)),
            TimeUnit::Minute => floor.checked_add_signed(TimeDelta::minutes(1)),
            TimeUnit::Hour => floor.checked_add_signed(TimeDelta::hours(1)),
            TimeUnit::Day => floor.checked_add_days(Days::new(1)),
            TimeUnit::Week => floor.checked_add_days(Days::new(7)),
            TimeUnit::Month => floor.checked_add_months(Months::new(1)),
            TimeUnit::Quarter => floor.checked_add_months(Months::new(3)),
            TimeUnit::Year => floor.checked_add_months(Months::new(12)),
        };
        next.unwrap_or(NaiveDateTime::MAX)
    }

    /// From the first to just after the last of what the times of a range are cut to.
    fn cut(self, range: TimeRange) -> (NaiveDateTime, NaiveDateTime) {
        (self.floor(range.start()), later(self.floor(earlier(range.end(), INSTANT)), INSTANT))
    }

    /// The borders of the times that are cut to one within a range; the same if no unit begins in it.
    fn times_cut_into(self, range: TimeRange) -> (NaiveDateTime, NaiveDateTime) {
        (self.ceiling(range.start()), self.ceiling(range.end()))
    }
}

impl Shift {
    /// The way back.
    pub fn negated(self) -> Shift {
        Shift {
            months: self.months.saturating_neg(),
            days: self.days.saturating_neg(),
            microseconds: self.microseconds.saturating_neg(),
        }
    }

    /// `time` moved by this, towards the future if `sign` is positive. Borders of time stay where they are.
    pub fn apply(self, time: NaiveDateTime, sign: i64) -> NaiveDateTime {
        let beyond = if (i64::from(self.months) + self.days).signum() * sign < 0 {
            NaiveDateTime::MIN
        } else {
            NaiveDateTime::MAX
        };
        let months = Months::new(self.months.unsigned_abs());
        let moved = if i64::from(self.months) * sign >= 0 {
            time.checked_add_months(months)
        } else {
            time.checked_sub_months(months)
        };
        moved
            .and_then(|time| time.checked_add_signed(TimeDelta::try_days(self.days.checked_mul(sign)?)?))
            .and_then(|time| time.checked_add_signed(TimeDelta::microseconds(self.microseconds.checked_mul(sign)?)))
            .unwrap_or(beyond)
    }
}

fn earlier(time: NaiveDateTime, by: TimeDelta) -> NaiveDateTime {
    time.checked_sub_signed(by).unwrap_or(NaiveDateTime::MIN)
}

fn later(time: NaiveDateTime, by: TimeDelta) -> NaiveDateTime {
    time.checked_add_signed(by).unwrap_or(NaiveDateTime::MAX)
}

const INSTANT: TimeDelta = TimeDelta::microseconds(1);

impl TimeStep {
    /// Returns the input's times that a range of the output's may read: all of them, and perhaps more. Returns `None` if
    /// no time of the input leads into the range.
    pub fn reads(self, range: TimeRange) -> Option<TimeRange> {
        match self {
            TimeStep::Shift(shift) => {
                let slack = if shift.months == 0 { TimeDelta::zero() } else { MONTH_SLACK };
                let start = earlier(shift.apply(range.start(), -1), slack);
                TimeRange::new(start, later(shift.apply(range.end(), -1), slack))
            }
            TimeStep::Truncate(unit) => {
                let (start, end) = unit.times_cut_into(range);
                TimeRange::new(start, end)
            }
            TimeStep::UnitOf(unit) => {
                let (start, end) = unit.cut(range);
                TimeRange::new(start, end)
            }
            TimeStep::Widen(window) => Some(range.widened(window)),
        }
    }

    /// Returns the output's times that may read a range of the input: all of them, and perhaps more.
    pub fn reached(self, range: TimeRange) -> TimeRange {
        let (start, end) = match self {
            TimeStep::Shift(shift) => {
                // The way there has some slack already, and the way back misses as much.
                let slack = if shift.months == 0 { TimeDelta::zero() } else { MONTH_SLACK * 2 };
                (earlier(shift.apply(range.start(), 1), slack), later(shift.apply(range.end(), 1), slack))
            }
            TimeStep::Truncate(unit) => unit.cut(range),
            TimeStep::UnitOf(unit) => match unit.times_cut_into(range) {
                // No unit begins in it, but it lies between those that a longer range reads.
                (start, end) if start == end => (earlier(start, INSTANT), later(end, INSTANT)),
                borders => borders,
            },
            TimeStep::Widen(window) => (
                earlier(window.lookahead.before(range.start()), MONTH_SLACK),
                later(window.lookback.after(range.end()), MONTH_SLACK),
            ),
        };
        TimeRange::new(start, end).unwrap_or(range)
    }
}

impl fmt::Display for Shift {
    /// `1 day`, `-1 month 2 hours`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.microseconds / 1_000_000;
        let parts = [
            (i64::from(self.months), "month"),
            (self.days, "day"),
            (seconds / 3600, "hour"),
            (seconds % 3600 / 60, "minute"),
            (seconds % 60, "second"),
            (self.microseconds % 1_000_000, "microsecond"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count != 0)
            .map(|(count, unit)| format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" }))
            .collect();
        formatter.write_str(if parts.is_empty() { "0 days".to_owned() } else { parts.join(" ") }.as_str())
    }
}
