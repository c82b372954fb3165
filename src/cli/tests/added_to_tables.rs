//! What `karat verify` can show of tables that add to their past, and what a batch makes of rows that others have written.

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Value, json};

use super::project::Project;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The sums of days, of which a batch changes the amount alone.
fn with_sums(config: &str) -> Project {
    let project = Project::new();
    project.write("data/1.csv", "day,amount\n2023-05-01,10\n2023-05-02,20\n");
    let merge = "materialized='incremental', incremental_strategy='merge', unique_key='day', partition_by='day'";
    project.write(
        "models/sums.sql",
        &format!(
            "{{{{ config({merge}{config}) }}}}\nselect day, sum(amount) as amount, count(*) as n from {{{{ ref('orders') }}}} group by day"
        ),
    );
    assert_eq!(project.karat(&["run"]).code, 0);
    project
}

/// The files that the first commit of the sums has added.
fn added(project: &Project) -> Vec<Value> {
    let key = Path::from("shop/sums/_delta_log/00000000000000000000.json");
    let bytes = block_on(async { project.store.get(&key).await.unwrap().bytes().await.unwrap() });
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    lines.filter_map(|line| line.get("add").cloned()).collect()
}

fn place(file: &Value) -> Path {
    Path::parse(format!("shop/sums/{}", file["path"].as_str().unwrap())).unwrap()
}

#[test]
fn a_merge_that_does_not_read_itself_is_not_compared_with_a_full_refresh() {
    let project = with_sums("");
    // The row of the second of May stays, and a full refresh would not make it.
    project.write("data/1.csv", "day,amount\n2023-05-01,11\n");
    assert_eq!(project.karat(&["run"]).code, 0);
    let answer = project.karat(&["verify", "--select", "sums"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    for said in
        ["it is an accumulating table", "its files hold the rows that were recorded", "each row has its own `day`"]
    {
        assert!(answer.talk.contains(said), "{said}: {}", answer.talk);
    }
    assert!(answer.talk.contains("nothing verified"), "{}", answer.talk);
}

#[test]
fn files_that_hold_other_rows_than_were_recorded_are_found() {
    let project = with_sums("");
    let files = added(&project);
    assert_eq!((files.len(), &files[0]["size"]), (2, &files[1]["size"]), "files that can stand for each other");
    let read = |file: &Value| block_on(async { project.store.get(&place(file)).await.unwrap().bytes().await.unwrap() });
    let (one, other) = (read(&files[0]), read(&files[1]));
    for (file, bytes) in [(&files[0], other), (&files[1], one)] {
        block_on(project.store.put(&place(file), PutPayload::from(bytes))).unwrap();
    }
    let answer = project.karat(&["verify", "--select", "sums"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("the files of `sums` do not hold the rows that karat wrote"), "{}", answer.talk);
    assert!(answer.talk.contains("they hold 2 rows, and 2 rows were recorded"), "{}", answer.talk);
}

#[test]
fn a_key_that_another_program_has_written_twice_is_found_and_keeps_no_values() {
    let project = with_sums(", merge_exclude_columns='n'");
    let mut copy = added(&project)[0].clone();
    let from = place(&copy);
    copy["path"] = json!(copy["path"].as_str().unwrap().replace("part-", "copy-"));
    block_on(project.store.copy(&from, &place(&copy))).unwrap();
    let text = format!("{}\n", json!({ "add": copy }));
    let next = Path::from("shop/sums/_delta_log/00000000000000000001.json");
    block_on(project.store.put(&next, PutPayload::from(text))).unwrap();

    let answer = project.karat(&["verify", "--select", "sums"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("`unique_key` does not identify the rows in the table of `sums`"), "{}", answer.talk);

    project.write("data/1.csv", "day,amount\n2023-05-01,11\n2023-05-02,20\n");
    let answer = project.karat(&["run", "--select", "orders", "sums"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("`unique_key` does not identify the rows in the table of `sums`"), "{}", answer.talk);
    assert!(answer.talk.contains("`day` is `2023-05-01`: 2 rows"), "{}", answer.talk);
    assert!(answer.talk.contains("karat run --full-refresh --select sums"), "{}", answer.talk);
    assert_eq!(project.karat(&["run", "--full-refresh", "--select", "sums"]).code, 0);
    assert_eq!(project.karat(&["verify", "--select", "sums"]).code, 0);
}
