//! Changes of a text: what is written into it, and where.

use std::ops::Range;

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct TextEdit {
    /// Where it is put, in the original.
    pub at: usize,
    /// How much of the original it stands for.
    pub cut: usize,
    /// What stands there instead.
    pub text: String,
}

impl TextEdit {
    /// Something more before a place.
    pub fn before(at: usize, text: String) -> TextEdit {
        TextEdit { at, cut: 0, text }
    }

    /// Something else for a piece of the original.
    pub fn instead(of: Range<usize>, text: &str) -> TextEdit {
        TextEdit { at: of.start, cut: of.len(), text: text.to_owned() }
    }
}

/// The text with these changes, those at one place in their order. Returns `None` if two change the same piece, or if one is not
/// within the text.
#[cfg(feature = "engine")]
pub(crate) fn applied(text: &str, mut edits: Vec<TextEdit>) -> Option<String> {
    // The sort is stable.
    edits.sort_by_key(|edit| edit.at);
    let mut edited = String::with_capacity(text.len());
    let mut copied = 0;
    for TextEdit { at, cut, text: piece } in edits {
        edited.push_str(text.get(copied..at)?);
        edited.push_str(&piece);
        copied = at + cut;
    }
    edited.push_str(text.get(copied..)?);
    Some(edited)
}
