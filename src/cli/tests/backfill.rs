//! Backfills: the rows of a full build, and after any interruption the same command goes on where it stopped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{Days, NaiveDate};
use object_store::ObjectStore;

use super::project::{Answer, Project};
use super::scenarios::{commits, delete, keys, lines};
use crate::store::faults::{Fault, FaultPlan, FaultStore, Operation, Waits};

/// One file with rows of so many days, two each.
fn with_days(count: u32) -> Project {
    let project = Project::new();
    std::fs::remove_file(project.path().join("data/1.csv")).unwrap();
    let mut text = "day,amount\n".to_owned();
    for day in 1..=count {
        text.push_str(&format!("2023-05-{day:02},{day}\n2023-05-{day:02},{}\n", day * 100));
    }
    project.write("data/days.csv", &text);
    project
}

/// The rows of one plain build.
fn expected(count: u32) -> String {
    let project = with_days(count);
    assert_eq!(project.karat(&["run"]).code, 0);
    project.rows(false)
}

fn words(last: u32, more: &[&str]) -> Vec<String> {
    let range = ["backfill", "--start", "2023-05-01", "--end"].map(str::to_owned);
    let more = more.iter().map(|word| (*word).to_owned());
    range.into_iter().chain([format!("2023-05-{last:02}")]).chain(more).collect()
}

