//! `test_type:unit`: the unit tests.

use super::{Candidate, Method, Pattern};

pub(super) struct TestType;

impl Method for TestType {
    fn name(&self) -> &'static str {
        "test_type"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        match node {
            Candidate::UnitTest { .. } => pattern.matches("unit"),
            Candidate::Model { .. } | Candidate::Source { .. } => false,
        }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        match node {
            Candidate::UnitTest { .. } => vec!["unit".to_owned()],
            Candidate::Model { .. } | Candidate::Source { .. } => Vec::new(),
        }
    }
}
