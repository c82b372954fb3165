//! Where an axis begins and ends, and at which numbers or times it is marked.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta};

use super::{ChartPlaces, Extent, LARGEST};
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

/// Steps of lengths of time, in seconds; above them, days.
const TIME_STEPS: [i64; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 10_800, 21_600];
const DAY_SECONDS: i64 = 86_400;

/// A line over values that hardly differ would be flat if its axis began at zero.
const FLAT: f64 = 0.6;

impl ScaleRequest {
    pub fn scale(self) -> ValueScale {
        let mut low = self.extent.low.max(-LARGEST);
        let mut high = self.extent.high.min(LARGEST);
        // Beyond this the steps would be smaller than what a double can tell apart.
        if high - low <= high.abs().max(low.abs()) * 1e-9 {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        // Lengths are only right from zero.
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
        // Heckbert's nice numbers for graph labels: the ends are multiples of a round step, and hold all values between them.
        let step = nice_step((high - low) / steps, self.format, self.is_whole);
        let first = (low / step.value()).floor();
        let last = (high / step.value()).ceil().max(first + 1.0);
        // Multiples of the step, and no sums, whose errors would add up.
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|tick| step.times(first + tick as f64)).collect();
        ValueScale { low: step.times(first), high: step.times(last), ticks }
    }
}

impl ValueScale {
    /// How far a value is from the lower end, as a share of the whole.
    pub fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The smallest round step that is not below `wanted`.
fn nice_step(wanted: f64, format: ValueFormat, is_whole: bool) -> RoundStep {
    let unit = match format {
        ValueFormat::Seconds => 1,
        ValueFormat::Milliseconds => 1_000,
        ValueFormat::Number | ValueFormat::Percent | ValueFormat::Bytes => 0,
    };
    if unit > 0 && wanted > unit as f64 {
        let seconds = wanted / unit as f64;
        let found = TIME_STEPS.into_iter().find(|step| *step as f64 >= seconds);
        if let Some(step) = found {
            return RoundStep { digits: step * unit, power: 0 };
        }
        let days = decimal_step(seconds / DAY_SECONDS as f64);
        return RoundStep { digits: days.digits * DAY_SECONDS * unit, ..days };
    }
    let step = decimal_step(wanted);
    if is_whole && format != ValueFormat::Percent && step.power < 0 { RoundStep { digits: 1, power: 0 } } else { step }
}

/// A step as it is written in decimal digits: `digits` times ten to the power of `power`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RoundStep {
    digits: i64,
    power: i32,
}

impl RoundStep {
    fn value(self) -> f64 {
        self.times(1.0)
    }

    fn times(self, count: f64) -> f64 {
        let digits = self.digits as f64 * count;
        // Division by a power of ten gives the double that is written so, and multiplication with its inverse does not: 3 / 10
        // is 0.3, and 3 * 0.1 is not.
        if self.power < 0 { digits / 10_f64.powi(-self.power) } else { digits * 10_f64.powi(self.power) }
    }
}

/// 1, 2 or 5 times a power of ten, not below `wanted`.
fn decimal_step(wanted: f64) -> RoundStep {
    let wanted = if wanted > 0.0 { wanted.clamp(1e-300, 1e301) } else { 1.0 };
    let power = wanted.log10().floor() as i32;
    let steps = [(1, power), (2, power), (5, power), (1, power + 1)].map(|(digits, power)| RoundStep { digits, power });
    // The logarithm of a power of ten may come out a little below it.
    let found = steps.into_iter().find(|step| step.value() >= wanted * (1.0 - 1e-9));
    found.unwrap_or(RoundStep { digits: 2, power: power + 1 })
}

/// The edges of a histogram's ranges, as numbers and as they stand in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BinEdges {
    pub numbers: Vec<f64>,
    /// The edges between ranges: without the first and the last.
    pub inner: Vec<String>,
    /// Whether each range holds one whole number.
    pub is_each: bool,
}

