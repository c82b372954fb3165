//! Time as PostgreSQL has it in a session whose zone is UTC.
//!
//! There are two types and no other: `timestamp`, microseconds without a zone, and `timestamptz`, an instant, which is
//! microseconds in UTC. The engine would type most timestamps in nanoseconds, which end in 2262, and take
//! `at time zone` for a cast; so operators are rewritten before planning, types with those of numbers, and casts after typing.

mod arrays;
mod bin;
mod casts;
mod extract;
mod function;
mod interval;
mod operator;
mod parse;
mod pattern;
mod pattern_read;
#[cfg(feature = "cluster")]
mod shipped;
mod text;
mod trunc;
mod zone;

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::ScalarUDF;

pub(super) use casts::TimeCasts;
pub(super) use extract::typed;
pub(super) use function::interval_length;
pub(super) use operator::TimeOperators;
#[cfg(feature = "cluster")]
pub(super) use shipped::ShippedTime;

/// `timestamp`.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// `timestamptz`.
fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The functions that take the place of the engine's.
pub(super) fn functions() -> impl Iterator<Item = (String, Arc<ScalarUDF>)> {
    function::named().into_iter().chain([trunc::DateTrunc::function()]).map(|function| {
        let function = Arc::new(function);
        (function.name().to_owned(), function)
    })
}
