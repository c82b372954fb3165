//! The law of incremental models, on the real decisions: whatever happened before, one plain run leaves every table as a
//! full refresh would, a second one writes nothing, and every slice that is built has a true cause.
//!
//! Random projects of tiny models live through random histories, in memory. A history that goes wrong shrinks to a
//! short story; proptest keeps it in `proptest-regressions/` and tells it first from then on.

mod checks;
mod carried;
mod commit;
mod display;
mod history;
mod project;
mod seen;
mod steps;
mod table;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::day::Grain;
use commit::Deed;
use history::{Event, Story, live};
use project::{Cut, Day, Kind, Model, OnChange, Project, RollingDays};
use seen::Seen;
use world::Flawed;

/// How many histories a test run looks at; `KARAT_HISTORIES` asks for another number.
const HISTORIES: u32 = 1_000;

fn histories() -> u32 {
    std::env::var("KARAT_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(HISTORIES)
}

/// A model at this place of a project.
fn model(place: usize) -> BoxedStrategy<Model> {
    let input = || 0..place;
    let rolling =
        prop::sample::select(vec![RollingDays::Own, RollingDays::All, RollingDays::Declared, RollingDays::Steps]);
    let files = Just(Kind::Files);
    if place == 0 {
        return (files, cut(), grain(), Just(false)).prop_map(of).boxed();
    }
    let on_change = prop::sample::select(vec![OnChange::Rebuild, OnChange::Ignore]);
    let kind = prop_oneof![
        3 => input().prop_map(|input| Kind::Filter { input }),
        2 => files,
        3 => (input(), -4_i64..5).prop_map(|(input, days)| Kind::Shift { input, days }),
        3 => (input(), 0_u32..4, 0_u32..3, rolling)
            .prop_map(|(input, back, ahead, days)| {
                // Steps look to one side.
                let ahead = if days == RollingDays::Steps && back > 0 { 0 } else { ahead };
                Kind::Rolling { input, back, ahead, days }
            }),
        2 => input().prop_map(|input| Kind::Months { input }),
        3 => (input(), input(), 0_i64..4, any::<bool>())
            .prop_map(|(left, right, back, inner)| Kind::Join { left, right, back, inner }),
        2 => (input(), input(), on_change)
            .prop_map(|(facts, dimension, on_change)| Kind::Lookup { facts, dimension, on_change }),
        1 => input().prop_map(|input| Kind::Total { input }),
        1 => input().prop_map(|input| Kind::Undated { input }),
        1 => input().prop_map(|input| Kind::Spine { input }),
        2 => (input(), input(), prop::option::of(0_u32..4))
            .prop_map(|(facts, values, back)| Kind::Latest { facts, values, back }),
        2 => (input(), input(), 1_u32..4).prop_map(|(input, calendar, back)| Kind::Carried { input, calendar, back }),
    ];
    (kind, cut(), grain(), prop::bool::weighted(0.2)).prop_map(of).boxed()
}

fn of((kind, cut, grain, dated): (Kind, Cut, Grain, bool)) -> Model {
    Model { kind, cut, grain, dated }
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![4 => Just(Cut::ByFile), 3 => Just(Cut::Shared), 1 => Just(Cut::Whole)]
}

fn grain() -> impl Strategy<Value = Grain> {
    prop_oneof![3 => Just(Grain::Day), 1 => Just(Grain::Month)]
}

fn day() -> impl Strategy<Value = Option<Day>> {
    prop_oneof![9 => (0_i64..9).prop_map(Some), 1 => Just(None)]
}

/// Which models a run is asked for: mostly all of them.
fn only() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(u8::MAX), 2 => any::<u8>()]
}

fn deed() -> impl Strategy<Value = Deed> {
    let fixed = prop::sample::select(vec![Deed::Rearranges, Deed::Edits, Deed::Removes]);
    prop_oneof![3 => fixed, 1 => day().prop_map(|day| Deed::Adds { day })]
}

