//! Secrets are planted wherever credentials may come from; none comes out again.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;

use crate::binary::executable;
use crate::folder::{Folder, walk};
use crate::karat;
use crate::lakes::contents;
use crate::minio::minio;
use crate::scripted_s3::{Fault, Rule, ScriptedS3};

/// Every planted secret begins with this.
const CANARY: &str = "CANARY";

/// A project, a profile and an environment that hold secrets.
struct Planted {
    what: &'static str,
    target: &'static str,
    profile: &'static str,
    model: &'static str,
    /// Variables beside those that hold credentials.
    variables: &'static [(&'static str, &'static str)],
    /// What a run says, which shows that it came to the planted place.
    said: &'static str,
}

const PROFILE: &str = "
endpoints:
  'http://127.0.0.1:9': { credentials: { access_key_id: CANARY-id-of-one, secret_access_key: CANARY/key+of=one, session_token: CANARY-token-of-one } }
  'https://s3.example.com': { credentials: { access_key_id: CANARY-id-of-two, secret_access_key: CANARY/key+of=two } }
aws: { credentials: { access_key_id: CANARY-id-of-aws, secret_access_key: CANARY/key+of=aws, session_token: CANARY-token-of-aws } }
";

const MODEL: &str = "{{ config(materialized='table') }} select 1 as a";

/// A lake on a server of this machine that does not answer.
const LAKE: &str = "lake: s3://bucket/lake
    endpoint: http://127.0.0.1:9
    retries: 0
    connect_timeout: 1";

const USUAL: Planted = Planted {
    what: "",
    target: LAKE,
    profile: PROFILE,
    model: MODEL,
    variables: &[],
    said: "http://127.0.0.1:9/bucket/lake",
};

const PLANTED: [Planted; 9] = [
    Planted { what: "an allowed endpoint", ..USUAL },
    Planted {
        what: "an endpoint that nobody allowed",
        target: "lake: s3://bucket\n    endpoint: https://other.example.com",
        said: "endpoint-not-allowed",
        ..USUAL
    },
    Planted {
        what: "keys in the target",
        target: "lake: s3://bucket\n    access_key_id: CANARY-1\n    secret_access_key: >\n      CANARY-2\n    aws_x: CANARY-3\n    password: [CANARY-4]",
        said: "would hold credentials",
        ..USUAL
    },
    Planted {
        what: "users and passwords in URLs",
        target: "lake: s3://CANARY-5:CANARY/6@bucket\n    endpoint: https://CANARY-7:CANARY-8@host\n    retrys: 1",
        said: "contains a user name or a password",
        ..USUAL
    },
    Planted {
        what: "a malformed project",
        target: "lake: 'https://CANARY-9@bucket?CANARY-10\n    session_token: CANARY-11\n   x: : {",
        said: "invalid-yaml",
        ..USUAL
    },
    Planted {
        what: "a malformed profile",
        profile: "CANARY-12: CANARY-13\nendpoints: { CANARY-14: CANARY-15 }\naws: { credentials: CANARY-16 }",
        said: "line 1 of the profile",
        ..USUAL
    },
    Planted {
        what: "a profile that is no YAML",
        profile: "endpoints:\n  'https://CANARY-17': [CANARY-18\naws: CANARY-19",
        said: "of the profile",
        ..USUAL
    },
    Planted {
        what: "a template that asks for keys",
        model: "select '{{ env_var('AWS_SECRET_ACCESS_KEY', '') }}{{ env_var('aws_session_token', '') }}' as a",
        said: "may hold a secret",
        ..USUAL
    },
    Planted {
        what: "an endpoint in the environment",
        target: "lake: s3://bucket",
        variables: &[("AWS_ENDPOINT_URL", "https://CANARY-20:CANARY-21@s3.example.com")],
        said: "`AWS_ENDPOINT_URL` contains a user name or a password",
        ..USUAL
    },
];

