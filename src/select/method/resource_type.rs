//! `resource_type:`: all models, all seeds, or all sources.

use super::{Method, Node, Pattern};

pub(super) struct ResourceType;

impl Method for ResourceType {
    fn name(&self) -> &'static str {
        "resource_type"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Node<'_>) -> bool {
        pattern.matches(node.kind().word())
    }

    fn values(&self, node: Node<'_>) -> Vec<String> {
        vec![node.kind().word().to_owned()]
    }
}
