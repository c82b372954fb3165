//! Tags of dbt that the template engine does not have.
//!
//! `{% test %}` becomes `{% macro %}`, and a materialization becomes blanks: karat has its own. What is written in the place of
//! something is as long as that, so that every place stays where it was.

use std::borrow::Cow;

use super::token::{Token, TokenKind, tokens};

/// What stands before the name of the macro that a `{% test %}` is.
pub(super) const TEST_PREFIX: &str = "test_";

/// The tags that define a test.
pub(super) const TESTS: [&str; 2] = ["test", "data_test"];

/// The text with tags of the engine in their places.
pub(super) fn without_own_tags(text: &str) -> Cow<'_, str> {
    if !["test", "materialization"].iter().any(|word| text.contains(word)) {
        return Cow::Borrowed(text);
    }
    let found = tokens(text);
    let mut bytes = text.as_bytes().to_vec();
    let mut begun = None;
    for (index, window) in found.windows(2).enumerate() {
        let [open, keyword] = window else { continue };
        if open.kind != TokenKind::Open || keyword.kind != TokenKind::Word {
            continue;
        }
        match text.get(keyword.range()) {
            Some("test" | "data_test") => write(&mut bytes, *open, *keyword, "macro"),
            Some("endtest" | "enddata_test") => write(&mut bytes, *open, *keyword, "endmacro"),
            Some("materialization") => begun = begun.or(Some(open.start)),
            Some("endmaterialization") => {
                let close = found.get(index..).unwrap_or_default().iter().find(|token| token.kind == TokenKind::Close);
                if let (Some(start), Some(close)) = (begun.take(), close) {
                    blank(&mut bytes, start, close.end);
                }
            }
            _ => {}
        }
    }
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned()))
}

/// Writes a word over another one and the blanks before it.
fn write(bytes: &mut [u8], open: Token, keyword: Token, word: &str) {
    // A sign that trims blanks stays.
    let has_sign = matches!(bytes.get(open.end), Some(b'-' | b'+'));
    let begin = open.end + usize::from(has_sign);
    let room = keyword.end.saturating_sub(begin);
    let Some(place) = bytes.get_mut(begin..keyword.end).filter(|_| word.len() <= room) else { return };
    place.fill(b' ');
    let start = room - word.len();
    if let Some(end) = place.get_mut(start..) {
        end.copy_from_slice(word.as_bytes());
    }
}

/// Lines stay lines.
fn blank(bytes: &mut [u8], start: usize, end: usize) {
    for byte in bytes.get_mut(start..end).into_iter().flatten().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_become_macros_and_materializations_blanks_of_the_same_length() {
        let text =
            "{% test is_even(model) -%}\nx{%- endtest %}{% materialization m, default %}\né{% endmaterialization %}!";
        let plain = without_own_tags(text);
        assert_eq!(plain.len(), text.len());
        assert!(plain.starts_with("{%macro is_even(model) -%}\nx{%-endmacro %}   "), "{plain}");
        let last = plain.lines().last().unwrap();
        assert!(last.ends_with('!') && last.trim_end_matches('!').trim().is_empty(), "{plain}");
        assert_eq!(
            without_own_tags("{% data_test a(b) %}{% enddata_test %}"),
            "{%     macro a(b) %}{%     endmacro %}"
        );
        assert_eq!(without_own_tags("{% set test = 1 %}"), "{% set test = 1 %}");
    }
}
