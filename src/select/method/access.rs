//! `access:`: models by who may read them.

use super::{Candidate, Method, Pattern};
use crate::name::NodeKind;

pub(super) struct ByAccess;

impl Method for ByAccess {
    fn name(&self) -> &'static str {
        "access"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        access(node).is_some_and(|access| access == pattern.text())
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        access(node).map(str::to_owned).into_iter().collect()
    }
}

/// As in dbt, seeds and snapshots have none.
fn access(node: Candidate<'_>) -> Option<&'static str> {
    match node {
        Candidate::Model { rendered, .. } if node.kind() == NodeKind::Model => Some(rendered.config.access.word()),
        _ => None,
    }
}
