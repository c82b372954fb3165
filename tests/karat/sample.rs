//! This repository's own project from CSV files to gold, on dirty data, compared with the oracle and the manifest.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::folder::Folder;
use crate::oracle::{self, Table, Tables};

/// What the oracle calls otherwise than the models.
const OTHER_NAMES: [(&str, &str, &str); 1] = [("silver.rejected_interactions", "count", "rejected")];

/// Columns of floating-point numbers: the last bit depends on the order of summation.
const FLOATS: [&str; 8] = [
    "avg_dau",
    "stickiness",
    "stickiness_30d",
    "stickiness_month",
    "avg_duration_s",
    "median_duration_s",
    "p95_duration_s",
    "avg_actions",
];

const NULL: &str = "∅";

#[test]
fn every_table_of_the_dirty_sample_equals_the_oracle_and_a_second_build_changes_nothing() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "20000", "--days", "90", "--users", "300", "--seed", "11"]);
    folder.karat(&["build"]);
    check_all(&folder);
    check_manifest(&folder);

    let built = folder.files("lake");
    assert!(built.iter().any(|path| path.contains("/_delta_log/")), "{built:?}");
    folder.karat(&["build"]);
    assert_eq!(folder.files("lake"), built, "the second build was not a no-op");
}

#[test]
fn tables_built_in_many_parts_equal_the_oracle() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "6000", "--days", "40", "--users", "90", "--seed", "5"]);
    folder.karat(&["build", "--part-rows", "300"]);
    // More than one part wrote files, or this test would show nothing: `part-<step>-<part>-<attempt>.parquet`.
    let files = folder.files("lake/silver/fct_interactions");
    let wrote = |part: &str| files.iter().any(|path| path.rsplit('-').nth(1) == Some(part));
    assert!(wrote("0") && wrote("5"), "{files:?}");
    check_all(&folder);
}

#[test]
fn one_big_file_gives_the_same_silver_as_one_a_day() {
    let options = ["sample-data", "--rows", "3000", "--days", "20", "--users", "50", "--seed", "3"];
    let facts = |folder: &Folder| {
        folder.karat(&["run", "--select", "+fct_interactions"]);
        let mut rows = folder.query("select * from silver.fct_interactions");
        rows.sort();
        rows
    };
    let (daily, big) = (Folder::with_sample(), Folder::with_sample());
    daily.karat(&options);
    big.karat(&[options.as_slice(), &["--one-file", "--out", "big"]].concat());
    big.write("data/user_interactions/all.csv", fs::read(big.root().join("big/user_interactions.csv")).unwrap());
    assert_eq!(facts(&big), facts(&daily));
}

