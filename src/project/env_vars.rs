//! Which environment variables a template may read: what is read ends up in SQL, in plans, in artifacts and in tables.

use std::collections::BTreeSet;

use super::secret::names_a_secret;

/// What decides whether a template may read a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableAccess {
    /// Its name says that it is meant for this, or the target lists it.
    Open,
    /// Nobody has said that it is meant for this: only the user's profile can allow it.
    Unlisted,
    /// People keep secrets under such names: only the user's profile can allow it.
    Secret,
}

/// Variables that begin with these are meant for karat and for dbt projects.
const OPEN_PREFIXES: [&str; 2] = ["KARAT_", "DBT_"];

/// Variables that begin with these say how storage is reached, or hold secrets by agreement.
const SECRET_PREFIXES: [&str; 2] = ["AWS_", "DBT_ENV_SECRET"];

/// Parts of names, between underscores, under which people keep secrets.
const SECRET_PARTS: [&str; 17] = [
    "AUTH",
    "CONNECTION",
    "CONN",
    "COOKIE",
    "CRED",
    "CREDS",
    "DSN",
    "JWT",
    "KEY",
    "PASS",
    "PASSPHRASE",
    "PAT",
    "PROFILE",
    "PW",
    "PWD",
    "SAS",
    "SIGNATURE",
];

/// Decides by the name alone. `listed` are the names that the target lists.
pub(crate) fn variable_access(name: &str, listed: &BTreeSet<String>) -> VariableAccess {
    let upper = name.to_ascii_uppercase();
    // First the secret names: a target that lists `DB_PASSWORD` cannot open it, because a project may be somebody else's.
    let is_secret = names_a_secret(name)
        || SECRET_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
        || upper.split('_').any(|part| SECRET_PARTS.contains(&part) || part.ends_with("PASSWORD"));
    if is_secret {
        VariableAccess::Secret
    } else if listed.contains(name) || OPEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        VariableAccess::Open
    } else {
        VariableAccess::Unlisted
    }
}

/// Whether a value is a URL with a user or a password in it: `postgres://me:secret@host/db`.
pub(crate) fn holds_credentials(value: &str) -> bool {
    value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password that was pasted in may hold a slash.
        authority.contains('@') || rest.split(char::is_whitespace).next().unwrap_or_default().contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_it_is_read() {
        let listed = BTreeSet::from(["REGION".to_owned(), "GITHUB_PAT".to_owned()]);
        for name in ["KARAT_LIMIT", "DBT_SCHEMA", "REGION"] {
            assert_eq!(variable_access(name, &listed), VariableAccess::Open, "{name}");
        }
        for name in ["HOME", "region", "LIMIT", "SSH_SOCK", "PATH", "DATABASE_URL"] {
            assert_eq!(variable_access(name, &listed), VariableAccess::Unlisted, "{name}");
        }
        let secrets = "DB_PASS GITHUB_PAT AZURE_STORAGE_KEY SSH_AUTH_SOCK NPM_AUTH STRIPE_KEY MYSQL_PWD JWT PGPASSWORD \
                       AWS_REGION aws_session_token KARAT_PROFILE DBT_PASSWORD DBT_ENV_SECRET_X KARAT_API_KEY SENTRY_DSN \
                       My_Private_Key KARAT_SECRET_KEY";
        for name in secrets.split_whitespace() {
            assert_eq!(variable_access(name, &listed), VariableAccess::Secret, "{name}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_known_by_its_form() {
        for value in ["postgres://u:p@h/db", "amqp://:p@h", "https://token@host/x", "mysql://u:a/b@h/db"] {
            assert!(holds_credentials(value), "{value}");
        }
        for value in ["https://host/x", "eu-central-1", "me@example.com", "s3://bucket/a", ""] {
            assert!(!holds_credentials(value), "{value}");
        }
    }
}
