//! What to do with a model, and why.

use std::collections::BTreeMap;

use super::build::Build;
use crate::incremental::staleness::{Cause, PendingChange, Reason};
use crate::name::{ModelName, TableKey, TableName};
use crate::table::SliceKey;

/// What to do with a model, and the reasons in an analyst's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// `None` if the table is up to date, if the model has none, or if that cannot be said yet.
    pub build: Option<Build>,
    /// The model whose new files must be read before it can be said what is to build.
    pub waits_for: Option<ModelName>,
    /// The table that cannot be read, and without which nothing of the model can be built.
    pub blocked: Option<TableName>,
    /// Why the bad records of its sources must be read again, if so.
    pub bad_records: Option<String>,
    /// Why, slice by slice; empty if there is nothing to build.
    pub reasons: Vec<Reason>,
    /// All of it in one line.
    pub why: String,
    /// The dimensions that changed since slices were made of them, with the number of these slices.
    pub older: BTreeMap<TableKey, u64>,
}

impl Decision {
    pub(super) fn nothing(why: &str) -> Decision {
        Decision {
            build: None,
            waits_for: None,
            blocked: None,
            bad_records: None,
            reasons: Vec::new(),
            why: why.to_owned(),
            older: BTreeMap::new(),
        }
    }

    pub(super) fn up_to_date() -> Decision {
        Decision::nothing("nothing changed since it was built")
    }

    pub(super) fn blocked(table: &TableName) -> Decision {
        let nothing = Decision::nothing(&format!("`{table}` cannot be read"));
        Decision { blocked: Some(table.clone()), ..nothing }
    }

    pub(super) fn later(parent: ModelName) -> Decision {
        let nothing = Decision::nothing(&format!("depends on the contents of the new files of `{parent}`"));
        Decision { waits_for: Some(parent), ..nothing }
    }

    pub(super) fn build(build: Build, reasons: Vec<Reason>) -> Decision {
        let why = in_one_line(&reasons);
        Decision { build: Some(build), reasons, ..Decision::nothing(&why) }
    }

    /// Builds for one cause that concerns all that is built.
    pub(super) fn because(build: Build, cause: &Cause) -> Decision {
        let slices = match &build {
            Build::Slices(slices) => Some(slices.clone()),
            Build::Whole | Build::Batch | Build::Files(_) => None,
        };
        Decision::build(build, vec![Reason { slices, why: cause.describe(None) }])
    }

    /// Whether something is built, or may be.
    pub fn may_build(&self) -> bool {
        self.build.is_some() || self.waits_for.is_some() || self.bad_records.is_some()
    }

    /// Why this slice would be built, if it would be.
    pub fn why_of(&self, slice: SliceKey) -> &str {
        // A reason without slices concerns all of them.
        let concerns = |reason: &&Reason| reason.slices.as_ref().is_none_or(|slices| slices.contains(slice));
        self.reasons.iter().find(concerns).map_or(&self.why, |reason| &reason.why)
    }

    /// Returns what readers of the table will find changed.
    pub(super) fn pending_change(&self) -> Option<PendingChange> {
        match (&self.build, &self.waits_for) {
            (Some(build), _) => build.pending_change(),
            (None, Some(_)) => Some(PendingChange::Unknown(None)),
            (None, None) => None,
        }
    }
}

/// The first reason, and how many others there are.
fn in_one_line(reasons: &[Reason]) -> String {
    let Some((first, rest)) = reasons.split_first() else { return String::new() };
    if rest.iter().all(|reason| reason.why == first.why) {
        return first.why.clone();
    }
    let more = if rest.len() == 1 { "1 more reason".to_owned() } else { format!("{} more reasons", rest.len()) };
    format!("{}; {more}", first.why)
}
