//! Which stale slices one query computes: those of a model that declares windows are read from one range without gaps,
//! so a gap is read as well where it is small, and where it is large the slices behind it are a query of their own.

use chrono::NaiveDateTime;

use super::decide::Observed;
use super::windows::{Reads, Timeless};
use crate::analyze::{Input, TypedModel};
use crate::day::{TimeRange, Window};
use crate::table::{SliceKey, SliceSet};

/// Planning one more query costs about as much as reading so many rows.
const ROWS_OF_A_QUERY: u64 = 100_000;

/// More queries than these are not worth their planning: what is between them is a smaller share of all.
const MOST_QUERIES: u64 = 32;

/// Deals slices out to queries, in order. What comes out is right however they are dealt out.
pub(crate) fn queries(model: &TypedModel, slices: &SliceSet, observed: &Observed<'_>) -> Vec<SliceSet> {
    if slices.ranges().len() + usize::from(slices.timeless()) < 2 {
        return vec![slices.clone()];
    }
    let reads = observed.windows.of(model);
    let windowed: Vec<Windowed> = reads
        .scans
        .iter()
        .filter_map(|read| Some(Windowed { window: read.declared?, rows: RowsByTime::of(&read.input, observed) }))
        .collect();
    let timed = match windowed.as_slice() {
        [] => vec![slices.ranges().to_vec()],
        windowed => grouped(slices.ranges(), windowed),
    };
    if slices.timeless() && !reads_everything_for_timeless(&reads) {
        return vec![slices.clone()];
    }
    let timeless = slices.timeless().then(|| SliceSet::new(Vec::new(), true));
    let timed = timed.into_iter().filter(|ranges| !ranges.is_empty()).map(|ranges| SliceSet::new(ranges, false));
    timed.chain(timeless).collect()
}

/// Whether the rows without a time are made of all rows of an input of which slices read only a window.
fn reads_everything_for_timeless(reads: &Reads) -> bool {
    let mut scans = reads.scans.iter();
    scans.any(|read| read.declared.is_some() || read.proved.is_some() && read.timeless == Timeless::Anything)
}

/// An input that is read through a declared window.
struct Windowed {
    window: Window,
    rows: RowsByTime,
}

impl Windowed {
    /// How many more rows one query over both ranges reads than a query for each; negative if it reads fewer.
    fn more(&self, before: TimeRange, after: TimeRange) -> i64 {
        let end = before.widened(self.window).end();
        let start = after.widened(self.window).start();
        // Apart, one query reads the gap as well; where the windows overlap, two queries read the overlap twice.
        let rows = self.rows.between(end.min(start), end.max(start));
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        if end <= start { rows } else { -rows }
    }
}

/// Groups ranges that one query reads, gaps and all: neighbours are together if what lies between them costs less than a
/// query. Each gap is judged by its two neighbours alone.
fn grouped(ranges: &[TimeRange], windowed: &[Windowed]) -> Vec<Vec<TimeRange>> {
    let all: u64 = windowed.iter().map(|windowed| windowed.rows.all()).sum();
    let most = i64::try_from(ROWS_OF_A_QUERY.max(all / MOST_QUERIES)).unwrap_or(i64::MAX);
    let mut groups: Vec<Vec<TimeRange>> = Vec::new();
    for range in ranges {
        let last = groups.last_mut().and_then(|group| Some((*group.last()?, group)));
        match last {
            Some((before, group)) if more_rows(windowed, before, *range) <= most => group.push(*range),
            _ => groups.push(vec![*range]),
        }
    }
    groups
}

/// How many more rows one query over both ranges reads of all inputs than a query for each.
fn more_rows(windowed: &[Windowed], before: TimeRange, after: TimeRange) -> i64 {
    windowed.iter().fold(0, |sum, one| sum.saturating_add(one.more(before, after)))
}

/// The rows of a table by the slices that its ledger knows, as prefix sums: the rows of any time are one subtraction.
#[derive(Default)]
struct RowsByTime {
    starts: Vec<NaiveDateTime>,
    /// The rows of the slices before, one more than there are slices.
    before: Vec<u64>,
}

