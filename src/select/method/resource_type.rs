//! `resource_type:`: all models, all seeds, all sources, and so on.

use super::{Candidate, Method, Pattern};

pub(super) struct ResourceType;

impl Method for ResourceType {
    fn name(&self) -> &'static str {
        "resource_type"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        pattern.matches(node.kind().word())
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        vec![node.kind().word().to_owned()]
    }
}
