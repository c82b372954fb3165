//! The sample's files arrive in any order, several a run, and late rows with them: after every run every table is what the
//! oracle makes of the files that are there.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder::{Folder, copy};
use crate::lakes::PREFIX;
use crate::minio::minio;
use crate::sample::wrong_tables;

/// How many orders a test run looks at; `KARAT_ORDERS` asks for another number, and `KARAT_SEED` for one order alone.
const ORDERS: u64 = 20;

/// So many days that windows of thirty days lie apart.
const DAYS: u64 = 75;

const RUNS: u64 = 3;

const HEADER: &str = "user_id,timestamp,action_type,page_id,duration_ms,app_version\n";

/// Decides by the seed alone.
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn below(&mut self, limit: u64) -> u64 {
        // The constants are those of Knuth's MMIX; its high bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// The Fisher-Yates shuffle.
    fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place as u64 + 1) as usize);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The sample with all files, of which those of days have not arrived yet where it is lived through.
fn all_files() -> Folder {
    let folder = Folder::with_sample();
    let days = DAYS.to_string();
    folder.karat(&["sample-data", "--rows", "700", "--days", &days, "--users", "40", "--seed", "9"]);
    folder
}

/// A day of the sample, which begins with the year 2023.
fn day(number: u64) -> String {
    let first = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    (first + chrono::Days::new(number)).to_string()
}

/// Rows of two days far apart, of a user that is there anyway and of one that is not.
fn late_rows(dice: &mut Dice) -> String {
    let days = [dice.below(DAYS), dice.below(DAYS)].map(day);
    let users = ["U000001".to_owned(), format!("U9{:05}", dice.below(3))];
    let mut rows = String::new();
    for user in &users {
        for day in &days {
            rows.push_str(&format!("{user},{day} 23:50:00,edit,P000001,1000,5.0.0\n"));
        }
    }
    format!("{HEADER}{rows}")
}

/// Lives through one order. The error says after which run what was wrong.
fn live(seed: u64, all: &Folder, folder: &Folder) -> Result<(), String> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (mut days, rest): (Vec<String>, Vec<String>) =
        all.files("data").into_iter().partition(|path| path.contains("user_interactions/"));
    assert_eq!(days.len() as u64, DAYS);
    let arrive = |file: &String| copy(&all.root().join(file), &folder.root().join(file));
    rest.iter().for_each(arrive);
    dice.shuffle(&mut days);
    let mut story = String::new();
    for run in 0..RUNS {
        let share = if run + 1 == RUNS { days.len() } else { 1 + dice.below(2 * DAYS / RUNS) as usize };
        let arrived: Vec<String> = days.drain(..share.min(days.len())).collect();
        arrived.iter().for_each(arrive);
        folder.write(&format!("data/user_interactions/late-{run}.csv"), late_rows(&mut dice));
        story.push_str(&format!("run {run}: {} files and late-{run}.csv\n", arrived.len()));
        folder.karat(&["run", "--quiet"]);
        let wrong = wrong_tables(folder);
        if !wrong.is_empty() {
            return Err(format!("order {seed} goes wrong; `KARAT_SEED={seed}` lives through it alone\n{story}{wrong}"));
        }
    }
    Ok(())
}

#[test]
fn in_any_order_of_files_and_late_rows_every_table_equals_the_oracle_after_every_run() {
    let all = all_files();
    let seeds = number("KARAT_SEED").map_or(0..number("KARAT_ORDERS").unwrap_or(ORDERS), |seed| seed..seed + 1);
    let next = AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lives = || {
        std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|seed| *seed < seeds.end)
            .find_map(|seed| live(seed, &all, &Folder::with_sample()).err())
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(lives)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn and_so_it_is_in_a_bucket() {
    let Some(minio) = minio() else { return };
    let bucket = minio.bucket();
    let folder = Folder::with_sample().on_minio(minio, &bucket, "checkpoint_every: 3");
    if let Err(wrong) = live(1, &all_files(), &folder) {
        panic!("{PREFIX} in {bucket}: {wrong}");
    }
}

#[test]
fn the_dice_of_a_seed_fall_alike_and_a_shuffle_keeps_all() {
    let fall = || {
        let mut numbers: Vec<u64> = (0..DAYS).collect();
        Dice(7).shuffle(&mut numbers);
        numbers
    };
    assert_eq!(fall(), fall());
    assert_ne!(fall(), (0..DAYS).collect::<Vec<_>>());
    let mut sorted = fall();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..DAYS).collect::<Vec<_>>());
}
