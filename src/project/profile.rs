//! The user's profile: to which endpoints which credentials may go. It belongs to no project, and is never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::endpoint::Endpoint;
use super::lake::is_region;
use super::node::{Node, YamlEntry, YamlKind};
use super::scalar::{Scalar, Typed};
use super::secret::Secret;
use super::yaml;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::host::Host;
use crate::span::{SourceFiles, Span};

/// What a user allows. An empty one allows nothing but the ambient credentials for AWS itself.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// Where it is or would be written. `None` if the user has no home.
    pub path: Option<PathBuf>,
    pub endpoints: BTreeMap<Endpoint, Grant>,
    /// For buckets without an endpoint of their own.
    pub aws: Option<Grant>,
    /// The region of such buckets, if nothing else names one.
    pub region: Option<String>,
    /// Environment variables that templates may read, whatever they are called.
    pub env_vars: BTreeSet<String>,
    /// Folders outside of a project to which links of its source files may lead.
    pub source_folders: Vec<PathBuf>,
}

/// Which credentials may go to an endpoint.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Those of the environment or of the machine's role.
    Environment,
    Static(StaticCredentials),
}

#[derive(Debug, Clone)]
pub struct StaticCredentials {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

/// The variable that names a profile in another place.
const VARIABLE: &str = "KARAT_PROFILE";

/// Where a profile is looked for when no variable says where it is.
pub(super) const USUAL_PATH: &str = "~/.config/karat/profile.yml";

impl Profile {
    /// The profile of the user. That there is none in the usual place is not an error.
    pub fn of_user(host: &dyn Host, sink: &mut Sink) -> Checked<Profile> {
        let set = |name: &str| host.variables().get(name).filter(|value| !value.is_empty());
        // An empty variable counts as one that is not set, as in most shells' scripts.
        let named = set(VARIABLE).map(|path| host.current_folder().join(path));
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = config.or_else(|| set("HOME").map(|home| Path::new(home).join(".config")));
        let Some(path) = named.clone().or_else(|| usual.map(|config| config.join("karat/profile.yml"))) else {
            return Ok(Profile::default());
        };
        match host.user_file(&path) {
            Ok(text) => Profile::parse(path, &text, sink),
            // Most users have none. A profile that was asked for by name must be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                Ok(Profile { path: Some(path), ..Profile::default() })
            }
            Err(error) => {
                let reason = error.kind();
                let message = format!("the profile `{}` cannot be read: {reason}", path.display());
                let diagnostic = Diagnostic::error(Code::UnreadableFile, message);
                Err(sink.error(match named {
                    Some(_) => diagnostic.help(format!("correct the variable `{VARIABLE}`, or write the file")),
                    None => diagnostic,
                }))
            }
        }
    }

    /// Reads a profile. What is wrong is said with its line, never with its text.
    pub fn parse(path: PathBuf, text: &str, sink: &mut Sink) -> Checked<Profile> {
        let mut files = SourceFiles::default();
        let file = files.add("profile", text.strip_prefix('\u{feff}').unwrap_or(text));
        // The parser's own diagnostics show the text around a fault, which may be a secret: only their places are used.
        let mut unheard = Sink::default();
        let read = match yaml::parse(files.text(file), file, &mut unheard) {
            Ok(node) => read(&node),
            Err(_reported) => {
                let place = unheard.take().first().and_then(|diagnostic| Some(diagnostic.labels.first()?.span));
                Err(vec![ProfileFault { place, what: "the file is not YAML".to_owned() }])
            }
        };
        match read {
            Ok(profile) => Ok(Profile { path: Some(path), ..profile }),
            Err(faults) => sink
                .check_all(faults, |fault, sink| {
                    let line = fault.place.map_or(1, |span| files.position(file, span.start as usize).line);
                    let message = format!("line {line} of the profile `{}`: {}", path.display(), fault.what);
                    Err::<(), _>(sink.error(Diagnostic::error(Code::InvalidYaml, message)))
                })
                .map(|_| Profile::default()),
        }
    }

    /// Every secret in it.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.endpoints.values().chain(&self.aws).flat_map(Grant::secrets)
    }

    /// Its path, for people.
    pub(crate) fn shown_path(&self) -> impl fmt::Display {
        self.path.as_deref().map_or(USUAL_PATH.to_owned(), |path| path.display().to_string())
    }
}

