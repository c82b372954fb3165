//! A model that carries values forward on a calendar: a value holds from its day on until a mark behind its window takes it
//! back. The declared window is true of one range without gaps: of two with a hole between them the mark may lie in the hole,
//! and then the value goes on.

use std::collections::BTreeMap;

use super::project::{Day, NOT_CARRIED, Rows, at};
use crate::table::SliceSet;

/// The value on each day of the calendar, over the days that are read.
pub(super) fn carried(input: &Rows, calendar: &Rows, back: Day, read: Option<&SliceSet>) -> Vec<(Option<Day>, i64)> {
    let is_read = |day: Day| read.is_none_or(|read| read.ranges().iter().any(|range| range.contains(at(day))));
    let values: BTreeMap<Day, i64> = input
        .iter()
        .filter_map(|(day, values)| Some(((*day)?, values.iter().sum::<i64>())))
        .filter(|(day, _)| is_read(*day))
        .collect();
    let mut marks = values.clone();
    for day in values.keys() {
        let taken_back = day + back + 1;
        // A newer value holds in its place, for as long.
        let is_held = values.range(day + 1..=taken_back).next().is_none();
        if is_held && is_read(taken_back) {
            marks.insert(taken_back, NOT_CARRIED);
        }
    }
    let last = |day: Day| marks.range(..=day).next_back().map_or(NOT_CARRIED, |(_, value)| *value);
    calendar.keys().filter_map(|day| *day).map(|day| (Some(day), last(day))).collect()
}

#[test]
fn a_hole_between_windows_carries_a_value_too_far_and_one_range_does_not() {
    let input = Rows::from([(Some(2), vec![7])]);
    let calendar: Rows = (0..20).map(|day| (Some(day), vec![1])).collect();
    let range = |first: Day, last: Day| super::project::range(first, (last - first + 1) as u8);
    let on_the_16th = |ranges: Vec<crate::day::TimeRange>| {
        let read = SliceSet::new(ranges, false);
        let values = carried(&input, &calendar, 2, Some(&read));
        values.into_iter().find(|(day, _)| *day == Some(16)).unwrap().1
    };
    assert_eq!(on_the_16th(vec![range(14, 16)]), NOT_CARRIED, "the window alone");
    assert_eq!(on_the_16th(vec![range(0, 16)]), NOT_CARRIED);
    assert_eq!(on_the_16th(vec![range(1, 3), range(14, 16)]), 7, "the mark of the fifth is not read");
}
