//! A model whose declared window is true of one range without gaps, and not of two with a hole between them: every row
//! adds to a running sum on its day and takes away behind its window, and what would be taken away on a day that is not
//! read never is.

use super::carried::carried;
use super::project::{Cut, Day, Kind, RollingDays, Rows, at, window};
use super::world::{Flawed, World, since};
use crate::day::Window;
use crate::engine::let_through;
use crate::incremental::Build;
use crate::table::SliceSet;

impl World {
    /// What a build makes of the newest rows: all rows, but for a model that declares a window those that come out of what
    /// the build reads.
    pub fn built(&self, place: usize, build: &Build) -> Rows {
        let model = self.model(place);
        let by_steps = match (model.kind, build) {
            (Kind::Rolling { input, back, ahead, days: RollingDays::Steps }, Build::Slices(slices))
                if model.cut != Cut::Whole =>
            {
                let read = self.read(slices, window(back, ahead));
                Some(running_sums(&self.rows_now(input), (i64::from(back), i64::from(ahead)), &read))
            }
            (Kind::Carried { input, calendar, back }, Build::Slices(slices)) if model.cut != Cut::Whole => {
                let read = self.read(slices, window(back, 0));
                Some(carried(&self.rows_now(input), &self.rows_now(calendar), i64::from(back), read.as_ref()))
            }
            _ => None,
        };
        match by_steps {
            Some(made) => since(self.begins[place], model.of_code(self.codes[place], made)),
            None => self.computed(place),
        }
    }

    /// The days that one query over these slices reads. None if it reads all.
    fn read(&self, slices: &SliceSet, window: Window) -> Option<SliceSet> {
        if self.flaw != Some(Flawed::ReadsWithHoles) {
            return let_through(slices, &[window]);
        }
        let widened = slices.ranges().iter().map(|range| range.widened(window)).collect();
        Some(SliceSet::new(widened, slices.timeless()))
    }
}

/// On every day of a row the sum of what was added until then and not taken away, over the days that are read; where the
/// window lies ahead, from the last day to the first.
fn running_sums(input: &Rows, (back, ahead): (Day, Day), read: &Option<SliceSet>) -> Vec<(Option<Day>, i64)> {
    let is_read = |day: Day| read.as_ref().is_none_or(|read| read.ranges().iter().any(|range| range.contains(at(day))));
    let direction = if ahead > 0 { -1 } else { 1 };
    let gone_after = (back + ahead + 1) * direction;
    let timed = || input.iter().filter_map(|(day, values)| Some(((*day)?, values.iter().sum::<i64>())));
    let read_rows = || timed().filter(|(day, _)| is_read(*day));
    let until = |day: Day, now: Day| day * direction <= now * direction;
    let sum = |now: Day| {
        let added: i64 = read_rows().filter(|(day, _)| until(*day, now)).map(|(_, value)| value).sum();
        let taken = read_rows().filter(|(day, _)| until(day + gone_after, now) && is_read(day + gone_after));
        added - taken.map(|(_, value)| value).sum::<i64>()
    };
    let undated = input.get(&None).map(|values| (None, values.iter().sum()));
    timed().map(|(day, _)| (Some(day), sum(day))).chain(undated).collect()
}

#[test]
fn a_hole_between_windows_spoils_a_running_sum_and_one_range_does_not() {
    let rows: Rows = (0..20).map(|number| (Some(number), vec![1])).collect();
    let range = |first: Day, last: Day| super::project::range(first, (last - first + 1) as u8);
    let sums = |ranges: Vec<crate::day::TimeRange>| {
        let sums = running_sums(&rows, (2, 0), &Some(SliceSet::new(ranges, false)));
        sums.into_iter().find(|(day, _)| *day == Some(16)).unwrap().1
    };
    assert_eq!(sums(vec![range(14, 16)]), 3, "the window alone");
    assert_eq!(sums(vec![range(0, 16)]), 3);
    assert_eq!(sums(vec![range(1, 3), range(14, 16)]), 6, "three days are never taken away");
}
