//! `test_name:`: generic tests by their rule, `not_null`; and unit tests by their own name.

use super::{Candidate, Method, Pattern};
use crate::select::TestKind;

pub(super) struct TestName;

impl Method for TestName {
    fn name(&self) -> &'static str {
        "test_name"
    }

    fn is_of_tests(&self) -> bool {
        true
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        name(node).is_some_and(|name| pattern.matches(name))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        name(node).map(str::to_owned).into_iter().collect()
    }
}

/// The rule without the package that defines it.
fn name<'a>(node: Candidate<'a>) -> Option<&'a str> {
    match node {
        Candidate::Test { test, .. } => match &test.kind {
            TestKind::Generic(rule) => Some(rule.rsplit('.').next().unwrap_or(rule)),
            TestKind::Singular | TestKind::Constraint => None,
        },
        Candidate::UnitTest { test, .. } => Some(&test.id.test),
        Candidate::Model { .. } | Candidate::Source { .. } | Candidate::Resource { .. } => None,
    }
}
