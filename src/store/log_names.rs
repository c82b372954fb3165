//! What the names of a log's objects tell: which commits and checkpoints there are, and which versions can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::delta::Version;

/// An object of a log by its name, as the Delta protocol gives names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogName {
    Commit(Version),
    /// A checkpoint, or one of so many parts of it.
    Checkpoint {
        version: Version,
        parts: usize,
    },
    /// Repeats what commits up to this version say.
    Derived(Version),
}

impl LogName {
    /// From a name in the table's folder. Returns `None` for every other object, also of the log.
    pub fn parse(name: &str) -> Option<LogName> {
        let words: Vec<&str> = name.strip_prefix("_delta_log/")?.split('.').collect();
        let (version, words) = words.split_first()?;
        let version = number(version)?;
        match words {
            ["json"] => Some(LogName::Commit(version)),
            ["checkpoint", "parquet"] | ["checkpoint", _, "parquet" | "json"] => {
                Some(LogName::Checkpoint { version, parts: 1 })
            }
            ["checkpoint", _, parts, "parquet"] => Some(LogName::Checkpoint { version, parts: parts.parse().ok()? }),
            ["crc"] => Some(LogName::Derived(version)),
            [last, "compacted", "json"] => Some(LogName::Derived(number(last)?)),
            _ => None,
        }
    }
}

fn number(word: &str) -> Option<Version> {
    (word.len() == 20).then(|| word.parse().ok())?
}

/// The versions of which a log has something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogVersions {
    pub commits: BTreeSet<Version>,
    /// Only those that are complete.
    pub checkpoints: BTreeSet<Version>,
}

impl LogVersions {
    /// From the names of objects in the table's folder.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> LogVersions {
        let mut found = LogVersions::default();
        let mut parts: BTreeMap<(Version, usize), usize> = BTreeMap::new();
        for name in names.filter_map(LogName::parse) {
            match name {
                LogName::Commit(version) => {
                    found.commits.insert(version);
                }
                LogName::Checkpoint { version, parts: wanted } => *parts.entry((version, wanted)).or_default() += 1,
                LogName::Derived(_) => {}
            }
        }
        // A checkpoint in parts counts when all of them are there: its writer may have died in between.
        found.checkpoints =
            parts.iter().filter(|((_, wanted), found)| *found >= wanted).map(|((v, _), _)| *v).collect();
        found
    }

    pub fn newest(&self) -> Option<Version> {
        self.commits.last().max(self.checkpoints.last()).copied()
    }

    /// The oldest commit from which on none is missing.
    pub fn first_commit(&self) -> Option<Version> {
        let mut first = self.newest()?;
        while let Some(before) = first.previous().filter(|before| self.commits.contains(before)) {
            first = before;
        }
        Some(first)
    }

    /// The versions that can be put together. Returns `None` if the log has gaps.
    pub fn readable(&self) -> Option<RangeInclusive<Version>> {
        let first = self.first_commit()?;
        let newest = self.newest()?;
        // With the very first commit nothing else is needed; without it, a checkpoint must stand for all that is gone.
        let oldest = match first.previous() {
            None if self.commits.contains(&Version::FIRST) => Version::FIRST,
            before => *self.checkpoints.range(before.unwrap_or(Version::FIRST)..).next()?,
        };
        Some(oldest..=newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(oldest: u64, newest: u64) -> RangeInclusive<Version> {
        Version::new(oldest)..=Version::new(newest)
    }

    fn versions(names: &[&str]) -> LogVersions {
        let names: Vec<String> = names.iter().map(|name| format!("_delta_log/{name}")).collect();
        LogVersions::of(names.iter().map(String::as_str))
    }

    #[test]
    fn names_tell_what_an_object_of_a_log_is() {
        let parse = |name: &str| LogName::parse(&format!("_delta_log/{name}"));
        let checkpoint = |parts| Some(LogName::Checkpoint { version: Version::new(10), parts });
        assert_eq!(parse("00000000000000000010.json"), Some(LogName::Commit(Version::new(10))));
        assert_eq!(parse("00000000000000000010.checkpoint.parquet"), checkpoint(1));
        assert_eq!(parse("00000000000000000010.checkpoint.0000000001.0000000003.parquet"), checkpoint(3));
        assert_eq!(parse("00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"), checkpoint(1));
        let compacted = "00000000000000000004.00000000000000000010.compacted.json";
        assert_eq!(parse(compacted), Some(LogName::Derived(Version::new(10))));
        assert_eq!(parse("00000000000000000010.crc"), Some(LogName::Derived(Version::new(10))));
        assert_eq!(parse("_last_checkpoint"), None);
        assert_eq!(parse("_sidecars/00000000000000000010.json"), None);
        assert_eq!(LogName::parse("00000000000000000010.json"), None);
    }

    #[test]
    fn a_version_can_be_read_from_the_beginning_or_from_a_checkpoint_on() {
        let (zero, two, three) =
            ("00000000000000000000.json", "00000000000000000002.json", "00000000000000000003.json");
        let checkpoint = "00000000000000000002.checkpoint.parquet";
        assert_eq!(versions(&[]).readable(), None);
        assert_eq!(versions(&[zero]).readable(), Some(range(0, 0)));
        assert_eq!(versions(&[zero, two, three]).readable(), None, "version 1 is missing");
        assert_eq!(versions(&[zero, two, three, checkpoint]).readable(), Some(range(2, 3)));
        assert_eq!(versions(&[three, checkpoint]).readable(), Some(range(2, 3)));
        let part = "00000000000000000002.checkpoint.0000000001.0000000002.parquet";
        let other = "00000000000000000002.checkpoint.0000000002.0000000002.parquet";
        assert_eq!(versions(&[three, part]).readable(), None, "a part of the checkpoint is missing");
        assert_eq!(versions(&[three, part, other]).readable(), Some(range(2, 3)));
    }
}
