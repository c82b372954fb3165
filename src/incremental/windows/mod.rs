//! What each reference of a model reads for a slice of its output, and why: the class, the window and the evidence.
//!
//! # The theory
//!
//! Let `Q` be the model's query, `t` the event time of its output and `[a, b)` the range of a slice. What is wanted is a
//! filter `F` on the event time of an input `I` so that the slice does not depend on the rows that `F` leaves out:
//!
//! ```text
//!   σ[a ≤ t < b] Q(I)  =  σ[a ≤ t < b] Q(σ[F(a, b)] I)        for every I, a and b
//! ```
//!
//! The smallest `F` of the form "a window around the slice" is the read of that input. It says which rows a build of the
//! slice must load, and, the other way round, which slices a changed row makes stale. There are two ways to a proof of
//! it. Each suffices alone, and neither knows of the other.
//!
//! **The optimizer as an oracle** (`probe.rs`). A filter on `t` is put on top of the plan, and the optimizer pushes it
//! down. Its rules keep what a plan means, so a filter that arrives at a scan is an `F` for this slice. To get from one
//! slice to all of them, two slices far apart are probed, and the filters must be the same function of `a` and `b`
//! (`chain.rs` reads which). A probe does not count if a scan is missing in it: a branch that is empty in that range of
//! time would hide what it reads in others. This way finds what rules of predicate pushdown, join transitivity and
//! constant folding can see, without another line of code here.
//!
//! **Abstract interpretation, backwards** (`walk.rs`, with `join.rs` and `frame.rs`). A claim, "the rows that count are
//! those for which this expression lies in the slice, after these steps", starts at the root as "`t` itself, no steps" and
//! is carried down through each operator to the scans. An operator without a rule turns the claim into "everything", with
//! the reason and what an author can do about it (`claim.rs`). This way sees what no optimizer pushes down: a window frame
//! that is measured in time, a join on a range of dates.
//!
//! Where both prove something, the narrower one is taken (`derive.rs`), because each is true alone. What only the second way
//! has proved is put onto the scan as a filter, as a declared window is: the optimizer would not do that by itself. If
//! neither way proves anything, everything is read. What an author has declared is believed instead, and `karat verify
//! --windows` puts it to the test.
//!
//! An input without an event time cannot be cut: it is a dimension if the output's time is not made of it. Rows whose
//! event time is null belong to no slice, and are followed by a walk of their own ([`Timeless`]).

mod all_models;
mod claim;
mod derive;
mod facts;
mod frame;
mod join;
mod offset;
mod own_times;
mod probe;
mod scan_time;
mod told;
mod walk;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use all_models::Windows;
pub(crate) use derive::reads;

pub(crate) use crate::analyze::lineage::Timeless;

use crate::analyze::Input;
use crate::day::Window;
use crate::engine::{Proved, ProvedWindow};
use crate::template::{OnChange, ReferenceName};

use super::reach::Reach;

/// The reads of one model, one for each scan of its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reads {
    pub scans: Vec<Read>,
    /// Whether rows may lie at times of which no input has rows.
    pub makes_times: bool,
}

/// What one reference reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub scan: ReferenceName,
    pub input: Input,
    pub class: ReadClass,
    /// The times of the input that count for a slice.
    pub reach: Reach,
    /// What of the input counts for the rows without an event time.
    pub timeless: Timeless,
    /// A window that a rule of karat's own has proved and the optimizer does not see: it is put onto the scan as a
    /// declared one is.
    pub proved: Option<Window>,
    /// The widest window that the author has declared for an occurrence of it. None if there is no declaration.
    pub declared: Option<Window>,
    /// For people: the filter that arrived at the scan, the frame, the declaration.
    pub evidence: String,
    /// What a change of an input without an event time does.
    pub on_change: OnChange,
    /// Where nothing is proved: what stands in the way, and what to write.
    pub blocker: Option<Blocker>,
}

/// How an input's times go with the output's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadClass {
    /// The same slice.
    Aligned,
    /// The image of a shift or of a coarser unit.
    Shifted,
    /// The slice with a window around it, proved by a frame or by a join's condition.
    Window,
    /// The slice with a window around it that the author has declared.
    Declared,
    /// The input has no event time, and what it says of now is taken for all slices.
    Dimension,
    /// Any slice may read any row.
    Unbounded,
}

impl Reads {
    /// The windows that have been proved, by the scans that they belong on.
    pub fn proved(&self) -> Proved {
        let window =
            |read: &Read| Some((read.scan.clone(), ProvedWindow { window: read.proved?, timeless: read.timeless }));
        self.scans.iter().filter_map(window).collect()
    }
}

/// A part of a model's SQL that a message speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mention {
    /// The name of a function, `limit`, `order by`: where it stands for the first time.
    Word(String),
    Reference(ReferenceName),
}

/// What stands in the way of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// `lag() per user looks across days`.
    pub what: String,
    /// What of the SQL stands where the trouble is.
    pub mention: Option<Mention>,
    /// `declare a lookback: ref('events', lookback='1 day')`.
    pub help: String,
}
