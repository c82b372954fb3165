//! The server is what a client of S3 expects, and fails as it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig};

use super::{Action, Conditions, Fault, Rule, ScriptedS3};
use crate::object_stores::{blocking, builder, suite};

/// A server with one bucket, and a client that asks once.
struct Pair {
    server: ScriptedS3,
    bucket: String,
    store: AmazonS3,
}

impl Pair {
    fn new() -> Pair {
        let server = ScriptedS3::start();
        let bucket = server.bucket();
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let store = builder(&server.endpoint(), &bucket, &server.variables()).with_retry(retry).build().unwrap();
        Pair { server, bucket, store }
    }

    fn create(&self, key: &str, text: &'static str) -> Result<(), Error> {
        blocking(self.store.put_opts(&Path::from(key), text.into(), PutMode::Create.into())).map(|_| ())
    }

    fn put(&self, key: &str, text: &'static str) -> Result<(), Error> {
        blocking(self.store.put(&Path::from(key), text.into())).map(|_| ())
    }

    fn get(&self, key: &str) -> Result<Bytes, Error> {
        blocking(async { self.store.get(&Path::from(key)).await?.bytes().await })
    }

    fn stored(&self, key: &str) -> Option<String> {
        self.server.get(&self.bucket, key).map(|bytes| String::from_utf8(bytes).unwrap())
    }
}

#[test]
fn object_stores_own_suite_passes_on_the_scripted_server() {
    let server = ScriptedS3::start();
    suite(&server.endpoint(), &server.bucket(), &server.variables());
    assert_eq!(server.open_uploads(), 0);
}

#[test]
fn what_was_asked_is_remembered() {
    let pair = Pair::new();
    pair.create("a/1.json", "one").unwrap();
    pair.create("a/1.json", "two").unwrap_err();
    pair.put("a/2.json", "two").unwrap();
    pair.get("a/2.json").unwrap();
    blocking(pair.store.list(Some(&Path::from("a"))).try_collect::<Vec<_>>()).unwrap();
    let paths = ["a/1.json", "a/2.json"].map(|path| Ok(Path::from(path)));
    let paths = Box::pin(futures::stream::iter(paths));
    blocking(pair.store.delete_stream(paths).try_collect::<Vec<_>>()).unwrap();
    let asked = pair.server.take_requests();
    let lines =
        asked.iter().map(|request| (request.action, request.keys.join(" "), request.is_conditional, request.status));
    let expected = [
        (Action::Put, "a/1.json", true, 200),
        (Action::Put, "a/1.json", true, 412),
        (Action::Put, "a/2.json", false, 200),
        (Action::Get, "a/2.json", false, 200),
        (Action::List, "a/", false, 200),
        (Action::DeleteMany, "a/1.json a/2.json", false, 200),
    ];
    let expected =
        expected.map(|(action, keys, conditional, status)| (action, keys.to_owned(), conditional, Some(status)));
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    assert!(asked.iter().all(|request| request.is_signed && request.bucket == pair.bucket));
    assert_eq!(asked[0].key(), "a/1.json");
    assert!(pair.server.take_requests().is_empty());
}

#[test]
fn an_answer_may_lie_or_get_lost_after_the_deed() {
    let pair = Pair::new();
    pair.server.script(Rule::on(Action::Put, Fault::AppliedThen500).ending("1.json"));
    pair.server.script(Rule::on(Action::Put, Fault::AppliedThenDrop).ending("2.json"));
    assert_eq!(pair.server.faults_to_come(), 2);
    pair.create("1.json", "one").unwrap_err();
    pair.create("2.json", "two").unwrap_err();
    assert_eq!(pair.server.faults_to_come(), 0);
    assert_eq!((pair.stored("1.json"), pair.stored("2.json")), (Some("one".to_owned()), Some("two".to_owned())));
    let statuses: Vec<_> = pair.server.take_requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(500), None]);
    // The second try meets what the first one wrote.
    let error = pair.create("1.json", "other").unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
}

#[test]
fn a_failure_changes_nothing_and_strikes_as_often_as_it_is_told() {
    let pair = Pair::new();
    pair.server.script(Rule::on(Action::Put, Fault::Fail(503)).containing("log/").starting_at(2).times(2));
    let results = ["log/1", "else", "log/2", "log/3", "log/4"].map(|key| pair.put(key, "text").is_ok());
    assert_eq!(results, [true, true, false, false, true]);
    assert_eq!(pair.server.keys(&pair.bucket, ""), ["else", "log/1", "log/4"]);
    assert_eq!(pair.server.keys(&pair.bucket, "log/"), ["log/1", "log/4"]);
    pair.server.script(Rule::on_all(Fault::Fail(409)));
    // The client takes a conflict for a lost race.
    let error = pair.create("new", "text").unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(pair.stored("new"), None);
}