impl Grant {
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let credentials = match self {
            Grant::Environment => None,
            Grant::Static(credentials) => Some(credentials),
        };
        credentials.into_iter().flat_map(StaticCredentials::secrets)
    }
}

impl StaticCredentials {
    /// Every part of them.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.access_key_id, &self.secret_access_key].into_iter().chain(&self.session_token)
    }
}

/// A credential goes into a header, which takes nothing but visible ASCII.
pub(super) fn is_credential(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic())
}

/// Something wrong in a profile, told without what is written there.
struct ProfileFault {
    place: Option<Span>,
    what: String,
}

type ProfileRead<T> = Result<T, Vec<ProfileFault>>;

fn fault<T>(node: &Node, what: impl Into<String>) -> ProfileRead<T> {
    Err(vec![ProfileFault { place: Some(node.place()), what: what.into() }])
}

/// Returns the entries of a mapping whose keys are these; a null has none.
fn entries<'a>(node: &'a Node, what: &str, keys: Option<&[&str]>) -> ProfileRead<&'a [YamlEntry]> {
    let entries = match &node.kind {
        YamlKind::Mapping(entries) => entries.as_slice(),
        YamlKind::Scalar(Scalar { typed: Typed::Null, .. }) => &[],
        YamlKind::Scalar(_) | YamlKind::Sequence(_) => {
            return fault(node, format!("{what} is not a mapping of keys to values"));
        }
    };
    let Some(keys) = keys else { return Ok(entries) };
    let unknown = entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str()));
    let what = format!("{what} has a key other than {}", all_of(keys.iter().copied()));
    let faults: Vec<ProfileFault> =
        unknown.map(|(key, _)| ProfileFault { place: Some(key.span), what: what.clone() }).collect();
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

/// The value of a key, if it has one.
fn value<'a>(entries: &'a [YamlEntry], key: &str) -> Option<&'a Node> {
    entries.iter().find(|(found, _)| found.value == key).map(|(_, node)| node).filter(|node| !node.is_null())
}

/// A part of credentials. Returns `None` if the key has no value.
fn credential(entries: &[YamlEntry], key: &str) -> ProfileRead<Option<Secret>> {
    let Some(node) = value(entries, key) else { return Ok(None) };
    match &node.kind {
        YamlKind::Scalar(scalar) if is_credential(&scalar.text) => Ok(Some(Secret::new(scalar.text.as_str()))),
        _ => fault(node, format!("`{key}` has a character that no credential has, or is not a text")),
    }
}

fn read(node: &Node) -> ProfileRead<Profile> {
    let top = entries(node, "it", Some(&["endpoints", "aws", "env_vars", "source_folders"]))?;
    let mut profile = Profile::default();
    let mut faults = Vec::new();
    match value(top, "endpoints").map(endpoints) {
        Some(Ok(endpoints)) => profile.endpoints = endpoints,
        Some(Err(more)) => faults.extend(more),
        None => {}
    }
    match value(top, "aws").map(aws) {
        Some(Ok((grant, region))) => (profile.aws, profile.region) = (grant, region),
        Some(Err(more)) => faults.extend(more),
        None => {}
    }
    match value(top, "env_vars").map(|node| texts(node, "`env_vars`")) {
        Some(Ok(names)) => profile.env_vars = names.into_iter().collect(),
        Some(Err(more)) => faults.extend(more),
        None => {}
    }
    match value(top, "source_folders").map(folders) {
        Some(Ok(folders)) => profile.source_folders = folders,
        Some(Err(more)) => faults.extend(more),
        None => {}
    }
    if faults.is_empty() { Ok(profile) } else { Err(faults) }
}

/// The texts of a list.
fn texts(node: &Node, what: &str) -> ProfileRead<Vec<String>> {
    let YamlKind::Sequence(items) = &node.kind else {
        return fault(node, format!("{what} is not a list"));
    };
    let mut texts = Vec::new();
    for item in items {
        match &item.kind {
            YamlKind::Scalar(Scalar { text, .. }) if !text.is_empty() => texts.push(text.clone()),
            YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => {
                return fault(item, format!("an item of {what} is not a text"));
            }
        }
    }
    Ok(texts)
}

