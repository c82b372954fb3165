//! `anomaly`: the rows, the bytes or the mean of a column of a slice lie where those of the slices before it do.
//!
//! The rule is Hampel's identifier over the history of a slice, the slices before it. A slice is an anomaly if it is farther from
//! the median of its history than `sensitivity` times their median absolute deviation, scaled to the standard deviation of a
//! normal distribution, and also farther than the share `tolerance` of the median. Both medians bear up to half of the history
//! being wrong. Rows and bytes are those of the files of a slice, of which nothing is read where each file holds rows of one slice.

use chrono::{Datelike, NaiveDateTime};
use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};
use crate::day::Grain;
use crate::name::quoted;
use crate::table::SliceLayout;

pub(super) struct Anomaly;

/// The word in YAML.
pub(super) const NAME: &str = "anomaly";

/// What is measured of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SliceMeasure {
    Rows,
    Bytes,
    /// The mean of a column.
    Mean,
}

/// By what a slice is an anomaly.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnomalyRule {
    pub measure: SliceMeasure,
    /// Whether files tell the measure. Otherwise a query measures the slices that are judged and their history.
    pub is_of_files: bool,
    pub event_time: String,
    pub grain: Grain,
    pub layout: SliceLayout,
    /// Slices and their values: `slice`, `value`.
    pub query: String,
    history: HistoryRule,
}

/// The rule without its subject.
#[derive(Debug, Clone, PartialEq)]
struct HistoryRule {
    /// So many slices before a slice are its history.
    length: usize,
    /// With fewer, a slice is not judged.
    least: usize,
    sensitivity: f64,
    tolerance: f64,
    /// Whether only slices of the same day of the week count.
    same_weekday: bool,
}

/// A slice and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MeasuredSlice {
    pub slice: NaiveDateTime,
    pub value: f64,
    /// Whether it is judged: otherwise it is history alone.
    pub is_judged: bool,
}

/// A slice that breaks the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AnomalousSlice {
    pub slice: NaiveDateTime,
    pub value: f64,
    /// Between these its value would be none.
    pub low: f64,
    pub high: f64,
    /// How many slices its history has.
    pub history: usize,
}

/// The median absolute deviation of a normal distribution, times this, is its standard deviation.
const NORMAL: f64 = 1.4826;

const ARGUMENTS: [&str; 6] = ["of", "history", "min_history", "sensitivity", "tolerance", "same_weekday"];
/// A longer history says nothing of today.
const LONGEST_HISTORY: u64 = 1000;

impl Check for Anomaly {
    fn name(&self) -> &'static str {
        NAME
    }

    fn arguments(&self) -> &'static [&'static str] {
        &ARGUMENTS
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let sliced =
            target.slices.as_ref().ok_or("the table has no slices: it needs `incremental` and an `event_time`")?;
        let word = target.arguments.get("of").and_then(Value::as_str);
        let measure = match (word, target.column) {
            (None | Some("mean"), Some(_)) => SliceMeasure::Mean,
            (None | Some("rows"), None) => SliceMeasure::Rows,
            (Some("bytes"), None) => SliceMeasure::Bytes,
            (_, Some(_)) => return Err("`of` is `mean` for a column".to_owned()),
            (_, None) => return Err("`of` is `rows` or `bytes` for a table".to_owned()),
        };
        let has_files = sliced.layout.has_files_of_slices();
        if measure == SliceMeasure::Bytes && (!has_files || target.filter.is_some()) {
            let why =
                if has_files { "a `where` chooses rows, not bytes" } else { "its files hold rows of several slices" };
            return Err(format!("the bytes of a slice are not known: {why}"));
        }
        let value = match measure {
            SliceMeasure::Mean => format!("avg({})", target.column()?),
            SliceMeasure::Rows | SliceMeasure::Bytes => "count(*)".to_owned(),
        };
        let event_time = quoted(&sliced.event_time);
        let slice = format!("date_trunc('{}', cast({event_time} as timestamp))", sliced.grain);
        let condition = target.filtered(&format!("{event_time} is not null"));
        let table = target.table;
        let query = format!(
            "select {slice} as slice, cast({value} as double precision) as value\nfrom {table}\nwhere {condition}\ngroup by {slice}"
        );
        let history = HistoryRule::read(target, sliced.grain)?;
        Ok(Rule::Slices(Box::new(AnomalyRule {
            measure,
            is_of_files: measure != SliceMeasure::Mean && has_files && target.filter.is_none(),
            event_time: sliced.event_time.clone(),
            grain: sliced.grain,
            layout: sliced.layout.clone(),
            query,
            history,
        })))
    }
}

