//! Some slices of a table that is cut by time.

use std::fmt;

use super::SliceKey;
use crate::day::{Grain, TimeRange};

/// Whole slices, as ranges of time, and perhaps the rows without an event time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SliceSet {
    /// In order and apart, each made of whole slices.
    ranges: Vec<TimeRange>,
    timeless: bool,
}

impl SliceSet {
    /// The ranges must be made of whole slices.
    pub fn new(ranges: Vec<TimeRange>, timeless: bool) -> SliceSet {
        SliceSet { ranges: TimeRange::joined(ranges), timeless }
    }

    /// These slices. Returns `None` if one of them is a whole table.
    pub fn of(slices: impl IntoIterator<Item = SliceKey>, grain: Grain) -> Option<SliceSet> {
        let mut ranges = Vec::new();
        let mut timeless = false;
        for slice in slices {
            match slice {
                SliceKey::At(start) => ranges.extend(TimeRange::new(start, grain.next(start))),
                SliceKey::Timeless => timeless = true,
                SliceKey::All => return None,
            }
        }
        Some(SliceSet::new(ranges, timeless))
    }

    /// The slices of both.
    pub fn and(&self, other: &SliceSet) -> SliceSet {
        let ranges = self.ranges.iter().chain(&other.ranges).copied().collect();
        SliceSet::new(ranges, self.timeless || other.timeless)
    }

    pub fn ranges(&self) -> &[TimeRange] {
        &self.ranges
    }

    /// From the first slice to the last, gaps and all. Returns `None` if no slice has a time.
    pub fn hull(&self) -> Option<TimeRange> {
        TimeRange::new(self.ranges.first()?.start(), self.ranges.last()?.end())
    }

    /// Whether the rows without an event time belong to it.
    pub fn timeless(&self) -> bool {
        self.timeless
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && !self.timeless
    }

    pub fn contains(&self, slice: SliceKey) -> bool {
        match slice {
            SliceKey::At(time) => {
                let after = self.ranges.partition_point(|range| range.end() <= time);
                self.ranges.get(after).is_some_and(|range| range.contains(time))
            }
            SliceKey::Timeless => self.timeless,
            SliceKey::All => false,
        }
    }

    /// Every slice of it, in order.
    pub fn slices(&self, grain: Grain) -> impl Iterator<Item = SliceKey> {
        let timed = self.ranges.iter().flat_map(move |range| range.slices(grain));
        let timeless = self.timeless.then_some(SliceKey::Timeless);
        timeless.into_iter().chain(timed.map(|slice| SliceKey::At(slice.start())))
    }
}

impl fmt::Display for SliceSet {
    /// `2023-05-01 to 2023-05-03, 2023-06-01, rows without a time`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.ranges.iter().map(ToString::to_string);
        let timeless = self.timeless.then(|| "rows without a time".to_owned());
        formatter.write_str(&ranges.chain(timeless).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;

    #[test]
    fn slices_become_ranges_and_are_found_in_them() {
        let at = |day: &str| SliceKey::At(parse_instant(day).unwrap());
        let slices = [at("2023-05-03"), at("2023-05-01"), at("2023-05-02"), SliceKey::Timeless, at("2023-06-01")];
        let set = SliceSet::of(slices, Grain::Day).unwrap();
        assert_eq!(set.to_string(), "2023-05-01 to 2023-05-03, 2023-06-01, rows without a time");
        assert!(slices.iter().all(|slice| set.contains(*slice)));
        assert!(!set.contains(at("2023-05-04")) && !set.contains(SliceKey::All));
        assert_eq!(set.slices(Grain::Day).count(), 5);
        assert_eq!(SliceSet::of([SliceKey::All], Grain::Day), None);
    }
}