const VARIABLES: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

const COMMANDS: [&[&str]; 6] =
    [&["ls"], &["compile"], &["doctor"], &["run"], &["build"], &["query", "select * from {{ ref('a') }}"]];

/// The files that hold the secrets themselves.
const SOWN: [&str; 2] = ["project.yml", "profile.yml"];

#[test]
fn no_secret_is_ever_told() {
    for planted in &PLANTED {
        let folder = Folder::new();
        folder.write("project.yml", format!("name: p\ntargets:\n  prod:\n    {}\n", planted.target));
        folder.write("profile.yml", planted.profile);
        folder.write("models/a.sql", planted.model);
        let variables = variables(planted);
        for command in COMMANDS {
            for manner in [["--log-format", "text"], ["--log-format", "json"]] {
                let words: Vec<String> = command.iter().chain(&manner).map(|word| (*word).to_owned()).collect();
                let answer = karat(folder.root(), &variables, &words);
                silent(planted, &words, &answer.printed);
                if command == ["run"] {
                    assert!(answer.printed.contains(planted.said), "{}: {words:?}\n{}", planted.what, answer.printed);
                }
            }
            // What libraries trace goes to the process's own stderr.
            let process =
                executable(&folder).args(command).arg("--debug").env_clear().envs(&variables).output().unwrap();
            for told in [process.stdout, process.stderr] {
                silent(planted, command, &String::from_utf8_lossy(&told));
            }
        }
        let mut files = Vec::new();
        walk(folder.root(), &mut files);
        for file in files.iter().filter(|file| !SOWN.iter().any(|name| file.ends_with(name))) {
            silent(planted, file, &String::from_utf8_lossy(&fs::read(file).unwrap()));
        }
    }
}

/// Keys for the scripted server in a profile, which takes any.
const KEYS: &str = "{ access_key_id: CANARY-id-of-server, secret_access_key: CANARY/key+of=server, session_token: CANARY-token-of-server }";

/// A project whose lake is really built.
fn real(target: &str, profile: &str) -> Folder {
    let folder = Folder::with_shop();
    folder.write("project.yml", format!("name: shop\nmodels:\n  +schema: shop\ntargets:\n  prod: {{ {target} }}\n"));
    folder.write("profile.yml", profile);
    folder
}

const REAL_COMMANDS: [&[&str]; 9] = [
    &["doctor"],
    &["run"],
    &["run", "--full-refresh"],
    &["build"],
    &["history", "orders"],
    &["restore", "orders", "--version", "0"],
    &["gc", "--yes"],
    &["show", "orders"],
    &["query", "select * from shop.orders_quarantine"],
];

/// Runs commands in both forms and as processes that trace, and gives all that was said. Their ends do not matter.
fn told(folder: &Folder, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut told = Vec::new();
    for command in REAL_COMMANDS {
        for format in ["text", "json"] {
            let words: Vec<String> =
                command.iter().chain(&["--log-format", format]).map(|word| (*word).to_owned()).collect();
            told.push(karat(folder.root(), variables, &words).printed);
        }
        let process = executable(folder).args(command).arg("--debug").env_clear().envs(variables).output().unwrap();
        told.extend([process.stdout, process.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    }
    told
}

/// Looks for secrets in what was said, in objects and in files.
fn check_silent(secrets: &[&str], told: &[String], objects: &BTreeMap<String, Vec<u8>>, folder: &Folder) {
    let is_in = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        secrets.iter().any(|secret| text.contains(secret))
    };
    for text in told {
        assert!(!is_in(text.as_bytes()), "a secret is told\n{text}");
    }
    for (key, bytes) in objects {
        let unpacked = if key.ends_with(".zst") { zstd::decode_all(bytes.as_slice()).unwrap() } else { Vec::new() };
        assert!(!is_in(key.as_bytes()) && !is_in(bytes) && !is_in(&unpacked), "{key} holds a secret");
    }
    let mut files = Vec::new();
    walk(folder.root(), &mut files);
    for file in files.iter().filter(|file| !SOWN.iter().any(|name| file.ends_with(name))) {
        assert!(!is_in(&fs::read(file).unwrap()), "{file:?} holds a secret");
    }
}

/// The environment of a run that reaches a server, with other secrets around.
fn surrounded() -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        VARIABLES.iter().map(|name| ((*name).to_owned(), format!("{CANARY}/{name}"))).collect();
    variables.insert("KARAT_PROFILE".to_owned(), "profile.yml".to_owned());
    variables
}

