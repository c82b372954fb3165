//! `karat optimize`: rows stay what they are, whatever goes wrong and whoever writes at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::project::{Answer, Project, hasty};
use super::scenarios::{commits, foreign, lines};
use crate::name::{SchemaName, TableName};
use crate::store::faults::{Fault, FaultPlan, FaultStore, Waits};
use crate::store::{CommitInfo, Committer, Lake, Rearranged, Rearrangement, RewrittenFiles};
use crate::table::{DataFile, SliceLayout, TableState};

const MODES: [Fault; 6] = [
    Fault::FailBefore,
    Fault::AppliedThenError,
    Fault::DropThenLandLate,
    Fault::Status(412),
    Fault::Abort,
    Fault::AbortAfter,
];

/// A project whose first days are in many files.
fn piled_up() -> Project {
    let project = Project::new();
    for number in 2..5 {
        done(&project, &["run"]);
        add(&project, number);
    }
    done(&project, &["run"]);
    project
}

fn add(project: &Project, number: u32) {
    project.write(&format!("data/{number}.csv"), &format!("day,amount\n2023-05-01,{number}\n2023-05-02,{number}\n"));
}

fn done(project: &Project, words: &[&str]) -> Answer {
    let answer = project.karat(words);
    assert_eq!(answer.code, 0, "{words:?}: {}", answer.talk);
    answer
}

/// How many files the newest versions of `orders` name.
fn files(project: &Project) -> usize {
    state(project, "orders").files.len()
}

fn lake(project: &Project) -> Lake {
    Lake::open("memory".to_owned(), Arc::clone(&project.store), Committer::new(hasty(), 10, false), None)
}

