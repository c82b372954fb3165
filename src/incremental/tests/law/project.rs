//! Tiny models over rows that have a day, or none, and a value: what they make of their inputs, and how they read them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};

use crate::analyze::lineage::{Shift, TimeStep, TimeUnit};
use crate::day::{Grain, Length, TimeRange, Window, midnight};
use crate::incremental::reach::Reach;
use crate::incremental::staleness::InputRead;
use crate::incremental::windows::Timeless;
use crate::table::{SliceKey, SliceLayout, SliceRows};

/// Days from the one on which histories begin: the first of a month is the fifth.
pub(super) type Day = i64;

/// The values of every day that has some, in order. Nothing stands for rows without a time.
pub(super) type Rows = BTreeMap<Option<Day>, Vec<i64>>;

/// What a model does. Inputs are places of models before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The rows of files that the history changes.
    Files,
    /// Some rows of the input, as they are.
    Filter { input: usize },
    /// Rows so many days later.
    Shift { input: usize, days: Day },
    /// A sum over days before and after.
    Rolling { input: usize, back: u32, ahead: u32, days: RollingDays },
    /// A sum a month, on its first day.
    Months { input: usize },
    /// The sums of two inputs, the second so many days before.
    Join { left: usize, right: usize, back: Day, inner: bool },
    /// Rows with a number that another table tells for all days.
    Lookup { facts: usize, dimension: usize, on_change: OnChange },
    /// The sum of everything until each day.
    Total { input: usize },
    /// Rows of which some lose their day.
    Undated { input: usize },
    /// The sum of each day of a calendar that it writes out itself.
    Spine { input: usize },
    /// Rows with what the last day that has values until then tells, as a lateral look-up gives it: of all days before, or
    /// of so many.
    Latest { facts: usize, values: usize, back: Option<u32> },
    /// On each day of a calendar the last value, carried forward for so many days: the window is a declared one, and true of
    /// a range without gaps.
    Carried { input: usize, calendar: usize, back: u32 },
}

/// On which days a rolling sum has a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RollingDays {
    /// On the days of the input's rows.
    Own,
    /// On every day whose window holds a row.
    All,
    /// On the days of the input's rows; the window is a declared one, and the row without a time may read anything.
    Declared,
    /// On the days of the input's rows; the window is a declared one, to one side, and true of a range without gaps.
    Steps,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnChange {
    Ignore,
    Rebuild,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// A file a slice.
    ByFile,
    /// All slices in one file.
    Shared,
    /// Not cut by time.
    Whole,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub kind: Kind,
    pub grain: Grain,
    pub cut: Cut,
    /// Rows without a time are left out.
    pub dated: bool,
}

/// Models in an order that their inputs allow.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Project(pub Vec<Model>);

/// Stands where no value is carried to.
pub(super) const NOT_CARRIED: i64 = 400;

/// The days that a model writes out.
const OWN_DAYS: [Day; 4] = [-3, 1, 2, 11];

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 1, 28).unwrap()
}

pub(super) fn at(day: Day) -> NaiveDateTime {
    midnight(first_day() + TimeDelta::days(day))
}

pub(super) fn day_of(time: NaiveDateTime) -> Day {
    time.date().signed_duration_since(first_day()).num_days()
}

pub(super) fn told(day: Option<Day>) -> String {
    day.map_or("no day".to_owned(), |day| at(day).date().to_string())
}

/// The slice of this grain that a row lies in.
pub(super) fn slice_of(grain: Grain, day: Option<Day>) -> SliceKey {
    day.map_or(SliceKey::Timeless, |day| SliceKey::At(grain.floor(at(day))))
}

/// First and last day of a slice that has some.
pub(super) fn days_of(slice: SliceKey, grain: Grain) -> Option<(Day, Day)> {
    match slice {
        SliceKey::At(start) => Some((day_of(start), day_of(grain.next(start)) - 1)),
        SliceKey::All | SliceKey::Timeless => None,
    }
}