#[test]
fn no_secret_gets_into_a_bucket_or_out_of_a_run_that_works_or_fails() {
    for credentials in [KEYS, "environment"] {
        let server = ScriptedS3::start();
        let bucket = server.bucket();
        let endpoint = server.endpoint();
        let target = format!("lake: 's3://{bucket}/some/lake', endpoint: '{endpoint}', retries: 0, retry_for: 1");
        let profile = format!("{PROFILE}\n")
            .replace("endpoints:\n", &format!("endpoints:\n  '{endpoint}': {{ credentials: {credentials} }}\n"));
        let folder = real(&target, &profile);
        let variables = surrounded();
        let mut told = told(&folder, &variables);
        assert!(told.iter().any(|text| text.contains("built")), "{told:#?}");
        let requests = server.take_requests();
        assert!(!requests.is_empty() && requests.iter().all(|request| request.is_signed));
        // What servers and clients say of failures is said again by karat.
        for status in [403, 500] {
            server.script(Rule::on_all(Fault::Fail(status)).times(100_000));
            for command in [["run", "--debug"], ["doctor", "--debug"], ["show", "orders"]] {
                let process = executable(&folder).args(command).env_clear().envs(&variables).output().unwrap();
                assert_ne!(process.status.code(), Some(0), "{command:?}");
                told.extend([process.stdout, process.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
            }
            server.clear_script();
        }
        let objects = server.objects(&bucket);
        for part in ["_karat/ledger/", "_karat/releases/", "_delta_log/", ".parquet"] {
            assert!(objects.keys().any(|key| key.contains(part)), "{part}");
        }
        check_silent(&[CANARY], &told, &objects, &folder);
    }
}

#[test]
fn no_secret_of_a_real_server_gets_into_its_bucket_or_out_of_a_run() {
    let Some(minio) = minio() else { return };
    let bucket = minio.bucket();
    let endpoint = &minio.endpoint;
    let target = format!("lake: 's3://{bucket}/some/lake', endpoint: '{endpoint}'");
    let profile = format!("endpoints:\n  '{endpoint}': {{ credentials: environment }}\n");
    let folder = real(&target, &profile);
    let mut variables = surrounded();
    // A token that belongs to no session would be refused.
    variables.remove("AWS_SESSION_TOKEN");
    variables.extend(minio.variables().into_iter().filter(|(name, _)| name != "KARAT_PROFILE"));
    let told = told(&folder, &variables);
    assert!(told.iter().any(|text| text.contains("built")), "{told:#?}");
    let objects = contents(minio, &bucket);
    assert!(objects.keys().any(|key| key.contains("_karat/releases/")));
    check_silent(&[CANARY, &minio.access_key, &minio.secret_key], &told, &objects, &folder);
}

/// The environment: a different secret in every variable.
fn variables(planted: &Planted) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        VARIABLES.iter().map(|name| ((*name).to_owned(), format!("{CANARY}/{name}"))).collect();
    variables.insert("KARAT_PROFILE".to_owned(), "profile.yml".to_owned());
    let more = planted.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    variables.extend(more);
    variables
}

fn silent(planted: &Planted, place: impl std::fmt::Debug, told: &str) {
    assert!(!told.contains(CANARY), "{}: {place:?} tells a secret\n{told}", planted.what);
}
