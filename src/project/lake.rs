//! Where a target's lake lies: a folder, or a bucket with everything that a project may say about it.

use std::fmt;

use super::endpoint::{Endpoint, EndpointFault};
use super::node::{Node, YamlFields};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::span::{Span, Spanned};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeLocation {
    /// Relative to the project, or absolute.
    Folder(String),
    Bucket(BucketLocation),
}

/// What a project says about a bucket. Never credentials: those are the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLocation {
    pub bucket: String,
    /// The folder of the lake in the bucket, without slashes at its ends; empty if it is the whole bucket.
    pub prefix: String,
    pub endpoint: Option<Spanned<Endpoint>>,
    /// Only letters, digits and `-`: it becomes a part of a host's name.
    pub region: Option<String>,
    /// Whether the bucket is named in the path and not in the host.
    pub path_style: Option<bool>,
    /// Whether requests may go unencrypted to another machine.
    pub allow_http: bool,
    pub span: Span,
}

/// The keys of a target that only a bucket can have.
pub(super) const BUCKET_KEYS: [&str; 9] = [
    "endpoint",
    "region",
    "path_style",
    "allow_http",
    "timeout",
    "connect_timeout",
    "retries",
    "retry_for",
    "connections",
];

impl BucketLocation {
    /// Another bucket of the same store.
    pub fn beside(&self, bucket: &str) -> BucketLocation {
        BucketLocation { bucket: bucket.to_owned(), prefix: String::new(), ..self.clone() }
    }

    /// A bucket of which only the user's environment says where it is: that of AWS, if it says nothing.
    pub fn of_environment(bucket: &Spanned<&str>) -> BucketLocation {
        BucketLocation {
            bucket: bucket.value.to_owned(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: None,
            allow_http: false,
            span: bucket.span,
        }
    }
}

impl LakeLocation {
    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&str> {
        match self {
            LakeLocation::Folder(folder) => Some(folder),
            LakeLocation::Bucket(_) => None,
        }
    }

