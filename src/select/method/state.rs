//! `state:`: nodes by what has changed since a stored manifest: `state:modified`, `state:modified.body`, `state:new`.

use super::{Candidate, Method, MethodRefusal, Pattern};
use crate::diag::{any_of, nearest};
use crate::select::{NodeChange, StoredArtifact};

pub(super) struct ByState;

const WORDS: [&str; 4] = ["modified", "new", "old", "unmodified"];

fn words() -> impl Iterator<Item = String> {
    let parts = NodeChange::WORDS.into_iter().map(|(word, _)| format!("modified.{word}"));
    WORDS.into_iter().map(str::to_owned).chain(parts)
}

impl Method for ByState {
    fn name(&self) -> &'static str {
        "state"
    }

    fn artifact(&self) -> Option<StoredArtifact> {
        Some(StoredArtifact::Manifest)
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        let known: Vec<String> = words().collect();
        if known.iter().any(|word| word == value) {
            return Ok(());
        }
        let help = match nearest(value, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `state:{near}`?"),
            None => format!("it can be {}", any_of(known.iter().map(String::as_str))),
        };
        Err(MethodRefusal { message: format!("`state:` knows no `{value}`"), help })
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        // Without a manifest to compare with, the selector was refused.
        let Some(found) = node.stored().and_then(|stored| stored.changes.as_ref()) else { return false };
        match pattern.text() {
            "new" => found.is_new,
            "old" => !found.is_new,
            "unmodified" => !found.is_modified(),
            "modified" => found.is_modified(),
            other => {
                let part = other.strip_prefix("modified.");
                let asked = NodeChange::WORDS.into_iter().find(|(word, _)| Some(*word) == part);
                asked.is_some_and(|(_, change)| found.changes.contains(&change))
            }
        }
    }
}
