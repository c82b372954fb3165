//! Whole command lines in process, over stores that go wrong.

mod added_to_tables;
mod backfill;
mod batches;
mod clone;
mod crash_sweep;
mod defer;
mod files;
mod optimize;
mod planning;
mod project;
mod scenarios;
mod snapshots;
mod unrecorded;
mod verify;
