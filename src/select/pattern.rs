//! A value with wildcards: `fct_*`, `?`, `[ab]`.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// A text that names or describes names.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: String,
    /// `None` for a plain name.
    glob: Option<GlobMatcher>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.text)
    }
}

impl Pattern {
    /// In a path, `*` does not cross a `/`.
    pub fn parse(text: &str, is_path: bool) -> Result<Pattern, String> {
        let glob = match text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            false => None,
            true => {
                // A backslash is no escape: names have none, and paths on Windows are typed with them.
                let built = GlobBuilder::new(text).literal_separator(is_path).backslash_escape(false).build();
                Some(built.map_err(|fault| format!("`{text}` is not a pattern: {}", fault.kind()))?.compile_matcher())
            }
        };
        Ok(Pattern { text: text.to_owned(), glob })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, name: &str) -> bool {
        match &self.glob {
            None => self.text == name,
            Some(glob) => glob.is_match(name),
        }
    }

    /// A part of this pattern as a pattern of its own; a part that is none by itself matches nothing.
    pub fn part(&self, text: &str) -> Option<Pattern> {
        Pattern::parse(text, false).ok()
    }
}
