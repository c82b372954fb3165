//! What each reference of a model reads for a slice of its output, and why: the class, the window and the evidence.

mod chain;
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
mod windows;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use derive::reads;
pub(crate) use windows::Windows;

use crate::analyze::Input;
use crate::day::Window;
use crate::template::{OnChange, ReferenceName};

use super::bind::{Proved, ProvedWindow};
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

/// Which rows of an input count for the rows of the output that have no event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeless {
    /// Those without an event time.
    Same,
    /// None.
    Nothing,
    /// Nobody can say.
    Anything,
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
