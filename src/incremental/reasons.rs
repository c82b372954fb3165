//! Why slices are stale, for people: slices with one cause after the other are told together.

use super::cause::{Cause, Reason};
use super::stale::{Stale, Subject};
use crate::day::TimeRange;
use crate::table::{SliceKey, SliceSet};

impl Subject<'_> {
    /// Slices with one cause after the other, put together.
    pub fn reasons(&self, stale: &Stale) -> Vec<Reason> {
        let slices = match stale {
            Stale::Nothing => return Vec::new(),
            Stale::Whole(cause) => return vec![Reason { slices: None, why: self.words(cause) }],
            Stale::Slices(slices) => slices,
        };
        let mut groups: Vec<(Vec<SliceKey>, Cause)> = Vec::new();
        for (slice, cause) in slices {
            let start = match slice {
                SliceKey::At(start) => Some(*start),
                SliceKey::All | SliceKey::Timeless => None,
            };
            if let Some((group, common)) = groups.last_mut()
                && let Some(SliceKey::At(last)) = group.last()
                && start == Some(self.grain.next(*last))
                && let Some(joined) = joined(common, cause)
            {
                group.push(*slice);
                *common = joined;
                continue;
            }
            groups.push((vec![*slice], cause.clone()));
        }
        let reason = |(slices, cause): (Vec<SliceKey>, Cause)| {
            let slices = SliceSet::of(slices, self.grain);
            let why = match (&cause, &slices) {
                (Cause::Foreign, Some(slices)) => format!("something other than karat changed {slices}"),
                _ => self.words(&cause),
            };
            Reason { slices, why }
        };
        groups.into_iter().map(reason).collect()
    }

    pub fn words(&self, cause: &Cause) -> String {
        let summary = match cause {
            Cause::Rows { input, after, read } => {
                let changes = self.inputs.get(input).and_then(|input| input.changes);
                changes.map(|changes| changes.summary(*read, *after))
            }
            _ => None,
        };
        cause.words(summary.as_ref())
    }
}

/// One cause for both, if they are of one kind.
fn joined(one: &Cause, other: &Cause) -> Option<Cause> {
    match (one, other) {
        (
            Cause::Rows { input, after, read: Some(read) },
            Cause::Rows { input: other_input, after: other_after, read: Some(other_read) },
        ) if input == other_input && after == other_after => {
            let read = TimeRange::new(read.start().min(other_read.start()), read.end().max(other_read.end()));
            Some(Cause::Rows { input: input.clone(), after: *after, read })
        }
        (one, other) => (one == other).then(|| one.clone()),
    }
}
