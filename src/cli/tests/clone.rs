//! `karat clone`: tables of another target, whatever goes wrong in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::project::{Answer, Project};
use crate::store::faults::{Fault, FaultPlan, FaultStore, Waits};

const TARGETS: &str = "name: shop\ntarget: dev\ntargets:\n  prod: { lake: ./prod }\n  dev: { lake: ./dev }\n\
                       models:\n  +schema: shop\n";

const MODES: [Fault; 5] =
    [Fault::AppliedThenError, Fault::DropThenLandLate, Fault::Status(412), Fault::Abort, Fault::AbortAfter];

/// Two targets in memory, of which `prod` is built.
#[derive(Clone)]
struct Two {
    project: Arc<Project>,
    prod: Arc<dyn ObjectStore>,
    dev: Arc<dyn ObjectStore>,
}

impl Two {
    fn new() -> Two {
        let project = Project::new();
        project.write("project.yml", TARGETS);
        project.write("data/2.csv", "day,amount\n2023-05-02,1\n2023-05-03,7\nno day,1\n");
        let prod = Arc::new(InMemory::new());
        let two = Two { project: Arc::new(project), prod, dev: Arc::new(InMemory::new()) };
        assert_eq!(two.on(&two.prod, &["run", "--target", "prod"]).code, 0);
        two
    }

    /// Runs a command line whose target `dev` is this store.
    fn on(&self, dev: &Arc<dyn ObjectStore>, words: &[&str]) -> Answer {
        let dev = Arc::clone(dev);
        let prod = Arc::clone(&self.prod);
        let wrap = move |local: Arc<dyn ObjectStore>| {
            if local.to_string().ends_with("prod") { Arc::clone(&prod) } else { Arc::clone(&dev) }
        };
        self.project.karat_with(Arc::new(wrap), words)
    }

    fn dev(&self, words: &[&str]) -> Answer {
        self.on(&self.dev, words)
    }

    /// The same files and the same `prod`, and nothing in `dev`.
    fn afresh(&self) -> Two {
        Two { dev: Arc::new(InMemory::new()), ..self.clone() }
    }

    /// All rows of a target, as its newest release shows them.
    fn rows(&self, target: &str) -> String {
        let sql = "select 'orders' as t, cast(day as text) as k, amount from {{ ref('orders') }} union all \
                   select 'daily', cast(day as text), amount from {{ ref('daily') }} union all \
                   select 'total', '', amount from {{ ref('total') }} union all \
                   select 'bad', raw, line from shop.orders_quarantine order by 1, 2, 3";
        let answer = self.dev(&["query", sql, "--output", "csv", "--limit", "0", "--target", target]);
        if answer.code == 0 { answer.out } else { answer.talk }
    }
}

#[test]
fn a_clone_disturbed_anywhere_shows_nothing_half_and_the_same_command_completes_it() {
    let undisturbed = Two::new();
    let wire = Arc::new(FaultStore::new(Arc::clone(&undisturbed.dev), FaultPlan::none()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
    assert_eq!(undisturbed.on(&store, &["clone", "--from", "prod"]).code, 0);
    let all = undisturbed.rows("prod");
    assert_eq!(undisturbed.rows("dev"), all);
    assert!(wire.calls() > 20, "{} operations", wire.calls());
    let cases: Vec<(u64, Fault)> =
        (0..wire.calls()).flat_map(|call| MODES.into_iter().map(move |mode| (call, mode))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((call, mode)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(&undisturbed.afresh(), FaultPlan::at(*call, *mode), &all);
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(work);
        });
    });
}

fn one(two: &Two, plan: FaultPlan, all: &str) {
    let place = format!("{plan:?}");
    let wire = FaultStore::new(Arc::clone(&two.dev), plan).waiting(Waits::short());
    let store: Arc<dyn ObjectStore> = Arc::new(wire);
    let answer = two.on(&store, &["clone", "--from", "prod"]);
    let place = format!("{place}: {}", answer.talk);
    assert!(matches!(answer.code, 0 | 3), "exit {} after {place}", answer.code);
    let seen = two.rows("dev");
    assert!(seen == all || answer.code == 3 && seen.contains("has not been built yet"), "{seen} after {place}");
    let again = two.dev(&["clone", "--from", "prod"]);
    assert_eq!(again.code, 0, "the second clone fails after {place}:\n{}", again.talk);
    assert_eq!(two.rows("dev"), all, "after {place} and a second clone");
    let counting = Arc::new(FaultStore::new(Arc::clone(&two.dev), FaultPlan::none()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&counting) as Arc<_>;
    let run = two.on(&store, &["plan", "--output", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(plan["totals"]["up_to_date"], 3, "a clone is up to date, after {place}: {}", run.out);
    assert_eq!(counting.writes(), 0);
}

#[test]
fn what_changes_after_a_clone_is_built_as_if_it_had_been_built_here() {
    let two = Two::new();
    assert_eq!(two.dev(&["clone", "--from", "prod"]).code, 0);
    two.project.write("data/3.csv", "day,amount\n2023-05-01,5\n");
    let answer = two.dev(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("1 late row for 2023-05-01") || answer.talk.contains("1 new file"), "{}", answer.talk);
    assert_eq!(two.on(&two.prod, &["run", "--target", "prod"]).code, 0);
    assert_eq!(two.rows("dev"), two.rows("prod"));
    let verified = two.dev(&["verify", "--sample", "all"]);
    assert_eq!(verified.code, 0, "{}", verified.talk);
    assert!(!verified.talk.contains("cannot be verified"), "{}", verified.talk);
}

#[test]
fn a_clone_outlives_the_files_of_the_original() {
    let two = Two::new();
    assert_eq!(two.dev(&["clone", "--from", "prod"]).code, 0);
    let all = two.rows("dev");
    let paths: Vec<_> =
        futures::executor::block_on_stream(two.prod.list(None)).map(|meta| meta.unwrap().location).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for path in &paths {
        runtime.block_on(object_store::ObjectStoreExt::delete(&two.prod, path)).unwrap();
    }
    assert_eq!(two.rows("dev"), all);
}

#[test]
fn a_table_that_is_there_is_replaced_only_if_that_is_asked_for() {
    let two = Two::new();
    two.project.write("models/total.sql", "{{ config(materialized='table') }} select 1 as amount");
    assert_eq!(two.dev(&["run", "--select", "total"]).code, 0);
    let answer = two.dev(&["clone", "--from", "prod"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(answer.talk.contains("kept       total"), "{}", answer.talk);
    let total = |two: &Two| two.dev(&["query", "select amount from {{ ref('total') }}", "--output", "csv"]).out;
    assert_eq!(total(&two), "amount\n1\n");
    let answer = two.dev(&["clone", "--from", "prod", "--full-refresh", "--select", "total"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert_ne!(total(&two), "amount\n1\n");
    assert_eq!(two.dev(&["clone", "--from", "dev"]).code, 2);
}
