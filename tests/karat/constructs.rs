//! SQL as analysts write it: each construct runs, or its error stands at a place and says what to write instead.
//!
//! `tests/constructs/constructs.txt` holds them by groups, each with karat's answer below it. `UPDATE=1` writes the answers anew.

use std::fs;

use crate::folder::{Folder, repository};

const ORDERS: &str = "select * from (values
    (1, 1, cast(10.50 as decimal(10, 2)), 2, 'placed', timestamp '2024-01-31 10:15:30', date '2024-01-31', array['a', 'b'], 'first'),
    (2, 1, cast(7.25 as decimal(10, 2)), 1, 'returned', timestamp '2024-02-29 23:59:59', date '2024-02-29', array['b'], null),
    (3, 2, cast(20.00 as decimal(10, 2)), 3, 'placed', timestamp '2024-03-10 00:00:00', date '2024-03-10', array['c', 'a'], 'third')
) as v (id, user_id, amount, qty, status, ordered_at, day, tags, note)";

const USERS: &str = "select * from (values
    (1, 'ann', date '2024-01-01'), (2, 'bob', date '2024-02-01'), (4, 'eve', date '2024-03-01')
) as v (id, name, created_on)";

/// What karat says to one construct: the rows on a line, or each error with its place and its remedy.
fn answer(folder: &Folder, sql: &str) -> String {
    let answer = folder.try_karat(&["query", sql, "--output", "json", "--limit", "0"]);
    assert!(!answer.printed.contains("panicked"), "{sql}\n{}", answer.printed);
    if answer.code == 0 {
        // Where the SQL gives no order, rows come in any.
        let mut rows: Vec<&str> = answer.out.lines().collect();
        if !sql.contains("order by") {
            rows.sort_unstable();
        }
        return rows.join(" ");
    }
    let errors = answer.printed.split("\nerror[").map(|error| {
        let error = error.trim_start_matches("error[");
        let place = error.lines().find_map(|line| line.trim_start().strip_prefix("--> <query>:")).unwrap_or("nowhere");
        let help = error.lines().find_map(|line| line.trim_start().strip_prefix("= help: ")).unwrap_or("no help");
        format!("error at {place}: {} -> {help}", error.lines().next().unwrap_or_default().replacen("]: ", ": ", 1))
    });
    errors.collect::<Vec<_>>().join(" / ")
}

#[test]
fn every_construct_runs_or_has_a_remedy_at_its_place() {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\n");
    folder.write("models/s/orders.sql", format!("{{{{ config(materialized='view') }}}}\n{ORDERS}\n"));
    folder.write("models/s/users.sql", format!("{{{{ config(materialized='view') }}}}\n{USERS}\n"));
    let path = repository().join("tests/constructs/constructs.txt");
    let kept = fs::read_to_string(&path).unwrap();
    let mut told = String::new();
    let mut without_remedy = Vec::new();
    let mut count = 0;
    for line in kept.lines().filter(|line| !line.starts_with("    ")) {
        told.push_str(line);
        told.push('\n');
        if line.starts_with("# ") || line.is_empty() {
            continue;
        }
        count += 1;
        let answer = answer(&folder, line);
        if answer.contains("error at nowhere") || answer.contains("-> no help") {
            without_remedy.push(line);
        }
        told.push_str(&format!("    {answer}\n"));
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &told).unwrap();
        return;
    }
    assert!(count > 212, "{count} constructs");
    // An error that only the values show has no place.
    assert_eq!(without_remedy, ["select 1/0 as x"]);
    for (now, before) in told.lines().zip(kept.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(told.lines().count(), kept.lines().count());
}
