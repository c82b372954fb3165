//! `package:`: everything of a project, by its name or as `this`.

use super::{Candidate, Method, Pattern};

pub(super) struct Package;

impl Method for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let package = node.package();
        if pattern.text() == "this" { package == node.project() } else { pattern.matches(package) }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        vec![node.package().to_owned()]
    }
}
