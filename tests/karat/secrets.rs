//! Secrets are planted wherever credentials may come from; none comes out again.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;

use crate::binary::executable;
use crate::folder::{Folder, walk};
use crate::karat;

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

const USUAL: Planted =
    Planted { what: "", target: LAKE, profile: PROFILE, model: MODEL, variables: &[], said: "s3://bucket/lake" };

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
        said: "holds a user or a password",
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
        said: "`AWS_ENDPOINT_URL` holds a user or a password",
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