/// Compares every table that the oracle knows.
pub(crate) fn check_all(folder: &Folder) {
    let wrong = wrong_tables(folder);
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What is wrong with each table that the oracle knows; empty if all are right.
pub(crate) fn wrong_tables(folder: &Folder) -> String {
    let (expected, mut found) = (expected(folder), BTreeMap::new());
    let is_stored = |name: &&str| *name != "quarantine.counts";
    // A table of bad records is there once there are some.
    let is_there = |name: &&str, table: &Table| !name.starts_with("quarantine.") || !table.rows.is_empty();
    let compared: Vec<(&str, &Table)> = expected
        .by_name
        .iter()
        .filter(|(name, table)| is_stored(name) && is_there(name, table))
        .map(|(name, table)| (*name, table))
        .collect();
    for (name, row) in all_rows(folder, &compared) {
        found.entry(name).or_insert_with(Vec::new).push(row);
    }
    let differences = compared.into_iter().filter_map(|(name, table)| {
        let mut rows: Vec<Vec<String>> = found.remove(name).unwrap_or_default();
        rows.sort();
        difference(name, table, &rows)
    });
    differences.collect::<Vec<_>>().join("\n")
}

/// The rows of several tables by one query, in the oracle's columns and form, each with the table's name.
fn all_rows(folder: &Folder, tables: &[(&str, &Table)]) -> Vec<(String, Vec<String>)> {
    let widest = tables.iter().map(|(_, table)| table.columns.len()).max().unwrap_or(0);
    let texts = |(name, table): &(&str, &Table)| {
        let column = |place: usize| match table.columns.get(place) {
            Some(column) => format!("cast({} as text) as c{place}", own_name(name, column)),
            None => format!("null as c{place}"),
        };
        let columns: Vec<String> = (0..widest).map(column).collect();
        format!("select '{name}' as of_table, {} from {}", columns.join(", "), stored(name))
    };
    let sql = tables.iter().map(texts).collect::<Vec<_>>().join("\nunion all\n");
    let columns: BTreeMap<&str, &[&str]> =
        tables.iter().map(|(name, table)| (*name, table.columns.as_slice())).collect();
    let row = |mut row: Vec<String>| {
        let name = row.remove(0);
        let values = columns[name.as_str()].iter().zip(row).map(|(column, value)| canonical(column, &value));
        let values = values.collect();
        (name, values)
    };
    folder.query(&sql).into_iter().map(row).collect()
}

/// What karat calls a table of the oracle.
fn stored(name: &str) -> &str {
    match name {
        "quarantine.interactions" => "bronze.interactions_quarantine",
        "quarantine.users" => "bronze.users_quarantine",
        other => other,
    }
}

/// What karat calls a column of the oracle, in quotes.
fn own_name(name: &str, column: &str) -> String {
    let other = OTHER_NAMES.iter().find(|(table, theirs, _)| *table == name && *theirs == column);
    format!("\"{}\"", other.map_or(column, |(_, _, ours)| *ours))
}

/// What the oracle makes of the files that the project reads.
fn expected(folder: &Folder) -> Tables {
    let files = |source: &str| -> Vec<(String, Vec<u8>)> {
        let is_of_source = |path: &String| path.starts_with(&format!("data/{source}")) && path.ends_with(".csv");
        let paths = folder.files("data").into_iter().filter(is_of_source);
        paths.map(|path| (path.clone(), fs::read(folder.root().join(path)).unwrap())).collect()
    };
    let (interactions, users) = (files("user_interactions"), files("user_metadata"));
    assert!(!interactions.is_empty() && !users.is_empty(), "no files in {:?}", folder.files("data"));
    oracle::compute(&interactions, &users)
}

/// What is wrong with a table, if anything, given the rows that it holds, in order.
fn difference(name: &str, table: &Table, found: &[Vec<String>]) -> Option<String> {
    let differ = |(expected, found): &(&Vec<String>, &Vec<String>)| !same_row(&table.columns, expected, found);
    let first = table.rows.iter().zip(found).find(differ);
    if first.is_none() && table.rows.len() == found.len() {
        return None;
    }
    let counts = format!("{} rows expected, {} found", table.rows.len(), found.len());
    let stored = stored(name);
    Some(match first {
        Some((expected, found)) => {
            let [columns, expected, found] = [table.columns.join("|"), expected.join("|"), found.join("|")];
            format!(
                "{stored}: {counts}; first difference\n  columns  {columns}\n  expected {expected}\n  found    {found}"
            )
        }
        None => format!("{stored}: {counts}"),
    })
}

/// A value as the oracle writes it. Nowhere in the sample an empty text is anything else than null.
fn canonical(column: &str, value: &str) -> String {
    if value.is_empty() {
        return NULL.to_owned();
    }
    if FLOATS.contains(&column) {
        return value.parse::<f64>().map_or(value.to_owned(), |number| format!("{number:?}"));
    }
    match value.split_once(['T', ' ']) {
        Some((date, time)) if date.len() == 10 && time.get(2..3) == Some(":") && time.get(5..6) == Some(":") => {
            let seconds = time.split('.').next().unwrap_or(time);
            format!("{date} {}", seconds.trim_end_matches('Z'))
        }
        _ => value.to_owned(),
    }
}

fn same_row(columns: &[&str], expected: &[String], found: &[String]) -> bool {
    let same = |((column, expected), found): ((&&str, &String), &String)| {
        let numbers = (expected.parse::<f64>(), found.parse::<f64>());
        match numbers {
            (Ok(expected), Ok(found)) if FLOATS.contains(column) => {
                (expected - found).abs() <= 1e-6 * expected.abs().max(1.0)
            }
            _ => expected == found,
        }
    };
    columns.iter().zip(expected).zip(found).all(same)
}

/// Lines read = rows + quarantined, and every kind of dirt ends where the manifest says.
fn check_manifest(folder: &Folder) {
    let path = folder.files("data").into_iter().find(|path| path.ends_with("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(folder.root().join(path)).unwrap()).unwrap();
    for (source, table) in [("user_interactions", "interactions"), ("user_metadata", "users")] {
        let written = &manifest[source];
        let rows = counts(folder, &format!("select 'rows', count(*) from bronze.{table}"))["rows"];
        let by_reason =
            counts(folder, &format!("select reason, count(*) from bronze.{table}_quarantine group by reason"));
        assert_eq!(by_reason, numbers(&written["quarantined_by_reason"]), "{source}");
        assert_eq!(rows + by_reason.values().sum::<u64>(), written["records"].as_u64().unwrap(), "{source}");
        assert!(!by_reason.is_empty(), "{source} has nothing to quarantine");
    }
    let expected = &manifest["expected"];
    let rejected = "select reason, sum(rejected) from silver.rejected_interactions group by reason";
    let statuses = "select duration_status, count(*) from silver.fct_interactions group by duration_status";
    assert_eq!(counts(folder, rejected), numbers(&expected["rejected"]));
    assert_eq!(counts(folder, statuses), numbers(&expected["duration_status"]));
    let unknown = "select 'unknown', count(*) from silver.fct_interactions as f \
                   left anti join silver.dim_users as u on u.user_id = f.user_id";
    assert_eq!(counts(folder, unknown)["unknown"], expected["unknown_users"].as_u64().unwrap());
    let users = counts(folder, "select 'users', count(*) from silver.dim_users")["users"];
    assert_eq!(users, expected["dim_users"].as_u64().unwrap());
}

/// The rows of a query for a word and a number.
fn counts(folder: &Folder, sql: &str) -> BTreeMap<String, u64> {
    folder.query(sql).into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
}

fn numbers(object: &Value) -> BTreeMap<String, u64> {
    let entries = object.as_object().unwrap().iter();
    entries.map(|(word, number)| (word.clone(), number.as_u64().unwrap())).collect()
}
