//! Whole command lines in process, over stores that go wrong.

mod crash_sweep;
mod files;
mod project;
mod scenarios;
