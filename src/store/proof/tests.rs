//! A proof passes good stores, and finds each kind of bad one every time.

use std::time::Duration;

use futures::TryStreamExt;
use object_store::memory::InMemory;

use super::*;
use crate::store::backend::SyncedFiles;
use crate::store::faults::{BadStore, Fault, FaultPlan, FaultStore, Flaw, Operation};

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

async fn proof_of(store: Arc<dyn ObjectStore>) -> Proof {
    prove(&store, RaceShape::default(), &Utc::now).await
}

async fn proof_with(flaw: Flaw) -> Proof {
    proof_of(Arc::new(BadStore::new(memory(), flaw))).await
}

fn text<'a>(proof: &'a Proof, about: &str) -> &'a str {
    &proof.findings.iter().find(|finding| finding.about == about).unwrap_or_else(|| panic!("{proof:?}")).text
}

async fn objects(store: &Arc<dyn ObjectStore>) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn a_good_store_passes_and_keeps_nothing() {
    let store = memory();
    let proof = proof_of(Arc::clone(&store)).await;
    assert!(proof.findings.iter().all(|finding| finding.verdict == ProofVerdict::Good), "{proof:?}");
    let about: Vec<&str> = proof.findings.iter().map(|finding| finding.about).collect();
    assert_eq!(about, ["write", "clock", "read", "race", "list", "delete"]);
    assert_eq!(text(&proof, "race"), "put-if-absent held in 50 races of 64 writers");
    assert_eq!(objects(&store).await, 0);
}

#[tokio::test]
async fn a_local_folder_passes() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(SyncedFiles::new(folder.path()));
    let proof = prove(&store, RaceShape { writers: 8, keys: 4 }, &Utc::now).await;
    assert!(proof.findings.iter().all(|finding| finding.verdict == ProofVerdict::Good), "{proof:?}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn scenario_19_a_store_that_ignores_conditions_is_found_every_time() {
    for every in [1, 100] {
        for start in 0..20 {
            let inner = memory();
            let bad = BadStore::new(Arc::clone(&inner), Flaw::IgnoresConditionEvery(every)).after(start * 5);
            let proof = proof_of(Arc::new(bad)).await;
            assert!(!proof.is_safe(), "{every}, {start}: {proof:?}");
            assert!(text(&proof, "race").starts_with("put-if-absent is not atomic: "), "{proof:?}");
            assert_eq!(objects(&inner).await, 0);
        }
    }
    let said = "put-if-absent is not atomic: 50 of 50 races had more than one winner, 50 of 50 races had a later put \
                replace the winner's bytes; concurrent runs would destroy each other's commits";
    assert_eq!(text(&proof_with(Flaw::IgnoresConditionEvery(1)).await, "race"), said);
}

#[tokio::test]
async fn a_store_that_looks_before_it_puts_is_found() {
    let proof = proof_with(Flaw::LooksThenPuts).await;
    assert!(text(&proof, "race").contains("50 of 50 races had more than one winner"), "{proof:?}");
    assert!(!proof.is_safe());
}

#[tokio::test]
async fn a_store_that_does_not_know_conditions_is_told_so() {
    let proof = proof_with(Flaw::RefusesConditions).await;
    let said = "the store does not know conditional puts (`If-None-Match`), which commits need";
    assert_eq!(text(&proof, "race"), said);
    assert!(!proof.is_safe());
}

#[tokio::test]
async fn what_is_not_permitted_is_named() {
    let cases = [
        (Operation::Put, "write", "objects cannot be written: permission denied: access denied", false),
        (Operation::Get, "read", "objects cannot be read: permission denied: access denied", false),
        (Operation::List, "list", "objects cannot be listed: permission denied: access denied", false),
        (
            Operation::ConditionalPut,
            "race",
            "conditional puts (`If-None-Match`) fail, which commits need: permission denied: access denied",
            false,
        ),
        (Operation::Delete, "delete", "objects cannot be removed: permission denied: access denied; `_karat/", true),
    ];
    for (operation, about, said, is_safe) in cases {
        let proof = proof_with(Flaw::Denies(operation)).await;
        assert!(text(&proof, about).starts_with(said), "{proof:?}");
        assert_eq!(proof.is_safe(), is_safe, "{proof:?}");
        let bad: Vec<_> = proof.findings.iter().filter(|finding| finding.verdict != ProofVerdict::Good).collect();
        assert!(bad.iter().all(|finding| [about, "race"].contains(&finding.about)), "{bad:?}");
    }
}

#[tokio::test]
async fn stale_reads_and_lists_are_found() {
    let proof = proof_with(Flaw::ReadsWhatWas).await;
    assert_eq!(text(&proof, "read"), "a read after a write gave older bytes, so a run could miss commits");
    let proof = proof_with(Flaw::ListsLate).await;
    assert_eq!(text(&proof, "list"), "a list left out 1 of 52 objects, so a run could miss commits");
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_warning() {
    let at = |seconds: i64| move || Utc::now() + chrono::Duration::seconds(seconds);
    let shape = RaceShape { writers: 2, keys: 1 };
    let proof = prove(&memory(), shape, &at(-1000)).await;
    let said = text(&proof, "clock");
    assert!(said.starts_with("the store's clock is ") && said.ends_with(" s ahead of this machine's"), "{said}");
    assert!(proof.is_safe());
    let proof = prove(&memory(), shape, &at(1000)).await;
    assert!(text(&proof, "clock").ends_with(" s behind this machine's"), "{proof:?}");
    assert!(text(&prove(&memory(), shape, &at(30)).await, "clock").contains("less than 60 s"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_raced_as_often_as_time_allows() {
    // Every call takes a second of a clock that only moves when all wait.
    let slow = FaultPlan::random(1, 1, &[Fault::Slow(Duration::from_secs(1))]);
    let store: Arc<dyn ObjectStore> = Arc::new(FaultStore::new(memory(), slow));
    let proof = prove(&store, RaceShape { writers: 4, keys: 50 }, &Utc::now).await;
    let said = "put-if-absent held in 8 races of 4 writers; the store was too slow for the other 42";
    assert_eq!(text(&proof, "race"), said);
    assert_eq!(text(&proof, "delete"), "objects can be removed");
    assert!(proof.is_safe());
}

#[tokio::test(start_paused = true)]
async fn a_store_without_answers_is_not_proven() {
    let dead = FaultPlan::random(1, 1, &[Fault::AppliedThenHang]);
    let store: Arc<dyn ObjectStore> = Arc::new(FaultStore::new(memory(), dead));
    let proof = prove(&store, RaceShape::default(), &Utc::now).await;
    assert_eq!(text(&proof, "write"), "objects cannot be written: no answer within 10 s");
    assert!(!proof.is_safe());
}

#[tokio::test]
async fn lost_answers_do_not_make_a_store_bad() {
    let inner = memory();
    let lost = FaultPlan::on(Operation::ConditionalPut, "race-0001", 1, Fault::AppliedThenError);
    let store: Arc<dyn ObjectStore> = Arc::new(FaultStore::new(Arc::clone(&inner), lost));
    let proof = prove(&store, RaceShape { writers: 4, keys: 3 }, &Utc::now).await;
    let said = "put-if-absent held in 2 races of 4 writers; 1 more had no clear winner: the connection broke";
    assert_eq!(text(&proof, "race"), said);
    assert!(proof.is_safe(), "{proof:?}");
    assert_eq!(objects(&inner).await, 0);
}
