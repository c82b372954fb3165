//! Which rows of its inputs a build reads, and which models are not up to date.

mod decide;
mod queries;
mod reach;
mod row_by_row;
mod staleness;
mod windows;

pub(crate) use decide::{
    Arrivals, Build, BuildKind, CarriedSlices, Decider, Decision, FileLoad, FilesSeen, Observed, Refresh, Write,
    drops_what_is_gone, facts_of_bad_records, facts_to_read, input_versions, versions_of, would_lose,
};
pub(crate) use queries::queries;
#[cfg(test)]
pub(crate) use reach::Reach;
pub(crate) use reach::ReadRange;
pub(crate) use row_by_row::{is_loaded_by_file, is_read_by_file, traced};
pub(crate) use staleness::Reason;
#[cfg(test)]
pub(crate) use staleness::{InputChanges, InputRead, Stale, Subject, SubjectInput};

#[cfg(test)]
pub(crate) use crate::analyze::lineage::TimeStep;
pub(crate) use crate::engine::{Bound, Proved, bind, bind_proved};
pub(crate) use windows::{Mention, NullTime, Read, ReadClass, Reads, Windows};

#[cfg(test)]
mod tests;
