//! Which credentials go where.

use std::path::PathBuf;

use super::*;
use crate::diag::{Sink, Style, render};
use crate::project::LakeLocation;
use crate::project::testing::load;
use crate::span::SourceFiles;

const PROFILE: &str = "
endpoints:
  'http://127.0.0.1:9000': { credentials: environment }
  'https://s3.example.com': { credentials: { access_key_id: PROFILE-ID, secret_access_key: PROFILE-KEY, session_token: PROFILE-TOKEN } }
aws: { credentials: { access_key_id: AWS-ID, secret_access_key: AWS-KEY }, region: eu-north-1 }
";

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "ENV-ID"), ("AWS_SECRET_ACCESS_KEY", "ENV-KEY"), ("AWS_SESSION_TOKEN", "ENV-TOKEN")];

/// The access to the lake of a target, or what is said against it.
fn decide(target: &str, profile: &str, variables: &[(&str, &str)]) -> Result<BucketAccess, String> {
    let text = format!("name: p\ntargets:\n  a: {{ lake: 's3://bucket/lake', {target} }}");
    let LakeLocation::Bucket(location) = load(&text, &[]).unwrap().target.lake else { panic!("{text}") };
    let profile = Profile::parse(PathBuf::from("profile.yml"), profile, &mut Sink::default()).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut files = SourceFiles::default();
    files.add("project.yml", text);
    access(&location, &profile, &variables).map_err(|diagnostic| render(&diagnostic, &files, Style::Plain))
}

/// The endpoint, the region and the credentials, in short.
fn decided(target: &str, profile: &str, variables: &[(&str, &str)]) -> String {
    let access = decide(target, profile, variables).unwrap();
    let endpoint = access.endpoint.map_or("aws".to_owned(), |endpoint| endpoint.to_string());
    let secrets: Vec<&str> = access.credentials.secrets().into_iter().map(Secret::expose).collect();
    let kind = match &access.credentials {
        Credentials::Static(_) => "keys",
        Credentials::Ambient(_) => "role",
    };
    format!("{endpoint} {} {kind} {}", access.region, secrets.join(" "))
}

