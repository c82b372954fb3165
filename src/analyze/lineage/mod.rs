//! Lineage: what becomes of the columns and of the times of a plan's inputs on the way to its output.

mod time_mapping;
mod time_step;

pub(crate) use time_mapping::{alternatives, is_null_on_nulls, shift_of, simplified, time_mapping};
pub(crate) use time_step::{Shift, TimeStep, TimeUnit};

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
