//! How many bad records a model's sources must have left beside its table.

use serde::{Deserialize, Serialize};

use super::{SourceFacts, SourceListing};

/// Counted when a build has read the files, so that a run that finds the same files need not look at what is known of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BadRecordCount {
    /// Those of the files that are there and did not change.
    pub least: u64,
    /// Those of the files that are gone and whose rows stay, too.
    pub most: u64,
    /// Whether every file is known: else the records of the others may be there, or may not.
    pub is_exact: bool,
}

impl BadRecordCount {
    pub fn of(facts: &SourceFacts, listings: &[&SourceListing]) -> BadRecordCount {
        let entries = || listings.iter().flat_map(|listing| &listing.entries);
        let unchanged = entries()
            .filter_map(|entry| facts.get(&entry.path).filter(|facts| facts.is_as(entry)).map(|facts| (entry, facts)));
        let mut expected = BadRecordCount { least: 0, most: 0, is_exact: listings.len() == 1 };
        let mut count = 0;
        for (_, facts) in unchanged {
            expected.least += facts.quarantined;
            count += 1;
        }
        let keeps = listings.iter().any(|listing| listing.keeps_missing);
        let mut gone = 0;
        for (path, facts) in facts {
            if !listings.iter().any(|listing| listing.has(path)) {
                gone += facts.quarantined;
                expected.is_exact &= keeps;
            }
        }
        expected.is_exact &= count == entries().count();
        expected.most = expected.least + gone;
        expected
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::table::{Conversions, SourceEntry, SourceFileFacts};

    fn file(quarantined: u64, modified: i64) -> Arc<SourceFileFacts> {
        Arc::new(SourceFileFacts {
            size: 1,
            modified,
            etag: None,
            records: 9,
            quarantined,
            ranges: BTreeMap::new(),
            slices: None,
            gone: false,
            conversions: Conversions::default(),
        })
    }

    fn listing(paths: &[&str], keeps_missing: bool) -> SourceListing {
        let entry = |path: &&str| SourceEntry { path: (*path).to_owned(), size: 1, modified: 0, etag: None };
        SourceListing {
            entries: paths.iter().map(entry).collect(),
            digest: String::new(),
            keeps_missing,
            partitions: BTreeMap::new(),
        }
    }

    #[test]
    fn the_records_of_files_that_did_not_change_must_be_there() {
        let facts = SourceFacts::from([
            ("a".to_owned(), file(2, 0)),
            ("b".to_owned(), file(3, 7)),
            ("c".to_owned(), file(4, 0)),
        ]);
        let expected = |paths: &[&str], keeps: bool| BadRecordCount::of(&facts, &[&listing(paths, keeps)]);
        let all = SourceFacts::from([("a".to_owned(), file(2, 0)), ("c".to_owned(), file(4, 0))]);
        let known = BadRecordCount::of(&all, &[&listing(&["a", "c"], false)]);
        assert_eq!(known, BadRecordCount { least: 6, most: 6, is_exact: true });
        assert_eq!(
            expected(&["a", "b", "c"], false),
            BadRecordCount { least: 6, most: 6, is_exact: false },
            "b changed"
        );
        assert_eq!(expected(&["a", "c", "d"], true), BadRecordCount { least: 6, most: 9, is_exact: false }, "d is new");
        let gone = BadRecordCount::of(&all, &[&listing(&["a"], true)]);
        assert_eq!(gone, BadRecordCount { least: 2, most: 6, is_exact: true }, "c is gone, and its rows stay");
        assert!(!BadRecordCount::of(&all, &[&listing(&["a"], false)]).is_exact, "c will go in this run");
    }
}
