//! Targets as they are written, right and wrong.

use super::{StorageSettings, Target};
use crate::project::testing::{load, load_as, said};
use crate::project::{LakeLocation, LoadRequest};

fn with_target(project: &str, target: &str) -> Result<Target, String> {
    let request = LoadRequest { target: Some(target.to_owned()), ..LoadRequest::default() };
    load_as(project, &[], &request).map(|loaded| loaded.target)
}

/// What is said about one target.
fn said_of(target: &str) -> String {
    said(&format!("name: p\ntargets:\n  a:\n    {}", target.replace('\n', "\n    ")), &[])
}

#[test]
fn without_a_declaration_the_lake_is_a_folder_of_the_project() {
    let target = load("name: p", &[]).unwrap().target;
    assert_eq!((target.name.as_str(), target.lake.to_string().as_str()), ("local", "./lake"));
    assert_eq!(target.storage, StorageSettings::default());
}

#[test]
fn the_target_is_asked_for_or_declared_or_the_only_one() {
    let two = "name: p\ntargets: {dev: {lake: a}, prod: {lake: /b}}\ntarget: dev";
    assert_eq!(load(two, &[]).unwrap().target.lake.folder(), Some("a"));
    assert_eq!(with_target(two, "prod").unwrap().lake.folder(), Some("/b"));
    assert_eq!(load("name: p\ntargets: {dev: {lake: a}}", &[]).unwrap().target.name, "dev");
    insta::assert_snapshot!(with_target(two, "prd").unwrap_err(), @r"
    error[invalid-config]: no target is called `prd`
     = help: did you mean `prod`?
     = help: the targets are `dev` and `prod`
    ");
}

#[test]
fn a_lake_in_a_bucket_says_where_it_is_and_how_patient_karat_is() {
    let text = "name: p
targets:
  prod:
    lake: S3://my-bucket/team%20a/lake/
    endpoint: HTTP://LocalHost:9000/
    region: eu-central-1
    path_style: false
    allow_http: false
    engine: local
    timeout: 60
    connect_timeout: 2
    retries: 0
    retry_for: 10
    connections: 8
    checkpoint_every: 20
    vars: { a: 1 }
";
    let target = load(text, &[]).unwrap().target;
    assert_eq!((target.lake.to_string().as_str(), target.lake.folder()), ("s3://my-bucket/team%20a/lake", None));
    let LakeLocation::Bucket(bucket) = &target.lake else { panic!("{:?}", target.lake) };
    assert_eq!((bucket.bucket.as_str(), bucket.prefix.as_str()), ("my-bucket", "team%20a/lake"));
    assert_eq!(bucket.endpoint.as_ref().unwrap().value.to_string(), "http://localhost:9000");
    assert_eq!(
        (bucket.region.as_deref(), bucket.path_style, bucket.allow_http),
        (Some("eu-central-1"), Some(false), false)
    );
    let settings = StorageSettings {
        timeout_seconds: 60,
        connect_timeout_seconds: 2,
        retries: 0,
        retry_seconds: 10,
        connections: 8,
        checkpoint_every: 20,
    };
    assert_eq!((target.storage, target.vars["a"].as_i64()), (settings, Some(1)));
    let whole = load("name: p\ntargets: {a: {lake: 's3://b/'}}", &[]).unwrap().target;
    assert_eq!((whole.lake.to_string().as_str(), whole.storage), ("s3://b", StorageSettings::default()));
}

#[test]
fn a_target_that_cannot_be_used_is_an_error() {
    insta::assert_snapshot!(said("name: p\ntargets: {a: {lake: x}, b: {lake: y}}", &[]), @r"
    error[invalid-config]: the project has several targets and no `target`
     --> project.yml:2:1
      |
    2 | targets: {a: {lake: x}, b: {lake: y}}
      | ^^^^^^^
      |
      = help: add `target:`, which can be `a` or `b`
    ");
    insta::assert_snapshot!(said("name: p\ntargets: {a: {lake: 'gs://x'}, b: {}, c: {lake: 's3:x'}}\ntarget: a", &[]), @r"
    error[invalid-config]: a lake cannot be at `gs://`
     --> project.yml:2:21
      |
    2 | targets: {a: {lake: 'gs://x'}, b: {}, c: {lake: 's3:x'}}
      |                     ^^^^^^^^
      |
      = help: a lake is a folder, like `./lake`, or a bucket, like `s3://bucket/folder`

    error[invalid-config]: the target `b` has no `lake`
     --> project.yml:2:32
      |
    2 | targets: {a: {lake: 'gs://x'}, b: {}, c: {lake: 's3:x'}}
      |                                ^
      |
      = help: add the place of its tables, like `lake: ./lake`

    error[invalid-config]: `lake` is neither a folder nor a bucket
     --> project.yml:2:49
      |
    2 | targets: {a: {lake: 'gs://x'}, b: {}, c: {lake: 's3:x'}}
      |                                                 ^^^^^^
      |
      = help: a bucket is written `s3://bucket/folder`
    ");
}

#[test]
fn everything_that_is_wrong_with_a_bucket_is_said_at_once() {
    insta::assert_snapshot!(said_of(
        "lake: s3:///a\nendpoint: https://host/path\nregion: evil.com/\npath_style: yes\ntimeout: 0\nretries: many\nengine: spark\nendpont: x"
    ), @r"
    error[invalid-config]: `lake` names no bucket
     --> project.yml:4:11
      |
    4 |     lake: s3:///a
      |           ^^^^^^^
      |
      = help: a bucket is written `s3://bucket/folder`

    error[invalid-config]: `endpoint` has a path
     --> project.yml:5:15
      |
    5 |     endpoint: https://host/path
      |               ^^^^^^^^^^^^^^^^^
      |
      = help: an endpoint is a scheme, a host and optionally a port: `https://s3.example.com:9000`

    error[invalid-config]: `region` is not the name of a region
     --> project.yml:6:13
      |
    6 |     region: evil.com/
      |             ^^^^^^^^^
      |
      = help: a region has letters, digits and `-`, like `eu-central-1`

    error[invalid-yaml]: `path_style` must be `true` or `false`, not a text
     --> project.yml:7:17
      |
    7 |     path_style: yes
      |                 ^^^

    error[invalid-config]: `timeout` must be seconds, from 1 to 3600
     --> project.yml:8:14
      |
    8 |     timeout: 0
      |              ^

    error[invalid-config]: `retries` must be a whole number, from 0 to 100
     --> project.yml:9:14
      |
    9 |     retries: many
      |              ^^^^

    error[invalid-config]: no engine is called `spark`
      --> project.yml:10:13
       |
    10 |     engine: spark
       |             ^^^^^
       |
       = help: the engines are `local`

    error[unknown-key]: `endpont` is not a key of a target
      --> project.yml:11:5
       |
    11 |     endpont: x
       |     ^^^^^^^
       |
       = help: did you mean `endpoint`?
    ");
}

#[test]
fn a_bucket_and_its_folder_have_names_that_lead_nowhere_else() {
    for (lake, message) in [
        ("s3://a..b/c", "an invalid bucket name"),
        ("s3://-a", "an invalid bucket name"),
        ("s3://bücket", "an invalid bucket name"),
        ("s3://a/b//c", "an invalid folder"),
        ("s3://a/../c", "an invalid folder"),
        ("s3://a/b?c", "has a query"),
    ] {
        let said = said_of(&format!("lake: '{lake}'"));
        assert!(said.contains(message), "{lake}\n{said}");
    }
}

#[test]
fn requests_stay_on_the_machine_or_are_encrypted_unless_the_target_says_otherwise() {
    insta::assert_snapshot!(said_of("lake: s3://b\nendpoint: http://minio:9000"), @r"
    error[invalid-config]: `endpoint` is not encrypted, and is on another machine
     --> project.yml:5:15
      |
    5 |     endpoint: http://minio:9000
      |               ^^^^^^^^^^^^^^^^^
      |
      = help: use `https://`, or write `allow_http: true` if anyone on the way may read and change the tables
    ");
    for more in
        ["endpoint: http://minio:9000\nallow_http: true", "endpoint: http://127.0.0.1:9000", "endpoint: https://minio"]
    {
        assert_eq!(said_of(&format!("lake: s3://b\n{more}")), "", "{more}");
    }
}

#[test]
fn a_folder_has_no_endpoint() {
    insta::assert_snapshot!(said_of("lake: ./lake\nendpoint: https://host\nconnections: 3\ncheckpoint_every: 5"), @r"
    error[invalid-config]: `endpoint` does not apply to a lake in a folder
     --> project.yml:5:5
      |
    5 |     endpoint: https://host
      |     ^^^^^^^^
      |
      = help: remove it, or put the lake into a bucket: `lake: s3://bucket/folder`

    error[invalid-config]: `connections` does not apply to a lake in a folder
     --> project.yml:6:5
      |
    6 |     connections: 3
      |     ^^^^^^^^^^^
      |
      = help: remove it, or put the lake into a bucket: `lake: s3://bucket/folder`
    ");
}

#[test]
fn credentials_in_a_project_are_refused_and_not_repeated() {
    let refused = said_of(
        "lake: s3://CANARY1:CANARY2/CANARY3@bucket\nendpoint: https://CANARY4@host\nsecret_access_key: CANARY5\npassword: |\n  CANARY6",
    );
    assert!(!refused.contains("CANARY"), "{refused}");
    insta::assert_snapshot!(refused, @r"
    error[invalid-config]: `lake` contains a user name or a password
     --> project.yml:4:11
      |
    4 |     lake: s3://***********************@bucket
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: a project is shared, so it never contains credentials; replace these with new ones
      = help: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or write them into `~/.config/karat/profile.yml`

    error[invalid-config]: `endpoint` contains a user name or a password
     --> project.yml:5:15
      |
    5 |     endpoint: https://*******@host
      |               ^^^^^^^^^^^^^^^^^^^^
      |
      = note: a project is shared, so it never contains credentials; replace these with new ones
      = help: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or write them into `~/.config/karat/profile.yml`

    error[invalid-config]: `secret_access_key` would hold credentials, and a target has none
     --> project.yml:6:5
      |
    6 |     secret_access_key: *******
      |     ^^^^^^^^^^^^^^^^^
      |
      = note: a project is shared, so it never contains credentials; replace these with new ones
      = help: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or write them into `~/.config/karat/profile.yml`

    error[invalid-config]: `password` would hold credentials, and a target has none
     --> project.yml:7:5
      |
    7 |     password: *
      |     ^^^^^^^^
      |
      = note: a project is shared, so it never contains credentials; replace these with new ones
      = help: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or write them into `~/.config/karat/profile.yml`
    ");
    let one_line = said_of("{ lake: 's3://b', aws_session_token: CANARY, endpont: x }");
    assert!(one_line.contains("`endpont` is not a key") && !one_line.contains("CANARY"), "{one_line}");
    let malformed = said_of("aws_secret_access_key: CANARY\nlake: \"s3://CANARY@bucket\n\tx: CANARY");
    assert!(malformed.contains("invalid-yaml") && !malformed.contains("CANARY"), "{malformed}");
}
