//! `tag:`: a model or seed by one of its tags.

use super::{Method, Node, Pattern};
use crate::name::Tag;

pub(super) struct Tagged;

impl Method for Tagged {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Node<'_>) -> bool {
        match node {
            Node::Model { rendered, .. } => rendered.config.tags.iter().any(|tag| pattern.matches(tag.as_str())),
            Node::Source { .. } => false,
        }
    }

    fn values(&self, node: Node<'_>) -> Vec<String> {
        match node {
            Node::Model { rendered, .. } => rendered.config.tags.iter().map(Tag::to_string).collect(),
            Node::Source { .. } => Vec::new(),
        }
    }
}
