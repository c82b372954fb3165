//! When the slices of an input changed: read off its ledger, so that no commit between then and now must be read.

use std::sync::Arc;

use chrono::NaiveDateTime;

use super::last_change::LastChange;
use super::newest::NewestTree;
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::name::ModelName;
use crate::table::{Ledger, SliceKey, SliceLayout, SliceSet, TableState};

/// What a run is going to do to an input before a model reads it: a change without a version yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PendingChange {
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
    history_starts_at: Version,
    /// The newest change of anything; `None` if nothing ever changed.
    newest: Option<LastChange>,
    /// The last change of a table whose slices are not told apart.
    whole: Option<LastChange>,
    /// In order of time.
    slices: Vec<ChangedSlice>,
    /// Over `slices`.
    newest_in: NewestTree,
    timeless: Option<ChangedRows>,
    /// Tells what was before the changes.
    ledger: Option<Arc<Ledger>>,
}

/// A slice of an input that is cut by time. There are thousands of them, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChangedSlice {
    start: NaiveDateTime,
    rows: ChangedRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChangedRows {
    change: LastChange,
    rows: u64,
}

impl ChangedRows {
    /// Whether it has rows, or may have.
    fn has_rows(self) -> bool {
        self.rows > 0 || self.change == LastChange::Pending
    }
}

/// The changes of some slices, summed up for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeSummary {
    /// From the first changed time to the last; `None` if only rows without a time changed.
    pub range: Option<TimeRange>,
    /// The newest version that changed them; `None` if that is still to come.
    pub version: Option<Version>,
    /// Rows now minus rows then, if that is known.
    pub rows: Option<i64>,
    /// Whether there were no rows before.
    pub is_new: bool,
}

impl InputChanges {
    /// Of a table with slices of this grain.
    pub fn new(
        state: &TableState,
        layout: &SliceLayout,
        grain: Grain,
        pending: Option<&PendingChange>,
    ) -> InputChanges {
        let mut changes = InputChanges::nothing(grain);
        let Some(ledger) = state.known_ledger() else {
            // Nothing tells the slices apart: the newest version that may have changed rows counts for all of them.
            changes.whole = Some(LastChange::At(state.data_version));
            return changes.with_pending(pending);
        };
        changes.ledger = Some(Arc::clone(ledger));
        changes.history_starts_at = ledger.history_starts_at;
        changes.whole = state.needs_full_rebuild(layout).map(|_| LastChange::At(state.data_version));
        let changed_externally = state.changed_externally(layout);
        let recorded = ledger.slices.iter().map(|(slice, entry)| {
            let version = if changed_externally.contains(slice) { state.data_version } else { entry.changes.newest() };
            (*slice, ChangedRows { change: LastChange::At(version), rows: entry.rows.rows })
        });
        // Others may have filled slices that karat never wrote.
        let without_entry = changed_externally.iter().filter(|slice| !ledger.slices.contains_key(slice));
        let change = ChangedRows { change: LastChange::At(state.data_version), rows: 0 };
        let without_entry = without_entry.map(|slice| (*slice, change));
        changes.slices.reserve(ledger.slices.len());
        for (slice, rows) in recorded.chain(without_entry) {
            match slice {
                SliceKey::All => changes.whole = changes.whole.max(Some(rows.change)),
                SliceKey::NullTime => changes.timeless = Some(rows),
                SliceKey::At(start) => changes.slices.push(ChangedSlice { start, rows }),
            }
        }
        changes.with_pending(pending)
    }

    /// Of a table that does not exist yet.
    pub fn to_come(grain: Grain, pending: Option<&PendingChange>) -> InputChanges {
        InputChanges { whole: pending.map(|_| LastChange::Pending), ..InputChanges::nothing(grain) }.indexed()
    }

    fn nothing(grain: Grain) -> InputChanges {
        InputChanges {
            grain,
            history_starts_at: Version::FIRST,
            newest: None,
            whole: None,
            slices: Vec::new(),
            newest_in: NewestTree::default(),
            timeless: None,
            ledger: None,
        }
    }