/// Divides values into about `bins` ranges of a round size. An edge belongs to the range that it begins, and the last edge
/// to the range before it.
pub(crate) fn bin_edges(extent: Extent, bins: usize, is_whole: bool, format: ValueFormat) -> BinEdges {
    let low = extent.low;
    // Smaller ranges would be smaller than what a double can tell apart.
    let length = (extent.high - low).max(low.abs() * 1e-9);
    let step = nice_step(length / bins.max(1) as f64, format, is_whole);
    let is_each = is_whole && step.value() == 1.0;
    // Each whole number has a range to itself, the last one too.
    let high = if is_each { extent.high + 1.0 } else { extent.high };
    let first = (low / step.value()).floor();
    let last = (high / step.value()).ceil().max(first + 1.0);
    let numbers: Vec<f64> = (0..=(last - first) as usize).map(|edge| step.times(first + edge as f64)).collect();
    let inner = numbers.get(1..numbers.len() - 1).unwrap_or_default().iter().map(f64::to_string).collect();
    BinEdges { numbers, inner, is_each }
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
enum TickStep {
    Seconds(i64),
    Days(i64),
    Months(u32),
}

impl TickStep {
    /// From seconds to thousands of years.
    fn all() -> impl Iterator<Item = TickStep> {
        let seconds = [1, 2, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200].map(TickStep::Seconds);
        let days = [1, 2, 7, 14].map(TickStep::Days);
        let months = [1, 3, 6].map(TickStep::Months);
        let years =
            [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000].map(|years| TickStep::Months(years * 12));
        seconds.into_iter().chain(days).chain(months).chain(years)
    }

    fn label(self, at: DateTime<chrono::Utc>) -> String {
        let format = match self {
            TickStep::Seconds(..60) => "%H:%M:%S",
            TickStep::Seconds(_) => "%m-%d %H:%M",
            TickStep::Days(_) => "%Y-%m-%d",
            TickStep::Months(..12) => "%Y-%m",
            TickStep::Months(_) => "%Y",
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
                TickStep::Seconds(seconds) => at.checked_add_signed(TimeDelta::seconds(seconds)),
                TickStep::Days(days) => at.checked_add_signed(TimeDelta::days(days)),
                TickStep::Months(months) => at.checked_add_months(Months::new(months)),
            };
        }
        Some(ticks)
    }

    /// The last mark that is not after a time.
    fn first(self, low: DateTime<chrono::Utc>) -> Option<DateTime<chrono::Utc>> {
        let back = match self {
            TickStep::Seconds(seconds) => TimeDelta::seconds(low.timestamp().rem_euclid(seconds)),
            // Weeks begin on Monday.
            TickStep::Days(days) => TimeDelta::days(i64::from(low.num_days_from_ce() - 1).rem_euclid(days)),
            TickStep::Months(months) => {
                let month = i64::from(low.year()) * 12 + i64::from(low.month0());
                let first = month - month.rem_euclid(i64::from(months));
                let year = i32::try_from(first.div_euclid(12)).ok()?;
                let month = u32::try_from(first.rem_euclid(12)).ok()? + 1;
                return Some(midnight(NaiveDate::from_ymd_opt(year, month, 1)?).and_utc());
            }
        };
        let at = low.checked_sub_signed(back)?;
        match self {
            TickStep::Seconds(_) => DateTime::from_timestamp(at.timestamp(), 0),
            TickStep::Days(_) | TickStep::Months(_) => Some(midnight(at.date_naive()).and_utc()),
        }
    }
}

/// At most so many marks between two times in microseconds since 1970, of which none is finer than the places; none if the
/// times are outside of the calendar.
pub(super) fn time_ticks(places: &ChartPlaces, most: usize) -> Vec<TimeTick> {
    let (ChartPlaces::Days(at) | ChartPlaces::Months(at) | ChartPlaces::Times(at)) = places else { return Vec::new() };
    let time = |micros: &i64| DateTime::from_timestamp_micros(*micros);
    let Some((low, high)) = at.first().and_then(time).zip(at.last().and_then(time)) else { return Vec::new() };
    // Fine steps over a long time are not even counted.
    let seconds = (high - low).num_seconds();
    let is_possible = |step: &TickStep| match step {
        TickStep::Seconds(length) => matches!(places, ChartPlaces::Times(_)) && seconds / length <= most as i64,
        TickStep::Days(days) => {
            !matches!(places, ChartPlaces::Months(_)) && seconds / (days * DAY_SECONDS) <= most as i64
        }
        TickStep::Months(months) => seconds / (i64::from(*months) * 31 * DAY_SECONDS) <= most as i64 + 1,
    };
    // The finest step that leaves no more marks than there is room for.
    TickStep::all().filter(is_possible).find_map(|step| step.ticks(low, high, most)).unwrap_or_default()
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
        let places = ChartPlaces::Times(vec![micros(low), micros(high)]);
        time_ticks(&places, most).into_iter().map(|tick| tick.label).collect()
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
        let huge = scale(-LARGEST, LARGEST, true);
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
        assert_eq!(one, BinEdges { numbers: vec![5.0, 6.0], inner: Vec::new(), is_each: true });
        let far = bin_edges(Extent { low: 1e300, high: 1e300 }, 20, false, ValueFormat::Number);
        assert!(far.numbers.len() >= 2 && far.numbers.len() < 5, "{far:?}");
        let each = bin_edges(Extent { low: 1.0, high: 3.0 }, 20, true, ValueFormat::Number);
        assert_eq!(each.numbers, [1.0, 2.0, 3.0, 4.0], "3 does not join 2");
        let long = bin_edges(Extent { low: 0.0, high: 7000.0 }, 12, true, ValueFormat::Seconds);
        assert_eq!(long.inner.first().map(String::as_str), Some("600"));
    }

    #[test]
    fn days_have_no_marks_of_hours() {
        let days = ChartPlaces::Days(vec![micros("2023-01-30T00:00:00"), micros("2023-02-01T00:00:00")]);
        let labels: Vec<String> = time_ticks(&days, 6).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["2023-01-30", "2023-01-31", "2023-02-01"]);
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
        assert_eq!(
            labels("2023-01-30T22:30:00", "2023-01-31T02:30:00", 4),
            ["01-30 23:00", "01-31 00:00", "01-31 01:00", "01-31 02:00"]
        );
        assert_eq!(labels("2019-05-30T00:00:00", "2023-01-31T02:30:00", 4), ["2020", "2021", "2022", "2023"]);
    }
}
