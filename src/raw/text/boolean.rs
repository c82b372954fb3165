//! Booleans of texts, in the words of PostgreSQL or in those that the source declares.

use crate::raw::field::Field;

/// What PostgreSQL reads as a boolean: `true`, `t`, `yes`, `y`, `on`, `1` and their opposites, in any case.
#[inline]
pub(in crate::raw) fn boolean(field: Field<'_>) -> Option<bool> {
    match field.text() {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        text => boolean_word(text),
    }
}

#[cold]
fn boolean_word(text: &[u8]) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["true", "t", "yes", "y", "on"]) {
        return Some(true);
    }
    is_one_of(&["false", "f", "no", "n", "off"]).then_some(false)
}

/// A boolean, also in the words that the source declares.
pub(in crate::raw) fn declared_boolean(field: Field<'_>, words: &[String; 2]) -> Option<bool> {
    let [yes, no] = words;
    if field.text() == yes.as_bytes() {
        return Some(true);
    }
    if field.text() == no.as_bytes() { Some(false) } else { boolean(field) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::text::both;

    #[test]
    fn a_boolean_is_what_postgresql_takes_for_one() {
        for text in ["true", "True", "TRUE", "t", "T", "yes", "Y", "on", "1"] {
            assert_eq!(both(boolean, text), Some(true), "{text}");
        }
        for text in ["false", "False", "f", "no", "N", "OFF", "0"] {
            assert_eq!(both(boolean, text), Some(false), "{text}");
        }
        for text in ["", "true ", "2", "01", "ja", "o", "tru"] {
            assert_eq!(both(boolean, text), None, "{text}");
        }
        let words = ["ja".to_owned(), "0".to_owned()];
        let declared = |text: &str| both(|field| declared_boolean(field, &words), text);
        assert_eq!(
            (declared("ja"), declared("0"), declared("t"), declared("Ja")),
            (Some(true), Some(false), Some(true), None)
        );
    }
}
