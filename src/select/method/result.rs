//! `result:`: nodes by what became of them in an earlier command: `result:error`, `result:fail`, `result:skipped`.

use super::{Candidate, Method, MethodRefusal, Pattern, check_word};
use crate::select::StoredArtifact;

pub(super) struct ByResult;

/// dbt's words. What karat never writes may stand in an artifact of dbt's.
const WORDS: [&str; 7] = ["success", "error", "fail", "warn", "pass", "skipped", "no-op"];

impl Method for ByResult {
    fn name(&self) -> &'static str {
        "result"
    }

    fn artifact(&self) -> Option<StoredArtifact> {
        Some(StoredArtifact::RunResults)
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        check_word(self.name(), value, &WORDS)
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let result = node.stored().and_then(|stored| stored.result.as_deref());
        result.is_some_and(|result| result == pattern.text())
    }
}
