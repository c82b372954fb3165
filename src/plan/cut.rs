//! Cuts the slices of a backfill into batches: enough of them to see it go on, and not a commit for each slice.

use crate::analyze::TypedModel;
use crate::day::{Grain, TimeRange};
use crate::incremental::{ReadClass, Reads};
use crate::table::SliceSet;

/// How large batches are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cutting {
    /// Batches that are built at the same time.
    pub threads: usize,
    /// Slices of a batch, if a person has said so.
    pub batch_slices: Option<usize>,
}

/// So many batches for each of those that are built at the same time: the last ones then end at about the same moment.
const BATCHES_A_THREAD: usize = 4;

/// The batches of some slices, in order; each is made of whole slices that follow each other.
pub(super) fn cut(model: &TypedModel, reads: &Reads, left: &SliceSet, cutting: Cutting) -> Vec<SliceSet> {
    let grain = model.config.batch_size;
    if left.is_empty() {
        return Vec::new();
    }
    if !model.layout().has_files_of_slices() {
        // Every commit rewrites the files that slices share, so there is one.
        return vec![left.clone()];
    }
    let count = left.slices(grain).count();
    let size = cutting.batch_slices.unwrap_or_else(|| size(count, grain, cutting.threads, around(model, reads)));
    left.ranges().iter().flat_map(|range| pieces(*range, grain, size)).collect()
}

/// What a batch reads beside its own slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Slices(usize),
    /// All of an input, each time.
    Everything,
}

/// How many slices a batch has if nobody says so.
fn size(count: usize, grain: Grain, threads: usize, around: Around) -> usize {
    let most = match grain {
        Grain::Hour => 7 * 24,
        Grain::Day => 31,
        Grain::Month => 12,
        Grain::Year => 1,
    };
    let even = count.div_ceil(threads.max(1) * BATCHES_A_THREAD).max(1);
    match around {
        // At most half of what a batch reads is read for its window alone.
        Around::Slices(window) => even.min(most).max(window.min(count)),
        // However long the range, it is read only so often.
        Around::Everything => even,
    }
}

fn around(model: &TypedModel, reads: &Reads) -> Around {
    let grain = model.config.batch_size;
    let slice = model.config.begin.and_then(|begin| TimeRange::new(grain.floor(begin), grain.next(begin)));
    let slice = slice.or_else(|| TimeRange::new(SOME_TIME, grain.next(SOME_TIME)));
    let Some(slice) = slice else { return Around::Slices(0) };
    if reads.scans.iter().any(|read| read.class == ReadClass::Unbounded) {
        return Around::Everything;
    }
    let ranges = reads.scans.iter().filter_map(|read| read.reach.reads(slice).range());
    let windows = ranges.map(|range| range.aligned(grain).slices(grain).take(MOST_WINDOW).count().saturating_sub(1));
    Around::Slices(windows.max().unwrap_or(0))
}

/// A longer window does not make batches longer.
const MOST_WINDOW: usize = 10_000;

/// Windows are measured at a slice; where it lies does not matter but for the lengths of months.
const SOME_TIME: chrono::NaiveDateTime = chrono::DateTime::UNIX_EPOCH.naive_utc();

fn pieces(range: TimeRange, grain: Grain, size: usize) -> Vec<SliceSet> {
    let slices: Vec<TimeRange> = range.slices(grain).collect();
    slices.chunks(size.max(1)).map(|piece| SliceSet::new(piece.to_vec(), false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;

    fn range(start: &str, end: &str) -> TimeRange {
        TimeRange::new(parse_instant(start).unwrap(), parse_instant(end).unwrap()).unwrap()
    }

    #[test]
    fn there_are_enough_batches_for_all_threads_and_none_is_longer_than_a_month_of_days() {
        let days = |count, threads| size(count, Grain::Day, threads, Around::Slices(0));
        assert_eq!(days(30, 2), 4, "eight batches");
        assert_eq!(days(365, 2), 31);
        assert_eq!(days(3650, 2), 31);
        assert_eq!(days(365, 16), 6);
        assert_eq!((days(3, 2), days(0, 2), days(5, 0)), (1, 1, 2));
        assert_eq!(size(24 * 365, Grain::Hour, 2, Around::Slices(0)), 7 * 24);
        assert_eq!(size(10, Grain::Year, 1, Around::Slices(0)), 1);
    }

    #[test]
    fn a_batch_is_at_least_as_long_as_the_window_that_it_reads_once_more() {
        let days = |count, window: usize| size(count, Grain::Day, 4, Around::Slices(window));
        assert_eq!(days(365, 29), 29);
        assert_eq!(days(365, 60), 60);
        assert_eq!(days(20, 60), 20);
        assert_eq!(days(365, 1), 23);
        assert_eq!(size(3650, Grain::Day, 2, Around::Everything), 457, "what is read whole is read seldom");
    }

    #[test]
    fn pieces_are_whole_slices_without_gaps_and_never_cross_one() {
        let set = SliceSet::new(vec![range("2023-01-30", "2023-02-03"), range("2023-02-05", "2023-02-06")], false);
        let cut = |size| set.ranges().iter().flat_map(|range| pieces(*range, Grain::Day, size)).collect::<Vec<_>>();
        let texts = |size| cut(size).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(3), ["2023-01-30 to 2023-02-01", "2023-02-02", "2023-02-05"]);
        assert_eq!(texts(100), ["2023-01-30 to 2023-02-02", "2023-02-05"]);
        assert_eq!(texts(0).len(), 5);
        let months = pieces(range("2023-01-01", "2024-01-01"), Grain::Month, 5);
        let months: Vec<String> = months.iter().map(ToString::to_string).collect();
        assert_eq!(months, ["2023-01-01 to 2023-05-31", "2023-06-01 to 2023-10-31", "2023-11-01 to 2023-12-31"]);
    }
}
