//! The FILTER clause of an aggregate, as the engine hands it to accumulators of groups.

use arrow::array::{Array, BooleanArray};

/// Whether a row counts: without a condition every row does, and one for which the condition is null does not.
pub(super) fn passes(condition: Option<&BooleanArray>, row: usize) -> bool {
    condition.is_none_or(|condition| condition.is_valid(row) && condition.value(row))
}
