//! What to do: decides what must be built of each model, and why, from what was observed and nothing else.

mod bad_records;
mod batch;
mod build;
mod carried;
mod decider;
mod decision;
mod files;
mod observed;

pub(crate) use bad_records::{drops_what_is_gone, facts_of_bad_records};
pub(crate) use build::{Build, BuildKind, FileLoad, Write};
pub(crate) use carried::CarriedSlices;
pub(crate) use decider::{Decider, Refresh};
pub(crate) use decision::Decision;
pub(crate) use files::{facts_to_read, would_lose};
pub(crate) use observed::{Arrivals, FilesSeen, Observed, input_versions, versions_of};
