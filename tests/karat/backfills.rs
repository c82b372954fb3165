//! A backfill of a year in a real process that is killed again and again: the same command goes on.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::binary::executable;
use crate::folder::Folder;
use crate::killed::delay;

const DAYS: u64 = 365;

/// How often it is killed.
const KILLS: u64 = 10;

/// Two tables that are cut by files, one whose slices share files, and one number.
const TABLES: [&str; 4] = ["orders", "doubled", "daily", "total"];

fn first() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 1, 1).unwrap()
}

fn with_a_year() -> Folder {
    let folder = Folder::with_shop();
    let rows = (0..DAYS).map(|day| format!("{},{}\n{0},{}\n", first() + Days::new(day), day, day * 1000));
    folder.write("data/1.csv", format!("day,amount\n{}", rows.collect::<String>()));
    folder.write(
        "models/doubled.sql",
        "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n\
         select day, amount * 2 as amount from {{ ref('orders') }}\n",
    );
    folder
}

fn backfill(folder: &Folder) -> Command {
    let mut command = executable(folder);
    command.args(["backfill", "--start", "2023-01-01", "--end", "2023-12-31", "--batch-slices", "15"]);
    command
}

fn complete(folder: &Folder) -> String {
    let output = backfill(folder).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{talk}");
    talk
}

fn is_released(folder: &Folder) -> bool {
    folder.files("lake").iter().any(|path| path.contains("_karat/releases/"))
}

fn rows(folder: &Folder) -> Vec<Vec<Vec<String>>> {
    let of = |table: &&str| folder.query(&format!("select * from shop.{table} order by 1, amount"));
    TABLES.iter().map(of).collect()
}

/// How many commits say that they computed a day.
fn commits_of_days(folder: &Folder, table: &str) -> BTreeMap<NaiveDate, usize> {
    let mut counted = BTreeMap::new();
    let log = format!("lake/shop/{table}/_delta_log/");
    for path in folder.files("lake").iter().filter(|path| path.starts_with(&log) && path.ends_with(".json")) {
        let text = fs::read_to_string(folder.root().join(path)).unwrap();
        let actions = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Where that is not said, those were computed that changed.
        let computed = |action: Value| {
            let note = &action["commitInfo"]["karat"];
            Some(note["computed"].as_str().or(note["slices"].as_str())?.to_owned())
        };
        for slices in actions.filter_map(computed) {
            let named: Vec<NaiveDate> = slices.split(' ').filter_map(|word| word.parse().ok()).collect();
            let last = *named.last().unwrap();
            for day in named[0].iter_days().take_while(|day| *day <= last) {
                *counted.entry(day).or_default() += 1;
            }
        }
    }
    counted
}

#[test]
fn a_backfill_of_a_year_that_is_killed_ten_times_computes_no_day_twice() {
    let undisturbed = with_a_year();
    let start = Instant::now();
    complete(&undisturbed);
    let usual = start.elapsed();
    let folder = with_a_year();
    let (mut kills, mut in_the_middle) = (0, BTreeSet::new());
    while kills < KILLS && !is_released(&folder) {
        let mut child = backfill(&folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay(3000 + kills, usual / 5) + Duration::from_millis(50));
        child.kill().unwrap();
        child.wait().unwrap();
        let done: usize = TABLES[..2].iter().map(|table| commits_of_days(&folder, table).len()).sum();
        in_the_middle.insert(done);
        kills += 1;
    }
    assert!(
        in_the_middle.len() >= 3,
        "{kills} kills in {usual:?}, after which so many days were done: {in_the_middle:?}"
    );
    if !is_released(&folder) {
        complete(&folder);
    }
    let plain = with_a_year();
    plain.karat(&["run"]);
    assert_eq!(rows(&folder), rows(&plain));
    for table in &TABLES[..3] {
        let days = commits_of_days(&folder, table);
        assert_eq!(days.len() as u64, DAYS, "{table}");
        assert!(days.values().all(|commits| *commits == 1), "{table}: {days:?}");
    }
}
