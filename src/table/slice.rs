//! A slice: the unit in which a table is computed, recorded and called stale.

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use chrono::{NaiveDateTime, NaiveTime};

use crate::day::parse_instant;

/// Names a slice of a table. Written and read back as text: `all`, `null`, `2023-05-03`, `2023-05-03T10:00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SliceKey {
    /// The whole of a table that is not cut by time.
    All,
    /// The rows without an event time.
    Timeless,
    /// The rows of one step of event time at the model's grain, by its beginning.
    At(NaiveDateTime),
}

impl SliceKey {
    /// Returns `None` if the text names no slice.
    pub fn parse(text: &str) -> Option<SliceKey> {
        match text {
            "all" => Some(SliceKey::All),
            "null" => Some(SliceKey::Timeless),
            time => parse_instant(time).map(SliceKey::At),
        }
    }
}

impl fmt::Display for SliceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SliceKey::All => formatter.write_str("all"),
            SliceKey::Timeless => formatter.write_str("null"),
            SliceKey::At(time) if time.time() == NaiveTime::MIN => write!(formatter, "{}", time.date()),
            SliceKey::At(time) => write!(formatter, "{}", time.format("%Y-%m-%dT%H:%M:%S")),
        }
    }
}

/// What the rows of a slice are, whatever their order: equal digests, equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SliceRows {
    pub rows: u64,
    /// The sum of the hashes of the rows, modulo 2^128.
    pub hash: u128,
}

impl AddAssign for SliceRows {
    fn add_assign(&mut self, other: SliceRows) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

impl SubAssign for SliceRows {
    fn sub_assign(&mut self, other: SliceRows) {
        self.rows -= other.rows;
        self.hash = self.hash.wrapping_sub(other.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_read_back_from_its_text() {
        for text in ["all", "null", "2023-05-03", "2023-05-03T10:00:00"] {
            assert_eq!(SliceKey::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(SliceKey::parse("yesterday"), None);
    }
}