fn name(table: &str) -> TableName {
    TableName { schema: SchemaName::parse("shop").unwrap(), table: table.to_owned() }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn state(project: &Project, table: &str) -> Arc<TableState> {
    wait(lake(project).observe(&name(table))).unwrap().unwrap()
}

/// Nothing is left to do, and what is there is what a full refresh makes.
fn is_settled(project: &Project, place: &str) {
    let wire = Arc::new(FaultStore::new(Arc::clone(&project.store), FaultPlan::none()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
    for words in [&["run"][..], &["optimize"]] {
        let answer = project.karat_on(&store, words);
        assert_eq!(answer.code, 0, "after {place}: {}", answer.talk);
    }
    assert_eq!(wire.writes(), 0, "something was written after {place}");
    let verified = project.karat(&["verify", "--sample", "all"]);
    assert_eq!(verified.code, 0, "after {place}: {}", verified.talk);
}

#[test]
fn small_files_become_one_and_nothing_becomes_stale() {
    let project = piled_up();
    let rows = project.rows(false);
    let before = files(&project);
    let entries = |project: &Project| {
        let state = state(project, "orders");
        let ledger = state.known_ledger().unwrap();
        ledger.slices.iter().map(|(slice, entry)| (*slice, entry.rows, entry.changes.clone())).collect::<Vec<_>>()
    };
    let recorded = entries(&project);
    let planned = done(&project, &["optimize", "--dry-run"]);
    assert!(planned.talk.contains("day=2023-05-01: 4 files are smaller than"), "{}", planned.talk);
    assert_eq!(files(&project), before, "a dry run does nothing");
    done(&project, &["optimize"]);
    assert!(files(&project) < before);
    assert_eq!((project.rows(false), project.rows(true)), (rows.clone(), rows));
    assert_eq!(entries(&project), recorded, "what is recorded of rows stays");
    let newest = commits(&project, "orders").pop().unwrap();
    let actions = lines(&project, &newest);
    let changes: Vec<bool> =
        actions.iter().filter_map(|line| line.get("add").or(line.get("remove"))?["dataChange"].as_bool()).collect();
    assert!(!changes.is_empty() && changes.iter().all(|changes| !changes), "{actions:?}");
    assert_eq!(actions[0]["commitInfo"]["operation"], "OPTIMIZE");
    is_settled(&project, "an optimization");
    let history = done(&project, &["history", "orders"]);
    assert!(history.out.contains("files put together as"), "{}", history.out);
}

#[test]
fn files_are_sorted_by_what_the_config_says() {
    let project = piled_up();
    let sorted = "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day', \
                  sort_by=['amount']) }}\nselect day, amount from {{ source('raw', 'orders') }}";
    project.write("models/orders.sql", sorted);
    done(&project, &["run"]);
    let rows = project.rows(false);
    done(&project, &["optimize", "--rewrite", "--select", "orders"]);
    assert_eq!(project.rows(false), rows);
    let sql = "select amount from shop.orders where day = date '2023-05-01'";
    let read = done(&project, &["query", sql, "--output", "csv", "--live"]).out;
    let amounts: Vec<i64> = read.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert!(amounts.len() > 3 && amounts.is_sorted(), "{amounts:?}");
    is_settled(&project, "a rewrite");
}

#[test]
fn an_optimization_disturbed_anywhere_changes_no_row_and_the_same_command_completes_it() {
    let undisturbed = piled_up();
    let rows = undisturbed.rows(false);
    let tables = Arc::clone(&undisturbed.with_store(&undisturbed.store).store);
    let wire = Arc::new(FaultStore::new(Arc::clone(&undisturbed.store), FaultPlan::none()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
    assert_eq!(undisturbed.karat_on(&store, &["optimize"]).code, 0);
    let few = files(&undisturbed);
    assert!(wire.calls() > 15, "{} operations", wire.calls());
    let cases: Vec<(u64, Fault)> =
        (0..wire.calls()).flat_map(|call| MODES.into_iter().map(move |mode| (call, mode))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((call, mode)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let project = undisturbed.with_store(&tables);
            let wire = FaultStore::new(Arc::clone(&project.store), FaultPlan::at(*call, *mode)).waiting(Waits::short());
            let store: Arc<dyn ObjectStore> = Arc::new(wire);
            let answer = project.karat_on(&store, &["optimize"]);
            let place = format!("{mode:?} at call {call}: {}", answer.talk);
            assert!(matches!(answer.code, 0 | 3), "exit {} after {place}", answer.code);
            assert_eq!((project.rows(false), project.rows(true)), (rows.clone(), rows.clone()), "after {place}");
            assert_eq!(project.karat(&["optimize"]).code, 0, "after {place}");
            assert_eq!((project.rows(false), files(&project)), (rows.clone(), few), "after {place} and again");
            is_settled(&project, &place);
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(work);
        });
    });
}

#[test]
fn runs_and_optimizations_at_the_same_time_lose_nothing() {
    for round in 0..4 {
        let project = piled_up();
        add(&project, 7 + round);
        std::thread::scope(|scope| {
            scope.spawn(|| done(&project, &["run"]));
            scope.spawn(|| project.karat(&["optimize"]));
            scope.spawn(|| project.karat(&["optimize", "--rewrite"]));
        });
        done(&project, &["run"]);
        done(&project, &["optimize"]);
        let fresh = Project::new();
        [2, 3, 4, 7 + round].iter().for_each(|number| add(&fresh, *number));
        done(&fresh, &["run"]);
        assert_eq!(project.rows(false), fresh.rows(false));
        is_settled(&project, "a race");
    }
}

/// The first file of a state under another name, as an optimization would put it in its place.
fn copied(project: &Project, state: &TableState) -> RewrittenFiles {
    let old = state.files[0].clone();
    let new = DataFile { path: old.path.replace("part-", "put-together-").into(), ..old.clone() };
    let place = |file: &DataFile| Path::parse(format!("shop/orders/{}", file.path.as_str())).unwrap();
    block_on(async {
        let bytes = project.store.get(&place(&old)).await.unwrap().bytes().await.unwrap();
        project.store.put(&place(&new), bytes.into()).await.unwrap();
    });
    RewrittenFiles { remove: vec![old], add: vec![new] }
}

fn rearranged(project: &Project, base: Arc<TableState>, files: RewrittenFiles) -> Rearranged {
    let day = crate::day::Grain::Day;
    let layout = SliceLayout::ByFile { event_time: "day".to_owned(), grain: day };
    let about = CommitInfo {
        token: "0123456789abcdef0123456789abcdef".to_owned(),
        model: "orders".to_owned(),
        run: "r".to_owned(),
        why: String::new(),
        git: None,
        made_as: None,
        now: 1,
    };
    let change = Rearrangement { base, layout: &layout, rewritten: vec![files], about };
    wait(lake(project).commit_rearranged(&name("orders"), change)).unwrap()
}

#[test]
fn files_that_another_run_left_alone_are_put_together_on_top_of_its_version() {
    let project = piled_up();
    let base = state(&project, "orders");
    let files = copied(&project, &base);
    add(&project, 8);
    done(&project, &["run"]);
    let rows = project.rows(true);
    let Rearranged::Committed { state: now, .. } = rearranged(&project, Arc::clone(&base), files) else {
        panic!("the files were still there");
    };
    assert_eq!(now.version, base.version.next().next());
    assert_eq!(project.rows(true), rows);
    done(&project, &["optimize"]);
    is_settled(&project, "a commit on top of another's");
}

#[test]
fn files_that_another_run_has_replaced_do_not_come_back() {
    let project = piled_up();
    let base = state(&project, "orders");
    let files = copied(&project, &base);
    project.write("data/2.csv", "day,amount\n2023-05-02,1\n");
    done(&project, &["run", "--full-refresh"]);
    let rows = project.rows(true);
    let versions = commits(&project, "orders").len();
    assert!(matches!(rearranged(&project, base, files), Rearranged::Overtaken(_)));
    assert_eq!((project.rows(true), commits(&project, "orders").len()), (rows, versions));
}

#[test]
fn what_something_else_has_changed_is_left_to_the_next_run() {
    let project = piled_up();
    let rows = project.rows(false);
    let state = state(&project, "orders");
    let of_day = |file: &&DataFile| file.partition.value("day") == Some("2023-05-02");
    let gone = state.files.iter().find(of_day).unwrap();
    foreign(
        &project,
        "orders",
        &[json!({"remove": {
            "path": gone.path.as_str(), "partitionValues": gone.partition, "dataChange": true, "deletionTimestamp": 1,
        }})],
    );
    let answer = done(&project, &["optimize"]);
    assert!(answer.talk.contains("optimized"), "{}", answer.talk);
    let names = |project: &Project| {
        let state = self::state(project, "orders");
        state.files.iter().filter(of_day).map(|file| file.path.to_string()).collect::<Vec<_>>()
    };
    let untouched = state.files.iter().filter(of_day).filter(|file| file.path != gone.path);
    assert_eq!(names(&project), untouched.map(|file| file.path.to_string()).collect::<Vec<_>>());
    let run = done(&project, &["run"]);
    assert!(run.talk.contains("something other than karat changed 2023-05-02"), "{}", run.talk);
    assert_eq!(project.rows(false), rows);
}

#[test]
fn deletion_vectors_of_another_writer_are_never_passed_over() {
    let project = piled_up();
    let features = ["deletionVectors"];
    foreign(
        &project,
        "orders",
        &[json!({"protocol": {
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features,
        }})],
    );
    let versions = commits(&project, "orders").len();
    let answer = project.karat(&["optimize"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("the table feature `deletionVectors`"), "{}", answer.talk);
    assert_eq!(commits(&project, "orders").len(), versions);
}

#[test]
fn rows_that_no_run_has_released_stay_unseen() {
    let project = piled_up();
    let shown = project.rows(false);
    add(&project, 9);
    project.write(
        "models/total.sql",
        "{{ config(materialized='table') }}\nselect 1 / (sum(amount) - sum(amount)) as amount from {{ ref('daily') }}",
    );
    assert_ne!(project.karat(&["run"]).code, 0, "the last model fails, so nothing is released");
    done(&project, &["optimize", "--select", "orders"]);
    let seen = done(&project, &["query", "select count(*) from shop.orders", "--output", "csv"]).out;
    let rows = shown.lines().filter(|line| line.starts_with("orders,")).count();
    assert_eq!(seen.lines().nth(1).unwrap(), rows.to_string());
}
