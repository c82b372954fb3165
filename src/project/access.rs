//! Who may open a bucket: the rules by which credentials go to a server, decided without asking it.

use std::collections::BTreeMap;

use super::endpoint::{Endpoint, EndpointFault};
use super::lake::{BucketLocation, is_region};
use super::profile::{Grant, Profile, StaticCredentials, is_credential};
use super::secret::{Secret, names_a_secret};
use crate::diag::{Code, Diagnostic};

/// Everything that opens a bucket, and nothing of which has to be looked up any more.
#[derive(Debug, Clone)]
pub struct BucketAccess {
    pub bucket: String,
    /// Without slashes at its ends; may be empty.
    pub prefix: String,
    /// `None` for AWS itself.
    pub endpoint: Option<Endpoint>,
    pub region: String,
    /// Whether the bucket is named in the path and not in the host.
    pub path_style: bool,
    pub credentials: Credentials,
}

#[derive(Debug, Clone)]
pub enum Credentials {
    Static(StaticCredentials),
    /// What the environment says about the role of the machine, by the names of the variables; if it says nothing, the
    /// machine itself is asked.
    Ambient(BTreeMap<String, Secret>),
}

/// The variables that say how the machine's role is assumed.
const ROLE_VARIABLES: [&str; 9] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IMDSV1_FALLBACK",
    "AWS_METADATA_ENDPOINT",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Variables that are secrets, or lead to one, without a name that says so.
const SECRET_VARIABLES: [&str; 3] = ["AWS_ROLE_ARN", "OPENLINEAGE_API_KEY", "OPENLINEAGE__TRANSPORT__AUTH__API_KEY"];

const DEFAULT_REGION: &str = "us-east-1";

/// Decides what opens the bucket, or says what the user has to allow first.
pub fn access(
    location: &BucketLocation,
    profile: &Profile,
    variables: &BTreeMap<String, String>,
) -> Result<BucketAccess, Diagnostic> {
    let environment = Environment(variables);
    let endpoint = match &location.endpoint {
        Some(named) => Some(named.value.clone()),
        None => environment.endpoint(location.allow_http)?,
    };
    // A grant is for one server. What the environment holds goes to AWS or to a server that the user has named, never to one
    // that only the project names: whoever can change the project could otherwise read the credentials.
    let granted = endpoint.as_ref().and_then(|endpoint| profile.endpoints.get(endpoint));
    let credentials = match (granted, &location.endpoint) {
        (Some(Grant::Static(credentials)), _) => Credentials::Static(credentials.clone()),
        (Some(Grant::Environment), _) => environment.credentials()?.unwrap_or_else(|| environment.role()),
        (None, Some(named)) => {
            return Err(not_allowed(&named.value, profile).at(named.span));
        }
        // No project has a say here: the server is that of AWS, or of the user's own environment.
        (None, None) => match (environment.credentials()?, &profile.aws) {
            (Some(credentials), _) => credentials,
            (None, Some(Grant::Static(credentials))) => Credentials::Static(credentials.clone()),
            (None, Some(Grant::Environment) | None) => environment.role(),
        },
    };
    let region = match (&location.region, environment.region()?, &profile.region) {
        (Some(region), _, _) => region.clone(),
        (None, Some(region), _) => region.to_owned(),
        // The profile's region is that of AWS, and means nothing to a server that the project names.
        (None, None, Some(region)) if location.endpoint.is_none() => region.clone(),
        // A server of one's own seldom has regions, but requests are signed with one.
        (None, None, _) if endpoint.is_some() => DEFAULT_REGION.to_owned(),
        (None, None, _) => return Err(no_region(location)),
    };
    Ok(BucketAccess {
        bucket: location.bucket.clone(),
        prefix: location.prefix.clone(),
        path_style: location.path_style.unwrap_or(endpoint.is_some() || !is_label(&location.bucket)),
        endpoint,
        region,
        credentials,
    })
}

/// The secrets of an environment, so that nothing that is said repeats them.
pub fn secrets_of(variables: &BTreeMap<String, String>) -> Vec<Secret> {
    let kept = variables.iter().filter(|(name, _)| is_secret_variable(name));
    kept.map(|(_, value)| Secret::new(value.trim())).filter(|secret| !secret.expose().is_empty()).collect()
}

