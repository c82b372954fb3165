//! Expressions and statements whose values DuckDB has computed: in a project of its dialect karat's are the same, or there is an
//! error.
//!
//! `tests/duckdb` holds them, and beside them the answers of DuckDB, which `tests/duckdb/regenerate` writes. What karat refuses
//! on purpose stands in the file of refusals.

use std::fs;

use crate::folder::{Folder, csv, repository};
use crate::postgresql::same;

fn read(name: &str) -> String {
    fs::read_to_string(repository().join("tests/duckdb").join(name)).unwrap()
}

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: compared\ndialect: duckdb\n");
    folder.write("models/silver/rows.sql", format!("{{{{ config(materialized='table') }}}}\n{}", read("rows.sql")));
    folder.karat(&["run"]);
    folder
}

/// The rows with bars between them and commas between their values, or what karat said.
fn answer(folder: &Folder, sql: &str) -> Result<String, String> {
    let answer = folder.try_karat(&["query", sql, "--output", "csv", "--limit", "0"]);
    assert!(!answer.printed.contains("panicked"), "{sql}: {}", answer.printed);
    if answer.code != 0 {
        return Err(answer.printed);
    }
    let rows = csv(&answer.out).into_iter().skip(1).map(|row| row.join(","));
    Ok(rows.collect::<Vec<_>>().join("|"))
}

/// Numbers may be written with other zeros.
fn are_same(ours: &str, theirs: &str) -> bool {
    let parts = |text: &str| text.split(['|', ',']).map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (parts(ours), parts(theirs));
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(ours, theirs)| same(ours, theirs))
}

fn compare(topic: &str, question: impl Fn(&str) -> String) {
    let folder = project();
    let asked = read(&format!("{topic}.txt"));
    let answers = read(&format!("{topic}.answers"));
    let refusals = read("refused");
    assert_eq!(asked.lines().count(), answers.lines().count(), "run tests/duckdb/regenerate");
    let complaints = asked.lines().zip(answers.lines()).filter_map(|(line, expected)| {
        let is_refused = refusals.lines().any(|refused| refused == line);
        match answer(&folder, &question(line)) {
            Ok(_) if is_refused => Some(format!("{line} is listed as refused, but has a value")),
            Ok(found) if expected != "error" && are_same(&found, expected) => None,
            Ok(found) => Some(format!("{line}\n karat: {found}\nDuckDB: {expected}")),
            Err(printed) if is_refused || expected == "error" => (!printed.contains("error")).then_some(printed),
            Err(printed) => Some(format!("{line}\nDuckDB: {expected}\n{printed}")),
        }
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "{} differ\n{}", complaints.len(), complaints.join("\n\n"));
}

#[test]
fn expressions_are_those_of_duckdb() {
    compare("expressions", |expression| {
        let window = if expression.contains("over w") { "window w as (order by n desc, id)" } else { "" };
        format!(
            "select coalesce(cast(({expression}) as varchar), '<null>') as value from silver.rows as v {window} order by id"
        )
    });
}

#[test]
fn statements_are_those_of_duckdb() {
    compare("statements", |statement| statement.replace("from rows", "from silver.rows"));
}
