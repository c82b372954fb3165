//! `group:`: what belongs to a group, by its name.

use super::{Candidate, Method, Pattern};

pub(super) struct InGroup;

impl Method for InGroup {
    fn name(&self) -> &'static str {
        "group"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        group(node).is_some_and(|group| pattern.matches(group))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        group(node).map(str::to_owned).into_iter().collect()
    }
}

fn group<'a>(node: Candidate<'a>) -> Option<&'a str> {
    let group = match node {
        Candidate::Model { rendered, .. } => rendered.config.group.as_ref(),
        Candidate::Resource { resource, .. } => resource.group.as_ref(),
        Candidate::Source { .. } | Candidate::Test { .. } | Candidate::UnitTest { .. } => None,
    };
    group.map(|group| group.value.as_str())
}
