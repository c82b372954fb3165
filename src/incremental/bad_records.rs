//! Whether the bad records of a model's sources are still kept beside its table: the table of bad records is as much a
//! part of what was built as the rows are, since records read are always rows and bad records.

use super::decide::Observed;
use super::row_by_row::is_loaded_by_file;
use crate::analyze::{TypedModel, quarantine_table};
use crate::figures::grouped;
use crate::table::{FactsName, LedgerFound, SliceLayout, SourceFacts, SourceListing, TableState};

/// The name of the facts about source files that tell how many bad records a model has; None if it reads no files, or if
/// nothing is known of them.
pub(crate) fn facts_of_bad_records<'s>(model: &TypedModel, state: &'s TableState) -> Option<&'s FactsName> {
    let ledger = state.known_ledger()?;
    // Other code is run over the files in any case, and may find other records bad.
    let is_same = || ledger.provenances().all(|made_of| made_of.fingerprint == model.fingerprint);
    if model.reads_sources() && is_same() { ledger.source_files.as_ref() } else { None }
}

/// Why the bad records must be read again, if so.
pub(super) fn lost_bad_records(model: &TypedModel, observed: &Observed<'_>) -> Option<String> {
    let state = observed.tables.get(&model.table)?.as_deref()?;
    let facts = observed.files.facts.get(facts_of_bad_records(model, state)?)?;
    let listing = |name| observed.files.listings.get(&name).map(|listing| &**listing);
    let listings: Option<Vec<&SourceListing>> = model.sources_read().map(listing).collect();
    let expected = Expected::of(facts, &listings?);
    let name = quarantine_table(&model.table);
    let Some(quarantine) = observed.tables.get(&name)?.as_deref() else {
        return (expected.least > 0).then(|| format!("`{name}` is gone"));
    };
    if let LedgerFound::Unknown(reason) = &quarantine.ledger {
        return Some(format!("of `{name}` nothing is known: {reason}"));
    }
    if !quarantine.tainted(&SliceLayout::Whole).is_empty() {
        return Some(format!("something else than karat changed `{name}`"));
    }
    // Without a number nobody has counted, and nothing else is wrong.
    let rows: Option<u64> = quarantine.files.iter().map(|file| file.rows).sum();
    let rows = rows?;
    let is_exact = expected.is_exact && drops_what_is_gone(model);
    let is_right = rows >= expected.least && (!is_exact || rows <= expected.most);
    let held = if rows == 1 { "1 record".to_owned() } else { format!("{} records", grouped(rows)) };
    (!is_right).then(|| format!("`{name}` holds {held} and not {}", grouped(expected.least)))
}

/// Whether the bad records of a file go with the file: what only adds to its past, and what is built in slices from many
/// files, keeps them as it keeps the rows.
pub(crate) fn drops_what_is_gone(model: &TypedModel) -> bool {
    model.is_refresh_equivalent() && (model.layout() == SliceLayout::Whole || is_loaded_by_file(model))
}

/// How many bad records there must be.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    /// Those of the files that are there and did not change.
    least: u64,
    /// Those of the files that are gone and whose rows stay, too.
    most: u64,
    /// Whether every file is known: else the records of the others may be there, or may not.
    is_exact: bool,
}

impl Expected {
    fn of(facts: &SourceFacts, listings: &[&SourceListing]) -> Expected {
        let entries = || listings.iter().flat_map(|listing| &listing.entries);
        let known = |path: &str| facts.get(path);
        let unchanged = entries()
            .filter_map(|entry| known(&entry.path).filter(|facts| facts.is_as(entry)).map(|facts| (entry, facts)));
        let mut expected = Expected { least: 0, most: 0, is_exact: listings.len() == 1 };
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
            records: 9,
            quarantined,
            ranges: BTreeMap::new(),
            slices: None,
            gone: false,
            conversions: Conversions::default(),
        })
    }

    fn listing(paths: &[&str], keeps_missing: bool) -> SourceListing {
        let entry = |path: &&str| SourceEntry { path: (*path).to_owned(), size: 1, modified: 0 };
        SourceListing { entries: paths.iter().map(entry).collect(), digest: String::new(), keeps_missing }
    }

    #[test]
    fn the_records_of_files_that_did_not_change_must_be_there() {
        let facts = SourceFacts::from([
            ("a".to_owned(), file(2, 0)),
            ("b".to_owned(), file(3, 7)),
            ("c".to_owned(), file(4, 0)),
        ]);
        let expected = |paths: &[&str], keeps: bool| Expected::of(&facts, &[&listing(paths, keeps)]);
        let all = SourceFacts::from([("a".to_owned(), file(2, 0)), ("c".to_owned(), file(4, 0))]);
        let known = Expected::of(&all, &[&listing(&["a", "c"], false)]);
        assert_eq!(known, Expected { least: 6, most: 6, is_exact: true });
        assert_eq!(expected(&["a", "b", "c"], false), Expected { least: 6, most: 6, is_exact: false }, "b changed");
        assert_eq!(expected(&["a", "c", "d"], true), Expected { least: 6, most: 9, is_exact: false }, "d is new");
        let gone = Expected::of(&all, &[&listing(&["a"], true)]);
        assert_eq!(gone, Expected { least: 2, most: 6, is_exact: true }, "c is gone, and its rows stay");
        assert!(!Expected::of(&all, &[&listing(&["a"], false)]).is_exact, "c will go in this run");
    }
}
