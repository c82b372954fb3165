//! Which times of an input a slice of the output may read, and the other way round: which slices a change reaches.

use crate::analyze::lineage::TimeStep;
use crate::day::{Grain, TimeRange};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analyze::lineage::{Shift, TimeUnit};
    use crate::day::{Length, Window, parse_instant};

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
