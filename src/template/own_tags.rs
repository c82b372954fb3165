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

/// The text with blanks in the place of tags between macros that are no statements, such as lines of `#`: dbt reads nothing there.
pub(super) fn without_stray_tags(text: Cow<'_, str>) -> Cow<'_, str> {
    let found = tokens(&text);
    let mut stray = Vec::new();
    let mut depth = 0_usize;
    for (index, open) in found.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Open) {
        let next = found.get(index + 1);
        let word = next.filter(|next| next.kind == TokenKind::Word).and_then(|word| text.get(word.range()));
        // No statement has a colon behind its first word, and a misspelt one is an error.
        let is_address = found.get(index + 2).is_some_and(|mark| mark.is(b':'));
        match word {
            Some("macro") => depth += 1,
            Some("endmacro") => depth = depth.saturating_sub(1),
            Some(_) if !is_address => {}
            _ if depth > 0 || text.get(open.range()) != Some("{%") => {}
            // The scanner may read what is no statement as anything, so its end is looked for in the text itself.
            _ => stray.extend(
                text.get(open.end..).and_then(|rest| rest.find("%}")).map(|end| (open.start, open.end + end + 2)),
            ),
        }
    }
    if stray.is_empty() {
        return text;
    }
    let mut bytes = text.as_bytes().to_vec();
    stray.into_iter().for_each(|(start, end)| blank(&mut bytes, start, end));
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|_| text.into_owned()))
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
    fn what_is_no_statement_between_macros_is_blank() {
        let text =
            "{% #### %}\n{% https://example.org/a %}\n{% macro a() %}{% nonsense %}{% endmacro %}{% set x = 1 %}";
        let plain = without_stray_tags(Cow::Borrowed(text));
        let kept = "{% macro a() %}{% nonsense %}{% endmacro %}{% set x = 1 %}";
        assert_eq!((plain.len(), plain.trim()), (text.len(), kept));
        assert!(matches!(without_stray_tags(Cow::Borrowed(kept)), Cow::Borrowed(_)));
    }

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
