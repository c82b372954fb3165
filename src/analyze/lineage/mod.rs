//! Lineage: what becomes of the columns and of the times of a plan's inputs on the way to its output.

mod beyond;
mod column_lineage;
mod origins;
mod time_mapping;
mod time_step;
mod transfer;

pub(crate) use beyond::Beyond;
pub use column_lineage::{ColumnLineage, ColumnUse, Origin, OutputColumn};
pub(crate) use origins::column_lineage;
pub(crate) use time_mapping::{alternatives, is_null_on_nulls, shift_of, simplified, time_mapping};
pub(crate) use time_step::{Shift, TimeStep, TimeUnit};
pub(crate) use transfer::{Derivation, Inflow, RowOrigin, transfer};

/// Which rows of an input count for the rows of the output that have no event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NullTime {
    /// Those without an event time.
    Same,
    /// None.
    Nothing,
    /// Nobody can say.
    Anything,
}

#[cfg(test)]
mod tests;
