//! `--defer`: what is read from another target, and that nothing is written there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::project::{Answer, Project};

const TARGETS: &str = "name: shop\ntarget: dev\ntargets:\n  prod: { lake: ./prod }\n  dev: { lake: ./dev, defer: prod }\n\
                       models:\n  +schema: shop\n";

fn two_targets() -> Project {
    let project = Project::new();
    project.write("project.yml", TARGETS);
    assert_eq!(project.karat_on_disk(&["build", "--target", "prod"]).code, 0);
    project
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

fn done(answer: &Answer) {
    assert_eq!(answer.code, 0, "{}", answer.talk);
}

#[test]
fn the_other_target_is_never_written_to_and_no_release_shows_its_tables() {
    let project = two_targets();
    let before = contents(&project.path().join("prod"));
    for words in [
        &["build", "--select", "daily"] as &[&str],
        &["run", "--select", "daily", "--full-refresh"],
        &["run", "--select", "total", "--favor-state"],
        &["test"],
        &["plan"],
        &["query", "select count(*) from {{ ref('orders') }}"],
        &["gc", "--yes"],
    ] {
        let answer = project.karat_on_disk(words);
        assert!(answer.code == 0, "{words:?}: {}", answer.talk);
    }
    assert_eq!(before, contents(&project.path().join("prod")));
    let releases = contents(&project.path().join("dev/_karat/releases"));
    let newest = releases.iter().rfind(|(name, _)| name.ends_with(".json")).unwrap().1;
    let newest: serde_json::Value = serde_json::from_slice(newest).unwrap();
    let tables: Vec<&String> = newest["tables"].as_object().unwrap().keys().collect();
    assert_eq!(tables, ["shop.daily", "shop.total"]);
}

#[test]
fn rows_are_those_that_were_released_and_the_next_run_knows_what_changed_since() {
    let project = two_targets();
    done(&project.karat_on_disk(&["run", "--select", "daily"]));
    let sql = "select cast(day as text) as day, amount from {{ ref('daily') }} order by day";
    let rows = |target: &str| project.karat_on_disk(&["query", sql, "--output", "csv", "--target", target]).out;
    assert_eq!(rows("dev"), rows("prod"));
    let first = fs::read_to_string(project.path().join("data/1.csv")).unwrap();
    let mut lines = first.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    project.write("data/2.csv", &format!("{header}\n{row}\n"));
    done(&project.karat_on_disk(&["run", "--target", "prod"]));
    let answer = project.karat_on_disk(&["run", "--select", "daily"]);
    done(&answer);
    assert!(answer.talk.contains("1 late row for"), "{}", answer.talk);
    assert_eq!(rows("dev"), rows("prod"));
    let answer = project.karat_on_disk(&["run", "--select", "daily"]);
    assert!(answer.talk.contains("1 unchanged"), "{}", answer.talk);
}

#[test]
fn what_stands_in_no_target_is_named_with_both() {
    let project = Project::new();
    project.write("project.yml", TARGETS);
    let answer = project.karat_on_disk(&["run", "--select", "daily"]);
    assert_eq!(answer.code, 1);
    assert!(answer.talk.contains("`shop.orders` has not been built yet, here or in target `prod`"), "{}", answer.talk);
}
