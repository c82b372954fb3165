//! All that a user interface may know of a run while it goes on.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::check::PlannedCheck;
use crate::delta::Version;
use crate::name::ModelName;
use crate::project::TestSeverity;
use crate::table::{Conversions, SliceKey, SliceSet};

/// What happened. Closed on purpose: a new event must be shown everywhere.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    Started {
        model: &'a ModelName,
        why: &'a str,
    },
    /// Rows and bytes read so far.
    Progress {
        model: &'a ModelName,
        rows: u64,
        bytes: u64,
        total_bytes: u64,
    },
    Built {
        model: &'a ModelName,
        built: &'a Built,
    },
    Unchanged {
        model: &'a ModelName,
        why: &'a str,
    },
    /// So many slices are what a full refresh makes; others may not have been compared, for a reason.
    Verified {
        model: &'a ModelName,
        slices: usize,
        aside: Option<&'a str>,
    },
    NotVerified {
        model: &'a ModelName,
        why: &'a str,
    },
    Failed {
        model: &'a ModelName,
        message: &'a str,
    },
    Skipped {
        model: &'a ModelName,
        because: &'a ModelName,
    },
    Backfill {
        model: &'a ModelName,
        what: BackfillEvent<'a>,
    },
    /// What a hook says.
    Said {
        text: &'a str,
    },
    /// Something did not work that does no harm now.
    Warning {
        text: &'a str,
    },
    /// A test could not run, because a table that it reads does not exist.
    NotTested {
        check: &'a PlannedCheck,
        missing: &'a str,
    },
    /// A test was not run again: it has passed on what is there.
    TestUnchanged {
        check: &'a PlannedCheck,
        passed_at: DateTime<Utc>,
    },
    Tested {
        check: &'a PlannedCheck,
        failures: u64,
        /// `None` if the test passes.
        verdict: Option<TestSeverity>,
    },
}

/// What happened to a model in a backfill.
#[derive(Debug, Clone)]
pub(crate) enum BackfillEvent<'a> {
    /// What is left to do, as far as that is known: once before anything is built, and once when the model's turn comes.
    Planned { batches: usize, slices: u64, done: u64 },
    /// A batch begins.
    Started { slices: &'a SliceSet, count: u64 },
    /// A batch is committed; no figures if another run had built the same.
    Ended { slices: &'a SliceSet, count: u64, built: Option<&'a Built> },
}

/// Figures of one built table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Built {
    pub version: Version,
    /// Rows written, not rows of the whole table.
    pub rows: u64,
    pub partitions: usize,
    /// What was written of each slice, in their order.
    pub slices: Vec<WrittenSlice>,
    pub files: usize,
    pub bytes: u64,
    /// Slices that were computed and came out as they were.
    pub same: u64,
    pub quarantined: u64,
    /// How the values of the source files that were read converted.
    pub rescued: Conversions,
    pub elapsed: Duration,
}

/// What a build has written of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenSlice {
    pub slice: SliceKey,
    pub rows: u64,
    /// `None` if its files hold rows of other slices too.
    pub bytes: Option<u64>,
    pub files: Option<u64>,
}

/// Hears every event, from several threads.
pub(crate) trait Observer: Send + Sync {
    fn event(&self, event: &Event<'_>);
}

/// Nobody listens.
pub(crate) struct Unheard;

impl Observer for Unheard {
    fn event(&self, _event: &Event<'_>) {}
}
