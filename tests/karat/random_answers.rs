//! Random expressions whose values PostgreSQL has computed: karat's are the same, or it refuses the expression before it
//! reads a row.
//!
//! `tests/postgresql/random.txt` and `random_groups.txt` hold what `random_expressions/` makes of a seed, one of every
//! row and the other of groups; `regenerate` writes the answers of a server beside them.

use std::collections::BTreeSet;
use std::fs;

use crate::folder::{Folder, repository};
use crate::postgresql::{read, same};
use crate::random_expressions::expressions;

/// Expressions of one form.
struct Topic {
    name: &'static str,
    seed: u64,
    kinds: &'static [&'static str],
    count: usize,
    /// What stands behind the SELECT list.
    rest: &'static str,
    /// The least share that has values, in percent: were all refused, nothing would be compared.
    least_answered: usize,
}

const ROWS: Topic = Topic {
    name: "random",
    seed: 1,
    kinds: &["int", "num", "dbl", "text", "bool", "date", "ts", "iv", "text", "bool", "win"],
    count: 1_500,
    rest: "order by id",
    least_answered: 95,
};

const GROUPS: Topic = Topic {
    name: "random_groups",
    seed: 2,
    kinds: &["agg"],
    count: 400,
    rest: "group by g order by g",
    least_answered: 95,
};

/// Expressions that are planned and computed at once: each query costs much more than an expression.
const BATCH: usize = 25;

/// What an expression came to.
enum Answer {
    /// Its type and its values.
    Values(String, Vec<String>),
    /// What karat said before it read a row.
    Refused,
    /// What it said at some row.
    Failed(String),
}

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: compared\n");
    for (name, materialized) in [("stored", "table"), ("inlined", "view")] {
        let text = format!("{{{{ config(materialized='{materialized}') }}}}\n{}", read("random_rows.sql"));
        folder.write(&format!("models/silver/{name}.sql"), text);
    }
    folder.karat(&["run"]);
    folder
}

/// The answers to some expressions: of all at once, or of halves where that fails.
fn answers(folder: &Folder, topic: &Topic, table: &str, expressions: &[&str]) -> Vec<Answer> {
    let columns = expressions.iter().enumerate().map(|(number, expression)| {
        let value = format!("coalesce(cast(({expression}) as text), '<null>') as v{number}");
        format!("{value}, arrow_typeof(({expression})) as k{number}")
    });
    let columns: Vec<String> = columns.collect();
    let sql = format!("select {} from {table} as v {}", columns.join(", "), topic.rest);
    let answer = folder.try_karat(&["query", &sql, "--output", "json", "--limit", "0"]);
    if answer.code == 0 {
        let rows: Vec<serde_json::Value> = answer.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let text = |row: &serde_json::Value, name: String| row[name].as_str().unwrap().to_owned();
        let of_one = |number: usize| {
            let values = rows.iter().map(|row| text(row, format!("v{number}"))).collect();
            Answer::Values(text(&rows[0], format!("k{number}")), values)
        };
        return (0..expressions.len()).map(of_one).collect();
    }
    if expressions.len() == 1 {
        let failed = answer.printed.contains("error[run-failed]");
        return vec![if failed { Answer::Failed(answer.printed) } else { Answer::Refused }];
    }
    let (left, right) = expressions.split_at(expressions.len() / 2);
    let mut found = answers(folder, topic, table, left);
    found.extend(answers(folder, topic, table, right));
    found
}

/// The kind of a type, by PostgreSQL's name or by the engine's. All integers are one: literals have 64 bits here.
fn kind(name: &str) -> &str {
    let word = name.split(['(', ' ']).next().unwrap_or(name);
    match word {
        "smallint" | "integer" | "bigint" | "Int16" | "Int32" | "Int64" | "UInt64" => "integer",
        "numeric" | "Decimal128" => "numeric",
        "real" | "double" | "Float32" | "Float64" => "floating",
        "text" | "unknown" | "character" | "Utf8" | "Utf8View" | "LargeUtf8" => "text",
        "boolean" | "Boolean" => "boolean",
        // A timestamp at midnight is equal to the date.
        "date" | "Date32" | "timestamp" | "Timestamp" => "time",
        "interval" | "Interval" | "Duration" => "interval",
        other => other,
    }
}