/// The digest of rows: a sum over them, as the real one is.
pub(super) fn digest<'r>(rows: impl IntoIterator<Item = (&'r Option<Day>, &'r Vec<i64>)>) -> SliceRows {
    let mut sum = SliceRows::default();
    for (day, values) in rows {
        let day = day.map_or(1 << 40, |day| day + 1000);
        for value in values {
            let row = (day as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ (*value as u128 + 77);
            let hash = row.wrapping_mul(0xd6e8_feb8_6659_fd93_a5a3_5649_2f1b_9d41);
            sum += SliceRows { rows: 1, hash: hash ^ (hash >> 61) };
        }
    }
    sum
}

fn sum(rows: &Rows, from: Day, to: Day) -> i64 {
    rows.range(Some(from)..=Some(to)).flat_map(|(_, values)| values).sum()
}

/// The sum of the last day that has values, of those from the first to the last.
fn latest(rows: &Rows, first: Day, last: Day) -> Option<i64> {
    rows.range(Some(first)..=Some(last)).next_back().map(|(_, values)| values.iter().sum())
}

/// Rows, each with what the last day that has values tells, of all days until its own or of so many.
fn with_latest(rows: Vec<(Option<Day>, i64)>, values: &Rows, back: Option<Day>) -> Vec<(Option<Day>, i64)> {
    let first = |day: Day| back.map_or(Day::MIN, |back| day - back);
    let told = |day: Option<Day>| day.and_then(|day| latest(values, first(day), day)).unwrap_or(6);
    rows.into_iter().map(|(day, value)| (day, value * 10 + told(day).rem_euclid(7))).collect()
}

/// On each day of the calendar the last value of so many days.
fn carried_on(input: &Rows, calendar: &Rows, back: Day) -> Vec<(Option<Day>, i64)> {
    let value = |day: Day| latest(input, day - back, day).unwrap_or(NOT_CARRIED);
    calendar.keys().filter_map(|day| *day).map(|day| (Some(day), value(day))).collect()
}

pub(super) fn window(back: u32, ahead: u32) -> Window {
    let length = |days: u32| Length::parse(&format!("{days} days")).unwrap();
    Window { lookback: length(back), lookahead: length(ahead) }
}

impl Kind {
    /// Places of the models that it reads, one for each reference.
    pub fn inputs(&self) -> Vec<usize> {
        match *self {
            Kind::Files => Vec::new(),
            Kind::Filter { input }
            | Kind::Shift { input, .. }
            | Kind::Rolling { input, .. }
            | Kind::Months { input }
            | Kind::Total { input }
            | Kind::Undated { input }
            | Kind::Spine { input } => vec![input],
            Kind::Join { left, right, .. } => vec![left, right],
            Kind::Lookup { facts, dimension, .. } => vec![facts, dimension],
            Kind::Latest { facts, values, .. } => vec![facts, values],
            Kind::Carried { input, calendar, .. } => vec![input, calendar],
        }
    }

    /// How each reference is read, in the order of `inputs`.
    pub fn reads(&self) -> Vec<InputRead> {
        let read = |reach, timeless| InputRead { reach, timeless, is_dimension: false };
        let aligned = |timeless| read(Reach::ALIGNED, timeless);
        let shifted = |days| Reach::Steps(vec![TimeStep::Shift(Shift { days, ..Shift::default() })]);
        let widened = |back| Reach::Steps(vec![TimeStep::Widen(window(back, 0))]);
        match *self {
            Kind::Files => Vec::new(),
            Kind::Filter { .. } => vec![aligned(Timeless::Same)],
            Kind::Spine { .. } => vec![aligned(Timeless::Nothing)],
            Kind::Shift { days, .. } => vec![read(shifted(days), Timeless::Same)],
            Kind::Rolling { back, ahead, days, .. } => {
                let timeless = if days == RollingDays::Declared { Timeless::Anything } else { Timeless::Same };
                vec![read(Reach::Steps(vec![TimeStep::Widen(window(back, ahead))]), timeless)]
            }
            Kind::Months { .. } => {
                vec![read(Reach::Steps(vec![TimeStep::Truncate(TimeUnit::Month)]), Timeless::Same)]
            }
            Kind::Join { back, inner, .. } => {
                let timeless = if inner { Timeless::Nothing } else { Timeless::Same };
                vec![aligned(timeless), read(shifted(back), timeless)]
            }
            Kind::Lookup { on_change, .. } => {
                let is_dimension = on_change == OnChange::Ignore;
                let dimension = InputRead { is_dimension, ..read(Reach::Everything, Timeless::Anything) };
                vec![aligned(Timeless::Same), dimension]
            }
            Kind::Total { .. } => vec![read(Reach::Everything, Timeless::Anything)],
            Kind::Undated { .. } => vec![aligned(Timeless::Anything)],
            Kind::Latest { back: None, .. } => {
                vec![aligned(Timeless::Same), read(Reach::Everything, Timeless::Anything)]
            }
            Kind::Latest { back: Some(back), .. } => {
                vec![aligned(Timeless::Same), read(widened(back), Timeless::Nothing)]
            }
            Kind::Carried { back, .. } => vec![read(widened(back), Timeless::Nothing), aligned(Timeless::Nothing)],
        }
    }

