//! Whole command lines in process, over stores that go wrong.

mod batches;
mod crash_sweep;
mod files;
mod project;
mod scenarios;
mod verify;
