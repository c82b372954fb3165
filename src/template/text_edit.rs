//! What is written into a template, and where.

use super::token::Token;

/// A change of a template's text.
#[derive(Debug, Clone)]
pub(super) struct TextEdit {
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

    /// Something else for a token.
    pub fn instead(token: Token, text: &str) -> TextEdit {
        TextEdit { at: token.start, cut: token.end - token.start, text: text.to_owned() }
    }
}
