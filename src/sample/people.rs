//! The users of the app: who they are, when they came and left, and how busy they are.

use super::SampleOptions;
use super::calendar::COUNTRIES;
use super::random::{Purpose, Random, mix};

pub(super) const DEVICES: [(&str, u64); 6] =
    [("iPhone", 34), ("iPad", 9), ("Mac", 17), ("Android Phone", 22), ("Android Tablet", 4), ("Windows", 14)];
pub(super) const SUBSCRIPTIONS: [(&str, u64); 4] = [("free", 62), ("basic", 20), ("premium", 14), ("enterprise", 4)];

/// One user. Days count from the first day of the sample.
#[derive(Clone, Copy)]
pub(super) struct Person {
    pub(super) join_day: i32,
    /// The first day on which the user no longer comes.
    pub(super) leave_day: i32,
    /// How often and how much the user acts: most are at 16 to 64, a few in the thousands.
    pub(super) zeal: u32,
    pub(super) country: u8,
    pub(super) device: u8,
    pub(super) subscription: u8,
    /// How many days after a release the user installs it.
    pub(super) update_lag: u8,
    /// Whether it is a program and no person.
    pub(super) automated: bool,
}

/// All users by index, and the indices of those that are programs.
pub(super) struct People {
    pub(super) all: Vec<Person>,
    pub(super) automated: Vec<u32>,
}

impl Person {
    pub(super) fn is_there(&self, day: i32) -> bool {
        self.join_day <= day && day < self.leave_day
    }
}

impl People {
    pub(super) fn new(options: &SampleOptions) -> Self {
        let all: Vec<Person> = (0..options.users).map(|user| person(options, user)).collect();
        let automated = all.iter().enumerate().filter(|(_, person)| person.automated);
        Self { automated: automated.map(|(user, _)| user as u32).collect(), all }
    }

    pub(super) fn get(&self, user: u32) -> &Person {
        self.all.get(user as usize).expect("a user is drawn from all of them")
    }

    /// Some user who is there on both of two days. The first user always is, so there is one.
    pub(super) fn someone(&self, random: &mut Random, day: i32, other: i32) -> u32 {
        let drawn = (0..16).map(|_| random.below(self.all.len() as u64) as u32).find(|user| {
            let person = self.get(*user);
            person.is_there(day) && person.is_there(other)
        });
        drawn.unwrap_or(0)
    }
}

/// One user in five hundred is a program, and at least one is where there are twenty users.
fn is_automated(options: &SampleOptions, user: u32) -> bool {
    user != 0 && (mix(options.seed ^ mix(u64::from(user))).is_multiple_of(500) || (user == 7 && options.users >= 20))
}

fn person(options: &SampleOptions, user: u32) -> Person {
    let mut random = Random::stream(options.seed, Purpose::People, u64::from(user));
    let automated = is_automated(options, user);
    let join_day = match random.below(100) {
        // The first user and the programs are always there.
        _ if user == 0 || automated => -400,
        0..40 => -1 - random.below(900) as i32,
        // The square root of a uniform number grows evenly: twice as many join late as in the middle.
        _ => (((random.below(1 << 30) << 30).isqrt() * u64::from(options.days)) >> 30) as i32,
    };
    let stays = match random.below(100) {
        0..28 if user != 0 && !automated => 5 + (random.below(200) * random.below(200) / 200) as i32,
        _ => i32::MAX / 2,
    };
    let fraction = random.between(1, 1 << 20) as f64 / f64::from(1 << 20);
    let zeal = 16.0 / (fraction.sqrt() * fraction.sqrt().sqrt());
    Person {
        join_day,
        leave_day: join_day.max(0) + stays,
        zeal: (zeal as u32).min(4_000),
        country: random.weighted(COUNTRIES.iter().map(|country| country.weight)) as u8,
        device: random.weighted(DEVICES.iter().map(|(_, weight)| *weight)) as u8,
        subscription: random.weighted(SUBSCRIPTIONS.iter().map(|(_, weight)| *weight)) as u8,
        update_lag: random.below(46) as u8,
        automated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_join_during_the_sample_and_more_and_more_of_them() {
        let people = People::new(&SampleOptions { users: 10_000, ..SampleOptions::default() });
        let joined = |days: std::ops::Range<i32>| people.all.iter().filter(|p| days.contains(&p.join_day)).count();
        assert!((3_500..4_500).contains(&joined(-1_000..0)));
        assert!(joined(0..100) * 3 < joined(265..365));
        assert!((5..50).contains(&people.automated.len()));
    }
}
