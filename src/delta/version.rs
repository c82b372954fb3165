//! Versions of a table.

use std::fmt;
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A state of a table: the number of the commit that made it, from 0. Versions of one table can be compared, those of two
/// tables say nothing about each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The one that makes a table.
    pub const FIRST: Version = Version(0);

    pub const fn new(number: u64) -> Version {
        Version(number)
    }

    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one that the next commit makes.
    pub const fn next(self) -> Version {
        Version(self.0 + 1)
    }

    /// Returns `None` if it is the first.
    pub fn previous(self) -> Option<Version> {
        self.0.checked_sub(1).map(Version)
    }

    /// All of a range, in order.
    pub fn each(range: RangeInclusive<Version>) -> impl DoubleEndedIterator<Item = Version> {
        (range.start().0..=range.end().0).map(Version)
    }
}

impl FromStr for Version {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Version, ParseIntError> {
        text.parse().map(Version)
    }
}

impl fmt::Display for Version {
    /// With the width that is asked for: names of commits have twenty digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_and_read_as_a_plain_number() {
        let version = Version::new(41);
        assert_eq!(serde_json::to_string(&version).unwrap(), "41");
        assert_eq!(serde_json::from_str::<Version>("41").unwrap(), version);
        assert_eq!("41".parse(), Ok(version));
        assert_eq!(format!("{version} {version:020}"), "41 00000000000000000041");
    }

    #[test]
    fn versions_follow_each_other_from_the_first() {
        assert_eq!(Version::FIRST.previous(), None);
        assert_eq!(Version::FIRST.next().previous(), Some(Version::FIRST));
        let numbers = |from, to| Version::each(Version::new(from)..=Version::new(to)).map(Version::number).collect();
        let several: Vec<u64> = numbers(3, 5);
        let none: Vec<u64> = numbers(5, 3);
        assert_eq!((several, none), (vec![3, 4, 5], vec![]));
    }
}
