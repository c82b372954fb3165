//! At any lateness one plain run rebuilds just the slices that late rows truly affect: what it rebuilt is what its commits
//! tell, and what was affected follows from the rules below and the tables' Parquet files, not from karat's planning.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chrono::{Days, NaiveDate};

use crate::folder::Folder;
use crate::late_rows::{Contents, RULES, Slices, affected, changed, contents, log};

const LAST_DAY: &str = "2023-02-14";

/// What runs rebuilt, what was affected, and where that differs.
#[derive(Default)]
struct Found {
    rebuilt: usize,
    affected: usize,
    differences: Vec<String>,
}

#[test]
fn late_rows_of_users_who_were_active_on_the_day_rebuild_what_they_affect() {
    check(&[0, 1, 2, 3, 7, 14, 29, 30], |day, file| {
        let of_day = file.lines().filter(|line| line.starts_with('U') && line.contains(&format!(",{day} ")));
        let users: BTreeSet<&str> = of_day.filter_map(|line| line.split(',').next()).collect();
        // One in the middle of the day, one that may be part of a session that goes on after midnight.
        let rows =
            |user: &&str| format!("{user},{day} 11:00:00,edit,P1,700,5.2.1\n{user},{day} 23:50:00,edit,P1,700,5.2.1\n");
        users.iter().take(3).map(rows).collect()
    });
}

#[test]
fn late_rows_of_somebody_whom_no_other_day_has_rebuild_what_they_affect() {
    check(&[0, 14, 30, 40], |day, _| format!("U777777,{day} 11:00:00,edit,P1,700,5.2.1\n"));
}

/// Writes late rows, given their day and what the file of that day holds, into lakes that were built without them. For each
/// lateness, which is counted in days before the last one, there is a lake.
fn check(latenesses: &[u64], rows: impl Fn(NaiveDate, &str) -> String + Sync) {
    let base = Folder::with_sample();
    base.karat(&["sample-data", "--rows", "3000", "--days", "45", "--users", "60", "--seed", "3"]);
    base.karat(&["run", "--quiet"]);
    let before = contents(&base);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let live = |late: &u64| arrive(Folder::like(&base), &before, *late, &rows);
    let all: Vec<Found> = std::thread::scope(|scope| {
        let parts = latenesses.chunks(latenesses.len().div_ceil(cores));
        let threads: Vec<_> = parts.map(|part| scope.spawn(|| part.iter().map(live).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |of: fn(&Found) -> usize| all.iter().map(of).sum::<usize>();
    let figures = format!("{} slices rebuilt, {} affected", sum(|found| found.rebuilt), sum(|found| found.affected));
    let differences: Vec<&str> = all.iter().flat_map(|found| &found.differences).map(String::as_str).collect();
    assert!(differences.is_empty(), "{figures}\n{}", differences.join("\n"));
}

/// Late rows come, and karat runs.
fn arrive(folder: Folder, before: &Contents, late: u64, rows: impl Fn(NaiveDate, &str) -> String) -> Found {
    let day = LAST_DAY.parse::<NaiveDate>().unwrap() - Days::new(late);
    let file = fs::read(folder.root().join(format!("data/user_interactions/{day}.csv"))).unwrap();
    let rows = rows(day, &String::from_utf8_lossy(&file));
    let header = "user_id,timestamp,action_type,page_id,duration_ms,app_version";
    folder.write(&format!("data/user_interactions/late-{late}.csv"), format!("{header}\n{rows}"));
    folder.karat(&["run", "--quiet"]);
    let told: BTreeMap<&str, String> = RULES.iter().map(|(table, _)| (*table, told(&folder, table))).collect();
    assert_eq!(["bronze.users", "silver.dim_users"].map(|table| log(&folder, table).len()), [1, 1], "of no day");
    let after = contents(&folder);
    // What no window and no decision about slices has touched.
    folder.karat(&["run", "--quiet", "--full-refresh"]);
    let truth = contents(&folder);
    let changed = |table: &str| changed(&before[table], &truth[table]);
    assert!(!changed("gold.sessions").is_empty(), "{late} days late: the rows add nothing");
    let mut found = Found::default();
    for (table, inputs) in RULES {
        let what = format!("{late} days late: {table}");
        assert!(after[table] == truth[table], "{what} is not what a full refresh produces of it");
        let affected: Slices = match inputs {
            [] => [day].into(),
            _ => affected(inputs, changed).into_iter().filter(|slice| truth[table].contains_key(slice)).collect(),
        };
        assert!(changed(table).is_subset(&affected), "{what}: {:?} changed beyond the rules", changed(table));
        let (told, expected) = (&told[table], as_told(&affected));
        found.rebuilt += count(told);
        found.affected += affected.len();
        if *told != expected {
            found.differences.push(format!("{what}: rebuilt {told}, affected {expected}: {affected:?}"));
        }
    }
    found
}

/// The slices that the second commit of a table rebuilt, as its note tells them; the first one built the table.
fn told(folder: &Folder, table: &str) -> String {
    let log = log(folder, table);
    assert!(log.len() <= 2, "{table} has {} versions", log.len());
    let Some(commit) = log.get(1) else { return as_told(&Slices::new()) };
    let note = commit.iter().map(|action| &action["commitInfo"]["karat"]).find(|note| note.is_object()).unwrap();
    // Where that is not said, those were computed that changed.
    note["computed"].as_str().or(note["slices"].as_str()).unwrap().to_owned()
}

/// As the note of a commit tells slices: where it leaves some out between, their number says so.
fn as_told(slices: &Slices) -> String {
    match (slices.len(), slices.first(), slices.last()) {
        (1, Some(slice), _) => slice.to_string(),
        (count, Some(first), Some(last)) => format!("{count} slices from {first} to {last}"),
        _ => "none".to_owned(),
    }
}

fn count(told: &str) -> usize {
    match told.split_once(" slices from ") {
        Some((count, _)) => count.parse().unwrap(),
        None => usize::from(told != "none"),
    }
}
