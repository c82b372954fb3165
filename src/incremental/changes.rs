//! When the slices of an input changed: read off its ledger, so that no commit between then and now must be read.

use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::day::{Grain, TimeRange};
use crate::name::ModelName;
use crate::table::{Ledger, SliceKey, SliceLayout, SliceSet, TableState};

/// What a run is going to do to an input before a model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Foreseen {
    /// All of it is made anew.
    Whole,
    /// These slices are.
    Slices(SliceSet),
    /// Which slices cannot be said before the files are read that this model loads.
    Unknown(Option<ModelName>),
}

/// An input with the version of each slice's last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputChanges {
    grain: Grain,
    /// What was made of an older version may miss any change.
    known_from: u64,
    /// The newest change of anything.
    newest: u64,
    /// The last change of a table whose slices are not told apart.
    whole: Option<u64>,
    /// In order of time.
    slices: Vec<ChangedSlice>,
    /// An implicit segment tree of maxima, leaves at n..2n, its root at 1: the newest change within a range in O(log n),
    /// because a year of hours asks that 8 760 times.
    newest_of: Vec<u64>,
    timeless: Option<ChangedRows>,
    /// Tells what was before the changes.
    ledger: Option<Arc<Ledger>>,
}

/// A slice of an input that is cut by time. There are thousands of them, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChangedSlice {
    start: NaiveDateTime,
    change: ChangedRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChangedRows {
    /// The version of the last change; `FORESEEN` for one that is still to come.
    version: u64,
    rows: u64,
}

/// Stands for the version that a run is going to make.
const FORESEEN: u64 = u64::MAX;

/// The changes of some slices, summed up for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// From the first changed time to the last; nothing if only rows without a time changed.
    pub range: Option<TimeRange>,
    /// The newest version that changed them; nothing if that is still to come.
    pub version: Option<u64>,
    /// Rows now minus rows then, if that is known.
    pub rows: Option<i64>,
    /// Whether there were no rows before.
    pub is_new: bool,
}

impl InputChanges {
    /// Of a table with slices of this grain.
    pub fn of(state: &TableState, layout: &SliceLayout, grain: Grain, foreseen: Option<&Foreseen>) -> InputChanges {
        let mut changes = InputChanges::nothing(grain);
        let Some(ledger) = state.known_ledger() else {
            changes.whole = Some(state.data_version);
            return changes.foresee(foreseen);
        };
        changes.ledger = Some(Arc::clone(ledger));
        changes.known_from = ledger.known_from;
        changes.whole = state.hides_slices(layout).map(|_| state.data_version);
        let tainted = state.tainted(layout);
        let recorded = ledger.slices.iter().map(|(slice, entry)| {
            let version = if tainted.contains(slice) { state.data_version } else { entry.changes.newest() };
            (*slice, ChangedRows { version, rows: entry.rows.rows })
        });
        let without_entry = tainted.iter().filter(|slice| !ledger.slices.contains_key(slice));
        let without_entry = without_entry.map(|slice| (*slice, ChangedRows { version: state.data_version, rows: 0 }));
        changes.slices.reserve(ledger.slices.len());
        for (slice, change) in recorded.chain(without_entry) {
            match slice {
                SliceKey::All => changes.whole = Some(change.version.max(changes.whole.unwrap_or(0))),
                SliceKey::Timeless => changes.timeless = Some(change),
                SliceKey::At(start) => changes.slices.push(ChangedSlice { start, change }),
            }
        }
        changes.foresee(foreseen)
    }

    /// Of a table that does not exist yet.
    pub fn to_come(grain: Grain, foreseen: Option<&Foreseen>) -> InputChanges {
        InputChanges { whole: foreseen.map(|_| FORESEEN), ..InputChanges::nothing(grain) }.indexed()
    }

    fn nothing(grain: Grain) -> InputChanges {
        InputChanges {
            grain,
            known_from: 0,
            newest: 0,
            whole: None,
            slices: Vec::new(),
            newest_of: Vec::new(),
            timeless: None,
            ledger: None,
        }
    }

    fn foresee(mut self, foreseen: Option<&Foreseen>) -> InputChanges {
        match foreseen {
            None => {}
            Some(Foreseen::Whole | Foreseen::Unknown(_)) => self.whole = Some(FORESEEN),
            Some(Foreseen::Slices(slices)) => {
                let change = ChangedRows { version: FORESEEN, rows: 0 };
                self.slices.retain(|known| !slices.contains(SliceKey::At(known.start)));
                let ranges = slices.ranges().iter().flat_map(|range| range.slices(self.grain));
                self.slices.extend(ranges.map(|range| ChangedSlice { start: range.start(), change }));
                if slices.timeless() {
                    self.timeless = Some(change);
                }
            }
        }
        self.indexed()
    }

