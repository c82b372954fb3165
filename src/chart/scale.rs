//! Where an axis begins and ends, and at which numbers or times it is marked.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta};

use super::Extent;
use crate::day::midnight;
use crate::project::ValueFormat;

/// An axis of values: marks at multiples of a step, the first and the last at its ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueScale {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
}

/// What an axis of values must show.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleRequest {
    pub extent: Extent,
    /// Whether lengths are compared: then the axis has to show zero.
    pub has_zero: bool,
    /// Whether only whole numbers make sense as marks.
    pub is_whole: bool,
    pub format: ValueFormat,
    /// About so many steps.
    pub steps: usize,
}

/// Steps of lengths of time, in seconds; above an hour's multiples, days.
const TIME_STEPS: [f64; 15] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 10_800.0, 21_600.0];
const DAY_SECONDS: f64 = 86_400.0;

/// A line over values that hardly differ would be flat if its axis began at zero.
const FLAT: f64 = 0.6;

impl ScaleRequest {
    pub fn scale(self) -> ValueScale {
        let Extent { mut low, mut high } = self.extent;
        // Beyond this the steps would be smaller than what a double can tell apart.
        if high - low <= high.abs().max(low.abs()) * 1e-9 {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        if self.has_zero || (low > 0.0 && low < high * FLAT) {
            low = low.min(0.0);
        }
        if self.has_zero || (high < 0.0 && high > low * FLAT) {
            high = high.max(0.0);
        }
        if low >= high {
            high = low + 1.0;
        }
        let steps = self.steps.max(1) as f64;
        // Each side is divided first: the difference of two large numbers may be none.
        let step = nice_step(high / steps - low / steps, self.format, self.is_whole);
        let first = (low / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        // No sum of steps, whose errors would add up.
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|tick| (first + tick as f64) * step).collect();
        ValueScale { low: first * step, high: last * step, ticks }
    }
}

impl ValueScale {
    /// How far a value is from the lower end, as a share of the whole.
    pub fn share(&self, value: f64) -> f64 {
        let whole = self.high / 2.0 - self.low / 2.0;
        ((value / 2.0 - self.low / 2.0) / whole).clamp(0.0, 1.0)
    }
}

/// The smallest round step that is not below `wanted`.
fn nice_step(wanted: f64, format: ValueFormat, is_whole: bool) -> f64 {
    let unit = match format {
        ValueFormat::Seconds => 1.0,
        ValueFormat::Milliseconds => 1_000.0,
        ValueFormat::Number | ValueFormat::Percent | ValueFormat::Bytes => 0.0,
    };
    if unit > 0.0 && wanted > unit {
        let found = TIME_STEPS.iter().map(|step| step * unit).find(|step| *step >= wanted);
        return found.unwrap_or_else(|| decimal_step(wanted / unit / DAY_SECONDS).value() * unit * DAY_SECONDS);
    }
    let step = decimal_step(wanted).value();
    if is_whole && format != ValueFormat::Percent { step.max(1.0) } else { step }
}

/// A step of one digit, exactly: `digit` times ten to the power of `power`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct DecimalStep {
    digit: i128,
    power: i32,
}

