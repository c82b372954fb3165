//! The critical path of a run: the chain of steps that decided when it ended.
//!
//! From the step that ended last, one goes back to that of the steps it reads which ended last, because it could not begin
//! before (the longest path in the graph of what happened, not of what was planned). A step that waited for a free thread
//! and not for what it reads has a gap before it.

use std::collections::BTreeMap;

use super::{RunRecord, StepRecord};

/// The steps that the run waited for, the first one first.
pub(crate) fn critical_path(run: &RunRecord) -> Vec<&StepRecord> {
    let mut left: BTreeMap<&str, &StepRecord> =
        run.steps.iter().filter(|step| step.duration().is_some()).map(|step| (step.model.as_str(), step)).collect();
    let mut path = Vec::new();
    let mut next = left.values().copied().max_by_key(|step| step.ended);
    while let Some(step) = next {
        path.push(step);
        // Clocks jump: no step comes twice.
        left.remove(step.model.as_str());
        let read = step.reads.iter().filter_map(|name| left.get(name.as_str()).copied());
        next = read.filter(|read| read.ended <= step.started).max_by_key(|read| read.ended);
    }
    path.reverse();
    path
}