#[test]
fn a_client_that_tries_again_gets_over_it() {
    let pair = Pair::new();
    let patient = builder(&pair.server.endpoint(), &pair.bucket, &pair.server.variables()).build().unwrap();
    pair.server.script(Rule::on(Action::Put, Fault::Fail(500)));
    pair.server.script(Rule::on(Action::Get, Fault::Truncated));
    blocking(async {
        let path = Path::from("key");
        patient.put(&path, "a text that is long enough to be cut".into()).await.unwrap();
        let read = patient.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, "a text that is long enough to be cut");
    });
    let asked = pair.server.take_requests();
    let actions: Vec<Action> = asked.iter().map(|request| request.action).collect();
    assert_eq!(actions, [Action::Put, Action::Put, Action::Get, Action::Get]);
}

#[test]
fn a_body_that_is_cut_is_no_object() {
    let pair = Pair::new();
    pair.server.put(&pair.bucket, "key", "text");
    pair.server.script(Rule::on(Action::Get, Fault::Truncated));
    pair.get("key").unwrap_err();
    assert_eq!(pair.get("key").unwrap(), "text");
}

#[test]
fn an_answer_may_take_its_time() {
    let pair = Pair::new();
    let time = Duration::from_millis(50);
    pair.server.script(Rule::on(Action::Put, Fault::SlowFirstByte(time)));
    let start = Instant::now();
    pair.put("key", "text").unwrap();
    assert!(start.elapsed() >= time);
}

#[test]
fn a_bad_store_overwrites_what_was_to_be_kept() {
    let pair = Pair::new();
    pair.server.conditions(Conditions::IgnoredEach(2));
    let texts = ["one", "two", "three"].map(|text| pair.create("key", text).is_ok());
    assert_eq!(texts, [true, true, false]);
    assert_eq!(pair.stored("key").as_deref(), Some("two"));
}

#[test]
fn a_store_may_refuse_conditions() {
    let pair = Pair::new();
    pair.server.conditions(Conditions::Refused);
    pair.create("key", "text").unwrap_err();
    pair.put("key", "text").unwrap();
    assert_eq!(pair.server.take_requests()[0].status, Some(501));
    pair.server.conditions(Conditions::Kept);
    pair.create("key", "text").unwrap_err();
    pair.create("other", "text").unwrap();
}

#[test]
fn one_of_many_wins_a_race() {
    let pair = Pair::new();
    let store = Arc::new(pair.store.clone());
    let wins = blocking(async {
        let tries = (0..16).map(|racer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let payload = PutPayload::from(format!("racer {racer}").into_bytes());
                store.put_opts(&Path::from("slot"), payload, PutMode::Create.into()).await.is_ok()
            })
        });
        let results = futures::future::join_all(tries.collect::<Vec<_>>()).await;
        results.into_iter().filter(|result| *result.as_ref().unwrap()).count()
    });
    assert_eq!(wins, 1);
}

#[test]
fn an_upload_that_is_not_ended_stays_open() {
    let pair = Pair::new();
    blocking(async {
        let mut upload = pair.store.put_multipart(&Path::from("key")).await.unwrap();
        upload.put_part("text".into()).await.unwrap();
        assert_eq!(pair.server.open_uploads(), 1);
        upload.abort().await.unwrap();
    });
    assert_eq!(pair.server.open_uploads(), 0);
    assert_eq!(pair.stored("key"), None);
}

#[test]
fn objects_can_be_made_older() {
    let pair = Pair::new();
    pair.put("key", "text").unwrap();
    let modified = || blocking(pair.store.head(&Path::from("key"))).unwrap().last_modified;
    let before = modified();
    pair.server.age(&pair.bucket, Duration::from_secs(3600));
    assert_eq!((before - modified()).num_seconds(), 3600);
}

#[test]
fn a_server_that_has_ended_answers_nobody() {
    let Pair { server, store, .. } = Pair::new();
    blocking(store.put(&Path::from("key"), "text".into())).unwrap();
    drop(server);
    blocking(store.get(&Path::from("key"))).unwrap_err();
}