fn is_secret_variable(name: &str) -> bool {
    SECRET_VARIABLES.contains(&name) || (name.starts_with("AWS_") && names_a_secret(name))
}

impl Credentials {
    /// Every part of them.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Credentials::Static(credentials) => credentials.secrets().collect(),
            Credentials::Ambient(role) => role.values().collect(),
        }
    }
}

/// Whether the bucket can be a part of a host's name for which a certificate holds.
fn is_label(bucket: &str) -> bool {
    bucket.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
}

fn not_allowed(endpoint: &Endpoint, profile: &Profile) -> Diagnostic {
    let message = format!("the project names the endpoint `{endpoint}`, which is not allowed to receive credentials");
    let entry = format!("endpoints: {{ \"{endpoint}\": {{ credentials: environment }} }}");
    Diagnostic::error(Code::EndpointNotAllowed, message)
        .note("the author of a project could have credentials sent to a server of their own; only the user's profile can allow an endpoint")
        .help(format!("if the server is trusted, write into `{}`: `{entry}`", profile.shown_path()))
}

fn no_region(location: &BucketLocation) -> Diagnostic {
    let message = format!("the region of the bucket `{}` is not known", location.bucket);
    Diagnostic::error(Code::InvalidConfig, message)
        .at(location.span)
        .help("add it to the target, like `region: eu-central-1`, or set `AWS_REGION`")
}

/// What the environment says. Its values are never repeated.
#[derive(Clone, Copy)]
struct Environment<'a>(&'a BTreeMap<String, String>);

impl<'a> Environment<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn region(self) -> Result<Option<&'a str>, Diagnostic> {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            match self.get(name) {
                Some(region) if is_region(region) => return Ok(Some(region)),
                Some(_) => return Err(wrong(format!("the variable `{name}` is not the name of a region"))),
                None => {}
            }
        }
        Ok(None)
    }

    fn endpoint(self, allow_http: bool) -> Result<Option<Endpoint>, Diagnostic> {
        let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let Some((name, text)) = named.into_iter().find_map(|name| Some((name, self.get(name)?))) else {
            return Ok(None);
        };
        let endpoint = Endpoint::parse(text).map_err(|fault| {
            let diagnostic = wrong(format!("the variable `{name}` {fault}"));
            match fault {
                EndpointFault::Credentials => {
                    diagnostic.help("set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` instead")
                }
                _ => diagnostic.help("an endpoint is like `https://s3.example.com:9000`"),
            }
        })?;
        let is_allowed =
            allow_http || self.get("AWS_ALLOW_HTTP").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if endpoint.is_https() || endpoint.is_loopback() || is_allowed {
            return Ok(Some(endpoint));
        }
        let diagnostic = wrong(format!("the variable `{name}` is not encrypted, and is on another machine"));
        Err(diagnostic.help("use `https://`, or set `AWS_ALLOW_HTTP=true`"))
    }

    fn credentials(self) -> Result<Option<Credentials>, Diagnostic> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const KEY: &str = "AWS_SECRET_ACCESS_KEY";
        const TOKEN: &str = "AWS_SESSION_TOKEN";
        let (id, key) = match (self.get(ID), self.get(KEY)) {
            (None, None) => return Ok(None),
            (Some(id), Some(key)) => (id, key),
            (Some(_), None) => return Err(wrong(format!("the variable `{ID}` is set, and `{KEY}` is not"))),
            (None, Some(_)) => return Err(wrong(format!("the variable `{KEY}` is set, and `{ID}` is not"))),
        };
        let token = self.get(TOKEN);
        for (name, value) in [(ID, Some(id)), (KEY, Some(key)), (TOKEN, token)] {
            if !value.is_none_or(is_credential) {
                return Err(wrong(format!("the variable `{name}` has a character that no credential has")));
            }
        }
        Ok(Some(Credentials::Static(StaticCredentials {
            access_key_id: Secret::new(id),
            secret_access_key: Secret::new(key),
            session_token: token.map(Secret::new),
        })))
    }

    fn role(self) -> Credentials {
        let set =
            ROLE_VARIABLES.into_iter().filter_map(|name: &str| Some((name.to_owned(), Secret::new(self.get(name)?))));
        Credentials::Ambient(set.collect())
    }
}

fn wrong(message: String) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message)
}

#[cfg(test)]
mod tests;