    /// Reads `lake` and what belongs to it. `name` is that of the target.
    pub(super) fn read(name: &Spanned<String>, fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<LakeLocation> {
        let Some(node) = fields.get("lake") else {
            let message = format!("the target `{}` has no `lake`", name.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(name.span);
            return Err(sink.error(diagnostic.help("add the place of its tables, like `lake: ./lake`")));
        };
        let lake = node.expect_text("`lake`", sink)?;
        match lake.value.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => bucket(rest, lake.span, fields, sink),
            Some((scheme, _)) => Err(sink.error(unknown_scheme(scheme, lake.span))),
            // `s3:/bucket`, with a slash too few, would be a folder called `s3:`.
            None if lake.value.to_ascii_lowercase().starts_with("s3:") => {
                let diagnostic = wrong("`lake` is neither a folder nor a bucket", lake.span);
                Err(sink.error(diagnostic.help("a bucket is written `s3://bucket/folder`")))
            }
            None => folder(lake, fields, sink),
        }
    }
}

impl fmt::Display for LakeLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LakeLocation::Folder(folder) => formatter.write_str(folder),
            LakeLocation::Bucket(BucketLocation { bucket, prefix, .. }) if prefix.is_empty() => {
                write!(formatter, "s3://{bucket}")
            }
            LakeLocation::Bucket(BucketLocation { bucket, prefix, .. }) => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

fn wrong(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message).at(span)
}

/// Only the scheme is repeated: what stands behind it may hold a password.
fn unknown_scheme(scheme: &str, span: Span) -> Diagnostic {
    let is_scheme = scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'));
    let shown = if is_scheme { scheme } else { "…" };
    wrong(format!("a lake cannot be at `{shown}://`"), span)
        .help("a lake is a folder, like `./lake`, or a bucket, like `s3://bucket/folder`")
}

fn folder(lake: Spanned<String>, fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<LakeLocation> {
    let misplaced = fields.entries().iter().filter(|(key, _)| BUCKET_KEYS.contains(&key.value.as_str()));
    let reported = misplaced.map(|(key, _)| {
        let message = format!("`{}` does not apply to a lake in a folder", key.value);
        sink.error(
            wrong(message, key.span).help("remove it, or put the lake into a bucket: `lake: s3://bucket/folder`"),
        )
    });
    reported.last().map_or(Ok(LakeLocation::Folder(lake.value)), Err)
}

/// All that is wrong is said: each part is read before the first failure ends it.
fn bucket(rest: &str, span: Span, fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<LakeLocation> {
    let place = bucket_and_prefix(rest).map_err(|diagnostic| sink.error(diagnostic.at(span)));
    let allow_http = fields.read("allow_http", Node::expect_bool, sink).unwrap_or(false);
    let endpoint = fields.text("endpoint", sink).map(|text| endpoint(&text, allow_http, sink)).transpose();
    let region = fields.text("region", sink).map(|text| region(&text, sink)).transpose();
    let path_style = fields.read("path_style", Node::expect_bool, sink);
    let (bucket, prefix) = place?;
    let endpoint = endpoint?;
    let region = region?;
    Ok(LakeLocation::Bucket(BucketLocation { bucket, prefix, endpoint, region, path_style, allow_http, span }))
}

/// What stands behind `s3://`, or what is wrong with it, without a word of it if it may hold a password.
fn bucket_and_prefix(rest: &str) -> Result<(String, String), Diagnostic> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if rest.contains(['?', '#']) && !bucket.contains(['@', ':']) {
        return Err(no_bucket("`lake` has a query").help("write only the bucket and the folder: `s3://bucket/folder`"));
    }
    check_bucket("lake", bucket)?;
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty() && !prefix.split('/').all(is_folder) {
        let help = "a folder in a bucket has no parts that are empty, `.` or `..`, and no `\\`";
        return Err(no_bucket("`lake` has an invalid folder").help(help));
    }
    Ok((bucket.to_owned(), prefix.to_owned()))
}

/// Whether a bucket can have this name. Nothing of it is repeated: it may hold a password.
pub(super) fn check_bucket(key: &str, bucket: &str) -> Result<(), Diagnostic> {
    if bucket.contains(['@', ':']) {
        return Err(without_credentials(no_bucket(&format!("`{key}` contains a user name or a password"))));
    }
    if bucket.is_empty() {
        let diagnostic = no_bucket(&format!("`{key}` names no bucket"));
        return Err(diagnostic.help("a bucket is written `s3://bucket/folder`"));
    }
    let begins_well = bucket.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    let is_plain = bucket.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_'));
    if !begins_well || bucket.contains("..") || !is_plain {
        let help = "the name of a bucket has letters, digits, `-`, `.` and `_`, and begins with a letter or digit";
        return Err(no_bucket(&format!("`{key}` has an invalid bucket name")).help(help));
    }
    Ok(())
}

/// Whether a part of a path in a bucket names a folder.
pub(super) fn is_folder(part: &str) -> bool {
    let is_bad = part.contains(|letter: char| letter == '\\' || letter.is_control());
    !matches!(part, "" | "." | "..") && !is_bad
}

fn no_bucket(message: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message)
}

fn endpoint(text: &Spanned<String>, allow_http: bool, sink: &mut Sink) -> Checked<Spanned<Endpoint>> {
    let endpoint = Endpoint::parse(&text.value).map_err(|fault| {
        let diagnostic = wrong(format!("`endpoint` {fault}"), text.span);
        sink.error(match fault {
            EndpointFault::Credentials => without_credentials(diagnostic),
            _ => {
                diagnostic.help("an endpoint is a scheme, a host and optionally a port: `https://s3.example.com:9000`")
            }
        })
    })?;
    if !(endpoint.is_https() || endpoint.is_loopback() || allow_http) {
        let diagnostic = wrong("`endpoint` is not encrypted, and is on another machine", text.span);
        let help = "use `https://`, or write `allow_http: true` if anyone on the way may read and change the tables";
        return Err(sink.error(diagnostic.help(help)));
    }
    Ok(Spanned::new(endpoint, text.span))
}

fn region(text: &Spanned<String>, sink: &mut Sink) -> Checked<String> {
    if is_region(&text.value) {
        return Ok(text.value.clone());
    }
    let diagnostic = wrong("`region` is not the name of a region", text.span);
    Err(sink.error(diagnostic.help("a region has letters, digits and `-`, like `eu-central-1`")))
}

/// A region becomes a part of a host's name, so anything else could lead requests to another host.
pub(super) fn is_region(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// What to do with credentials that stand in a project.
pub(super) fn without_credentials(diagnostic: Diagnostic) -> Diagnostic {
    let places = all_of(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    diagnostic
        .note("a project is shared, so it never contains credentials; replace these with new ones")
        .help(format!("set {places}, or write them into `~/.config/karat/profile.yml`"))
}