impl RowsByTime {
    /// Returns the rows of an input. Where nothing is known, it counts as small.
    fn of(input: &Input, observed: &Observed<'_>) -> RowsByTime {
        let Input::Model(name) = input else { return RowsByTime::default() };
        let table = observed.typed.get(name).and_then(|parent| observed.tables.get(&parent.table)?.as_deref());
        let Some(ledger) = table.and_then(|state| state.known_ledger()) else { return RowsByTime::default() };
        let mut starts = Vec::new();
        let mut before = vec![0];
        let mut sum = 0_u64;
        for (slice, entry) in &ledger.slices {
            if let SliceKey::At(start) = slice {
                sum = sum.saturating_add(entry.rows.rows);
                starts.push(*start);
                before.push(sum);
            }
        }
        RowsByTime { starts, before }
    }

    fn all(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// Returns the rows of the slices that begin in this time.
    fn between(&self, from: NaiveDateTime, to: NaiveDateTime) -> u64 {
        self.until(to).saturating_sub(self.until(from))
    }

    fn until(&self, time: NaiveDateTime) -> u64 {
        let place = self.starts.partition_point(|start| *start < time);
        self.before.get(place).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::{Length, parse_instant};

    fn day(number: u64) -> NaiveDateTime {
        parse_instant("2023-01-01").unwrap() + chrono::Days::new(number)
    }

    /// A table of a year with so many rows a day, read through a window of so many days back.
    fn windowed(rows: u64, back: u32) -> Windowed {
        let starts: Vec<NaiveDateTime> = (0..365).map(day).collect();
        let before = (0..=365).map(|days| days * rows).collect();
        let lookback = Length::parse(&format!("{back} days")).unwrap();
        Windowed { window: Window { lookback, lookahead: Length::ZERO }, rows: RowsByTime { starts, before } }
    }

    fn grouped_days(days: &[u64], windowed: &[Windowed]) -> Vec<usize> {
        let ranges: Vec<TimeRange> =
            days.iter().filter_map(|number| TimeRange::new(day(*number), day(number + 1))).collect();
        grouped(&ranges, windowed).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_small_gap_is_read_as_well_and_behind_a_large_one_is_another_query() {
        assert_eq!(grouped_days(&[0, 300], &[windowed(100, 3)]), [2], "29 700 rows are less than a query");
        assert_eq!(grouped_days(&[0, 300], &[windowed(10_000, 3)]), [1, 1]);
        assert_eq!(grouped_days(&[0, 5, 300, 305], &[windowed(10_000, 3)]), [2, 2]);
        assert_eq!(grouped_days(&[0, 29], &[windowed(1_000_000, 29)]), [2], "the window of the second holds the gap");
        assert_eq!(grouped_days(&[0, 60], &[windowed(1_000_000, 29)]), [1, 1]);
        assert_eq!(
            grouped_days(&[100, 160], &[windowed(1_000_000, 29), windowed(1_000_000, 100)]),
            [2],
            "it saves rows in sum"
        );
        assert_eq!(grouped_days(&[], &[windowed(1, 1)]), [0; 0]);
    }

    #[test]
    fn scattered_slices_are_never_many_queries() {
        let every_second: Vec<u64> = (0..182).map(|number| number * 2).collect();
        for (rows, back) in [(10, 0), (10_000, 0), (100_000_000, 0), (100_000_000, 29)] {
            let groups = grouped_days(&every_second, &[windowed(rows, back)]);
            assert!(groups.len() <= MOST_QUERIES as usize, "{rows} rows a day, {back} days back: {}", groups.len());
            assert_eq!(groups.iter().sum::<usize>(), 182);
        }
        let weekly: Vec<u64> = (0..52).map(|number| number * 7).collect();
        assert!(grouped_days(&weekly, &[windowed(1_000_000, 0)]).len() <= MOST_QUERIES as usize);
    }
}
