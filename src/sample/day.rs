//! What happens on one day: who acts, in which bursts, and what arrives late.

use std::ops::Range;

use super::World;
use super::calendar::{Clock, is_weekend};
use super::dirt::{LATE_PER_MILLION, share};
use super::random::{Purpose, Random, mix};

/// One action. Events sort by arrival, which is the order of rows in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interaction {
    /// The second of the file's day at which it arrives.
    arrival: u32,
    pub(super) user: u32,
    /// The second of its own day at which it happened.
    pub(super) second: u32,
    pub(super) page: u32,
    /// How many days before the file's day it happened.
    pub(super) days_late: u16,
    pub(super) delivery: Delivery,
    pub(super) action: u8,
}

/// How an event comes into the file it is in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delivery {
    OnTime,
    Late,
    /// Late, and the file of the day before has it already.
    Again,
}

/// The action types, with how many in a hundred actions they are, and the base-2 logarithm of their median duration.
pub(super) const ACTIONS: [(&str, u64, u64); 5] = [
    ("page_view", 60, 14_205),
    ("edit", 25, 16_852),
    ("create", 7, 16_253),
    ("delete", 3, 11_229),
    ("share", 5, 12_582),
];

/// The numbers of pages. Sessions over midnight and late rows have pages of their own, so that rows which are made
/// apart from each other never agree in user, time, action and page by accident.
pub(super) struct Pages {
    ordinary: u64,
    midnight: u64,
    late: u64,
}

impl Pages {
    /// Pages for a sample of so many rows, of which so many fall on the busiest day.
    pub(super) fn new(rows: u64, busiest: u64) -> Self {
        Self {
            // A user acts on a page at most once a second, so a very busy user needs many pages.
            ordinary: (rows / 50).clamp(1_000, 100_000).max(busiest / 5_000),
            midnight: busiest / 50 + 32,
            late: busiest * LATE_PER_MILLION / 1_000_000 + 2,
        }
    }
}

/// The actions of sessions that run over the midnight at the end of a day: those before it and those after it.
///
/// Both days make the whole list, each from the same random numbers, and take their own part.
pub(super) fn over_midnight(world: &World, day: usize) -> (Vec<Interaction>, Vec<Interaction>) {
    let mut events = (Vec::new(), Vec::new());
    let (Some(this), Some(next)) = (world.days.get(day), world.days.get(day + 1)) else {
        return events;
    };
    let sessions = match this.rows.min(next.rows) {
        // A session has up to twelve actions, and a day is the end of one list and the start of another.
        0..64 => 0,
        rows => share(1_600, 1, this.first_row, rows).min(rows / 64),
    };
    // The same stream on both days: each makes the whole list and keeps its side of midnight.
    let mut random = Random::stream(world.options.seed, Purpose::Midnight, day as u64);
    let mut page = world.pages.ordinary as u32;
    for _ in 0..sessions {
        let user = world.people.someone(&mut random, day as i32, day as i32 + 1);
        for after in [false, true] {
            let mut distance = 0;
            for _ in 0..random.between(2, 6) {
                distance += random.between(5, 200) as u32;
                page += 1;
                let second = if after { distance } else { SECONDS - distance };
                let event = Interaction { page, ..on_time(user, second, &mut random) };
                if after { events.1.push(event) } else { events.0.push(event) }
            }
        }
    }
    events
}

/// The rows in a day's file that happened on an earlier day: bursts from devices that were offline.
pub(super) fn late(world: &World, day: usize) -> Vec<Interaction> {
    let mut events = Vec::new();
    let latest = u64::from(world.options.late_days).min(day as u64);
    let Some(this) = world.days.get(day) else { return events };
    if latest == 0 || !world.options.dirty {
        return events;
    }
    let wanted = share(LATE_PER_MILLION, 5, this.first_row, this.rows).min(this.rows / 4) as usize;
    let mut random = Random::stream(world.options.seed, Purpose::Late, day as u64);
    while events.len() < wanted {
        let days_late = random.between(1, latest);
        let happened = day as i32 - days_late as i32;
        let user = world.people.someone(&mut random, happened, day as i32);
        let arrival = random.below(u64::from(SECONDS)) as u32;
        let (mut second, _) = start(world, happened as usize, user, 0..24, &mut random);
        for _ in 0..random.between(1, 5).min((wanted - events.len()) as u64) {
            if second >= u64::from(SECONDS) {
                break;
            }
            let page = world.pages.ordinary + world.pages.midnight + world.pages.late * days_late + events.len() as u64;
            let event = on_time(user, second as u32, &mut random);
            let days_late = days_late as u16;
            events.push(Interaction { arrival, page: page as u32, days_late, delivery: Delivery::Late, ..event });
            second += random.between(2, 120);
        }
    }
    events
}

/// Late rows of the day before that come once more, as devices do that never heard that their rows arrived.
pub(super) fn delivered_again(world: &World, day: usize) -> Vec<Interaction> {
    let Some(yesterday) = day.checked_sub(1) else {
        return Vec::new();
    };
    let room = world.days.get(day).map_or(0, |day| day.rows / 4) as usize;
    let some = late(world, yesterday).into_iter().skip(day % 8).step_by(8).map(|event| Interaction {
        days_late: event.days_late + 1,
        delivery: Delivery::Again,
        ..event
    });
    some.filter(|event| u32::from(event.days_late) <= world.options.late_days).take(room).collect()
}

