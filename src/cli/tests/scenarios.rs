//! Scenarios that must hold, each as a whole run of a small project.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde_json::{Value, json};

use super::project::{Answer, Project};
use crate::name::{SchemaName, TableName};
use crate::store::faults::{Fault, FaultPlan, FaultStore, Operation, Waits};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A run on whose way to the store something goes wrong.
fn disturbed(project: &Project, plan: FaultPlan) -> Answer {
    let wire = Arc::new(FaultStore::new(Arc::clone(&project.store), plan).waiting(Waits::short()));
    project.karat_on(&(wire as Arc<dyn ObjectStore>), &["run"])
}

pub(super) fn keys(project: &Project, part: &str) -> Vec<Path> {
    let listed: Vec<_> = block_on(project.store.list(None).try_collect()).unwrap();
    let mut keys: Vec<Path> = listed.into_iter().map(|meta| meta.location).collect();
    keys.retain(|key| key.as_ref().contains(part));
    keys.sort();
    keys
}

pub(super) fn commits(project: &Project, table: &str) -> Vec<Path> {
    let mut keys = keys(project, &format!("shop/{table}/_delta_log/"));
    keys.retain(|key| key.as_ref().ends_with(".json"));
    keys
}

pub(super) fn delete(project: &Project, keys: &[Path]) {
    block_on(async {
        for key in keys {
            project.store.delete(key).await.unwrap();
        }
    });
}

pub(super) fn lines(project: &Project, key: &Path) -> Vec<Value> {
    let bytes = block_on(async { project.store.get(key).await.unwrap().bytes().await.unwrap() });
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Another engine's commit on top of the newest one.
pub(super) fn foreign(project: &Project, table: &str, actions: &[Value]) {
    let next = commits(project, table).len();
    let text: String = actions.iter().map(|action| format!("{action}\n")).collect();
    let key = Path::from(format!("shop/{table}/_delta_log/{next:020}.json"));
    block_on(project.store.put(&key, PutPayload::from(text))).unwrap();
}

fn built() -> Project {
    let project = Project::new();
    let answer = project.karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    project
}

fn more_rows(project: &Project) {
    project.write("data/2.csv", "day,amount\n2023-05-02,1\n2023-05-03,7\n");
}

#[test]
fn scenario_7_a_lost_acknowledgement_of_any_commit_leaves_one_commit_and_exit_0() {
    for table in ["orders", "orders_quarantine", "daily", "total"] {
        for fault in [Fault::AppliedThenError, Fault::AppliedThenHang] {
            let project = Project::new();
            let slot = format!("shop/{table}/_delta_log/");
            let answer = disturbed(&project, FaultPlan::on(Operation::ConditionalPut, &slot, 1, fault));
            assert_eq!(answer.code, 0, "{table}, {fault:?}: {}", answer.talk);
            assert_eq!(commits(&project, table).len(), 1, "{table}, {fault:?}");
            assert_eq!(project.rows(false), built().rows(false), "{table}, {fault:?}");
        }
    }
}

#[test]
fn scenario_14_where_history_is_gone_nothing_counts_as_fresh() {
    let project = Project::new();
    project.write(
        "project.yml",
        "name: shop\nmodels:\n  +schema: shop\ntargets:\n  local: { lake: ./lake, checkpoint_every: 1 }\n",
    );
    assert_eq!(project.karat(&["run"]).code, 0);
    more_rows(&project);
    assert_eq!(project.karat(&["run", "--select", "orders"]).code, 0);
    // `daily` was made of version 0 of `orders`, and no commit says any more what came after that.
    let old = commits(&project, "orders");
    delete(&project, &old[..old.len() - 1]);
    let answer = project.karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    // The ledger tells when which slice changed, so no commit between then and now is needed.
    assert!(answer.talk.contains("late rows for 2023-05-02 to 2023-05-03 in shop.orders@1"), "{}", answer.talk);
    let expected = built();
    more_rows(&expected);
    expected.karat(&["run"]);
    assert_eq!(project.rows(false), expected.rows(false));
}

#[test]
fn scenario_14_a_foreign_change_that_history_does_not_tell_is_made_anew() {
    let project = Project::new();
    project.write(
        "project.yml",
        "name: shop\nmodels:\n  +schema: shop\ntargets:\n  local: { lake: ./lake, checkpoint_every: 1 }\n",
    );
    assert_eq!(project.karat(&["run"]).code, 0);
    let before = project.rows(false);
    let first = lines(&project, &commits(&project, "orders")[0]);
    let file = first.iter().find_map(|line| line.get("add")).unwrap();
    let remove = json!({"path": file["path"], "dataChange": true, "partitionValues": file["partitionValues"]});
    foreign(&project, "orders", &[json!({"commitInfo": {"operation": "DELETE"}}), json!({ "remove": remove })]);
    // A later checkpoint of the other engine, and its commits are cleaned up.
    let lake = crate::store::Lake::open(
        "test".to_owned(),
        Arc::clone(&project.store),
        crate::store::Committer::new(super::project::hasty(), 0, false),
        None,
    );
    let name = TableName { schema: SchemaName::parse("shop").unwrap(), table: "orders".to_owned() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let state = lake.observe(&name).await.unwrap().unwrap();
        lake.checkpoint(&name, &state).await.unwrap();
    });
    delete(&project, &commits(&project, "orders"));
    let answer = project.karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("something other than karat changed"), "{}", answer.talk);
    assert_eq!(project.rows(false), before);
}