    fn indexed(mut self) -> InputChanges {
        self.slices.sort_by_key(|slice| slice.start);
        let count = self.slices.len();
        self.newest_of = vec![0; count];
        self.newest_of.extend(self.slices.iter().map(|slice| slice.change.version));
        for place in (1..count).rev() {
            let newer = self.newest_at(2 * place).max(self.newest_at(2 * place + 1));
            if let Some(newest) = self.newest_of.get_mut(place) {
                *newest = newer;
            }
        }
        let versions = self.slices.iter().map(|slice| slice.change.version);
        let newest = versions.chain(self.whole).chain(self.timeless.map(|change| change.version)).max();
        self.newest = newest.unwrap_or(0);
        self
    }

    fn newest_at(&self, place: usize) -> u64 {
        self.newest_of.get(place).copied().unwrap_or(0)
    }

    /// The newest version among the slices at these places.
    fn newest_between(&self, from: usize, to: usize) -> u64 {
        let (mut from, mut to, mut newest) = (from + self.slices.len(), to + self.slices.len(), 0);
        // From both ends upwards, taking in what the next level would miss.
        while from < to {
            if from % 2 == 1 {
                newest = newest.max(self.newest_at(from));
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                newest = newest.max(self.newest_at(to));
            }
            (from, to) = (from / 2, to / 2);
        }
        newest
    }

    fn range_of(&self, slice: &ChangedSlice) -> Option<TimeRange> {
        TimeRange::new(slice.start, self.grain.next(slice.start))
    }

    /// Whether anything changed after this version.
    pub fn any_after(&self, version: u64) -> bool {
        version < self.known_from || version < self.newest
    }

    /// Whether all of it may have changed after this version.
    pub fn all_after(&self, version: u64) -> bool {
        version < self.known_from || self.whole.is_some_and(|whole| version < whole)
    }

    /// Whether its rows may lie at any time.
    pub fn is_not_told_apart(&self) -> bool {
        self.whole.is_some()
    }

    /// Whether a row within the range changed after this version.
    pub fn within_after(&self, range: TimeRange, version: u64) -> bool {
        if self.all_after(version) {
            return true;
        }
        let (from, to) = self.places(range);
        version < self.newest_between(from, to)
    }

    /// Whether the rows without a time changed after this version.
    pub fn timeless_after(&self, version: u64) -> bool {
        self.all_after(version) || self.timeless.is_some_and(|change| version < change.version)
    }

    /// Whether there are rows without a time, or were some.
    pub fn knows_timeless(&self) -> bool {
        self.whole.is_some() || self.timeless.is_some()
    }

    /// Whether there are rows without a time, or may be.
    pub fn has_timeless(&self) -> bool {
        self.whole.is_some() || self.timeless.is_some_and(|it| it.rows > 0 || it.version == FORESEEN)
    }

    /// The ranges of the slices that changed after this version, in order.
    pub fn ranges_after(&self, version: u64) -> impl Iterator<Item = TimeRange> {
        self.slices.iter().filter(move |slice| version < slice.change.version).filter_map(|slice| self.range_of(slice))
    }

    /// The ranges of the slices that have rows, or may have, in order.
    pub fn ranges_with_rows(&self) -> impl Iterator<Item = TimeRange> {
        let has_rows = |slice: &&ChangedSlice| slice.change.rows > 0 || slice.change.version == FORESEEN;
        self.slices.iter().filter(has_rows).filter_map(|slice| self.range_of(slice))
    }

