//! A run is disturbed at every single one of its storage operations, in every way that a store can go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use object_store::ObjectStore;

use super::project::{Answer, Project};
use crate::store::faults::{Fault, FaultPlan, FaultStore, Waits};

/// Every way but crashes. Half a minute of a real time-out is a few milliseconds here.
const MODES: [Fault; 11] = [
    Fault::FailBefore,
    Fault::AppliedThenError,
    Fault::AppliedThenHang,
    Fault::DropThenLandLate,
    Fault::Status(409),
    Fault::Status(412),
    Fault::Status(429),
    Fault::Status(503),
    Fault::Slow(Duration::from_millis(3)),
    Fault::ShortRead,
    Fault::Abort,
];

/// Before the disturbed run: a table that is there in an older state, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    OlderState,
}

struct Disturbed {
    project: Project,
    answer: Answer,
    calls: u64,
}

/// Runs with the call of this number going wrong.
fn disturbed(before: Before, plan: FaultPlan) -> Disturbed {
    let project = Project::new();
    if before == Before::OlderState {
        assert_eq!(project.karat(&["run"]).code, 0);
    }
    project.write("data/2.csv", "day,amount\n2023-05-02,1\n2023-05-03,7\n");
    let wire = FaultStore::new(Arc::clone(&project.store), plan).waiting(Waits::short());
    let wire = Arc::new(wire);
    let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
    let answer = project.karat_on(&store, &["run"]);
    Disturbed { project, answer, calls: wire.calls() }
}

/// What tables say: everything, an older state, or that they are not there; never a part.
fn is_whole(rows: &str, older: &str, newer: &str) -> bool {
    rows == older || rows == newer || rows.contains("has not been built yet")
}

fn sweep(before: Before) {
    let undisturbed = disturbed(before, FaultPlan::none());
    assert_eq!(undisturbed.answer.code, 0, "{}", undisturbed.answer.talk);
    let newer = undisturbed.project.rows(false);
    let older = Project::new();
    older.karat(&["run"]);
    let older = older.rows(false);
    assert!(undisturbed.calls > 25, "{} operations", undisturbed.calls);
    let cases: Vec<(u64, Fault)> = (0..undisturbed.calls)
        .flat_map(|call| MODES.into_iter().chain([Fault::AbortAfter]).map(move |mode| (call, mode)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((call, mode)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(before, (*call, *mode), (&older, &newer));
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(work);
        });
    });
}

/// One disturbance, and the plain runs after it.
fn one(before: Before, (call, mode): (u64, Fault), (older, newer): (&str, &str)) {
    let Disturbed { project, answer, .. } = disturbed(before, FaultPlan::at(call, mode));
    let place = format!("{mode:?} at call {call} of {before:?}: {}", answer.talk);
    assert!(matches!(answer.code, 0 | 3), "exit {} after {place}", answer.code);
    // A reader of releases sees the whole of a run or nothing of it.
    let seen = project.rows(false);
    assert!(is_whole(&seen, older, newer), "{seen} after {place}");
    if answer.code == 0 {
        assert_eq!(project.rows(true), newer, "exit 0 after {place}");
    }
    let again = project.karat(&["run"]);
    assert_eq!(again.code, 0, "the next run fails after {place}:\n{}", again.talk);
    assert_eq!(project.rows(false), newer, "after {place} and a plain run");
    let third = Arc::new(FaultStore::new(Arc::clone(&project.store), FaultPlan::none()));
    let store: Arc<dyn ObjectStore> = Arc::clone(&third) as Arc<_>;
    assert_eq!(project.karat_on(&store, &["run"]).code, 0);
    assert_eq!(third.writes(), 0, "a run after all is done writes, after {place}");
}

#[test]
fn scenario_6_a_first_run_disturbed_anywhere_leaves_nothing_that_a_plain_run_does_not_repair() {
    sweep(Before::Nothing);
}

#[test]
fn scenario_6_a_run_over_older_tables_disturbed_anywhere_is_repaired_by_a_plain_run() {
    sweep(Before::OlderState);
}
