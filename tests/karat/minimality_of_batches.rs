//! Daily files that come in any order: what the commits of each table name, beside what really changed in its rows. The rows
//! are read from the Parquet files by the log, and nothing here asks karat.
//!
//! `KARAT_BATCHES=40 cargo test --test karat -- minimality_of_batches --nocapture` measures it over a year of files.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;

use crate::folder::{Folder, copy};
use crate::late_rows::{Contents, RULES, Slices, changed, content, contents, log};

/// How many batches a test run looks at, and of how many days; with `KARAT_BATCHES` it is a year.
const BATCHES: usize = 5;
const DAYS: usize = 45;

/// The table of the sample that follows no rule of days, beside those that do.
const CALENDAR: &str = "gold.reporting_days";

/// Slices of one table, over all batches.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    /// Those that a build made.
    computed: usize,
    /// Those whose partition was written anew, where a partition is a slice.
    written: usize,
    /// Those that a commit names.
    named: usize,
    /// Those whose rows are others.
    changed: usize,
}

/// The order of the files, which a seed decides.
fn shuffle<T>(all: &mut [T], seed: u64) {
    let mut state = seed;
    for place in (1..all.len()).rev() {
        // The constants are those of Knuth's MMIX; its high bits are the random ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.swap(place, ((state >> 33) % (place as u64 + 1)) as usize);
    }
}

fn all_contents(folder: &Folder) -> Contents {
    let mut all = contents(folder);
    all.insert(CALENDAR, content(folder, CALENDAR));
    all
}

/// A count from the text with which a commit tells slices.
fn count(told: &str) -> usize {
    match (told, told.split_once(" slices from ")) {
        ("none", _) => 0,
        (_, Some((count, _))) => count.parse().unwrap(),
        (_, None) => told.split(", ").count(),
    }
}

#[test]
fn commits_name_the_slices_that_changed_and_no_others() {
    let asked = std::env::var("KARAT_BATCHES").ok().map(|batches| batches.parse::<usize>().unwrap());
    let (batches, days) = asked.map_or((BATCHES, DAYS), |batches| (batches, 365));
    let source = Folder::with_sample();
    let (rows, days) = ((days * 20).to_string(), days.to_string());
    source.karat(&["sample-data", "--rows", &rows, "--days", &days, "--users", "60", "--seed", "3"]);
    let (mut files, rest): (Vec<String>, Vec<String>) =
        source.files("data").into_iter().partition(|path| path.contains("user_interactions/"));
    shuffle(&mut files, 11);

    let folder = Folder::with_sample();
    let arrive = |file: &String| copy(&source.root().join(file), &folder.root().join(file));
    rest.iter().for_each(arrive);
    let tables: Vec<&str> = RULES.iter().map(|(table, _)| *table).chain([CALENDAR]).collect();
    let mut figures: BTreeMap<&str, Figures> = BTreeMap::new();
    let (mut before, mut wrong) = (Contents::new(), Vec::new());
    for (number, batch) in files.chunks(files.len().div_ceil(batches)).enumerate() {
        batch.iter().for_each(arrive);
        let versions: BTreeMap<&str, usize> = tables.iter().map(|table| (*table, log(&folder, table).len())).collect();
        folder.karat(&["run", "--quiet"]);
        let after = all_contents(&folder);
        for table in &tables {
            let changed = changed(before.get(table).unwrap_or(&BTreeMap::new()), &after[table]);
            let figures = figures.entry(table).or_default();
            figures.changed += changed.len();
            let log = log(&folder, table);
            let commits = &log[versions[table]..];
            assert!(commits.len() <= 1, "{table} has {} commits of one run", commits.len());
            let note = commits.iter().flatten().find_map(|action| action["commitInfo"]["karat"].as_object());
            let text = |key: &str| note.and_then(|note| note.get(key)).map(|told| told.as_str().unwrap());
            let named = text("slices").unwrap_or("none");
            figures.named += count(named);
            figures.computed += count(text("computed").unwrap_or(named));
            let partition = |action: &Value| action["add"]["partitionValues"]["event_date"].as_str().map(str::to_owned);
            figures.written += commits.iter().flatten().filter_map(partition).collect::<BTreeSet<_>>().len();
            if named != told(&changed) {
                wrong.push(format!("batch {number}: {table} names {named}, and {} changed", told(&changed)));
            }
        }
        before = after;
    }
    println!("{:40} {:>9} {:>9} {:>9} {:>9}", "slices of", "computed", "written", "named", "changed");
    for (table, Figures { computed, written, named, changed }) in &figures {
        println!("{table:40} {computed:>9} {written:>9} {named:>9} {changed:>9}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As the note of a commit tells slices; those without a time are first.
fn told(slices: &Slices) -> String {
    let name = |slice: &NaiveDate| match *slice {
        NaiveDate::MIN => "null".to_owned(),
        day => day.to_string(),
    };
    let names: Vec<String> = slices.iter().map(name).collect();
    let days: Vec<&String> = names.iter().filter(|name| *name != "null").collect();
    match (names.as_slice(), days.as_slice()) {
        ([], _) => "none".to_owned(),
        ([one], _) => one.clone(),
        (all, [first, .., last]) => format!("{} slices from {first} to {last}", all.len()),
        (all, _) => all.join(", "),
    }
}
