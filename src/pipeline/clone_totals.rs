//! What a clone has done, in numbers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::clone::CloneOutcome;
use crate::figures::seconds;

/// How many models ended in which way.
#[derive(Debug, Default)]
pub(crate) struct CloneTotals {
    cloned: AtomicUsize,
    kept: AtomicUsize,
    not_there: AtomicUsize,
}

impl CloneTotals {
    /// Counts a model.
    pub fn add(&self, outcome: &CloneOutcome) {
        match outcome {
            CloneOutcome::Cloned(_) => &self.cloned,
            CloneOutcome::Kept => &self.kept,
            CloneOutcome::NotThere => &self.not_there,
            CloneOutcome::Inlined => return,
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    /// `done: 12 cloned, 3 kept in 0.5 s`.
    pub fn to_text(&self, target: &str, elapsed: Duration) -> String {
        let parts = [
            (self.cloned.load(Ordering::Relaxed), "cloned".to_owned()),
            (self.kept.load(Ordering::Relaxed), "kept".to_owned()),
            (self.not_there.load(Ordering::Relaxed), format!("not in target `{target}`")),
        ];
        let said = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let said: Vec<String> = said.collect();
        let said = if said.is_empty() { "nothing to clone".to_owned() } else { said.join(", ") };
        format!("done: {said} in {}", seconds(elapsed))
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "cloned": self.cloned.load(Ordering::Relaxed),
            "kept": self.kept.load(Ordering::Relaxed),
            "not_there": self.not_there.load(Ordering::Relaxed),
        })
    }
}
