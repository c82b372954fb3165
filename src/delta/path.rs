//! Hive paths: `event_date=2023-05-03/part-….parquet`, with escapes for what a file name cannot hold.

use std::fmt::Write;

/// What stands in a path for a null.
pub(crate) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The directory of a partition, with a slash at its end; empty for a table without partitions.
pub(crate) fn directory(values: &[(String, Option<String>)]) -> String {
    let mut path = String::new();
    for (column, value) in values {
        escape(column, &mut path);
        path.push('=');
        match value {
            None => path.push_str(NULL_PARTITION),
            // A text that spells the null marker must not become a null for those who read paths.
            Some(text) if text == NULL_PARTITION => {
                path.push_str("%5F");
                path.extend(text.chars().skip(1));
            }
            Some(text) => escape(text, &mut path),
        }
        path.push('/');
    }
    path
}

/// A storage path as the log spells it: a relative URI, in which the escapes of the path are escaped once more.
pub(crate) fn to_uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'=' | b'+' => {
                uri.push(char::from(byte));
            }
            _ => percent(byte, &mut uri),
        }
    }
    uri
}

/// A path as the log spells it, back as storage knows it: `%20` is a blank.
pub(crate) fn from_uri(uri: &str) -> String {
    if !uri.contains('%') {
        return uri.to_owned();
    }
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        // A percent sign without two digits behind it stands for itself.
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Hive's escapes, and all that is not ASCII: Polars takes the path for a URL, and asks an object store for the escaped
/// name of what is not escaped already.
fn escape(text: &str, path: &mut String) {
    for character in text.chars() {
        match character {
            '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '}' | '[' | ']' | '^' | '<' | '>'
            | '|' | '`' => percent(character as u8, path),
            // A blank at the end of a name is lost on some file systems, and control characters everywhere.
            '\0'..=' ' | '\u{7f}' => percent(character as u8, path),
            ascii if ascii.is_ascii() => path.push(ascii),
            other => other.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| percent(byte, path)),
        }
    }
}

fn percent(byte: u8, path: &mut String) {
    write!(path, "%{byte:02X}").expect("a String takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Option<&str>) -> String {
        directory(&[("c".to_string(), value.map(str::to_string))])
    }

    #[test]
    fn special_characters_are_escaped_and_plain_ones_stay() {
        assert_eq!(of(Some("2023-05-03")), "c=2023-05-03/");
        assert_eq!(of(Some("a/b=c%d")), "c=a%2Fb%3Dc%25d/");
        assert_eq!(of(Some("12:30 h")), "c=12%3A30%20h/");
        assert_eq!(of(Some("größe")), "c=gr%C3%B6%C3%9Fe/");
    }

    #[test]
    fn a_null_and_a_text_that_looks_like_one_are_apart() {
        assert_eq!(of(None), "c=__HIVE_DEFAULT_PARTITION__/");
        assert_eq!(of(Some(NULL_PARTITION)), "c=%5F_HIVE_DEFAULT_PARTITION__/");
    }

    #[test]
    fn the_log_escapes_the_escapes() {
        assert_eq!(to_uri("c=a%2Fb/part.parquet"), "c=a%252Fb/part.parquet");
        assert_eq!(to_uri("c=ö/x"), "c=%C3%B6/x");
    }
}
