//! What a run knows of data tests that have passed, and what it adds.

use std::sync::atomic::AtomicBool;

use crate::locked::Locked;
use crate::table::PassedTests;

#[derive(Debug, Default)]
pub(crate) struct KnownPasses {
    pub(super) passed: Locked<PassedTests>,
    /// Whether this run has something to add.
    pub(super) is_changed: AtomicBool,
}