impl DecimalStep {
    fn value(self) -> f64 {
        // Division by a power of ten is exact where multiplication with its inverse is not: 3 / 10, not 3 * 0.1.
        match self.power {
            power @ ..0 => self.digit as f64 / 10_f64.powi(-power),
            power => self.digit as f64 * 10_f64.powi(power),
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below `wanted`.
fn decimal_step(wanted: f64) -> DecimalStep {
    let wanted = if wanted.is_finite() && wanted > 0.0 { wanted.clamp(1e-300, 1e307) } else { 1.0 };
    let power = wanted.log10().floor() as i32;
    let candidates =
        [(1, power), (2, power), (5, power), (1, power + 1)].map(|(digit, power)| DecimalStep { digit, power });
    let found = candidates.into_iter().find(|step| step.value() >= wanted * (1.0 - 1e-9));
    found.unwrap_or(DecimalStep { digit: 2, power: power + 1 })
}

/// The edges of a histogram's ranges, as numbers and as they stand in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BinEdges {
    pub numbers: Vec<f64>,
    /// The edges between ranges: without the first and the last.
    pub inner: Vec<String>,
}

/// Divides values into about `bins` ranges of a round size.
pub(crate) fn bin_edges(extent: Extent, bins: usize, is_whole: bool, format: ValueFormat) -> BinEdges {
    let scale = |steps| ScaleRequest { extent, has_zero: false, is_whole, format, steps }.scale();
    // A round size is not below the one that was asked for, so there may be fewer ranges, and at both ends one more.
    let mut ticks = scale(bins).ticks;
    let first = ticks.iter().rposition(|tick| *tick <= extent.low).unwrap_or(0);
    ticks.drain(..first);
    let last = ticks.iter().position(|tick| *tick >= extent.high).unwrap_or(ticks.len() - 1).max(1);
    ticks.truncate(last + 1);
    let inner = ticks.get(1..ticks.len() - 1).unwrap_or_default().iter().map(f64::to_string).collect();
    BinEdges { numbers: ticks, inner }
}

/// A mark on an axis of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeTick {
    /// Microseconds since 1970.
    pub at: i64,
    pub label: String,
}

/// How far marks on an axis of time are apart.
#[derive(Debug, Clone, Copy)]
enum TimeStep {
    Seconds(i64),
    Days(i64),
    Months(u32),
}

impl TimeStep {
    /// From seconds to thousands of years.
    fn all() -> impl Iterator<Item = TimeStep> {
        let seconds = [1, 2, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200].map(TimeStep::Seconds);
        let days = [1, 2, 7, 14].map(TimeStep::Days);
        let months = [1, 3, 6].map(TimeStep::Months);
        let years =
            [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000].map(|years| TimeStep::Months(years * 12));
        seconds.into_iter().chain(days).chain(months).chain(years)
    }

    fn label(self, at: DateTime<chrono::Utc>) -> String {
        let format = match self {
            TimeStep::Seconds(..60) => "%H:%M:%S",
            TimeStep::Seconds(_) => "%m-%d %H:%M",
            TimeStep::Days(_) => "%Y-%m-%d",
            TimeStep::Months(..12) => "%Y-%m",
            TimeStep::Months(_) => "%Y",
        };
        at.format(format).to_string()
    }

    /// The marks between two times. `None` if there are more than `most`.
    fn ticks(self, low: DateTime<chrono::Utc>, high: DateTime<chrono::Utc>, most: usize) -> Option<Vec<TimeTick>> {
        let mut ticks = Vec::new();
        let mut next = Some(self.first(low)?);
        while let Some(at) = next.filter(|at| *at <= high) {
            if at >= low {
                if ticks.len() == most {
                    return None;
                }
                ticks.push(TimeTick { at: at.timestamp_micros(), label: self.label(at) });
            }
            next = match self {
                TimeStep::Seconds(seconds) => at.checked_add_signed(TimeDelta::seconds(seconds)),
                TimeStep::Days(days) => at.checked_add_signed(TimeDelta::days(days)),
                TimeStep::Months(months) => at.checked_add_months(Months::new(months)),
            };
        }
        Some(ticks)
    }

