//! Which rows of its inputs a build reads, and which models are not up to date.

mod bind;
mod cause;
mod changes;
mod decide;
mod in_slices;
mod merge_like;
mod reach;
mod reads;
mod stale;

pub(crate) use bind::{Bound, Proved, bind, bind_proved};
#[cfg(test)]
pub(crate) use changes::InputChanges;
pub(crate) use decide::{
    Build, Decision, Observed, Refresh, decide, decide_one, decide_slices, fresh_slices, input_versions,
};
#[cfg(test)]
pub(crate) use reach::Reach;
#[cfg(test)]
pub(crate) use reads::Timeless;
pub(crate) use reads::{ReadClass, Reads, Windows};
#[cfg(test)]
pub(crate) use stale::{InputRead, Stale, Subject, SubjectInput};

#[cfg(test)]
mod tests;