    /// The first and last day that the days of a slice read through a reference, said once more and in another way;
    /// nothing: any day.
    fn days_read(&self, reference: usize, (first, last): (Day, Day)) -> Option<(Day, Day)> {
        match *self {
            Kind::Files | Kind::Total { .. } => None,
            Kind::Lookup { .. } | Kind::Latest { back: None, .. } if reference == 1 => None,
            Kind::Latest { back: Some(back), .. } if reference == 1 => Some((first - i64::from(back), last)),
            Kind::Carried { back, .. } if reference == 0 => Some((first - i64::from(back), last)),
            Kind::Shift { days, .. } => Some((first - days, last - days)),
            Kind::Join { back, .. } if reference == 1 => Some((first - back, last - back)),
            Kind::Rolling { back, ahead, .. } => Some((first - i64::from(back), last + i64::from(ahead))),
            Kind::Months { .. } => {
                let firsts = (first..=last).filter(|day| at(*day).day() == 1);
                let months = firsts.map(|day| (day, day_of(Grain::Month.next(at(day))) - 1));
                let months: Vec<(Day, Day)> = months.collect();
                Some((months.first().map_or(1, |month| month.0), months.last().map_or(0, |month| month.1)))
            }
            Kind::Filter { .. }
            | Kind::Join { .. }
            | Kind::Lookup { .. }
            | Kind::Undated { .. }
            | Kind::Spine { .. }
            | Kind::Latest { .. }
            | Kind::Carried { .. } => Some((first, last)),
        }
    }

    /// The rows that it makes of its inputs' rows.
    fn rows(&self, inputs: &[&Rows]) -> Vec<(Option<Day>, i64)> {
        let input = inputs[0];
        let each = |rows: &Rows| -> Vec<(Option<Day>, i64)> {
            rows.iter().flat_map(|(day, values)| values.iter().map(|value| (*day, *value))).collect()
        };
        let total = |rows: &Rows| rows.values().flatten().sum::<i64>();
        let undated = || input.get(&None).map(|values| (None, values.iter().sum::<i64>()));
        let dated = || input.keys().filter_map(|day| *day);
        match *self {
            Kind::Files => each(input),
            Kind::Filter { .. } => each(input).into_iter().filter(|(_, value)| value % 5 != 4).collect(),
            Kind::Shift { days, .. } => each(input).iter().map(|(day, v)| (day.map(|day| day + days), *v)).collect(),
            Kind::Rolling { back, ahead, days, .. } => {
                let (back, ahead) = (i64::from(back), i64::from(ahead));
                let made: BTreeSet<Day> = match days {
                    RollingDays::All => dated().flat_map(|day| day - ahead..=day + back).collect(),
                    RollingDays::Own | RollingDays::Declared | RollingDays::Steps => dated().collect(),
                };
                let undated = match days {
                    RollingDays::Declared => undated().map(|_| (None, total(input))),
                    RollingDays::Own | RollingDays::All | RollingDays::Steps => undated(),
                };
                let rolled = made.into_iter().map(|day| (Some(day), sum(input, day - back, day + ahead)));
                rolled.chain(undated).collect()
            }
            Kind::Months { .. } => {
                let firsts: BTreeSet<Day> = dated().map(|day| day_of(Grain::Month.floor(at(day)))).collect();
                let month = |first: Day| (Some(first), sum(input, first, day_of(Grain::Month.next(at(first))) - 1));
                firsts.into_iter().map(month).chain(undated()).collect()
            }
            Kind::Join { back, inner, .. } => {
                let of = |rows: &Rows, day: Option<Day>| rows.get(&day).map(|values| values.iter().sum::<i64>());
                let right_days = inputs[1].keys().filter_map(|day| day.map(|day| day + back));
                let days: BTreeSet<Day> = dated().chain(right_days).collect();
                let joined = days.into_iter().filter_map(|day| {
                    let (left, right) = (of(input, Some(day)), of(inputs[1], Some(day - back)));
                    let is_made = !inner || left.is_some() && right.is_some();
                    is_made.then(|| (Some(day), left.unwrap_or(500) * 7 + right.unwrap_or(300)))
                });
                let undated = [of(input, None), of(inputs[1], None)].into_iter().flatten().map(|value| (None, value));
                joined.chain(undated.filter(|_| !inner)).collect()
            }
            Kind::Lookup { .. } => {
                let told = total(inputs[1]).rem_euclid(4);
                each(input).into_iter().map(|(day, value)| (day, value * 10 + told)).collect()
            }
            Kind::Total { .. } => {
                let until = dated().map(|day| (Some(day), sum(input, -10_000, day)));
                until.chain(undated().map(|_| (None, total(input)))).collect()
            }
            Kind::Latest { back, .. } => with_latest(each(input), inputs[1], back.map(i64::from)),
            Kind::Carried { back, .. } => carried_on(input, inputs[1], i64::from(back)),
            Kind::Spine { .. } => OWN_DAYS.map(|day| (Some(day), sum(input, day, day))).to_vec(),
            Kind::Undated { .. } => {
                each(input).into_iter().map(|(day, value)| (day.filter(|_| value % 3 != 0), value)).collect()
            }
        }
    }
}