    /// What changed after this version within the range, in sum; without a range, of all times.
    pub fn summary(&self, range: Option<TimeRange>, version: u64) -> Summary {
        let (from, to) = range.map_or((0, self.slices.len()), |range| self.places(range));
        let timed = self.slices.iter().take(to).skip(from);
        let timed: Vec<&ChangedSlice> = timed.filter(|slice| version < slice.change.version).collect();
        let hull = timed.first().zip(timed.last());
        let hull = hull.and_then(|(first, last)| TimeRange::new(first.start, self.grain.next(last.start)));
        let timeless = self.timeless.filter(|change| range.is_none() && version < change.version);
        let timed = timed.iter().map(|slice| (SliceKey::At(slice.start), slice.change));
        let changes: Vec<(SliceKey, ChangedRows)> =
            timed.chain(timeless.map(|change| (SliceKey::Timeless, change))).collect();
        let newest = changes.iter().map(|(_, change)| change.version).max().filter(|newest| *newest != FORESEEN);
        let then: Option<Vec<u64>> = changes.iter().map(|(slice, _)| self.rows_at(slice, version)).collect();
        let is_foreseen = changes.iter().any(|(_, change)| change.version == FORESEEN);
        let then = then.filter(|_| !is_foreseen && version >= self.known_from);
        let now: u64 = changes.iter().map(|(_, change)| change.rows).sum();
        let difference = |then: &Vec<u64>| {
            let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
            signed(now) - signed(then.iter().sum())
        };
        let is_new = then.as_ref().is_some_and(|then| then.iter().all(|rows| *rows == 0));
        Summary { range: hull, version: newest, rows: then.as_ref().map(difference), is_new }
    }

    /// How many rows a slice had at a version; nothing if that is forgotten.
    fn rows_at(&self, slice: &SliceKey, version: u64) -> Option<u64> {
        match self.ledger.as_ref().and_then(|ledger| ledger.slices.get(slice)) {
            Some(entry) => entry.changes.rows_at(version),
            None => Some(0),
        }
    }

    /// The places of the slices that overlap a range.
    fn places(&self, range: TimeRange) -> (usize, usize) {
        let after = self.slices.partition_point(|slice| slice.start <= range.start());
        // The one before may reach into the range.
        let before = after.checked_sub(1).and_then(|place| self.slices.get(place));
        let reaches_in = before.is_some_and(|slice| range.start() < self.grain.next(slice.start));
        let from = if reaches_in { after - 1 } else { after };
        let to = self.slices.partition_point(|slice| slice.start < range.end());
        (from, to.max(from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::table::{Changes, Entry, LedgerFound, Provenance, SliceRows};

    fn at(day: u64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(i64::try_from(day).unwrap() * 86_400, 0).unwrap().naive_utc()
    }

    fn days(from: u64, to: u64) -> TimeRange {
        TimeRange::new(at(from), at(to)).unwrap()
    }

    /// A table whose days changed at these versions, to a row each.
    fn changed(versions: &BTreeMap<u64, u64>) -> InputChanges {
        let made_of = Arc::new(Provenance { fingerprint: "f".into(), inputs: BTreeMap::new() });
        let layout = SliceLayout::ByFile { event_time: "day".to_owned(), grain: Grain::Day };
        let mut state = TableState::empty();
        let files = state.digests(&layout).of(SliceKey::All);
        let entry = |(day, version): (&u64, &u64)| {
            let (provenance, files, rows) = (Arc::clone(&made_of), files, SliceRows { rows: 1, hash: 1 });
            (SliceKey::At(at(*day)), Entry { provenance, files, rows, changes: Changes::default().and(*version, 1) })
        };
        let slices = versions.iter().map(entry).collect();
        let rest = Some(Arc::clone(&made_of));
        let ledger = Ledger { slices, known_from: 0, rest, ..Ledger::empty(String::new(), 100) };
        state.ledger = LedgerFound::Known(Arc::new(ledger));
        InputChanges::of(&state, &layout, Grain::Day, None)
    }

    proptest! {
        #[test]
        fn the_newest_change_of_a_range_is_found(
            versions in prop::collection::btree_map(0_u64..60, 1_u64..20, 0..40),
            from in 0_u64..60, length in 1_u64..30, version in 0_u64..20,
        ) {
            let changes = changed(&versions);
            let truth = versions.range(from..from + length).any(|(_, changed)| version < *changed);
            prop_assert_eq!(changes.within_after(days(from, from + length), version), truth);
            let after: Vec<u64> = versions.iter().filter(|(_, changed)| version < **changed).map(|(day, _)| *day).collect();
            let found: Vec<TimeRange> = changes.ranges_after(version).collect();
            prop_assert_eq!(found, after.into_iter().map(|day| days(day, day + 1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_summary_counts_rows_between_two_versions() {
        let changes = changed(&BTreeMap::from([(3, 7), (4, 9), (8, 2)]));
        let summary = changes.summary(Some(days(0, 7)), 8);
        assert_eq!(summary, Summary { range: Some(days(4, 5)), version: Some(9), rows: Some(1), is_new: true });
        assert_eq!(changes.summary(None, 5).range, Some(days(3, 5)));
    }
}
