//! Whether the bad records of a model's sources are still kept beside its table: the table of bad records is as much a
//! part of what was built as the rows are, since records read are always rows and bad records.

use std::collections::BTreeMap;

use super::files::is_made_of;
use super::observed::Observed;
use crate::analyze::{TypedModel, quarantine_table};
use crate::figures::grouped;
use crate::incremental::row_by_row::is_loaded_by_file;
use crate::name::TableName;
use crate::table::{BadRecordCount, FactsName, LedgerFound, SliceLayout, SourceListing, TableState};

/// By what it is known how many bad records a model has.
enum RecordsKnown<'s> {
    /// Its ledger says so: the files are those that it was made of.
    ByLedger(BadRecordCount),
    /// These facts about source files say so, together with the files that are there.
    ByFacts(&'s FactsName),
}

/// Returns `None` if it reads no files, or if nothing is known of them.
fn records_known<'s>(
    model: &TypedModel,
    state: &'s TableState,
    sources: &BTreeMap<TableName, String>,
) -> Option<RecordsKnown<'s>> {
    let ledger = state.known_ledger()?;
    // Other code is run over the files in any case, and may find other records bad.
    if !model.reads_sources() || ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
        return None;
    }
    match ledger.bad_records {
        Some(count) if model.sources_read().all(|name| is_made_of(ledger, &name, sources)) => {
            Some(RecordsKnown::ByLedger(count))
        }
        Some(_) | None => ledger.source_files.as_ref().map(RecordsKnown::ByFacts),
    }
}

/// Returns the name of the facts about source files that must be read to say how many bad records a model has, if some must.
pub(crate) fn facts_of_bad_records<'s>(
    model: &TypedModel,
    state: &'s TableState,
    sources: &BTreeMap<TableName, String>,
) -> Option<&'s FactsName> {
    match records_known(model, state, sources)? {
        RecordsKnown::ByFacts(name) => Some(name),
        RecordsKnown::ByLedger(_) => None,
    }
}

/// Returns why the bad records must be read again, if so.
pub(super) fn lost_bad_records(model: &TypedModel, observed: &Observed<'_>) -> Option<String> {
    let state = observed.table_of(model)?;
    let expected = match records_known(model, state, observed.sources)? {
        RecordsKnown::ByLedger(count) => count,
        RecordsKnown::ByFacts(name) => {
            let names = model.sources_read();
            let listings: Option<Vec<&SourceListing>> =
                names.map(|name| observed.files.listings.get(&name).map(|listing| &**listing)).collect();
            BadRecordCount::of(observed.files.facts.get(name)?, &listings?)
        }
    };
    let name = quarantine_table(&model.table);
    let Some(quarantine) = observed.tables.get(&name)?.as_deref() else {
        return (expected.least > 0).then(|| format!("`{name}` is gone"));
    };
    if let LedgerFound::Unknown(reason) = &quarantine.ledger {
        return Some(format!("nothing is known of `{name}`: {reason}"));
    }
    // Rows that somebody else added or took away there cannot be told from bad records.
    if !quarantine.tainted(&SliceLayout::Whole).is_empty() {
        return Some(format!("something other than karat changed `{name}`"));
    }
    // Without a number nobody has counted, and nothing else is wrong.
    let rows: Option<u64> = quarantine.files.iter().map(|file| file.rows).sum();
    let rows = rows?;
    // A count is exact only if nothing is kept of files that are gone; otherwise there may be more rows, and never fewer.
    let is_exact = expected.is_exact && drops_what_is_gone(model);
    let is_right = rows >= expected.least && (!is_exact || rows <= expected.most);
    let held = if rows == 1 { "1 record".to_owned() } else { format!("{} records", grouped(rows)) };
    (!is_right).then(|| format!("`{name}` holds {held} and not {}", grouped(expected.least)))
}

/// Whether the bad records of a file go with the file: what only adds to its past, and what is built in slices from many
/// files, keeps them as it keeps the rows.
pub(crate) fn drops_what_is_gone(model: &TypedModel) -> bool {
    model.is_refresh_equivalent() && (!model.is_sliced() || is_loaded_by_file(model))
}