impl HistoryRule {
    fn read(target: &RuleTarget<'_>, grain: Grain) -> Result<Self, String> {
        let count = |name: &str, usual: u64| match target.arguments.get(name).filter(|given| !given.is_null()) {
            None => Ok(usual),
            Some(given) => given
                .as_u64()
                .filter(|count| (1..=LONGEST_HISTORY).contains(count))
                .ok_or_else(|| format!("`{name}` is a number of slices, at most {LONGEST_HISTORY}")),
        };
        let number = |name: &str, usual: f64| match target.arguments.get(name).filter(|given| !given.is_null()) {
            None => Ok(usual),
            Some(given) => given
                .as_f64()
                .filter(|number| *number >= 0.0)
                .ok_or_else(|| format!("`{name}` is a number that is not negative")),
        };
        let length = count("history", 14)?;
        let least = count("min_history", length.min(7))?;
        if least > length {
            return Err(format!("`min_history` is {least}, and `history` has only {length} slices"));
        }
        let same_weekday = match target.arguments.get("same_weekday").filter(|given| !given.is_null()) {
            None => false,
            Some(given) => given.as_bool().ok_or("`same_weekday` is `true` or `false`")?,
        };
        if same_weekday && grain > Grain::Day {
            return Err(format!("`same_weekday` is for hours and days: a slice is a {grain}"));
        }
        Ok(Self {
            length: usize::try_from(length).unwrap_or(usize::MAX),
            least: usize::try_from(least).unwrap_or(usize::MAX),
            sensitivity: number("sensitivity", 4.0)?,
            tolerance: number("tolerance", 0.1)?,
            same_weekday,
        })
    }

    /// Whether a slice is in the history of another, as far as the calendar says.
    fn is_alike(&self, one: NaiveDateTime, other: NaiveDateTime) -> bool {
        !self.same_weekday || (one.weekday() == other.weekday() && one.time() == other.time())
    }
}

impl AnomalyRule {
    /// The rule in words, for those who read the query: it tells one test from another, too.
    pub fn in_words(&self) -> String {
        let HistoryRule { length, least, sensitivity, tolerance, same_weekday } = self.history;
        let alike = if same_weekday { " of the same weekday" } else { "" };
        let what = match self.measure {
            SliceMeasure::Rows | SliceMeasure::Mean => "value",
            SliceMeasure::Bytes => "size of files",
        };
        format!(
            "-- a slice is an anomaly if its {what} is farther from the median of the {length} slices{alike} before it (at least {least}) \
             than {sensitivity} scaled median absolute deviations and than {tolerance} of the median"
        )
    }

    /// The slices among these that are needed to judge some of them: those and their history.
    pub fn needed(&self, slices: &[NaiveDateTime], is_judged: impl Fn(NaiveDateTime) -> bool) -> Vec<NaiveDateTime> {
        let mut needed = Vec::new();
        for (place, slice) in slices.iter().enumerate().filter(|(_, slice)| is_judged(**slice)) {
            needed.push(*slice);
            let before = slices.get(..place).unwrap_or_default().iter().rev();
            needed.extend(before.filter(|past| self.history.is_alike(**past, *slice)).take(self.history.length));
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The slices that break the rule. They come in their order.
    pub fn anomalies(&self, slices: &[MeasuredSlice]) -> Vec<AnomalousSlice> {
        let mut found = Vec::new();
        for (place, judged) in slices.iter().enumerate().filter(|(_, slice)| slice.is_judged) {
            let before = slices.get(..place).unwrap_or_default().iter().rev();
            let alike = before.filter(|past| self.history.is_alike(past.slice, judged.slice));
            let past: Vec<f64> = alike.take(self.history.length).map(|past| past.value).collect();
            if past.len() < self.history.least {
                continue;
            }
            let Some(middle) = median(&past) else { continue };
            let deviations: Vec<f64> = past.iter().map(|value| (value - middle).abs()).collect();
            let spread = median(&deviations).unwrap_or_default() * NORMAL;
            let allowed = (self.history.sensitivity * spread).max(self.history.tolerance * middle.abs());
            if (judged.value - middle).abs() > allowed {
                let history = past.len();
                let low = middle - allowed;
                let high = middle + allowed;
                found.push(AnomalousSlice { slice: judged.slice, value: judged.value, low, high, history });
            }
        }
        found
    }

    /// What to say of a slice.
    pub fn told(&self, found: &AnomalousSlice) -> String {
        let AnomalousSlice { slice, value, low, high, history } = *found;
        let slice = crate::table::SliceKey::At(slice);
        let unit = match self.measure {
            SliceMeasure::Rows => " rows",
            SliceMeasure::Bytes => " bytes",
            SliceMeasure::Mean => "",
        };
        format!(
            "{slice}: {}{unit}; by the {history} slices before it, {} to {}",
            rounded(value),
            rounded(low),
            rounded(high)
        )
    }
}

/// A number for people.
fn rounded(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{}", (value * 1000.0).round() / 1000.0) }
}

/// The middle of these values, or the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper))
}

#[cfg(test)]
mod tests {
    use chrono::{Days, NaiveDate};

