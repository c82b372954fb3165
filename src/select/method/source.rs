//! `source:`: a source by its name, `raw` or `raw.notes`.

use super::{Candidate, Method, Pattern};

pub(super) struct FromSource;

impl Method for FromSource {
    fn name(&self) -> &'static str {
        "source"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let Candidate::Source { source, .. } = node else {
            return false;
        };
        let full = source.name().to_string();
        [source.schema.as_str(), &full, &format!("{}.{full}", node.project())].iter().any(|name| pattern.matches(name))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        match node {
            Candidate::Source { source, .. } => vec![source.schema.to_string(), source.name().to_string()],
            Candidate::Model { .. }
            | Candidate::Resource { .. }
            | Candidate::Test { .. }
            | Candidate::UnitTest { .. } => Vec::new(),
        }
    }
}