#[test]
fn scenario_15_a_lost_ledger_makes_everything_stale_for_that_reason() {
    let project = built();
    let before = project.rows(false);
    delete(&project, &keys(&project, "shop/orders/_karat/ledger/"));
    let answer = project.karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("its ledger is lost"), "{}", answer.talk);
    assert_eq!(project.rows(false), before);
    assert!(project.karat(&["run"]).talk.contains("3 unchanged"));
}

#[test]
fn scenario_15_a_partition_that_was_edited_by_hand_is_made_anew_for_that_reason() {
    let project = built();
    let before = project.rows(false);
    let first = lines(&project, &commits(&project, "orders")[0]);
    let file = first
        .iter()
        .filter_map(|line| line.get("add"))
        .find(|file| file["partitionValues"]["day"] == "2023-05-02")
        .unwrap();
    let remove = json!({"path": file["path"], "dataChange": true, "partitionValues": file["partitionValues"]});
    foreign(&project, "orders", &[json!({ "remove": remove })]);
    assert_ne!(project.rows(true), before);
    let answer = project.karat(&["run"]);
    assert!(answer.talk.contains("something other than karat changed 2023-05-02"), "{}", answer.talk);
    assert_eq!((answer.code, project.rows(false)), (0, before), "{}", answer.talk);
    let rewritten = lines(&project, &commits(&project, "orders")[2]);
    let days: Vec<_> = rewritten.iter().filter_map(|line| Some(&line.get("add")?["partitionValues"]["day"])).collect();
    assert_eq!(days, ["2023-05-02"], "only the day that was changed is made anew");
}

#[test]
fn files_that_another_engine_only_rearranged_make_nothing_stale() {
    let project = built();
    let first = lines(&project, &commits(&project, "orders")[0]);
    let file = first.iter().find_map(|line| line.get("add")).unwrap();
    let from = Path::parse(format!("shop/orders/{}", file["path"].as_str().unwrap())).unwrap();
    let to = Path::parse("shop/orders/compacted.parquet").unwrap();
    block_on(project.store.copy(&from, &to)).unwrap();
    let mut added = file.clone();
    added["path"] = json!("compacted.parquet");
    added["dataChange"] = json!(false);
    let remove = json!({"path": file["path"], "dataChange": false, "partitionValues": file["partitionValues"]});
    foreign(&project, "orders", &[json!({ "remove": remove }), json!({ "add": added })]);
    let answer = project.karat(&["run"]);
    assert!(answer.talk.contains("3 unchanged"), "{}", answer.talk);
}