#[test]
fn an_endpoint_of_the_project_gets_no_credentials_until_the_profile_allows_it() {
    insta::assert_snapshot!(decide("endpoint: 'https://s3.example.com:9000'", PROFILE, &KEYS).unwrap_err(), @r#"
    error[endpoint-not-allowed]: the project names the endpoint `https://s3.example.com:9000`, which is not allowed to receive credentials
     --> project.yml:3:44
      |
    3 |   a: { lake: 's3://bucket/lake', endpoint: 'https://s3.example.com:9000' }
      |                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the author of a project could have credentials sent to a server of their own; only the user's profile can allow an endpoint
      = help: if the server is trusted, write into `profile.yml`: `endpoints: { "https://s3.example.com:9000": { credentials: environment } }`
    "#);
    for other in
        ["http://127.0.0.1:9001", "https://127.0.0.1:9000", "http://localhost:9000", "https://x.s3.example.com"]
    {
        let said = decide(&format!("endpoint: '{other}'"), PROFILE, &KEYS).unwrap_err();
        assert!(said.contains("error[endpoint-not-allowed]"), "{said}");
    }
}

#[test]
fn an_allowed_endpoint_gets_what_the_profile_says() {
    let loopback = "endpoint: 'http://127.0.0.1:9000'";
    assert_eq!(decided(loopback, PROFILE, &KEYS), "http://127.0.0.1:9000 us-east-1 keys ENV-ID ENV-KEY ENV-TOKEN");
    assert_eq!(decided(loopback, PROFILE, &[]), "http://127.0.0.1:9000 us-east-1 role ");
    let named = "endpoint: 'HTTPS://S3.example.com:443/'";
    let expected = "https://s3.example.com us-east-1 keys PROFILE-ID PROFILE-KEY PROFILE-TOKEN";
    assert_eq!(decided(named, PROFILE, &KEYS), expected);
}

#[test]
fn a_bucket_of_aws_gets_the_environment_then_the_profile_then_the_role() {
    let region = "region: eu-west-1";
    assert_eq!(decided(region, PROFILE, &KEYS), "aws eu-west-1 keys ENV-ID ENV-KEY ENV-TOKEN");
    assert_eq!(decided(region, PROFILE, &[]), "aws eu-west-1 keys AWS-ID AWS-KEY");
    assert_eq!(decided(region, "", &[]), "aws eu-west-1 role ");
    let role = [("AWS_ROLE_ARN", "ARN"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_PROFILE", "x")];
    assert_eq!(decided(region, "aws: { credentials: environment }", &role), "aws eu-west-1 role ARN /token");
}

#[test]
fn an_endpoint_of_the_environment_is_the_users_own() {
    let named = |name, value| [KEYS.as_slice(), &[(name, value)]].concat();
    let expected = "https://mine us-east-1 keys ENV-ID ENV-KEY ENV-TOKEN";
    assert_eq!(decided("", "", &named("AWS_ENDPOINT_URL", "https://mine")), expected);
    assert_eq!(decided("", "", &named("AWS_ENDPOINT_URL_S3", "https://mine")), expected);
    // An endpoint of the project is the one that is meant.
    let both = decide("endpoint: 'https://theirs'", "", &named("AWS_ENDPOINT_URL", "https://mine")).unwrap_err();
    assert!(both.contains("`https://theirs`"), "{both}");
    insta::assert_snapshot!(decide("", "", &named("AWS_ENDPOINT_URL", "http://mine")).unwrap_err(), @r"
    error[invalid-config]: the variable `AWS_ENDPOINT_URL` is not encrypted, and is on another machine
     = help: use `https://`, or set `AWS_ALLOW_HTTP=true`
    ");
    let allowed = [("AWS_ENDPOINT_URL", "http://mine"), ("AWS_ALLOW_HTTP", "true")];
    assert_eq!(decided("", "", &allowed), "http://mine us-east-1 role ");
    let told = decide("", "", &[("AWS_ENDPOINT_URL", "https://CANARY@mine")]).unwrap_err();
    assert!(told.contains("contains a user name or a password") && !told.contains("CANARY"), "{told}");
}

#[test]
fn the_region_is_that_of_the_target_the_environment_or_the_profile() {
    let (first, second) = (("AWS_REGION", "r-1"), ("AWS_DEFAULT_REGION", "r-2"));
    let region = |target: &str, profile: &str, variables: &[(&str, &str)]| {
        decide(target, profile, variables).map(|access| access.region)
    };
    assert_eq!(region("region: r-0", PROFILE, &[first, second]).unwrap(), "r-0");
    assert_eq!(region("", PROFILE, &[first, second]).unwrap(), "r-1");
    assert_eq!(region("", PROFILE, &[second]).unwrap(), "r-2");
    assert_eq!(region("", PROFILE, &[]).unwrap(), "eu-north-1");
    insta::assert_snapshot!(region("", "", &[]).unwrap_err(), @r"
    error[invalid-config]: the region of the bucket `bucket` is not known
     --> project.yml:3:14
      |
    3 |   a: { lake: 's3://bucket/lake',  }
      |              ^^^^^^^^^^^^^^^^^^
      |
      = help: add it to the target, like `region: eu-central-1`, or set `AWS_REGION`
    ");
    // Nobody leads requests to another host with the name of a region.
    let told = region("", "", &[("AWS_REGION", "evil.com/#")]).unwrap_err();
    assert!(told.contains("`AWS_REGION` is not the name of a region"), "{told}");
}

#[test]
fn half_a_pair_of_keys_is_an_error_and_not_another_pair() {
    let [id, key, token] = KEYS;
    for (variables, missing) in [(vec![id, token], key.0), (vec![key], id.0)] {
        let told = decide("region: r", PROFILE, &variables).unwrap_err();
        assert!(told.contains(&format!("`{missing}` is not")) && !told.contains("ENV-"), "{told}");
    }
    let told = decide("region: r", "", &[id, ("AWS_SECRET_ACCESS_KEY", "a\nb")]).unwrap_err();
    assert!(told.contains("`AWS_SECRET_ACCESS_KEY` has a character"), "{told}");
}

#[test]
fn a_bucket_is_named_in_the_path_where_a_host_would_not_do() {
    let style = |target: &str| decide(target, PROFILE, &[]).unwrap().path_style;
    assert!(!style(""));
    assert!(style("path_style: true"));
    assert!(style("endpoint: 'https://s3.example.com'"));
    assert!(!style("endpoint: 'https://s3.example.com', path_style: false"));
    assert!(is_label("a-1") && !is_label("a.b") && !is_label("A"));
}
