//! Deeds: a plan becomes tables, and a report of what was done.

mod checks;
mod columns;
mod failure;
mod file_facts;
mod keys;
mod merge;
mod observer;
mod parts;
mod past;
mod peek;
mod publish;
mod quarantine;
mod read;
mod release;
mod replace;
mod report;
mod retry;
mod schedule;
mod session;
mod settle;
mod sources;
mod step;
mod write;

pub(crate) use checks::{failed, run_checks};
pub(crate) use failure::Failure;
pub(crate) use observer::{Built, Event, Observer};
pub(crate) use read::{Reader, batches_of};
pub(crate) use release::publish_release;
pub(crate) use report::{Outcome, RunReport};
pub(crate) use retry::worth_a_merge_join;
pub(crate) use schedule::run;
pub(crate) use session::{EngineSettings, Joins, Session};
pub(crate) use sources::{Listings, digests, list_sources};
pub(crate) use step::Workshop;
pub(crate) use write::{own_rows, slice_cut, whole_plans};