#[test]
fn scenario_18_a_crash_between_two_commits_shows_neither_of_them_in_a_release() {
    let project = built();
    let before = project.rows(false);
    more_rows(&project);
    let answer =
        disturbed(&project, FaultPlan::on(Operation::ConditionalPut, "shop/daily/_delta_log/", 1, Fault::Abort));
    assert_eq!(answer.code, 3, "{}", answer.talk);
    assert_eq!(commits(&project, "orders").len(), 2, "the first table has its new version");
    assert_eq!(project.rows(false), before, "readers of releases see none of it");
    assert_eq!(project.karat(&["run"]).code, 0);
    assert_ne!(project.rows(false), before);
}

#[test]
fn scenario_20_a_release_that_cannot_be_put_is_a_warning_and_the_next_run_repairs_it() {
    let project = Project::new();
    let never = (1..9).fold(FaultPlan::none(), |plan, nth| {
        plan.and(FaultPlan::on(Operation::ConditionalPut, "_karat/releases/", nth, Fault::FailBefore))
    });
    let answer = disturbed(&project, never);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("not released"), "{}", answer.talk);
    assert!(keys(&project, "_karat/releases/").is_empty());
    let again = project.karat(&["run"]);
    assert!(again.talk.contains("3 unchanged"), "{}", again.talk);
    assert!(!keys(&project, "_karat/releases/").is_empty());
}

#[test]
fn scenario_20_a_checkpoint_that_cannot_be_put_is_a_warning_and_the_next_run_repairs_it() {
    let project = Project::new();
    project.write(
        "project.yml",
        "name: shop\nmodels:\n  +schema: shop\ntargets:\n  local: { lake: ./lake, checkpoint_every: 1 }\n",
    );
    assert_eq!(project.karat(&["run"]).code, 0);
    let checkpoints = |project: &Project| {
        let mut found = keys(project, "shop/orders/_delta_log/");
        found.retain(|key| key.as_ref().ends_with(".checkpoint.parquet"));
        found.len()
    };
    assert_eq!(checkpoints(&project), 0);
    more_rows(&project);
    let never = [Operation::Put, Operation::ConditionalPut, Operation::UploadStart, Operation::UploadComplete]
        .into_iter()
        .fold(FaultPlan::none(), |plan, kind| {
            plan.and(FaultPlan::on(kind, "orders/_delta_log/00000000000000000001.checkpoint", 1, Fault::FailBefore))
        });
    let answer = disturbed(&project, never);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("no checkpoint of `shop.orders` was written"), "{}", answer.talk);
    project.write("data/3.csv", "day,amount\n2023-05-09,1\n");
    assert_eq!(project.karat(&["run"]).code, 0);
    assert_eq!(checkpoints(&project), 1);
}

#[test]
fn a_range_makes_no_row_before_the_beginning_of_a_model() {
    let project = Project::new();
    let sql = "{{ config(materialized='incremental', event_time='day', batch_size='month', begin='2023-05-02') }}\n\
               select day, amount from {{ ref('orders') }}";
    project.write("models/since.sql", sql);
    let rows = || project.karat(&["query", "select * from {{ ref('since') }} order by day", "--output", "csv"]).out;
    assert_eq!(project.karat(&["run"]).code, 0);
    let whole = rows();
    assert_eq!(whole, "day,amount\n2023-05-02,20\n");
    for start in ["2023-05-01", "2023-04-01"] {
        let range = ["run", "--select", "since", "--start", start, "--end", "2023-05-03", "--vars", "{other: 1}"];
        let answer = project.karat(&range);
        assert_eq!((answer.code, rows()), (0, whole.clone()), "{}", answer.talk);
    }
}