    /// The last mark that is not after a time.
    fn first(self, low: DateTime<chrono::Utc>) -> Option<DateTime<chrono::Utc>> {
        let back = match self {
            TimeStep::Seconds(seconds) => TimeDelta::seconds(low.timestamp().rem_euclid(seconds)),
            // Weeks begin on Monday.
            TimeStep::Days(days) => TimeDelta::days(i64::from(low.num_days_from_ce() - 1).rem_euclid(days)),
            TimeStep::Months(months) => {
                let month = i64::from(low.year()) * 12 + i64::from(low.month0());
                let first = month - month.rem_euclid(i64::from(months));
                let year = i32::try_from(first.div_euclid(12)).ok()?;
                let month = u32::try_from(first.rem_euclid(12)).ok()? + 1;
                return Some(midnight(NaiveDate::from_ymd_opt(year, month, 1)?).and_utc());
            }
        };
        let at = low.checked_sub_signed(back)?;
        match self {
            TimeStep::Seconds(_) => DateTime::from_timestamp(at.timestamp(), 0),
            TimeStep::Days(_) | TimeStep::Months(_) => Some(midnight(at.date_naive()).and_utc()),
        }
    }
}

/// At most so many marks between two times in microseconds since 1970; none if the times are outside of the calendar.
pub(super) fn time_ticks(low: i64, high: i64, most: usize) -> Vec<TimeTick> {
    let ends = DateTime::from_timestamp_micros(low).zip(DateTime::from_timestamp_micros(high));
    let Some((low, high)) = ends else { return Vec::new() };
    // Fine steps over a long time are not even counted.
    let seconds = (high - low).num_seconds();
    let is_possible = |step: &TimeStep| match step {
        TimeStep::Seconds(length) => seconds / length <= most as i64,
        TimeStep::Days(days) => seconds / (days * 86_400) <= most as i64,
        TimeStep::Months(months) => seconds / (i64::from(*months) * 31 * 86_400) <= most as i64 + 1,
    };
    TimeStep::all().filter(is_possible).find_map(|step| step.ticks(low, high, most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(low: f64, high: f64, has_zero: bool) -> ValueScale {
        let extent = Extent { low, high };
        ScaleRequest { extent, has_zero, is_whole: false, format: ValueFormat::Number, steps: 4 }.scale()
    }

    fn micros(time: &str) -> i64 {
        format!("{time}Z").parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros()
    }

    fn labels(low: &str, high: &str, most: usize) -> Vec<String> {
        time_ticks(micros(low), micros(high), most).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn an_axis_is_marked_at_round_numbers() {
        assert_eq!(scale(0.0, 87.0, true).ticks, [0.0, 50.0, 100.0]);
        assert_eq!(scale(-3.0, 7.0, true).ticks, [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(scale(0.0, 1.0, true).ticks, [0.0, 0.5, 1.0]);
        assert_eq!(scale(1000.0, 1010.0, false).ticks, [1000.0, 1005.0, 1010.0]);
        assert_eq!(scale(10.0, 1010.0, false).low, 0.0, "a line starts at zero unless it would be flat");
    }

    #[test]
    fn values_that_are_all_equal_or_as_large_as_can_be_have_an_axis() {
        assert_eq!(scale(0.0, 0.0, true).ticks, [0.0, 0.5, 1.0]);
        assert_eq!(scale(7.0, 7.0, false).ticks, [0.0, 2.0, 4.0, 6.0, 8.0]);
        let huge = scale(f64::MIN / 2.0, f64::MAX / 2.0, true);
        assert!(huge.ticks.iter().all(|tick| tick.is_finite()), "{huge:?}");
        assert!((huge.share(0.0) - 0.5).abs() < 0.01);
        let far = scale(1e15, 1e15 + 1.0, false);
        assert!(far.ticks.len() < 10, "{far:?}");
    }

    #[test]
    fn ranges_have_round_edges_and_hold_all_values() {
        let edges = bin_edges(Extent { low: 3.0, high: 97.0 }, 10, true, ValueFormat::Number);
        assert_eq!(edges.numbers.first(), Some(&0.0));
        assert_eq!(edges.numbers.last(), Some(&100.0));
        assert_eq!(edges.inner.first().map(String::as_str), Some("10"));
        let tenths = bin_edges(Extent { low: 0.0, high: 0.9 }, 9, false, ValueFormat::Number);
        assert_eq!(
            tenths.inner.get(..3).unwrap(),
            ["0.1", "0.2", "0.3"],
            "as they are written, not 0.30000000000000004"
        );
        let one = bin_edges(Extent { low: 5.0, high: 5.0 }, 20, true, ValueFormat::Number);
        assert!(one.numbers.len() >= 2 && one.numbers[0] <= 5.0, "{one:?}");
        let long = bin_edges(Extent { low: 0.0, high: 7000.0 }, 12, true, ValueFormat::Seconds);
        assert_eq!(long.inner.first().map(String::as_str), Some("600"));
    }

    #[test]
    fn times_are_marked_where_the_calendar_is() {
        assert_eq!(
            labels("2023-01-01T00:00:00", "2023-06-30T00:00:00", 6),
            ["2023-01", "2023-02", "2023-03", "2023-04", "2023-05", "2023-06"]
        );
        assert_eq!(
            labels("2023-01-30T00:00:00", "2023-02-20T00:00:00", 4),
            ["2023-01-30", "2023-02-06", "2023-02-13", "2023-02-20"]
        );
        assert_eq!(labels("2023-01-30T22:30:00", "2023-01-31T02:30:00", 4), ["01-31 00:00"]);
        assert_eq!(labels("2019-05-30T00:00:00", "2023-01-31T02:30:00", 4), ["2020", "2021", "2022", "2023"]);
    }
}
