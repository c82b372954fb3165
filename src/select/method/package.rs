//! `package:`: everything of a project, by its name or as `this`.

use super::{Candidate, Method, Pattern};

pub(super) struct Package;

impl Method for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let package = package(&node);
        if pattern.text() == "this" { package == node.project() } else { pattern.matches(package) }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        vec![package(&node).to_owned()]
    }
}

fn package<'n>(node: &'n Candidate<'_>) -> &'n str {
    match node {
        Candidate::Model { model, .. } => &model.package,
        Candidate::UnitTest { test, .. } => &test.package,
        Candidate::Source { .. } => node.project(),
    }
}