/// What is wrong with an answer; `None` if nothing is.
fn complaint(answer: &Answer, expected: &str) -> Option<String> {
    let fails = expected == "error";
    match answer {
        Answer::Refused => None,
        Answer::Failed(printed) if fails && !printed.contains("panicked") => None,
        // Years beyond 9999 and before 1 are none of karat's.
        Answer::Failed(printed) if printed.contains("outside the years 1 to 9999") => None,
        Answer::Failed(printed) => Some(printed.trim().to_owned()),
        Answer::Values(_, values) if fails => Some(values.join("|")),
        Answer::Values(found, values) => {
            let mut wanted = expected.split('|');
            let wanted_type = wanted.next().unwrap_or_default();
            let wanted: Vec<&str> = wanted.collect();
            let is_same = kind(found) == kind(wanted_type)
                && wanted.len() == values.len()
                && values.iter().zip(&wanted).all(|(ours, theirs)| same(ours, theirs));
            (!is_same).then(|| format!("{found}|{}", values.join("|")))
        }
    }
}

fn compare(topic: &Topic) {
    let made = expressions(topic.seed, topic.kinds, topic.count).join("\n") + "\n";
    let file = format!("{}.txt", topic.name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(repository().join("tests/postgresql").join(&file), &made).unwrap();
    }
    assert!(made == read(&file), "write the expressions with UPDATE=1, and run tests/postgresql/regenerate");
    let made: Vec<&str> = made.lines().collect();
    let expected = read(&format!("{}.answers", topic.name));
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(made.len(), expected.len(), "run tests/postgresql/regenerate");
    let known_refusals = read(&format!("{}.refused", topic.name));
    let known_refusals: BTreeSet<&str> = known_refusals.lines().collect();
    // What fails stands alone: it would take a whole batch with it.
    let pairs = made.iter().copied().zip(expected.iter().copied());
    let (alone, together): (Vec<_>, Vec<_>) =
        pairs.partition(|(expression, expected)| *expected == "error" || known_refusals.contains(expression));
    let folder = project();
    let mut wrong = Vec::new();
    let mut refused = BTreeSet::new();
    for (number, batch) in together.chunks(BATCH).chain(alone.chunks(1)).enumerate() {
        let table = if number % 2 == 0 { "silver.stored" } else { "silver.inlined" };
        let expressions: Vec<&str> = batch.iter().map(|(expression, _)| *expression).collect();
        for ((expression, expected), answer) in batch.iter().zip(answers(&folder, topic, table, &expressions)) {
            if let Answer::Refused = &answer
                && *expected != "error"
            {
                refused.insert(*expression);
            }
            if let Some(complaint) = complaint(&answer, expected) {
                wrong.push(format!("{table}: {expression}\n     karat: {complaint}\nPostgreSQL: {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} answers differ\n{}", wrong.len(), made.len(), wrong.join("\n\n"));
    let listed: BTreeSet<&str> = refused.iter().copied().filter(|refused| !known_refusals.contains(refused)).collect();
    assert!(listed.is_empty(), "refused, and not listed in {}.refused: {listed:#?}", topic.name);
    let answered = made.len() - refused.len();
    assert!(answered * 100 >= made.len() * topic.least_answered, "only {answered} of {} have values", made.len());
}

#[test]
fn random_expressions_of_rows_are_those_of_postgresql() {
    compare(&ROWS);
}

#[test]
fn random_expressions_of_groups_are_those_of_postgresql() {
    compare(&GROUPS);
}
