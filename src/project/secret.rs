//! Texts that nobody may see: values that credentials are made of, and the names under which people keep them.

use std::fmt;

/// A value that is never shown: it has no `Display`, cannot be serialized, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What is shorter is no secret, and to replace it everywhere would make every other text unreadable.
const SHORTEST_HIDDEN: usize = 8;

/// What stands where a secret stood.
pub const HIDDEN: &str = "[hidden]";

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who signs requests with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, as it is written or as JSON writes it.
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_HIDDEN {
            return text.to_owned();
        }
        let hidden = text.replace(&self.0, HIDDEN);
        let quoted = serde_json::Value::from(self.0.as_str()).to_string();
        let escaped = quoted.trim_matches('"');
        if escaped == self.0 { hidden } else { hidden.replace(escaped, HIDDEN) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

/// Whether people keep secrets under such a name, of a key or of a variable.
pub fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "secret",
        "password",
        "passwd",
        "token",
        "credential",
        "access_key",
        "accesskey",
        "private_key",
        "api_key",
        "apikey",
    ];
    let name = name.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_nothing_of_itself() {
        let secret = Secret::new("aQ3\"zz/9xK");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[hidden] Some([hidden])");
        assert_eq!(
            secret.hide_in("key aQ3\"zz/9xK, {\"key\": \"aQ3\\\"zz/9xK\"}"),
            "key [hidden], {\"key\": \"[hidden]\"}"
        );
        assert_eq!(Secret::new("test").hide_in("a test"), "a test");
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["aws-secret-access-key", "GITHUB_TOKEN", "DbPassword", "AccessKeyId"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["region", "lake", "key", "REGION", "access"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