    fn with_pending(mut self, pending: Option<&PendingChange>) -> InputChanges {
        match pending {
            None => {}
            Some(PendingChange::Whole | PendingChange::Unknown(_)) => self.whole = Some(LastChange::Pending),
            Some(PendingChange::Slices(slices)) => {
                let to_come = ChangedRows { change: LastChange::Pending, rows: 0 };
                // A slice has one change: the one to come hides the last one.
                self.slices.retain(|known| !slices.contains(SliceKey::At(known.start)));
                let ranges = slices.ranges().iter().flat_map(|range| range.slices(self.grain));
                self.slices.extend(ranges.map(|range| ChangedSlice { start: range.start(), rows: to_come }));
                if slices.timeless() {
                    self.timeless = Some(to_come);
                }
            }
        }
        self.indexed()
    }

    fn indexed(mut self) -> InputChanges {
        self.slices.sort_by_key(|slice| slice.start);
        self.newest_in = NewestTree::new(self.slices.iter().map(|slice| slice.rows.change));
        let changes = self.slices.iter().map(|slice| slice.rows.change);
        self.newest = changes.chain(self.whole).chain(self.timeless.map(|rows| rows.change)).max();
        self
    }

    fn range_of(&self, slice: &ChangedSlice) -> Option<TimeRange> {
        TimeRange::new(slice.start, self.grain.next(slice.start))
    }

    /// Whether anything changed after this version.
    pub fn any_after(&self, version: Version) -> bool {
        version < self.history_starts_at || self.newest.is_some_and(|newest| newest.is_after(version))
    }

    /// Whether all of it may have changed after this version.
    pub fn all_after(&self, version: Version) -> bool {
        version < self.history_starts_at || self.whole.is_some_and(|whole| whole.is_after(version))
    }

    /// Whether its rows may lie at any time.
    pub fn is_not_told_apart(&self) -> bool {
        self.whole.is_some()
    }

    /// Whether a row within the range changed after this version.
    pub fn within_after(&self, range: TimeRange, version: Version) -> bool {
        if self.all_after(version) {
            return true;
        }
        let (from, to) = self.places(range);
        self.newest_in.between(from, to).is_some_and(|newest| newest.is_after(version))
    }

    /// Whether the rows without a time changed after this version.
    pub fn timeless_after(&self, version: Version) -> bool {
        self.all_after(version) || self.timeless.is_some_and(|rows| rows.change.is_after(version))
    }

    /// Whether there are rows without a time, or were some.
    pub fn knows_timeless(&self) -> bool {
        self.whole.is_some() || self.timeless.is_some()
    }

    /// Whether there are rows without a time, or may be.
    pub fn has_timeless(&self) -> bool {
        self.whole.is_some() || self.timeless.is_some_and(|it| it.has_rows())
    }

    /// The ranges of the slices that changed after this version, in order.
    pub fn ranges_after(&self, version: Version) -> impl Iterator<Item = TimeRange> {
        self.slices
            .iter()
            .filter(move |slice| slice.rows.change.is_after(version))
            .filter_map(|slice| self.range_of(slice))
    }

    /// The ranges of the slices that have rows, or may have, in order.
    pub fn ranges_with_rows(&self) -> impl Iterator<Item = TimeRange> {
        let with_rows = self.slices.iter().filter(|slice| slice.rows.has_rows());
        with_rows.filter_map(|slice| self.range_of(slice))
    }

    /// Sums up what changed after this version within the range; without a range, at all times.
    pub fn summary(&self, range: Option<TimeRange>, version: Version) -> ChangeSummary {
        let (from, to) = range.map_or((0, self.slices.len()), |range| self.places(range));
        let timed = self.slices.iter().take(to).skip(from);
        let timed: Vec<&ChangedSlice> = timed.filter(|slice| slice.rows.change.is_after(version)).collect();
        // People read one range: what lies between the first and the last slice need not have changed.
        let hull = timed.first().zip(timed.last());
        let hull = hull.and_then(|(first, last)| TimeRange::new(first.start, self.grain.next(last.start)));
        let timeless = self.timeless.filter(|rows| range.is_none() && rows.change.is_after(version));
        let timed = timed.iter().map(|slice| (SliceKey::At(slice.start), slice.rows));
        let changes: Vec<(SliceKey, ChangedRows)> =
            timed.chain(timeless.map(|rows| (SliceKey::NullTime, rows))).collect();
        let newest = changes.iter().map(|(_, rows)| rows.change).max();
        let then: Option<Vec<u64>> = changes.iter().map(|(slice, _)| self.rows_at(slice, version)).collect();
        // Before the history starts, and for what is still to come, no difference can be given.
        let then = then.filter(|_| newest != Some(LastChange::Pending) && version >= self.history_starts_at);
        let now: u64 = changes.iter().map(|(_, rows)| rows.rows).sum();
        let more = then.as_ref().map(|then| signed(now) - signed(then.iter().sum()));
        let is_new = then.as_ref().is_some_and(|then| then.iter().all(|rows| *rows == 0));
        let version = match newest {
            Some(LastChange::At(version)) => Some(version),
            Some(LastChange::Pending) | None => None,
        };
        ChangeSummary { range: hull, version, rows: more, is_new }
    }