fn folders(node: &Node) -> ProfileRead<Vec<PathBuf>> {
    let folders: Vec<PathBuf> = texts(node, "`source_folders`")?.into_iter().map(PathBuf::from).collect();
    // A relative folder would depend on where a command was typed.
    if folders.iter().all(|folder| folder.is_absolute()) {
        Ok(folders)
    } else {
        fault(node, "a folder of `source_folders` does not begin with `/`")
    }
}

fn endpoints(node: &Node) -> ProfileRead<BTreeMap<Endpoint, Grant>> {
    let mut read = BTreeMap::new();
    let mut faults = Vec::new();
    for (key, node) in entries(node, "`endpoints`", None)? {
        match (Endpoint::parse(&key.value), grant_of_endpoint(node)) {
            (Err(fault), _) => {
                faults.push(ProfileFault { place: Some(key.span), what: format!("an endpoint {fault}") })
            }
            (Ok(_), Err(more)) => faults.extend(more),
            (Ok(endpoint), Ok(grant)) => {
                // Two spellings of one server are one key, and nobody could tell which grant counts.
                if read.insert(endpoint, grant).is_some() {
                    faults.push(ProfileFault { place: Some(key.span), what: "an endpoint is listed twice".to_owned() });
                }
            }
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

fn grant_of_endpoint(node: &Node) -> ProfileRead<Grant> {
    let entries = entries(node, "an endpoint", Some(&["credentials"]))?;
    match value(entries, "credentials") {
        Some(credentials) => grant(credentials),
        None => fault(node, "an endpoint has no `credentials`"),
    }
}

fn aws(node: &Node) -> ProfileRead<(Option<Grant>, Option<String>)> {
    let entries = entries(node, "`aws`", Some(&["credentials", "region"]))?;
    let grant = value(entries, "credentials").map(grant).transpose()?;
    let region = match value(entries, "region").map(|node| (node, &node.kind)) {
        None => None,
        Some((_, YamlKind::Scalar(region))) if is_region(&region.text) => Some(region.text.clone()),
        Some((node, _)) => return fault(node, "`region` is not the name of a region"),
    };
    Ok((grant, region))
}

fn grant(node: &Node) -> ProfileRead<Grant> {
    const KEYS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];
    // The word, not a mapping: nothing of a secret stands in the profile then.
    if matches!(&node.kind, YamlKind::Scalar(Scalar { text, .. }) if text == "environment") {
        return Ok(Grant::Environment);
    }
    if !matches!(node.kind, YamlKind::Mapping(_)) {
        return fault(node, "`credentials` is neither `environment` nor a mapping");
    }
    let entries = entries(node, "`credentials`", Some(&KEYS))?;
    let id = credential(entries, "access_key_id")?;
    let key = credential(entries, "secret_access_key")?;
    let token = credential(entries, "session_token")?;
    match (id, key) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Grant::Static(StaticCredentials { access_key_id, secret_access_key, session_token: token }))
        }
        _ => fault(node, "`credentials` needs `access_key_id` and `secret_access_key`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Style, render_all};
    use crate::host::MemoryHost;

    fn parse(text: &str) -> Result<Profile, String> {
        let mut sink = Sink::default();
        let parsed = Profile::parse(PathBuf::from("profile.yml"), text, &mut sink);
        parsed.map_err(|_| render_all(&sink.take(), &SourceFiles::default(), Style::Plain))
    }

    fn of_user(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Profile, String> {
        let host = files.iter().fold(MemoryHost::default(), |host, (path, text)| host.and_user_file(path, text));
        let host = variables.iter().fold(host, |host, (name, value)| host.and_variable(name, value));
        let mut sink = Sink::default();
        let profile = Profile::of_user(&host, &mut sink);
        profile.map_err(|_| render_all(&sink.take(), &SourceFiles::default(), Style::Plain))
    }

    #[test]
    fn a_profile_says_which_credentials_may_go_where() {
        let profile = parse(
            "
endpoints:
  \"http://127.0.0.1:9000/\": { credentials: environment }
  \"HTTPS://S3.example.com\":
    credentials: { access_key_id: 123, secret_access_key: 'k/+=', session_token: t }
aws: { credentials: environment, region: eu-central-1 }
env_vars: [REGION, DB_PASS]
source_folders: [/mnt/landing]
",
        )
        .unwrap();
        assert_eq!(profile.env_vars.iter().collect::<Vec<_>>(), ["DB_PASS", "REGION"]);
        assert_eq!(profile.source_folders, [Path::new("/mnt/landing")]);
        let granted: Vec<String> = profile.endpoints.keys().map(Endpoint::to_string).collect();
        assert_eq!(granted, ["http://127.0.0.1:9000", "https://s3.example.com"]);
        assert_eq!(profile.secrets().map(Secret::expose).collect::<Vec<_>>(), ["123", "k/+=", "t"]);
        assert!(matches!(profile.aws, Some(Grant::Environment)));
        assert_eq!(profile.region.as_deref(), Some("eu-central-1"));
        assert!(parse("").unwrap().endpoints.is_empty());
        assert!(!format!("{profile:?}").contains("k/+="));
    }

    #[test]
    fn what_is_wrong_in_a_profile_is_told_without_its_text() {
        let wrong = parse(
            "
endpoints:
  'https://CANARY@host': { credentials: environment }
  'https://a': CANARY
  'https://b': { credentials: CANARY }
  'https://c': { credentials: { access_key_id: CANARY } }
  'https://d': { credentials: { CANARY: x } }
  'https://e': { credentials: { access_key_id: \"CANARY\\n\", secret_access_key: y } }
  'https://E': { credentials: environment }
  'https://f': { credentials: environment }
  'https://F/': { credentials: environment }
  'https://g': {}
aws: { region: CANARY.CANARY }
env_vars: CANARY
source_folders: [CANARY]
",
        )
        .unwrap_err();
        assert!(!wrong.contains("CANARY"), "{wrong}");
        insta::assert_snapshot!(wrong, @r"
        error[invalid-yaml]: line 11 of the profile `profile.yml`: an endpoint is listed twice

        error[invalid-yaml]: line 12 of the profile `profile.yml`: an endpoint has no `credentials`

        error[invalid-yaml]: line 13 of the profile `profile.yml`: `region` is not the name of a region

        error[invalid-yaml]: line 14 of the profile `profile.yml`: `env_vars` is not a list

        error[invalid-yaml]: line 15 of the profile `profile.yml`: a folder of `source_folders` does not begin with `/`

        error[invalid-yaml]: line 3 of the profile `profile.yml`: an endpoint contains a user name or a password

        error[invalid-yaml]: line 4 of the profile `profile.yml`: an endpoint is not a mapping of keys to values

        error[invalid-yaml]: line 5 of the profile `profile.yml`: `credentials` is neither `environment` nor a mapping

        error[invalid-yaml]: line 6 of the profile `profile.yml`: `credentials` needs `access_key_id` and `secret_access_key`

        error[invalid-yaml]: line 7 of the profile `profile.yml`: `credentials` has a key other than `access_key_id`, `secret_access_key` and `session_token`

        error[invalid-yaml]: line 8 of the profile `profile.yml`: `access_key_id` has a character that no credential has, or is not a text
        ");
        for malformed in
            ["CANARY: [", "'CANARY", "CANARY: 1\nCANARY: 2", "a: *CANARY", "- CANARY", "\tCANARY: x", "CANARY: x"]
        {
            let wrong = parse(malformed).unwrap_err();
            assert!(!wrong.contains("CANARY") && wrong.contains("line "), "{malformed}\n{wrong}");
        }
    }

    #[test]
    fn a_profile_is_looked_for_where_users_keep_their_settings() {
        let files = [
            ("/mine.yml", "aws: { region: named }"),
            ("/xdg/karat/profile.yml", "aws: { region: xdg }"),
            ("/users/me/.config/karat/profile.yml", "aws: { region: home }"),
        ];
        let region = |variables: &[(&str, &str)]| of_user(variables, &files).unwrap().region.unwrap_or_default();
        let (home, config) = (("HOME", "/users/me"), ("XDG_CONFIG_HOME", "/xdg"));
        assert_eq!(region(&[home, config, ("KARAT_PROFILE", "mine.yml")]), "named");
        assert_eq!(region(&[home, config]), "xdg");
        assert_eq!(region(&[home, ("XDG_CONFIG_HOME", "")]), "home");
        assert_eq!(region(&[("HOME", "/users/you")]), "");
        assert_eq!(region(&[]), "");
        insta::assert_snapshot!(of_user(&[("KARAT_PROFILE", "/no")], &files).unwrap_err(), @r"
        error[unreadable-file]: the profile `/no` cannot be read: entity not found
         = help: correct the variable `KARAT_PROFILE`, or write the file
        ");
    }
}