    use super::*;

    fn rule(history: HistoryRule) -> AnomalyRule {
        AnomalyRule {
            measure: SliceMeasure::Rows,
            is_of_files: true,
            event_time: "day".to_owned(),
            grain: Grain::Day,
            layout: SliceLayout::Whole,
            query: String::new(),
            history,
        }
    }

    const PLAIN: HistoryRule =
        HistoryRule { length: 6, least: 3, sensitivity: 4.0, tolerance: 0.1, same_weekday: false };

    fn day(number: usize) -> NaiveDateTime {
        let first = NaiveDate::from_ymd_opt(2023, 5, 1).unwrap();
        first.checked_add_days(Days::new(number as u64)).unwrap().into()
    }

    /// All slices are judged.
    fn slices(values: &[f64]) -> Vec<MeasuredSlice> {
        let of = |(number, value): (usize, &f64)| MeasuredSlice { slice: day(number), value: *value, is_judged: true };
        values.iter().enumerate().map(of).collect()
    }

    fn days_found(history: HistoryRule, values: &[f64]) -> Vec<NaiveDateTime> {
        rule(history).anomalies(&slices(values)).iter().map(|found| found.slice).collect()
    }

    #[test]
    fn a_slice_far_from_the_median_is_found_and_does_not_hide_the_next() {
        let values = [100.0, 104.0, 96.0, 101.0, 0.0, 99.0, 400.0];
        assert_eq!(days_found(PLAIN, &values), [day(4), day(6)]);
    }

    #[test]
    fn a_short_history_says_nothing_and_a_constant_one_allows_the_tolerance() {
        assert_eq!(days_found(PLAIN, &[100.0, 100.0, 5.0]), []);
        assert_eq!(days_found(PLAIN, &[100.0, 100.0, 100.0, 110.0]), []);
        assert_eq!(days_found(PLAIN, &[100.0, 100.0, 100.0, 110.5]), [day(3)]);
    }

    #[test]
    fn days_of_the_week_are_compared_with_their_like() {
        let week = [10.0, 100.0, 100.0, 100.0, 100.0, 100.0, 10.0];
        let values: Vec<f64> = week.iter().cycle().take(28).copied().collect();
        let alike = HistoryRule { same_weekday: true, ..PLAIN };
        assert_eq!(days_found(alike.clone(), &values), []);
        assert!(!days_found(PLAIN, &values).is_empty());
        let mut dropped = values;
        dropped[25] = 10.0;
        assert_eq!(days_found(alike, &dropped), [day(25)]);
    }

    #[test]
    fn what_is_needed_is_the_judged_slices_and_their_history() {
        let all: Vec<NaiveDateTime> = (0..20).map(day).collect();
        assert_eq!(rule(PLAIN).needed(&all, |slice| slice == day(10)), (4..=10).map(day).collect::<Vec<_>>());
        let alike = HistoryRule { same_weekday: true, ..PLAIN };
        assert_eq!(rule(alike).needed(&all, |slice| slice == day(15)), [day(1), day(8), day(15)]);
    }
}
