//! `tag:`: a node by one of its tags.

use super::{Candidate, Method, Pattern};

pub(super) struct Tagged;

impl Method for Tagged {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        node.tags().into_iter().any(|tag| pattern.matches(tag))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        node.tags().into_iter().map(str::to_owned).collect()
    }
}
