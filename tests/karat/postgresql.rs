//! Expressions whose values PostgreSQL has computed: karat's are the same, or there is an error.
//!
//! `tests/postgresql` holds a file of expressions for each topic, and beside it the answers of a PostgreSQL server, which
//! `tests/postgresql/regenerate` writes. What karat refuses on purpose stands in the topic's file of refusals.

use std::fs;

use crate::folder::{Folder, repository};

/// The rows over which every expression is computed, and the ways to them: constants, which are folded while a plan is
/// made, a table that was written and read again, and a model that is put in place where it is used.
const WAYS: [&str; 3] = ["(constants)", "silver.stored", "silver.inlined"];

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(repository().join("tests/postgresql").join(name)).unwrap_or_default()
}

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: compared\n");
    for (name, materialized) in [("stored", "table"), ("inlined", "view")] {
        let text = format!("{{{{ config(materialized='{materialized}') }}}}\n{}", read("rows.sql"));
        folder.write(&format!("models/silver/{name}.sql"), text);
    }
    folder.karat(&["run"]);
    folder
}

/// The values of all rows with bars between them, or `error` with what karat said.
fn answer(folder: &Folder, expression: &str, way: &str) -> Result<Vec<String>, String> {
    let rows = if way == WAYS[0] { format!("({})", read("rows.sql")) } else { way.to_owned() };
    let sql = format!("select coalesce(cast(({expression}) as text), '<null>') as value from {rows} as v order by id");
    let answer = folder.try_karat(&["query", &sql, "--output", "json", "--limit", "0"]);
    if answer.code != 0 {
        assert!(!answer.printed.contains("panicked"), "{expression}: {}", answer.printed);
        return Err(answer.printed);
    }
    let rows = answer.out.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        Ok(row["value"].as_str().unwrap_or_default().to_owned())
    });
    rows.collect()
}

/// Texts are equal; numbers may be written with other zeros.
pub(crate) fn same(ours: &str, theirs: &str) -> bool {
    let numbers = ours.parse::<f64>().ok().zip(theirs.parse::<f64>().ok());
    ours == theirs || numbers.is_some_and(|(ours, theirs)| (ours - theirs).abs() <= theirs.abs() * 1e-12 + 1e-15)
}

/// What is wrong with the values of one expression; `None` if nothing is.
fn complaint(folder: &Folder, expression: &str, expected: &str, is_refused: bool) -> Option<String> {
    let complaints = WAYS.iter().filter_map(|way| {
        let found = answer(folder, expression, way);
        match found {
            Ok(_) if is_refused => Some(format!("{way}: {expression} is listed as refused, but has a value")),
            Ok(values) => {
                let wanted: Vec<&str> = expected.split('|').collect();
                let found = values.join("|");
                let found: Vec<&str> = found.split('|').collect();
                let is_same =
                    wanted.len() == found.len() && found.iter().zip(&wanted).all(|(ours, theirs)| same(ours, theirs));
                (!is_same)
                    .then(|| format!("{way}: {expression}\n     karat: {}\nPostgreSQL: {expected}", found.join("|")))
            }
            Err(_) if is_refused || expected == "error" => None,
            Err(printed) => Some(format!("{way}: {expression}\nPostgreSQL: {expected}\n{printed}")),
        }
    });
    let complaints: Vec<String> = complaints.collect();
    (!complaints.is_empty()).then(|| complaints.join("\n"))
}

fn compare(topic: &str) {
    let folder = project();
    let expressions = read(&format!("{topic}.txt"));
    let answers = read(&format!("{topic}.answers"));
    let refusals = read(&format!("{topic}.refused"));
    assert!(!expressions.is_empty());
    assert_eq!(expressions.lines().count(), answers.lines().count(), "run tests/postgresql/regenerate");
    let wrong: Vec<String> = expressions
        .lines()
        .zip(answers.lines())
        .filter_map(|(expression, expected)| {
            let is_refused = refusals.lines().any(|refused| refused == expression);
            complaint(&folder, expression, expected, is_refused)
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} expressions differ\n{}",
        wrong.len(),
        answers.lines().count(),
        wrong.join("\n\n")
    );
}

#[test]
fn times_are_those_of_postgresql() {
    compare("time");
}

#[test]
fn numbers_are_those_of_postgresql() {
    compare("numbers");
}

#[test]
fn types_are_those_of_postgresql() {
    compare("types");
}

#[test]
fn patterns_are_those_of_postgresql() {
    compare("patterns");
}
