//! Which slices of a table do not hold what a build would make: a pure function of ledgers and of what slices read.
//!
//! # The theory
//!
//! The ledger of a table records for each slice its provenance: the fingerprint of the model that made it, and the version
//! of every input that it was made of. A slice is fresh if a build from the inputs as they are now would give the same
//! rows. That holds if, for each input,
//!
//! ```text
//!   no slice of the input that the window of this slice touches has changed after the version that was recorded
//! ```
//!
//! and if the fingerprint is the same. The ledger of an input says of each of its slices in which version its rows changed
//! last (`changes.rs`), where rows that came out as they were count as no change: that is what stops a rebuild from
//! rippling through all tables behind it (early cutoff). So freshness is the question for the newest change within a
//! range, asked of an implicit segment tree in O(log n). It needs no log of the input between then and now, and nothing in it
//! depends on clocks.
//!
//! Most slices share few provenances, because they were built together. For those the question is turned round
//! (`reached.rs`): from the changes since to the slices that read them, so that a new day of a table with thousands of days
//! looks at a handful of slices.
//!
//! Slices without an entry are absent. They hold no rows if a build of everything has recorded that ("the rest" of a
//! ledger), and if no row has come since that reaches them; otherwise they must be made. If rows may lie at times of which no
//! input has any, as in a calendar that a model writes out, nobody can list the slices that are missing, and the whole table
//! is stale.
//!
//! Everything errs to one side: whatever is not known, as a version from before an input's record begins, is stale.

mod cause;
mod changes;
mod input;
mod last_change;
mod newest;
mod ptr_map;
mod reached;
mod reasons;
mod subject;

pub(crate) use cause::{Cause, Reason};
pub(crate) use changes::{InputChanges, PendingChange};
pub(crate) use input::{InputRead, SubjectInput};
pub(crate) use reasons::reasons;
pub(crate) use subject::{Stale, Subject, Verdict};
