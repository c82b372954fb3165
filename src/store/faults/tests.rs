//! Each fault does what it says, on a clock that stands still.

use object_store::integration;
use object_store::memory::InMemory;
use tokio::time::Instant;

use super::*;

fn store(plan: FaultPlan) -> (FaultStore, Arc<InMemory>) {
    let memory = Arc::new(InMemory::new());
    (FaultStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>, plan), memory)
}

/// A store on which the first call goes wrong.
fn faulty(fault: Fault) -> (FaultStore, Arc<InMemory>) {
    store(FaultPlan::at(0, fault))
}

async fn create(store: &FaultStore, path: &str) -> Result<PutResult> {
    store.put_opts(&Path::from(path), "mine".into(), PutMode::Create.into()).await
}

async fn stored(memory: &InMemory, path: &str) -> Option<String> {
    let found = memory.get(&Path::from(path)).await.ok()?;
    Some(String::from_utf8(found.bytes().await.unwrap().to_vec()).unwrap())
}

fn kind(error: &Error) -> Option<io::ErrorKind> {
    crate::store::error::io_kind(error)
}

#[tokio::test]
async fn without_a_plan_it_is_a_store_like_any_other() {
    let (store, _) = store(FaultPlan::none());
    integration::put_get_delete_list(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::stream_get(&store).await;
    integration::multipart_out_of_order(&store).await;
}

#[tokio::test]
async fn a_failure_before_does_nothing() {
    let (store, memory) = faulty(Fault::FailBefore);
    create(&store, "a").await.unwrap_err();
    assert_eq!(stored(&memory, "a").await, None);
    create(&store, "a").await.unwrap();
}

#[tokio::test]
async fn an_error_after_hides_what_was_done() {
    let (store, memory) = faulty(Fault::AppliedThenError);
    assert_eq!(kind(&create(&store, "a").await.unwrap_err()), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(stored(&memory, "a").await.as_deref(), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_hang_after_ends_in_a_time_out() {
    let (store, memory) = faulty(Fault::AppliedThenHang);
    let start = Instant::now();
    assert_eq!(kind(&create(&store, "a").await.unwrap_err()), Some(io::ErrorKind::TimedOut));
    assert!(start.elapsed() >= HANG);
    assert!(stored(&memory, "a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_late_put_lands_half_a_minute_after_its_time_out() {
    let (store, memory) = faulty(Fault::DropThenLandLate);
    assert_eq!(kind(&create(&store, "a").await.unwrap_err()), Some(io::ErrorKind::TimedOut));
    sleep(LANDS - Duration::from_secs(1)).await;
    assert_eq!(stored(&memory, "a").await, None);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(stored(&memory, "a").await.as_deref(), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_late_put_does_not_land_on_what_was_put_meanwhile() {
    let (store, memory) = faulty(Fault::DropThenLandLate);
    create(&store, "a").await.unwrap_err();
    memory.put(&Path::from("a"), "theirs".into()).await.unwrap();
    sleep(LANDS * 2).await;
    assert_eq!(stored(&memory, "a").await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn a_status_is_what_a_client_makes_of_it() {
    for status in [409, 412] {
        let (store, memory) = faulty(Fault::Status(status));
        let error = create(&store, "a").await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{status}: {error}");
        assert_eq!(stored(&memory, "a").await, None);
    }
    for status in [429, 503] {
        let error = create(&faulty(Fault::Status(status)).0, "a").await.unwrap_err();
        assert!(matches!(error, Error::Generic { .. }) && error.to_string().contains(&status.to_string()), "{error}");
    }
    let (store, _) = faulty(Fault::Status(412));
    let error = store.put(&Path::from("a"), "x".into()).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_done_in_the_end() {
    let (store, memory) = faulty(Fault::Slow(Duration::from_secs(7)));
    let start = Instant::now();
    create(&store, "a").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(7));
    assert!(stored(&memory, "a").await.is_some());
}

#[tokio::test]
async fn a_short_read_is_an_error_after_some_of_the_bytes() {
    let (store, _) = store(FaultPlan::at(1, Fault::ShortRead).and(FaultPlan::at(2, Fault::ShortRead)));
    create(&store, "a").await.unwrap();
    let parts: Vec<Result<bytes::Bytes>> = store.get(&Path::from("a")).await.unwrap().into_stream().collect().await;
    assert_eq!(parts[0].as_ref().unwrap(), "mi");
    assert_eq!(kind(parts[1].as_ref().unwrap_err()), Some(io::ErrorKind::UnexpectedEof));
    assert!(store.list(None).try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn after_a_crash_nothing_is_done_by_that_process() {
    for (fault, is_done) in [(Fault::Abort, false), (Fault::AbortAfter, true)] {
        let (store, memory) = faulty(fault);
        create(&store, "a").await.unwrap_err();
        assert_eq!(stored(&memory, "a").await.is_some(), is_done);
        assert!(store.has_crashed());
        create(&store, "b").await.unwrap_err();
        store.get(&Path::from("a")).await.unwrap_err();
        assert!(store.list(None).try_collect::<Vec<_>>().await.is_err());
        assert_eq!(stored(&memory, "b").await, None);
        assert_eq!(store.calls(), 1);
        create(&store.another_process(FaultPlan::none()), "b").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_dies_with_its_process() {
    let (store, memory) =
        store(FaultPlan::at(0, Fault::Slow(Duration::from_secs(7))).and(FaultPlan::at(1, Fault::Abort)));
    let (slow, crash) = tokio::join!(create(&store, "a"), create(&store, "b"));
    assert!(slow.is_err() && crash.is_err());
    assert_eq!(stored(&memory, "a").await, None);
}

#[tokio::test]
async fn the_log_tells_every_call_of_every_process() {
    let (store, _) = store(FaultPlan::on(Operation::ConditionalPut, "_delta_log/", 2, Fault::FailBefore));
    create(&store, "part").await.unwrap();
    create(&store, "_delta_log/0.json").await.unwrap();
    create(&store, "_delta_log/1.json").await.unwrap_err();
    create(&store, "_delta_log/1.json").await.unwrap();
    let other = store.another_process(FaultPlan::none());
    other.delete(&Path::from("part")).await.unwrap();
    let told: Vec<String> = store
        .log()
        .iter()
        .map(|call| format!("{} {:?} {} {:?}", call.process, call.operation, call.path, call.fault))
        .collect();
    let expected = [
        "0 ConditionalPut part None",
        "0 ConditionalPut _delta_log/0.json None",
        "0 ConditionalPut _delta_log/1.json Some(FailBefore)",
        "0 ConditionalPut _delta_log/1.json None",
        "1 Delete part None",
    ];
    assert_eq!(told, expected);
    assert_eq!((store.calls(), store.count(Operation::ConditionalPut), other.calls()), (4, 4, 1));
}

#[tokio::test]
async fn random_faults_are_the_same_for_the_same_seed() {
    let faults = |seed| async move {
        let (store, _) = store(FaultPlan::random(seed, 4, &[Fault::FailBefore, Fault::AppliedThenError]));
        for number in 0..400 {
            let _faulty = create(&store, &number.to_string()).await;
        }
        store.log().into_iter().map(|call| call.fault).collect::<Vec<_>>()
    };
    assert_eq!(faults(1).await, faults(1).await);
    assert_ne!(faults(1).await, faults(2).await);
    let hit = faults(3).await.into_iter().flatten().collect::<Vec<_>>();
    assert!((60..140).contains(&hit.len()), "{}", hit.len());
    assert!(hit.contains(&Fault::FailBefore) && hit.contains(&Fault::AppliedThenError));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_upload_can_land_late() {
    let (store, memory) = store(FaultPlan::on(Operation::UploadComplete, "", 1, Fault::DropThenLandLate));
    let mut upload = store.put_multipart(&Path::from("a")).await.unwrap();
    upload.put_part("mi".into()).await.unwrap();
    upload.put_part("ne".into()).await.unwrap();
    upload.complete().await.unwrap_err();
    drop(upload);
    assert_eq!(stored(&memory, "a").await, None);
    sleep(LANDS * 2).await;
    assert_eq!(stored(&memory, "a").await.as_deref(), Some("mine"));
    assert_eq!((store.count(Operation::UploadStart), store.count(Operation::UploadPart)), (1, 2));
}

#[tokio::test]
async fn a_bad_store_ignores_every_third_condition() {
    let memory = Arc::new(InMemory::new());
    let bad = BadStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>, Flaw::IgnoresConditionEvery(3));
    let path = Path::from("a");
    let put = |text: &'static str| bad.put_opts(&path, text.into(), PutMode::Create.into());
    put("one").await.unwrap();
    assert!(matches!(put("two").await, Err(Error::AlreadyExists { .. })));
    put("three").await.unwrap();
    assert_eq!(stored(&memory, "a").await.as_deref(), Some("three"));
}
