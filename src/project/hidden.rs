//! Which parts of a YAML file look like credentials, so that no message shows them with the line on which they stand.

use std::ops::Range;

use super::secret::names_a_secret;

/// The bytes that must not be shown. Found in the text alone, because a malformed file is shown as well.
pub(super) fn secret_parts(text: &str) -> Vec<Range<usize>> {
    let mut found = in_urls(text);
    found.extend(behind_keys(text));
    found
}

/// Whether a key of a project's YAML is one for credentials, which never stand there.
pub(super) fn is_credential_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_setting = ["region", "endpoint", "profile"].iter().any(|word| key.contains(word));
    names_a_secret(&key) || (key.starts_with("aws_") && !is_setting)
}

/// Users and passwords, up to the last `@` because a password pasted in may hold a `/`, and queries.
fn in_urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut done = 0;
    for (place, scheme) in text.match_indices("://") {
        if place < done {
            continue;
        }
        let start = place + scheme.len();
        let rest = text.get(start..).unwrap_or("");
        let end =
            rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'')).unwrap_or(rest.len());
        let url = rest.get(..end).unwrap_or(rest);
        done = start + end;
        if let Some(at) = url.rfind('@') {
            found.push(start..start + at);
        }
        if let Some(query) = url.find('?') {
            found.push(start + query + 1..start + end);
        }
    }
    found
}

/// What stands behind a key whose name speaks of a secret: the rest of its line, and the lines below that are indented
/// deeper.
fn behind_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut below: Option<usize> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let is_blank = line.trim().is_empty();
        if below.is_some_and(|key| indent > key) && !is_blank {
            found.push(start + indent..end);
        } else if !is_blank {
            below = None;
            if let Some(value) = first_secret_value(line) {
                found.push(start + value..end);
                below = Some(indent);
            }
        }
        start += line.len();
    }
    found
}

/// Where the value of the first such key of a line begins.
fn first_secret_value(line: &str) -> Option<usize> {
    line.match_indices(':').map(|(colon, _)| colon).find_map(|colon| {
        // Keys in quotes are keys too, and JSON is YAML.
        let before = line.get(..colon)?.trim_end().trim_end_matches(['"', '\'']);
        let key = before
            .rsplit(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | '-' | '.' | '+'))
            .next()?;
        is_credential_key(key).then_some(colon + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as it is shown.
    fn shown(text: &str) -> String {
        let mut files = crate::span::SourceFiles::default();
        let file = files.add_hiding("a.yml", text, secret_parts);
        files.shown(file).to_owned()
    }

    #[test]
    fn credentials_are_hidden_wherever_they_stand() {
        insta::assert_snapshot!(shown(
            "
lake: s3://key:pass/word@bucket/a
endpoint: 'https://me@host/?X-Amz-Signature=abc' # why
a: { lake: x, secret_access_key: abc, path_style: true }
\"aws_session_token\" : abc
password: |
  first

  second
token:
- abc
region: eu-central-1
aws_region: eu-central-1
vars: { a: 'http://host/path?b' }
secret: ä
"
        ), @r#"

        lake: s3://*************@bucket/a
        endpoint: 'https://**@host/?*******************' # why
        a: { lake: x, secret_access_key: **** *********** **** *
        "aws_session_token" : ***
        password: *
          *****

          ******
        token:
        - ***
        region: eu-central-1
        aws_region: eu-central-1
        vars: { a: 'http://host/path?*' }
        secret: **
        "#);
    }
}
