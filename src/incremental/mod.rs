//! Which rows of its inputs a build reads, and which models are not up to date.

mod bad_records;
mod bind;
mod cause;
mod changes;
mod decide;
mod files;
mod in_slices;
mod merge_like;
mod per_provenance;
mod queries;
mod reach;
mod reached;
mod reads;
mod reasons;
mod row_by_row;
mod stale;

pub(crate) use bad_records::{drops_what_is_gone, facts_of_bad_records};
pub(crate) use bind::{Bound, Proved, bind, bind_proved};
pub(crate) use cause::Reason;
#[cfg(test)]
pub(crate) use changes::InputChanges;
pub(crate) use decide::{
    Build, Decision, Observed, Refresh, decide, decide_one, decide_slices, fresh_slices, input_versions,
};
pub(crate) use files::{Arrivals, FileLoad, FilesSeen, facts_to_read, would_lose};
pub(crate) use queries::queries;
#[cfg(test)]
pub(crate) use reach::{Reach, TimeStep};
pub(crate) use reads::{Mention, Read, ReadClass, Reads, Timeless, Windows};
pub(crate) use row_by_row::{is_loaded_by_file, is_read_by_file, traced};
#[cfg(test)]
pub(crate) use stale::{InputRead, Stale, Subject, SubjectInput};

#[cfg(test)]
mod tests;
