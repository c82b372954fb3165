//! `karat verify` where a table's ledger and its files do not tell of the same slices.

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Value, json};

use super::project::Project;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Changes the lines of the first commit of the orders, which karat's own ledger belongs to.
fn rewrite(project: &Project, change: impl FnOnce(Vec<Value>) -> Vec<Value>) {
    let key = Path::from("shop/orders/_delta_log/00000000000000000000.json");
    let bytes = block_on(async { project.store.get(&key).await.unwrap().bytes().await.unwrap() });
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut lines = change(lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()).collect());
    // As another program would write it: without karat's checksum.
    for info in lines.iter_mut().filter_map(|line| line.get_mut("commitInfo")) {
        info.as_object_mut().unwrap().remove("karatCrc32").unwrap();
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    block_on(project.store.put(&key, PutPayload::from(text))).unwrap();
}

fn built() -> Project {
    let project = Project::new();
    assert_eq!(project.karat(&["run"]).code, 0);
    project
}

#[test]
fn rows_of_a_slice_without_an_entry_are_found() {
    let project = built();
    rewrite(&project, |mut lines| {
        let mut add = lines.iter().find(|line| line["add"].is_object()).unwrap().clone();
        add["add"]["partitionValues"]["day"] = json!("2030-01-01");
        lines.push(add);
        lines
    });
    let answer = project.karat(&["verify", "--sample", "all", "--select", "orders"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    for said in [
        "`orders` has rows in 1 slice without a record",
        "the slices are 2030-01-01",
        "karat run --full-refresh --select orders",
    ] {
        assert!(answer.talk.contains(said), "{said}: {}", answer.talk);
    }
    assert_eq!(project.karat(&["run", "--full-refresh", "--select", "orders"]).code, 0);
    let answer = project.karat(&["verify", "--sample", "all", "--select", "orders"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
}

#[test]
fn an_entry_of_rows_that_are_not_there_is_found() {
    let project = built();
    rewrite(&project, |mut lines| {
        let place = lines.iter().rposition(|line| line["add"].is_object()).unwrap();
        lines.remove(place);
        lines
    });
    let answer = project.karat(&["verify", "--sample", "all", "--select", "orders"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("do not hold the rows that karat wrote"), "{}", answer.talk);
}
