//! How far steps can lead away from a slice, as an interval of time: always enough, perhaps too much.

use chrono::TimeDelta;

use crate::analyze::lineage::{Shift, TimeStep, TimeUnit};
use crate::day::{Grain, Length, Window};

/// From how far before the slice's beginning to how far after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offset {
    /// In microseconds; negative is before.
    pub from: i64,
    pub to: i64,
}

const DAY: i64 = 86_400_000_000;
/// The longest and the shortest month.
const LONG_MONTH: i64 = 31 * DAY;
const SHORT_MONTH: i64 = 28 * DAY;

impl Offset {
    pub fn plus(self, other: Offset) -> Offset {
        Offset { from: self.from.saturating_add(other.from), to: self.to.saturating_add(other.to) }
    }

    pub fn negated(self) -> Offset {
        Offset { from: self.to.saturating_neg(), to: self.from.saturating_neg() }
    }

    /// The smallest that holds both.
    pub fn or(self, other: Offset) -> Offset {
        Offset { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// What adding this shift does.
    pub fn of_shift(shift: Shift) -> Offset {
        let rest = shift.days.saturating_mul(DAY).saturating_add(shift.microseconds);
        let months = i64::from(shift.months);
        let bounds = [months.saturating_mul(SHORT_MONTH), months.saturating_mul(LONG_MONTH)];
        let [low, high] = bounds.map(|months| months.saturating_add(rest));
        Offset { from: low.min(high), to: low.max(high) }
    }

    /// Where the value of the steps lies, seen from the time that they start from.
    pub fn of_value(steps: &[TimeStep]) -> Offset {
        steps.iter().fold(Offset::default(), |sum, step| {
            sum.plus(match step {
                TimeStep::Shift(shift) => Offset::of_shift(*shift),
                TimeStep::Truncate(unit) => Offset { from: -longest(*unit), to: 0 },
                TimeStep::UnitOf(unit) => Offset { from: 0, to: longest(*unit) },
                TimeStep::Widen(window) => Offset::of_window(*window).negated(),
            })
        })
    }

    /// Where the times lie that a slice reads through the steps. A slice that already begins and ends with a unit is
    /// not widened by cutting to that unit.
    pub fn of_reads(steps: &[TimeStep], grain: Grain) -> Offset {
        steps.iter().fold(Offset::default(), |sum, step| {
            sum.plus(match step {
                TimeStep::Truncate(unit) if sum == Offset::default() && whole_units(grain, *unit) => Offset::default(),
                TimeStep::Truncate(unit) => Offset { from: 0, to: longest(*unit) },
                TimeStep::UnitOf(unit) => Offset { from: -longest(*unit), to: 0 },
                TimeStep::Shift(shift) => Offset::of_shift(*shift).negated(),
                TimeStep::Widen(window) => Offset::of_window(*window),
            })
        })
    }

    fn of_window(window: Window) -> Offset {
        let long = |length: Length| length.at_most().num_microseconds().unwrap_or(i64::MAX);
        Offset { from: long(window.lookback).saturating_neg(), to: long(window.lookahead) }
    }

    /// The window that reaches this far, at least.
    pub fn window(self) -> Window {
        let length = |micros: i64| Length::at_least(TimeDelta::microseconds(micros.max(0)));
        Window { lookback: length(self.from.saturating_neg()), lookahead: length(self.to) }
    }
}

fn whole_units(grain: Grain, unit: TimeUnit) -> bool {
    let of_grain = match grain {
        Grain::Hour => TimeUnit::Hour,
        Grain::Day => TimeUnit::Day,
        Grain::Month => TimeUnit::Month,
        Grain::Year => TimeUnit::Year,
    };
    of_grain.consists_of(unit)
}

fn longest(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        TimeUnit::Hour => DAY / 24,
        TimeUnit::Day => DAY,
        TimeUnit::Week => 7 * DAY,
        TimeUnit::Month => LONG_MONTH,
        TimeUnit::Quarter => 92 * DAY,
        TimeUnit::Year => 366 * DAY,
    }
}

/// The steps to the values that `steps` gives for the times of a range.
pub(super) fn forward(steps: &[TimeStep]) -> Vec<TimeStep> {
    let image = |step: &TimeStep| match step {
        TimeStep::Shift(shift) => TimeStep::Shift(shift.negated()),
        TimeStep::Truncate(unit) => TimeStep::UnitOf(*unit),
        TimeStep::UnitOf(_) | TimeStep::Widen(_) => {
            TimeStep::Widen(Offset::of_value(std::slice::from_ref(step)).window())
        }
    };
    steps.iter().rev().map(image).collect()
}
