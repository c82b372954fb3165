//! Which rows of its inputs a build reads, and which models are not up to date.

mod bind;
mod decide;
mod merge_like;
mod reach;
mod reads;

pub(crate) use bind::{Bound, bind};
#[cfg(test)]
pub(crate) use decide::stale_slices;
pub(crate) use decide::{Build, Decision, Observed, Refresh, decide, decide_one, input_versions};
pub(crate) use reach::Reach;
