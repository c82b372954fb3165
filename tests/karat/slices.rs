//! Built in one go or day by day as the files arrive: the same rows.

use std::fs;

use chrono::{Datelike, Days, NaiveDate};

use crate::folder::{Folder, copy};

/// Files that are there before the first run; the others come one a day.
const FIRST: usize = 33;
const DAILY: usize = 37;

/// A row comes up to a week late, and a session is looked for within two more days.
const STILL_CHANGING: u64 = 9;

/// Every stored table of the sample.
pub(crate) const TABLES: [&str; 21] = [
    "bronze.interactions",
    "bronze.interactions_quarantine",
    "bronze.users",
    "silver.fct_interactions",
    "silver.rejected_interactions",
    "silver.dim_users",
    "silver.user_days",
    "gold.daily_active_users",
    "gold.dau_by_country",
    "gold.dau_by_device",
    "gold.dau_by_subscription",
    "gold.reporting_days",
    "gold.users_by_month",
    "gold.users_trailing_30d",
    "gold.monthly_active_users",
    "gold.mau_trailing_30d",
    "gold.sessions",
    "gold.sessions_midnight",
    "gold.daily_session_metrics",
    "gold.daily_session_metrics_midnight",
    "bronze.users_quarantine",
];

#[test]
fn thirty_seven_daily_runs_after_a_first_bulk_give_the_rows_of_one_build() {
    let whole = Folder::with_sample();
    let days = (FIRST + DAILY).to_string();
    whole.karat(&["sample-data", "--rows", "6000", "--days", &days, "--users", "120", "--seed", "5"]);
    let files = whole.files("data/user_interactions");
    assert_eq!(files.len(), FIRST + DAILY);

    let sliced = Folder::with_sample();
    let arrive = |file: &String| copy(&whole.root().join(file), &sliced.root().join(file));
    whole.files("data").iter().filter(|file| file.contains("user_metadata")).for_each(arrive);
    let (first, daily) = files.split_at(FIRST);
    first.iter().for_each(arrive);
    sliced.karat(&["run", "--quiet"]);
    for file in daily {
        arrive(file);
        let day = day_of(file);
        let is_last_of_month = (day + Days::new(1)).day() == 1 || file == &files[files.len() - 1];
        let start = if is_last_of_month { month_before(day) } else { day - Days::new(STILL_CHANGING) };
        sliced.karat(&["run", "--quiet", "--start", &start.to_string(), "--end", &day.to_string()]);
    }

    whole.karat(&["run", "--quiet"]);
    for table in TABLES {
        let (expected, found) = (rows(&whole, table), rows(&sliced, table));
        let first = expected.iter().zip(&found).find(|(expected, found)| expected != found);
        assert!(expected == found, "{table}: {} rows expected, {} found, {first:?}", expected.len(), found.len());
    }
    // What was made of the files of earlier days cannot be made again of the files of today: the models on top of the
    // bronze tables can.
    for folder in [&whole, &sliced] {
        let answer = folder.karat(&["verify", "--windows", "--sample", "12", "--exclude", "bronze"]);
        assert!(!answer.printed.contains("cannot be verified"), "{}", answer.printed);
    }
}

#[test]
fn a_range_leaves_the_other_slices_alone() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "1500", "--days", "10", "--users", "30", "--seed", "2"]);
    folder.karat(&["run", "--quiet", "--select", "+fct_interactions"]);
    let before = folder.files("lake/silver/fct_interactions");
    let range = ["run", "--select", "fct_interactions", "--start", "2023-01-04", "--end", "2023-01-05"];
    folder.karat(&range);
    let parquet =
        |files: &[String]| files.iter().filter(|path| path.ends_with(".parquet")).cloned().collect::<Vec<_>>();
    let same = folder.files("lake/silver/fct_interactions");
    assert_eq!(parquet(&same), parquet(&before), "rows that come out as they were stay where they are");
    folder.karat(&[&range[..], &["--vars", "longest_duration_ms: 60000"]].concat());
    let after = folder.files("lake/silver/fct_interactions");
    // A replaced file stays on disk for readers of the old version, so only new ones tell what was built.
    let new: Vec<&String> = after.iter().filter(|path| path.ends_with(".parquet") && !before.contains(path)).collect();
    let is_asked_for = |path: &str| path.contains("event_date=2023-01-04/") || path.contains("event_date=2023-01-05/");
    assert!(!new.is_empty() && new.iter().all(|path| is_asked_for(path)), "{new:#?}");
    let log = after.iter().find(|path| path.ends_with("00000000000000000001.json")).unwrap();
    let commit = fs::read_to_string(folder.root().join(log)).unwrap();
    assert!(!commit.contains("2023-01-03") && !commit.contains("2023-01-06"), "{commit}");
}

/// The rows of a table, sorted. A range of days has no place for records without a day: a run of everything takes
/// those in, so they are left out here.
fn rows(folder: &Folder, table: &str) -> Vec<String> {
    let filter = match table {
        "bronze.interactions" | "silver.rejected_interactions" => " where event_date is not null",
        _ => "",
    };
    let rows = folder.query(&format!("select * from {table}{filter}"));
    let mut rows: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
    rows.sort();
    rows
}

/// `data/user_interactions/2023-02-03.csv`
fn day_of(file: &str) -> NaiveDate {
    let name = file.rsplit('/').next().unwrap();
    name.trim_end_matches(".csv").parse().unwrap()
}

/// The first day of the month before, into which late rows may fall.
fn month_before(day: NaiveDate) -> NaiveDate {
    let last = day.with_day(1).unwrap() - Days::new(1);
    last.with_day(1).unwrap()
}
