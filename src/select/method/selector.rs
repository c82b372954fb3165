//! `selector:`: what a named selector of the project selects. Its definition is resolved where selectors are combined.

use super::{Candidate, Method, Pattern};

pub(super) struct NamedInFile;

impl Method for NamedInFile {
    fn name(&self) -> &'static str {
        super::super::parse::SELECTOR
    }

    fn matches(&self, _pattern: &Pattern, _argument: Option<&str>, _node: Candidate<'_>) -> bool {
        false
    }
}