fn backfill(project: &Project, last: u32, more: &[&str]) -> Answer {
    let words = words(last, more);
    project.karat(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn disturbed(project: &Project, plan: FaultPlan, (last, more): (u32, &[&str])) -> (Answer, u64) {
    let wire = Arc::new(FaultStore::new(Arc::clone(&project.store), plan).waiting(Waits::short()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
    let words = words(last, more);
    let answer = project.karat_on(&store, &words.iter().map(String::as_str).collect::<Vec<_>>());
    (answer, wire.calls())
}

/// The slices that the commits of a table computed, as the commits themselves say it.
fn computed(project: &Project, table: &str) -> Vec<NaiveDate> {
    let notes = commits(project, table).into_iter().flat_map(|key| lines(project, &key));
    let texts = notes.filter_map(|line| {
        let note = &line["commitInfo"]["karat"];
        Some(note["computed"].as_str().or(note["slices"].as_str())?.to_owned())
    });
    texts.flat_map(|text| days(&text)).collect()
}

/// `2023-05-03`, `4 slices from 2023-05-01 to 2023-05-04`.
fn days(text: &str) -> Vec<NaiveDate> {
    let named: Vec<NaiveDate> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    let (first, last) = (named[0], *named.last().unwrap());
    let days: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).collect();
    assert!(named.len() == 1 || text.starts_with(&format!("{} slices", days.len())), "a batch has gaps: {text}");
    days
}

fn is_released(project: &Project) -> bool {
    !keys(project, "_karat/releases/").is_empty()
}

#[test]
fn thirty_days_in_batches_have_the_rows_of_a_full_build() {
    for threads in ["1", "2", "8"] {
        let project = with_days(30);
        let answer = backfill(&project, 30, &["--threads", threads]);
        assert_eq!(answer.code, 0, "{}", answer.talk);
        assert_eq!(project.rows(false), expected(30), "{threads} threads");
        let all = computed(&project, "orders");
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (30, 30), "{threads} threads");
        assert!(commits(&project, "orders").len() >= 4, "{}", answer.talk);
        assert_eq!(commits(&project, "daily").len(), 1, "slices that share files come in one commit");
    }
}

#[test]
fn what_is_complete_and_asked_for_again_is_rebuilt_and_keeps_its_files() {
    let project = with_days(8);
    assert_eq!(backfill(&project, 8, &[]).code, 0);
    let files = keys(&project, "shop/orders/day=");
    let before = computed(&project, "orders").len();
    let again = backfill(&project, 8, &[]);
    assert_eq!(again.code, 0, "{}", again.talk);
    assert_eq!(computed(&project, "orders").len(), 2 * before, "{}", again.talk);
    assert_eq!(keys(&project, "shop/orders/day="), files);
    assert_eq!(project.rows(false), expected(8));
}

#[test]
fn a_backfill_after_a_full_build_touches_only_its_range() {
    let project = with_days(8);
    assert_eq!(project.karat(&["run"]).code, 0);
    let answer = backfill(&project, 3, &["--batch-slices", "1"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert_eq!(commits(&project, "orders").len(), 4);
    assert_eq!(project.rows(false), expected(8));
    assert!(project.karat(&["run"]).talk.contains("3 unchanged"));
}

/// The same command after a crash at one storage operation: right rows, and no day twice.
fn one(call: u64, fault: Fault, rows: &str) {
    let project = with_days(6);
    let more = ["--batch-slices", "2", "--threads", "2"];
    let (answer, _) = disturbed(&project, FaultPlan::at(call, fault), (6, &more));
    let place = format!("{fault:?} at call {call}: {}", answer.talk);
    assert!(matches!(answer.code, 0 | 3), "exit {} after {place}", answer.code);
    let is_complete = is_released(&project);
    let again = backfill(&project, 6, &more);
    assert_eq!(again.code, 0, "{} after {place}", again.talk);
    assert_eq!(project.rows(false), rows, "after {place}");
    for table in ["orders", "daily"] {
        let computed = computed(&project, table);
        let times = if is_complete { 2 } else { 1 };
        assert_eq!(computed.len(), times * 6, "{table}: {computed:?} after {place}\n{}", again.talk);
        assert_eq!(computed.iter().collect::<BTreeSet<_>>().len(), 6, "{table} after {place}");
    }
}

#[test]
fn a_backfill_that_crashes_anywhere_goes_on_and_computes_nothing_twice() {
    let project = with_days(6);
    let (answer, calls) = disturbed(&project, FaultPlan::none(), (6, &["--batch-slices", "2", "--threads", "2"]));
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert!(calls > 25, "{calls} operations");
    let rows = expected(6);
    let cases: Vec<(u64, Fault)> =
        (0..calls).flat_map(|call| [Fault::Abort, Fault::AbortAfter].map(|fault| (call, fault))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((call, fault)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(*call, *fault, &rows);
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(work);
        });
    });
}

/// Stopped by a crash at the third commit of the first model.
fn interrupted() -> Project {
    let project = with_days(6);
    let plan = FaultPlan::on(Operation::ConditionalPut, "shop/orders/_delta_log/", 3, Fault::Abort);
    let (answer, _) = disturbed(&project, plan, (6, &["--batch-slices", "1", "--threads", "1"]));
    assert_eq!(answer.code, 3, "{}", answer.talk);
    assert!(answer.talk.contains("the same command resumes"), "{}", answer.talk);
    assert_eq!(computed(&project, "orders").len(), 2);
    project
}

#[test]
fn what_is_done_but_out_of_date_by_now_is_done_again() {
    let project = interrupted();
    project.write("data/late.csv", "day,amount\n2023-05-01,5000\n");
    let answer = backfill(&project, 6, &["--batch-slices", "1"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    let whole = with_days(6);
    whole.write("data/late.csv", "day,amount\n2023-05-01,5000\n");
    whole.karat(&["run"]);
    assert_eq!(project.rows(false), whole.rows(false));
}

#[test]
fn other_code_and_another_range_begin_anew() {
    let project = interrupted();
    assert_eq!(backfill(&project, 5, &["--batch-slices", "1"]).code, 0);
    assert_eq!(computed(&project, "orders").len(), 2 + 5, "another range");
    let project = interrupted();
    project.write(
        "models/orders.sql",
        "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n\
         select day, amount + 1 as amount from {{ source('raw', 'orders') }}\n",
    );
    assert_eq!(backfill(&project, 6, &["--batch-slices", "1"]).code, 0);
    assert_eq!(computed(&project, "orders").len(), 2 + 6, "other code");
}

#[test]
fn with_a_lost_ledger_everything_is_done_again() {
    let project = interrupted();
    delete(&project, &keys(&project, "shop/orders/_karat/ledger/"));
    let answer = backfill(&project, 6, &["--batch-slices", "1"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert_eq!(computed(&project, "orders").len(), 2 + 6);
    assert_eq!(project.rows(false), expected(6));
}

#[test]
fn a_run_in_between_carries_the_progress_along() {
    let project = interrupted();
    let run = ["run", "--select", "orders", "--start", "2023-05-06"];
    assert_eq!(project.karat(&run).code, 0);
    let answer = backfill(&project, 6, &["--batch-slices", "1"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    let of_day = |day: u64| {
        let day = NaiveDate::from_ymd_opt(2023, 5, 1).unwrap() + Days::new(day - 1);
        computed(&project, "orders").iter().filter(|computed| **computed == day).count()
    };
    assert_eq!([1, 2, 3, 4, 5, 6].map(of_day), [1, 1, 1, 1, 1, 2]);
    assert_eq!(project.rows(false), expected(6));
}

#[test]
fn after_a_failed_batch_what_depends_on_it_is_skipped_and_nothing_is_released() {
    let project = with_days(6);
    // One day cannot be computed.
    project.write(
        "models/orders.sql",
        "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n\
         select day, amount + 0 / (case when amount = 4 then 0 else 1 end) as amount\n\
         from {{ source('raw', 'orders') }}\n",
    );
    let answer = backfill(&project, 6, &["--batch-slices", "1", "--threads", "2"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("1 failed, 2 skipped"), "{}", answer.talk);
    assert!(answer.talk.contains("the same command resumes"), "{}", answer.talk);
    assert!(!is_released(&project));
    let done = computed(&project, "orders").len();
    assert!((3..6).contains(&done), "{done} days are done");
    let again = backfill(&project, 6, &["--batch-slices", "1", "--threads", "2"]);
    assert_eq!(again.code, 1, "{}", again.talk);
    let all = computed(&project, "orders");
    assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "nothing is done twice");
}

#[test]
fn a_backfill_needs_a_range() {
    let answer = with_days(1).karat(&["backfill"]);
    assert_eq!(answer.code, 2, "{}", answer.talk);
    assert!(answer.talk.contains("`--start`"), "{}", answer.talk);
}
