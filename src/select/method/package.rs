//! `package:`: everything of a project, by its name or as `this`.

use super::{Candidate, Method, Pattern};

pub(super) struct Package;

impl Method for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        pattern.text() == "this" || pattern.matches(node.project())
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        vec![node.project().to_owned()]
    }
}