fn event() -> impl Strategy<Value = Event> {
    let number = any::<u8>;
    let value = 0_i64..12;
    prop_oneof![
        4 => (number(), day(), value).prop_map(|(source, day, value)| Event::Late { source, day, value }),
        2 => (number(), number()).prop_map(|(source, nth)| Event::Delete { source, nth }),
        2 => (number(), number(), day()).prop_map(|(source, nth, to)| Event::Move { source, nth, to }),
        1 => number().prop_map(|source| Event::Touch { source }),
        1 => number().prop_map(|model| Event::Code { model }),
        1 => (number(), day()).prop_map(|(model, day)| Event::Begin { model, day }),
        5 => (only(), prop::option::weighted(0.3, 0_u8..5))
            .prop_map(|(only, crash_after)| Event::Run { only, crash_after }),
        1 => only().prop_map(|only| Event::Full { only }),
        2 => (-2_i64..9, 1_u8..4, only()).prop_map(|(first, days, only)| Event::Range { first, days, only }),
        2 => (number(), number(), deed()).prop_map(|(model, nth, deed)| Event::Foreign { model, nth, deed }),
        1 => number().prop_map(|model| Event::LoseLedger { model }),
        1 => number().prop_map(|model| Event::Drop { model }),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    let project = (3_usize..=8).prop_flat_map(|count| (0..count).map(model).collect::<Vec<_>>()).prop_map(Project);
    let first = prop::collection::vec((any::<u8>(), day(), 0_i64..12), 0..10);
    let events = prop::collection::vec(event(), 2..=12);
    (project, first, events).prop_map(|(project, first, events)| Story { project, first, events })
}

/// Lives through histories until one goes wrong, and gives what all of them together have seen.
fn search(config: Config, flaw: Option<Flawed>) -> (Result<(), TestError<Story>>, Seen) {
    let seen = std::cell::RefCell::new(Seen::default());
    let outcome = TestRunner::new(config).run(&story(), |story| match live(&story, flaw) {
        Ok(one) => {
            seen.borrow_mut().add(&one);
            Ok(())
        }
        Err(reason) => Err(TestCaseError::fail(reason)),
    });
    (outcome, seen.into_inner())
}

#[test]
fn one_run_makes_every_table_equal_to_a_full_refresh_and_a_second_writes_nothing() {
    let config = Config { cases: histories(), ..Config::with_source_file(file!()) };
    let (outcome, seen) = search(config, None);
    if let Err(wrong) = outcome {
        panic!("{wrong}");
    }
    if histories() >= HISTORIES {
        assert!(seen.is_eventful(), "the histories were too quiet to prove anything: {seen:?}");
    }
}

/// The law has teeth: each of these is noticed.
fn is_noticed(flaw: Flawed) {
    let config = Config {
        cases: 2_000,
        max_shrink_iters: 0,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..Config::default()
    };
    let (outcome, seen) = search(config, Some(flaw));
    assert!(matches!(outcome, Err(TestError::Fail(..))), "nobody noticed {flaw:?}: {seen:?}");
}

#[test]
fn windows_that_are_too_short_are_noticed() {
    is_noticed(Flawed::ShortWindows);
}

#[test]
fn looking_for_changes_in_the_same_slice_only_is_noticed() {
    is_noticed(Flawed::AlignedAlways);
}

#[test]
fn forgetting_slices_that_lost_their_last_row_is_noticed() {
    is_noticed(Flawed::ForgetsEmptied);
}

#[test]
fn building_more_than_has_a_cause_is_noticed() {
    is_noticed(Flawed::BuildsAll);
}

#[test]
fn taking_rows_that_came_out_as_they_were_for_changed_is_noticed() {
    is_noticed(Flawed::NoCutoff);
}

#[test]
fn reading_windows_with_holes_between_them_is_noticed() {
    is_noticed(Flawed::ReadsWithHoles);
}

#[test]
fn forgetting_days_that_a_model_writes_out_is_noticed() {
    is_noticed(Flawed::ForgetsOwnDays);
}

/// The stories that once went wrong.
fn lives(kinds: &[(Kind, Cut)], first: &[(u8, Option<Day>, i64)], events: &[Event]) {
    let models = kinds.iter().map(|(kind, cut)| of((*kind, *cut, Grain::Day, false))).collect();
    let story = Story { project: Project(models), first: first.to_vec(), events: events.to_vec() };
    if let Err(reason) = live(&story, None) {
        panic!("{reason}\n{story:?}");
    }
}

const RUN: Event = Event::Run { only: u8::MAX, crash_after: None };

#[test]
fn after_a_range_the_rest_is_built_also_from_a_table_that_is_not_cut_by_time() {
    let models = [(Kind::Files, Cut::Whole), (Kind::Filter { input: 0 }, Cut::ByFile)];
    lives(&models, &[(0, Some(3), 0)], &[Event::Range { first: 0, days: 1, only: u8::MAX }]);
}

#[test]
fn shared_files_whose_ledger_is_lost_go_when_no_row_is_left() {
    let gone = Event::Delete { source: 0, nth: 0 };
    let lost = Event::LoseLedger { model: 0 };
    lives(&[(Kind::Files, Cut::Shared)], &[(0, Some(0), 0)], &[RUN, lost, gone]);
}

#[test]
fn a_dimension_that_comes_into_being_restates_what_was_made_without_it() {
    let lookup = Kind::Lookup { facts: 0, dimension: 1, on_change: OnChange::Ignore };
    let models = [(Kind::Files, Cut::ByFile), (Kind::Filter { input: 0 }, Cut::ByFile), (lookup, Cut::ByFile)];
    lives(&models, &[(0, Some(0), 0)], &[Event::Run { only: 0b101, crash_after: None }]);
}

#[test]
fn rows_without_a_day_go_also_when_the_input_has_forgotten_that_it_had_some() {
    let models = [(Kind::Files, Cut::ByFile), (Kind::Filter { input: 0 }, Cut::ByFile)];
    let first = Event::Range { first: 0, days: 1, only: u8::MAX };
    let (lost, gone) = (Event::LoseLedger { model: 0 }, Event::Delete { source: 0, nth: 0 });
    lives(&models, &[(0, None, 0)], &[first, RUN, lost, gone]);
}

#[test]
fn two_late_rows_far_apart_leave_a_running_sum_right() {
    let steps = Kind::Rolling { input: 0, back: 2, ahead: 0, days: RollingDays::Steps };
    let ahead = Kind::Rolling { input: 0, back: 0, ahead: 2, days: RollingDays::Steps };
    let models = [(Kind::Files, Cut::ByFile), (steps, Cut::ByFile), (ahead, Cut::Shared)];
    let first: Vec<(u8, Option<Day>, i64)> = (0..20).map(|day| (0, Some(day), 1)).collect();
    let late = [2, 14].map(|day| Event::Late { source: 0, day: Some(day), value: 5 });
    let [early, later] = late;
    lives(&models, &first, &[RUN, early, later]);
}

#[test]
fn two_late_rows_far_apart_leave_values_that_are_carried_forward_right() {
    let carried = Kind::Carried { input: 0, calendar: 1, back: 2 };
    let models =
        [(Kind::Files, Cut::ByFile), (Kind::Files, Cut::ByFile), (carried, Cut::ByFile), (carried, Cut::Shared)];
    // The calendar is full, and values come seldom.
    let calendar = (0..20).map(|day| (1, Some(day), 1));
    let first: Vec<(u8, Option<Day>, i64)> = calendar.chain([(0, Some(1), 7), (0, Some(9), 8)]).collect();
    let value = Event::Late { source: 0, day: Some(4), value: 5 };
    let of_calendar = Event::Late { source: 1, day: Some(15), value: 5 };
    lives(&models, &first, &[RUN, value, of_calendar]);
}

#[test]
fn what_a_look_up_found_is_looked_up_again_when_something_comes_between() {
    let look_up = |back| Kind::Latest { facts: 0, values: 1, back };
    let models = [
        (Kind::Files, Cut::ByFile),
        (Kind::Files, Cut::ByFile),
        (look_up(None), Cut::ByFile),
        (look_up(Some(3)), Cut::Shared),
    ];
    let between = Event::Late { source: 1, day: Some(5), value: 3 };
    let gone = Event::Delete { source: 1, nth: 0 };
    lives(&models, &[(0, Some(7), 1), (0, Some(8), 1), (1, Some(4), 2)], &[RUN, between, RUN, gone]);
}

#[test]
fn after_a_range_the_days_that_a_model_writes_out_are_built_too() {
    let models = [(Kind::Files, Cut::ByFile), (Kind::Spine { input: 0 }, Cut::ByFile)];
    lives(&models, &[(0, Some(1), 3)], &[Event::Range { first: 1, days: 1, only: u8::MAX }]);
}

#[test]
fn rows_from_before_a_later_beginning_go() {
    let models = [
        (Kind::Files, Cut::ByFile),
        (Kind::Filter { input: 0 }, Cut::ByFile),
        (Kind::Filter { input: 0 }, Cut::Shared),
    ];
    let later = |model| Event::Begin { model, day: Some(3) };
    lives(&models, &[(0, Some(1), 3), (0, Some(5), 3)], &[RUN, later(1), later(2), RUN]);
    let foreign = Event::Foreign { model: 1, nth: 0, deed: Deed::Adds { day: Some(1) } };
    lives(&models, &[(0, Some(5), 3)], &[later(1), RUN, foreign]);
}