impl Model {
    pub fn layout(&self) -> SliceLayout {
        match self.cut {
            Cut::ByFile => SliceLayout::ByFile { event_time: "day".to_owned(), grain: self.grain },
            Cut::Shared => SliceLayout::Shared,
            Cut::Whole => SliceLayout::Whole,
        }
    }

    pub fn slice_of(&self, day: Option<Day>) -> SliceKey {
        match self.cut {
            Cut::Whole => SliceKey::All,
            Cut::ByFile | Cut::Shared => slice_of(self.grain, day),
        }
    }

    /// The rows that its code makes of the rows of its inputs.
    pub fn made_of(&self, code: i64, inputs: &[&Rows]) -> Rows {
        self.of_code(code, self.kind.rows(inputs))
    }

    /// The rows that its code writes, given what it has made.
    pub fn of_code(&self, code: i64, rows: Vec<(Option<Day>, i64)>) -> Rows {
        let mut made = Rows::new();
        for (day, value) in rows {
            if self.dated && day.is_none() {
                continue;
            }
            // A new code says something else of some rows only.
            let value = if value % 3 == 0 { value + (code - 1) * 30 } else { value };
            made.entry(day).or_default().push(value);
        }
        made.values_mut().for_each(|values| values.sort_unstable());
        made
    }

    /// Whether a slice may read a slice of an input through a reference.
    pub fn may_read(&self, reference: usize, slice: (SliceKey, Grain), changed: (SliceKey, Grain)) -> bool {
        if slice.0 == SliceKey::All || changed.0 == SliceKey::All {
            return true;
        }
        match (days_of(slice.0, slice.1), days_of(changed.0, changed.1)) {
            (Some(days), changed) => match (self.kind.days_read(reference, days), changed) {
                (None, _) => true,
                (Some((first, last)), Some(changed)) => changed.0 <= last && first <= changed.1,
                (Some(_), None) => false,
            },
            (None, changed) => match self.reads()[reference].timeless {
                Timeless::Same => changed.is_none(),
                Timeless::Nothing => false,
                Timeless::Anything => true,
            },
        }
    }

    pub fn reads(&self) -> Vec<InputRead> {
        let mut reads = self.kind.reads();
        if self.dated {
            reads.iter_mut().for_each(|read| read.timeless = Timeless::Nothing);
        }
        reads
    }
}

pub(super) fn range(first: Day, days: u8) -> TimeRange {
    TimeRange::new(at(first), at(first + i64::from(days.max(1)))).unwrap()
}
