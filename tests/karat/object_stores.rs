//! The suite that every implementation of an object store must pass, on a real server, and clients for other tests.

use std::collections::BTreeMap;
use std::future::Future;

use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists};
use object_store::integration;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutPayload};

use karat::host::OsHost;
use karat::pipeline::{self, Session, SessionOptions, Workspace};
use karat::project::LoadRequest;

use crate::folder::Folder;
use crate::minio::minio;
use crate::scripted_s3::ScriptedS3;

/// A client of a server without encryption.
pub(crate) fn builder(endpoint: &str, bucket: &str, variables: &BTreeMap<String, String>) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_bucket_name(bucket)
        .with_region(&variables["AWS_REGION"])
        .with_access_key_id(&variables["AWS_ACCESS_KEY_ID"])
        .with_secret_access_key(&variables["AWS_SECRET_ACCESS_KEY"])
}

/// Runs a future of a client to its end.
pub(crate) fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// What object_store itself runs on S3, in a bucket that is empty.
pub(crate) fn suite(endpoint: &str, bucket: &str, variables: &BTreeMap<String, String>) {
    let builder = |bucket: &str| builder(endpoint, bucket, variables);
    let store = builder(bucket).with_copy_if_not_exists(S3CopyIfNotExists::Multipart).build().unwrap();
    let is_unsigned = builder(bucket).with_unsigned_payload(true).build().unwrap();
    let with_checksum = builder(bucket).with_checksum_algorithm(Checksum::SHA256).build().unwrap();
    let elsewhere = builder("no-such-bucket").build().unwrap();
    blocking(async {
        objects(&store).await;
        nothing_there(&store, &elsewhere).await;
        integration::put_get_delete_list(&is_unsigned).await;
        integration::put_get_delete_list(&with_checksum).await;
        integration::multipart(&with_checksum, &with_checksum).await;
    });
}

/// What the suite begins with, for every store.
async fn basics(store: &dyn ObjectStore) {
    integration::put_get_delete_list(store).await;
    integration::list_with_offset_exclusivity(store).await;
    integration::get_opts(store).await;
    integration::list_uses_directories_correctly(store).await;
    integration::list_with_delimiter(store).await;
    integration::rename_and_copy(store).await;
    integration::stream_get(store).await;
}

/// In object_store's own order: some expect an empty bucket, and not all leave one.
async fn objects(store: &AmazonS3) {
    basics(store).await;
    integration::multipart(store, store).await;
    integration::multipart_race_condition(store, true).await;
    integration::multipart_out_of_order(store).await;
    integration::put_get_attributes(store).await;
    integration::list_paginated(store, store).await;
    integration::copy_if_not_exists(store).await;
    integration::copy_rename_nonexistent_object(store).await;
    integration::put_opts(store, true).await;
}

/// Objects and buckets that are not there.
async fn nothing_there(store: &AmazonS3, elsewhere: &AmazonS3) {
    let path = Path::from("nonexistentname");
    let is_missing = |error: &Error| matches!(error, Error::NotFound { .. });
    let error = integration::get_nonexistent_object(store, Some(path.clone())).await.unwrap_err();
    assert!(is_missing(&error), "{error}");
    store.delete(&path).await.unwrap();
    let error = elsewhere.get(&path).await.unwrap_err();
    assert!(is_missing(&error), "{error}");
    let error = elsewhere.put(&path, PutPayload::from("text")).await.unwrap_err();
    assert!(is_missing(&error), "{error}");
    let error = elsewhere.delete(&path).await.unwrap_err();
    assert!(is_missing(&error), "{error}");
}

/// The same for the store as karat opens it for a lake: in a folder of a bucket, limited, counted and sorted. Copies
/// under a condition are left out, which karat never makes.
fn suite_of_karat(folder: &Folder) {
    let host = OsHost::new(folder.root(), folder.root(), folder.variables().clone());
    let compilation = pipeline::compile(&Workspace::new(folder.root(), host), &LoadRequest::default());
    let store = Session::open(&compilation, SessionOptions::default()).unwrap().objects();
    let store: &dyn ObjectStore = &store;
    blocking(async {
        basics(store).await;
        integration::multipart_race_condition(store, true).await;
        integration::multipart_out_of_order(store).await;
        integration::put_get_attributes(store).await;
        integration::put_opts(store, true).await;
        let error = integration::get_nonexistent_object(store, Some(Path::from("nonexistentname"))).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    });
}

#[test]
fn object_stores_own_suite_passes_on_minio() {
    if let Some(minio) = minio() {
        suite_of_karat(&Folder::with_shop().on_minio(minio, &minio.bucket(), ""));
    }
}

#[test]
fn object_stores_own_suite_passes_for_karat_on_the_scripted_server() {
    let server = ScriptedS3::start();
    suite_of_karat(&Folder::with_shop().on_scripted(&server, &server.bucket(), ""));
}

#[test]
fn a_store_that_is_away_is_told_while_it_is_waited_for() {
    let server = ScriptedS3::start();
    let bucket = server.bucket();
    let folder = Folder::with_shop().on_scripted(&server, &bucket, "retry_for: 6");
    let mine = server.endpoint();
    // Nobody listens there: the port was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let project = std::fs::read_to_string(folder.root().join("project.yml")).unwrap();
    folder.write("project.yml", project.replace(&mine, &other));
    let mut variables = folder.variables().clone();
    let profile = std::fs::read_to_string(&variables["KARAT_PROFILE"]).unwrap();
    folder.write("profile.yml", profile.replace(&mine, &other));
    variables.insert("KARAT_PROFILE".to_owned(), folder.root().join("profile.yml").to_str().unwrap().to_owned());
    let folder = folder.with_variables(variables);
    let answer = folder.try_karat(&["run"]);
    assert_eq!(answer.code, 3, "{}", answer.printed);
    let waiting: Vec<&str> = answer.printed.lines().filter(|line| line.contains("waiting")).collect();
    let [line] = waiting.as_slice() else { panic!("{}", answer.printed) };
    for said in [bucket.as_str(), other.as_str(), "Connection refused", "tried again for 6 s (`retry_for`)"] {
        assert!(line.contains(said), "{said}: {line}");
    }
}
