//! `resource_type:`: all models, or all sources.

use super::{Method, Node, Pattern};

pub(super) struct ResourceType;

fn word(node: Node<'_>) -> &'static str {
    match node {
        Node::Model { .. } => "model",
        Node::Source { .. } => "source",
    }
}

impl Method for ResourceType {
    fn name(&self) -> &'static str {
        "resource_type"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Node<'_>) -> bool {
        pattern.matches(word(node))
    }

    fn values(&self, node: Node<'_>) -> Vec<String> {
        vec![word(node).to_owned()]
    }
}
