//! `source_status:fresher`: sources with newer rows than an earlier `sources.json` says.

use super::{Candidate, Method, MethodRefusal, Pattern, check_word};
use crate::select::StoredArtifact;

pub(super) struct BySourceStatus;

impl Method for BySourceStatus {
    fn name(&self) -> &'static str {
        "source_status"
    }

    fn artifact(&self) -> Option<StoredArtifact> {
        Some(StoredArtifact::Sources)
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        check_word(self.name(), value, &["fresher"])
    }

    fn matches(&self, _pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        node.stored().is_some_and(|stored| stored.is_fresher)
    }
}