    /// Returns how many rows a slice had at a version; `None` if that is forgotten.
    fn rows_at(&self, slice: &SliceKey, version: Version) -> Option<u64> {
        match self.ledger.as_ref().and_then(|ledger| ledger.slices.get(slice)) {
            Some(entry) => entry.changes.rows_at(version),
            None => Some(0),
        }
    }

    /// The places of the slices that overlap a range.
    fn places(&self, range: TimeRange) -> (usize, usize) {
        // Binary search for the first slice that begins after the range does.
        let after = self.slices.partition_point(|slice| slice.start <= range.start());
        // The one before may reach into the range.
        let before = after.checked_sub(1).and_then(|place| self.slices.get(place));
        let reaches_in = before.is_some_and(|slice| range.start() < self.grain.next(slice.start));
        let from = if reaches_in { after - 1 } else { after };
        let to = self.slices.partition_point(|slice| slice.start < range.end());
        (from, to.max(from))
    }
}

fn signed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::table::{LedgerFound, Provenance, RowChanges, SliceEntry, SliceRows};

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
            let provenance = Arc::clone(&made_of);
            let rows = SliceRows { rows: 1, hash: 1 };
            (
                SliceKey::At(at(*day)),
                SliceEntry { provenance, files, rows, changes: RowChanges::default().and(Version::new(*version), 1) },
            )
        };
        let slices = versions.iter().map(entry).collect();
        let rest = Some(Arc::clone(&made_of));
        let ledger = Ledger {
            slices,
            history_starts_at: Version::FIRST,
            default_provenance: rest,
            ..Ledger::empty(String::new(), Version::new(100))
        };
        state.ledger = LedgerFound::Known(Arc::new(ledger));
        InputChanges::new(&state, &layout, Grain::Day, None)
    }

    proptest! {
        #[test]
        fn the_newest_change_of_a_range_is_found(
            versions in prop::collection::btree_map(0_u64..60, 1_u64..20, 0..40),
            from in 0_u64..60, length in 1_u64..30, version in 0_u64..20,
        ) {
            let changes = changed(&versions);
            let truth = versions.range(from..from + length).any(|(_, changed)| version < *changed);
            prop_assert_eq!(changes.within_after(days(from, from + length), Version::new(version)), truth);
            let after: Vec<u64> = versions.iter().filter(|(_, changed)| version < **changed).map(|(day, _)| *day).collect();
            let found: Vec<TimeRange> = changes.ranges_after(Version::new(version)).collect();
            prop_assert_eq!(found, after.into_iter().map(|day| days(day, day + 1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_still_to_come_is_newer_than_every_version() {
        let newest = Version::new(u64::MAX);
        assert!(LastChange::At(newest) < LastChange::Pending && LastChange::Pending.is_after(newest));
        assert!(LastChange::At(Version::new(2)).is_after(Version::new(1)));
        assert!(!LastChange::At(newest).is_after(newest));
        let to_come = InputChanges::to_come(Grain::Day, Some(&PendingChange::Whole));
        assert!(to_come.all_after(Version::new(100)) && to_come.any_after(Version::new(100)));
        assert!(!InputChanges::to_come(Grain::Day, None).any_after(Version::FIRST));
    }

    #[test]
    fn a_summary_counts_rows_between_two_versions() {
        let changes = changed(&BTreeMap::from([(3, 7), (4, 9), (8, 2)]));
        let summary = changes.summary(Some(days(0, 7)), Version::new(8));
        assert_eq!(
            summary,
            ChangeSummary { range: Some(days(4, 5)), version: Some(Version::new(9)), rows: Some(1), is_new: true }
        );
        assert_eq!(changes.summary(None, Version::new(5)).range, Some(days(3, 5)));
    }
}
