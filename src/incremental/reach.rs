//! Which times of an input a slice of the output may read, and the other way round: which slices a change reaches.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDateTime, TimeDelta};

use crate::day::{Grain, TimeRange, Window, midnight};

/// How far the rows of an input reach in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A row of any time may count for any slice.
    Everything,
    /// Rows count for the slices that these steps lead to, from the output's time to the input's; none: for the slice
    /// of their own time.
    Steps(Vec<TimeStep>),
}

/// The times of an input that a range of the output may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadRange {
    All,
    Nothing,
    Range(TimeRange),
}

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
        // Units of fixed length begin at multiples since 1970, also before it: hence the Euclidean remainder.
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
    fn apply(self, time: NaiveDateTime, sign: i64) -> NaiveDateTime {
        // What leaves the calendar stays at its border, on the side to which it was moved: the range only grows by that.
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
        // Months first, then days, as PostgreSQL adds intervals; the order matters at the ends of months.
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
    fn reads(self, range: TimeRange) -> Option<TimeRange> {
        match self {
            TimeStep::Shift(shift) => {
                // Adding months is not invertible: the 31st plus one month is the 28th, 29th or 30th, and so are three other days.
                let slack = if shift.months == 0 { TimeDelta::zero() } else { MONTH_SLACK };
                let start = earlier(shift.apply(range.start(), -1), slack);
                TimeRange::new(start, later(shift.apply(range.end(), -1), slack))
            }
            TimeStep::Truncate(unit) => {
                // A time is cut to the beginning of its unit, so only units that begin within the range have their times read.
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
    fn reached(self, range: TimeRange) -> TimeRange {
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
            // A window with months moves by different numbers of days there and back.
            TimeStep::Widen(window) => (
                earlier(window.lookahead.before(range.start()), MONTH_SLACK),
                later(window.lookback.after(range.end()), MONTH_SLACK),
            ),
        };
        TimeRange::new(start, end).unwrap_or(range)
    }
}

impl Reach {
    /// The slice reads the rows of its own time.
    pub const ALIGNED: Reach = Reach::Steps(Vec::new());

    /// Returns the times of the input that a range of the output may read.
    pub fn reads(&self, range: TimeRange) -> ReadRange {
        match self {
            Reach::Everything => ReadRange::All,
            Reach::Steps(steps) => {
                // From the output to the input; a step that reads nothing ends the chain.
                let read = steps.iter().try_fold(range, |range, step| step.reads(range));
                read.map_or(ReadRange::Nothing, ReadRange::Range)
            }
        }
    }

    /// Returns the slices of this grain that may read something of a range of the input, in order; `None` if that is
    /// every slice that there is. The steps lead back with some slack, so each candidate is asked the other way too.
    pub fn slices_that_read(&self, changed: TimeRange, grain: Grain) -> Option<impl Iterator<Item = TimeRange>> {
        let Reach::Steps(steps) = self else { return None };
        // The chain backwards, from the input's times to the output's.
        let candidates = steps.iter().rev().fold(changed, |range, step| step.reached(range));
        Some(candidates.slices(grain).filter(move |slice| self.reads(*slice).overlaps(changed)))
    }
}

impl ReadRange {
    /// Returns the range; `None` if it is all times, or none.
    pub fn range(self) -> Option<TimeRange> {
        match self {
            ReadRange::Range(range) => Some(range),
            ReadRange::All | ReadRange::Nothing => None,
        }
    }

    pub fn overlaps(self, other: TimeRange) -> bool {
        match self {
            ReadRange::All => true,
            ReadRange::Nothing => false,
            ReadRange::Range(range) => range.overlaps(other),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::day::{Length, parse_instant};

    fn range(start: &str, end: &str) -> TimeRange {
        TimeRange::new(parse_instant(start).unwrap(), parse_instant(end).unwrap()).unwrap()
    }

    fn back(length: &str) -> TimeStep {
        TimeStep::Widen(Window { lookback: Length::parse(length).unwrap(), lookahead: Length::ZERO })
    }

    fn slices(reach: &Reach, changed: TimeRange, grain: Grain) -> Vec<String> {
        reach.slices_that_read(changed, grain).unwrap().map(|slice| slice.to_string()).collect()
    }

    #[test]
    fn an_aligned_slice_reads_its_own_time() {
        let day = range("2023-05-03", "2023-05-04");
        assert_eq!(Reach::ALIGNED.reads(day), ReadRange::Range(day));
        assert_eq!(slices(&Reach::ALIGNED, day, Grain::Day), ["2023-05-03"]);
        assert_eq!(slices(&Reach::ALIGNED, day, Grain::Month), ["2023-05-01 to 2023-05-31"]);
    }

    #[test]
    fn a_lookback_reaches_forward() {
        let reach = Reach::Steps(vec![back("2 days")]);
        let day = range("2023-05-03", "2023-05-04");
        assert_eq!(reach.reads(day), ReadRange::Range(range("2023-05-01", "2023-05-04")));
        assert_eq!(slices(&reach, day, Grain::Day), ["2023-05-03", "2023-05-04", "2023-05-05"]);
    }

    #[test]
    fn what_is_shifted_or_cut_is_read_where_it_comes_from() {
        let next_day = Reach::Steps(vec![TimeStep::Shift(Shift { days: 1, ..Shift::default() })]);
        assert_eq!(slices(&next_day, range("2023-05-03", "2023-05-04"), Grain::Day), ["2023-05-04"]);
        let month = Reach::Steps(vec![TimeStep::Truncate(TimeUnit::Month)]);
        let may = range("2023-05-01", "2023-06-01");
        assert_eq!(month.reads(may), ReadRange::Range(may));
        assert_eq!(month.reads(range("2023-05-02", "2023-05-03")), ReadRange::Nothing, "no month begins on the second");
        assert_eq!(slices(&month, range("2023-05-20", "2023-05-21"), Grain::Day), ["2023-05-01"]);
    }

    #[test]
    fn the_unit_of_a_slice_is_read_by_the_slices_within_it() {
        let month = Reach::Steps(vec![TimeStep::UnitOf(TimeUnit::Month)]);
        let read = month.reads(range("2023-02-09", "2023-02-10"));
        assert!(read.overlaps(range("2023-02-01", "2023-02-02")) && !read.overlaps(range("2023-02-02", "2023-03-01")));
        let found = slices(&month, range("2023-02-01", "2023-03-01"), Grain::Day);
        assert_eq!((found.len(), found.first().unwrap().as_str()), (28, "2023-02-01"));
        assert_eq!(slices(&month, range("2023-02-02", "2023-03-01"), Grain::Day), [""; 0], "no month begins there");
        let week = Reach::Steps(vec![TimeStep::UnitOf(TimeUnit::Week)]);
        let found = slices(&week, range("2023-02-28", "2023-03-01"), Grain::Month);
        assert_eq!(found, ["2023-03-01 to 2023-03-31"], "March reads from the 27th on");
    }

    fn steps() -> impl Strategy<Value = Vec<TimeStep>> {
        let shift = (-2_i32..3, -40_i64..40).prop_map(|(months, days)| Shift { months, days, microseconds: 0 });
        let unit = prop::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter]);
        let length = prop::sample::select(vec!["0 days", "3 days", "36 hours", "1 month"]);
        let window = (length.clone(), length).prop_map(|(back, ahead)| Window {
            lookback: Length::parse(back).unwrap(),
            lookahead: Length::parse(ahead).unwrap(),
        });
        let step = prop_oneof![
            shift.prop_map(TimeStep::Shift),
            unit.clone().prop_map(TimeStep::Truncate),
            unit.prop_map(TimeStep::UnitOf),
            window.prop_map(TimeStep::Widen),
        ];
        prop::collection::vec(step, 0..4)
    }

    proptest! {
        /// No slice is forgotten: whatever a slice reads, a change there reaches the slice.
        #[test]
        fn both_directions_agree(steps in steps(), day in 0_i64..1500, slice in 0_i64..1500, by_month in any::<bool>()) {
            let grain = if by_month { Grain::Month } else { Grain::Day };
            let at = |day: i64| chrono::DateTime::from_timestamp(day * 86_400, 0).unwrap().naive_utc();
            let changed = TimeRange::new(at(day), at(day + 1)).unwrap();
            let slice = TimeRange::new(grain.floor(at(slice)), grain.next(at(slice))).unwrap();
            let reach = Reach::Steps(steps);
            let reads = reach.reads(slice).overlaps(changed);
            let reached = reach.slices_that_read(changed, grain).unwrap().any(|found| found == slice);
            prop_assert_eq!(reads, reached);
        }

        /// A row's own image lies in the slice, so the slice must read the row.
        #[test]
        fn a_row_is_read_by_the_slice_that_it_leads_to(steps in steps(), day in 0_i64..1500) {
            // Of those that lead to a unit the row leads to all slices within it, or to none.
            prop_assume!(!steps.iter().any(|step| matches!(step, TimeStep::UnitOf(_))));
            let time = chrono::DateTime::from_timestamp(day * 86_400 + 7_200, 0).unwrap().naive_utc();
            let image = steps.iter().rev().fold(time, |time, step| match step {
                TimeStep::Shift(shift) => shift.apply(time, 1),
                TimeStep::Truncate(unit) => unit.floor(time),
                TimeStep::Widen(_) | TimeStep::UnitOf(_) => time,
            });
            let slice = TimeRange::new(Grain::Day.floor(image), Grain::Day.next(image)).unwrap();
            let read = Reach::Steps(steps).reads(slice).range();
            prop_assert!(read.is_some_and(|read| read.contains(time)), "{image} does not read {time}: {read:?}");
        }
    }
}