/// Gives `emit` exactly `rows` events of a day, user by user.
pub(super) fn ordinary<E>(
    world: &World,
    day: usize,
    rows: u64,
    emit: &mut impl FnMut(Interaction) -> Result<(), E>,
) -> Result<(), E> {
    let mut random = Random::stream(world.options.seed, Purpose::Activity, day as u64);
    let programs = programs(world, rows, &mut random);
    let by_programs: u64 = programs.iter().map(|(_, actions)| actions).sum();
    for (user, actions) in programs {
        let hour = random.pick(&[0, 8, 16]);
        let between = hour..hour + 8;
        burst(world, Burst { day, user, actions, between, pace: Pace::Program }, &mut random, emit)?;
    }
    for (user, actions) in active_people(world, day, rows - by_programs, &mut random) {
        let bursts = if actions < 4 { 1 } else { random.between(1, 3) };
        let mut left = actions;
        for index in 0..bursts {
            let here = if index + 1 == bursts { left } else { left * random.between(30, 70) / 100 };
            left -= here;
            let between = 24 * index / bursts..24 * (index + 1) / bursts;
            burst(world, Burst { day, user, actions: here, between, pace: Pace::Person }, &mut random, emit)?;
        }
    }
    Ok(())
}

const SECONDS: u32 = 86_400;

/// A run of actions of one user on one day.
struct Burst {
    day: usize,
    user: u32,
    actions: u64,
    /// The hours of the day it lies between.
    between: Range<u64>,
    pace: Pace,
}

enum Pace {
    Person,
    Program,
}

/// The programs that act on a day, and how much: hundreds of actions, but never most of a small day.
fn programs(world: &World, rows: u64, random: &mut Random) -> Vec<(u32, u64)> {
    let (days_in_forty, mut room) = if rows < 2_000 { (4, rows / 2) } else { (30, rows / 8) };
    let mut acting = Vec::new();
    for user in &world.people.automated {
        let actions = random.between(200, 900).min(room);
        if random.below(40) < days_in_forty && actions > 0 {
            room -= actions;
            acting.push((*user, actions));
        }
    }
    acting
}

/// The people who act on a day, and how much each; together exactly `rows` actions.
fn active_people(world: &World, day: usize, rows: u64, random: &mut Random) -> Vec<(u32, u64)> {
    let today = || {
        let all = world.people.all.iter().enumerate();
        all.filter(move |(_, person)| !person.automated && person.is_there(day as i32))
    };
    let zeal: u64 = today().map(|(_, person)| u64::from(person.zeal)).sum();
    // About twelve actions a person and day, if there are enough people.
    let per_zeal = (u128::from(rows / 12 + 1) << 32) / u128::from(zeal.max(1));
    let mut active: Vec<(u32, u64)> = Vec::new();
    let mut total = 0;
    for (user, person) in today() {
        let likely = (u128::from(person.zeal) * per_zeal).min(LIKELIEST);
        if u128::from(random.next() >> 32) < likely {
            let weight = u64::from(person.zeal.isqrt()) * random.between(16, 128);
            total += weight;
            active.push((user as u32, weight));
        }
    }
    if active.is_empty() {
        active.push((0, 1));
        total = 1;
    }
    let mut before = 0;
    let mut dealt = 0;
    for (_, share) in &mut active {
        before += *share;
        let until = (u128::from(rows) * u128::from(before) / u128::from(total)) as u64;
        *share = until - dealt;
        dealt = until;
    }
    active
}

/// Nobody acts on more than 85 % of the days, as a fraction of 2³².
const LIKELIEST: u128 = 3_650_722_201;

/// Where a session starts, and the stretch of the day it may fill, in seconds.
fn start(world: &World, day: usize, user: u32, between: Range<u64>, random: &mut Random) -> (u64, Range<u64>) {
    let weekend = world.days.get(day).is_some_and(|day| is_weekend(day.date));
    let clock = Clock { country: world.people.get(user).country, weekend };
    world.hours.start(clock, between, random)
}

/// The events of a burst, in the order of time.
fn burst<E>(
    world: &World,
    burst: Burst,
    random: &mut Random,
    emit: &mut impl FnMut(Interaction) -> Result<(), E>,
) -> Result<(), E> {
    let (first, Range { start: from, end: to }) = start(world, burst.day, burst.user, burst.between, random);
    let first = first.min(to.saturating_sub(burst.actions.saturating_mul(60)).max(from));
    // Times are in 1/65536 seconds, so that more than one action a second is spread evenly.
    let (mut time, end) = (first << 16, (to << 16) - 1);
    let mut last_second = u64::MAX;
    let mut page = 0;
    for left in (0..burst.actions).rev() {
        let second = time >> 16;
        page = match (second == last_second, random.below(10)) {
            // Another page in the same second: a busy user's rows stay distinct.
            (true, _) => (page + 1) % world.pages.ordinary,
            (false, 0..6) if last_second != u64::MAX => page,
            _ => mix(u64::from(burst.user) << 8 | random.below(40)) % world.pages.ordinary,
        };
        emit(Interaction { page: page as u32, ..on_time(burst.user, second as u32, random) })?;
        last_second = second;
        // Never more than an even share of what is left, so the end is not passed however many actions there are.
        time += (gap(&burst.pace, random) << 16).min((end - time) / left.max(1));
    }
    Ok(())
}

/// The seconds from one action of a session to the next.
fn gap(pace: &Pace, random: &mut Random) -> u64 {
    match (pace, random.below(100)) {
        (Pace::Program, _) => random.between(5, 40),
        (Pace::Person, 0..80) => random.between(2, 60),
        (Pace::Person, 80..98) => random.between(60, 300),
        (Pace::Person, _) => random.between(300, 1_500),
    }
}

/// An event on its own day, without its page.
fn on_time(user: u32, second: u32, random: &mut Random) -> Interaction {
    let action = random.weighted(ACTIONS.iter().map(|(_, weight, _)| *weight)) as u8;
    Interaction { arrival: second, user, second, page: 0, days_late: 0, delivery: Delivery::OnTime, action }
}
