//! Why slices are stale, for people: slices with one cause after the other are listed together.

use super::cause::{Cause, Reason};
use super::subject::{Stale, Subject};
use crate::day::{Grain, TimeRange};
use crate::table::{SliceKey, SliceSet};

/// Returns the reasons of what is stale, slices with one cause after the other put together.
pub(crate) fn reasons(subject: &Subject<'_>, stale: &Stale) -> Vec<Reason> {
    let slices = match stale {
        Stale::Nothing => return Vec::new(),
        Stale::Whole(cause) => return vec![Reason { slices: None, why: subject.describe(cause) }],
        Stale::Slices(slices) => slices,
    };
    let mut groups: Vec<Group> = Vec::new();
    for (slice, cause) in slices {
        let is_taken = groups.last_mut().is_some_and(|group| group.take(*slice, cause, subject.grain));
        if !is_taken {
            groups.push(Group { slices: vec![*slice], cause: cause.clone() });
        }
    }
    groups.into_iter().map(|group| group.reason(subject)).collect()
}

/// Slices one after the other with one cause.
struct Group {
    slices: Vec<SliceKey>,
    cause: Cause,
}

impl Group {
    /// Takes a slice in that follows the last one and has a cause of the same kind. Returns whether it did.
    fn take(&mut self, slice: SliceKey, cause: &Cause, grain: Grain) -> bool {
        // Rows without a time stand alone: no slice follows them.
        let (Some(SliceKey::At(last)), SliceKey::At(start)) = (self.slices.last(), slice) else { return false };
        if grain.next(*last) != start {
            return false;
        }
        let Some(joined) = joined(&self.cause, cause) else { return false };
        self.slices.push(slice);
        self.cause = joined;
        true
    }

    fn reason(self, subject: &Subject<'_>) -> Reason {
        let slices = SliceSet::of(self.slices, subject.grain);
        let why = match (&self.cause, &slices) {
            (Cause::Foreign, Some(slices)) => format!("something other than karat changed {slices}"),
            _ => subject.describe(&self.cause),
        };
        Reason { slices, why }
    }
}

/// One cause for both, if they are of one kind.
fn joined(one: &Cause, other: &Cause) -> Option<Cause> {
    match (one, other) {
        (
            Cause::Rows { input, after, read: Some(read) },
            Cause::Rows { input: other_input, after: other_after, read: Some(other_read) },
        ) if input == other_input && after == other_after => {
            // The sum of changes is taken over all that the slices of the group read.
            let read = TimeRange::new(read.start().min(other_read.start()), read.end().max(other_read.end()));
            Some(Cause::Rows { input: input.clone(), after: *after, read })
        }
        (one, other) => (one == other).then(|| one.clone()),
    }
}
