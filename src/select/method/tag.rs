//! `tag:`: a model or seed by one of its tags.

use super::{Candidate, Method, Pattern};
use crate::name::Tag;

pub(super) struct Tagged;

impl Method for Tagged {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        match node {
            Candidate::Model { rendered, .. } => rendered.config.tags.iter().any(|tag| pattern.matches(tag.as_str())),
            Candidate::UnitTest { test, .. } => test.tags.iter().any(|tag| pattern.matches(tag)),
            Candidate::Source { .. } => false,
        }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        match node {
            Candidate::Model { rendered, .. } => rendered.config.tags.iter().map(Tag::to_string).collect(),
            Candidate::UnitTest { test, .. } => test.tags.clone(),
            Candidate::Source { .. } => Vec::new(),
        }
    }
}
