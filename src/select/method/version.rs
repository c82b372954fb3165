//! `version:`: models by how their version stands to the latest one.

use std::cmp::Ordering;

use super::{Candidate, Method, MethodRefusal, Pattern, check_word};
use crate::name::NodeKind;

pub(super) struct ByVersion;

const WORDS: [&str; 4] = ["latest", "prerelease", "old", "none"];

impl Method for ByVersion {
    fn name(&self) -> &'static str {
        "version"
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        check_word(self.name(), value, &WORDS)
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        word(node).is_some_and(|word| word == pattern.text())
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        word(node).map(str::to_owned).into_iter().collect()
    }
}

fn word(node: Candidate<'_>) -> Option<&'static str> {
    let Candidate::Model { model, .. } = node else { return None };
    if node.kind() != NodeKind::Model {
        return None;
    }
    Some(match model.version.as_ref().map(crate::project::ModelVersion::cmp_latest) {
        None => "none",
        Some(Ordering::Equal) => "latest",
        Some(Ordering::Greater) => "prerelease",
        Some(Ordering::Less) => "old",
    })
}
