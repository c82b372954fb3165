//! `test_type:`: `generic`, `singular`, both as `data`, or `unit`.

use super::{Candidate, Method, MethodRefusal, Pattern, check_word};
use crate::select::TestKind;

pub(super) struct TestType;

/// `schema` is an older word for `generic`.
const WORDS: [&str; 5] = ["generic", "singular", "data", "unit", "schema"];

impl Method for TestType {
    fn name(&self) -> &'static str {
        "test_type"
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        check_word(self.name(), value, &WORDS)
    }

    fn is_of_tests(&self) -> bool {
        true
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        words(node).contains(&pattern.text())
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        words(node).iter().map(|word| (*word).to_owned()).collect()
    }
}

fn words(node: Candidate<'_>) -> &'static [&'static str] {
    match node {
        Candidate::Test { test, .. } => match test.kind {
            TestKind::Generic(_) => &["generic", "data", "schema"],
            TestKind::Singular => &["singular", "data"],
            TestKind::Constraint => &[],
        },
        Candidate::UnitTest { .. } => &["unit"],
        Candidate::Model { .. } | Candidate::Source { .. } | Candidate::Resource { .. } => &[],
    }
}
