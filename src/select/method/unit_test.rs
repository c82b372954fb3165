//! `unit_test:`: a unit test by its name, alone or behind those of its package and its model.

use super::{Candidate, Method, Pattern};

pub(super) struct UnitTestNamed;

impl Method for UnitTestNamed {
    fn name(&self) -> &'static str {
        "unit_test"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let Candidate::UnitTest { test, .. } = node else { return false };
        pattern.matches(&test.id.test) || pattern.matches(&format!("{}.{}", test.package, test.id.test))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        match node {
            Candidate::UnitTest { test, .. } => vec![test.id.test.clone()],
            Candidate::Model { .. } | Candidate::Source { .. } => Vec::new(),
        }
    }
}
