//! `karat demo` on another target than the local folder: a bucket of a real server, as a user reaches it.

use std::collections::BTreeMap;
use std::fs;

use crate::folder::{Folder, repository};
use crate::karat;
use crate::minio::{Minio, minio};

#[test]
fn the_demo_goes_into_a_bucket() {
    let Some(minio) = minio() else { return };
    let demo = sample_on(minio);
    let first = on_minio(&demo, &["demo", "--target", "minio", "--threads", "4"], &minio.variables());
    assert_eq!(first.code, 0, "{}", first.printed);
    let place = format!("target `minio`, `s3://{}` at {}", bucket_of(&demo), minio.endpoint);
    assert!(first.printed.starts_with(&place), "{}", first.printed);
    assert!(first.printed.contains("Monthly active users"), "{}", first.printed);
    assert!(first.printed.contains("karat show sessions --target minio "), "{}", first.printed);
    assert_eq!(demo.files("lake"), [""; 0], "the target's lake is the bucket");

    let sql = "select count(*) as days from gold.daily_active_users";
    let query = on_minio(&demo, &["query", sql, "--target", "minio", "--output", "csv"], &minio.variables());
    assert_eq!(query.out, "days\n31\n");

    let second = on_minio(&demo, &["demo", "-t", "minio"], &minio.variables());
    assert_eq!(second.code, 0, "{}", second.printed);
    assert!(!second.printed.contains("to build:"), "nothing changed\n{}", second.printed);
}

#[test]
fn the_demo_says_what_a_bucket_needs_before_it_writes_anything() {
    let demo = Folder::with_sample();
    let answer = on_minio(&demo, &["demo", "--target", "minio"], &BTreeMap::new());
    assert_eq!(answer.code, 1, "{}", answer.printed);
    assert!(answer.printed.starts_with("error[endpoint-not-allowed]"), "{}", answer.printed);
    assert_eq!(demo.files("data"), [""; 0]);
}

#[test]
fn a_bucket_that_is_not_there_is_named_with_what_to_do() {
    let Some(minio) = minio() else { return };
    let demo = sample_on(minio);
    let text = fs::read_to_string(demo.root().join("project.yml")).unwrap();
    demo.write("project.yml", text.replace(&bucket_of(&demo), "nobody-made-me/notes"));
    let answer = on_minio(&demo, &["demo", "--target", "minio"], &minio.variables());
    // No bucket comes by itself: trying again does not help.
    assert_eq!(answer.code, 1, "{}", answer.printed);
    for said in ["the store says `NoSuchBucket`", "`s3://nobody-made-me/notes`", "create the bucket"] {
        assert!(answer.printed.contains(said), "{said}\n{}", answer.printed);
    }
}

/// The sample project with a month of data, whose target `minio` is a new bucket of this server.
fn sample_on(minio: &Minio) -> Folder {
    let demo = Folder::with_sample();
    let text = fs::read_to_string(repository().join("project.yml")).unwrap();
    let written = r#"{ lake: "s3://lake/notes", endpoint: "http://127.0.0.1:9000" }"#;
    assert!(text.contains(written), "project.yml has another target `minio` than this test knows");
    let mine = format!(r#"{{ lake: "s3://{}/notes", endpoint: "{}" }}"#, minio.bucket(), minio.endpoint);
    demo.write("project.yml", text.replace(written, &mine));
    demo.karat(&["sample-data", "--rows", "5000", "--days", "31", "--users", "200", "--out", "data", "--quiet"]);
    demo
}

/// The bucket and the folder in it, as the project has them.
fn bucket_of(demo: &Folder) -> String {
    let text = fs::read_to_string(demo.root().join("project.yml")).unwrap();
    text.split_once("s3://").unwrap().1.split('"').next().unwrap().to_owned()
}

fn on_minio(demo: &Folder, words: &[&str], variables: &BTreeMap<String, String>) -> crate::Answer {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    karat(demo.root(), variables, &words)
}
