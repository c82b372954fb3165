//! What can be shown of a table that adds to its past. No query makes its rows again: each batch was made of the inputs and
//! of the table as they were then. But its files must hold the rows that were recorded, and its key must tell them apart.

use super::Verifier;
use super::report::{Finding, Verified};
use super::ways::{Precision, Way};
use crate::analyze::TypedModel;
use crate::delta::TableSchema;
use crate::delta::delta_schema;
use crate::execute::{Joins, KeyedRows, check_keys};
use crate::failure::Failure;
use crate::table::{LedgerFound, SliceKey, TableState};

/// Why nothing is compared with a full refresh.
const ADDS: &str = "it is an accumulating table, so a full refresh would produce other rows";

/// Looks at the files of the table alone.
pub(super) async fn verify(verifier: Verifier<'_>, model: &TypedModel) -> Verified {
    let Some(state) = verifier.catalog.state_of(&model.table) else {
        return Verified::not_at_all(model, "it has not been built yet".to_owned());
    };
    let mut shown = Vec::new();
    match rows_as_recorded(verifier, model, &state).await {
        Ok(Recorded::Same) => shown.push("its files hold the rows that were recorded".to_owned()),
        Ok(Recorded::Unknown(why)) => {
            shown.push(format!("there is no record of the rows that its files should hold: {why}"))
        }
        Ok(Recorded::Other(finding)) => return Verified { findings: vec![finding], ..Verified::new(model) },
        Err(failure) => return Verified { failure: Some(failure), ..Verified::new(model) },
    }
    let is_known = state.schema == written_schema(model);
    if is_known && !model.config.unique_key.is_empty() {
        let checked = check_keys(verifier.engine, Joins::Hash, model, &state.files, KeyedRows::Held).await;
        if let Err(error) = checked {
            return Verified { failure: Some(Failure::from(error)), ..Verified::new(model) };
        }
        shown.push(key_words(model));
    }
    Verified::not_at_all(model, format!("{ADDS}; {}", shown.join("; ")))
}

/// What the files of a table hold beside what its ledger records.
enum Recorded {
    Same,
    Other(Finding),
    /// With the reason.
    Unknown(String),
}

async fn rows_as_recorded(verifier: Verifier<'_>, model: &TypedModel, state: &TableState) -> Result<Recorded, Failure> {
    let ledger = match &state.ledger {
        LedgerFound::Known(ledger) => ledger,
        LedgerFound::Unknown(why) => return Ok(Recorded::Unknown(why.clone())),
    };
    let Some(entry) = ledger.slices.get(&SliceKey::All) else {
        return Ok(Recorded::Unknown("it was built in another way".to_owned()));
    };
    if !state.tainted(&model.layout()).is_empty() {
        return Ok(Recorded::Unknown("another program has changed it".to_owned()));
    }
    // What is recorded is a digest of all columns.
    if state.schema != written_schema(model) {
        return Ok(Recorded::Unknown("its columns are not those of its SELECT".to_owned()));
    }
    let subject = verifier.subject(verifier.catalog, model, &state.files);
    let found = subject.tally(Way::Stored, Precision::Exact, &[SliceKey::All]).await?;
    let stored = found.get(&SliceKey::All).copied().unwrap_or_default();
    Ok(match stored == entry.rows {
        true => Recorded::Same,
        false => Recorded::Other(Finding::NotAsRecorded { stored: stored.rows, recorded: entry.rows.rows }),
    })
}

/// The columns with which a table is written that has those of the model; empty if no table can have them.
fn written_schema(model: &TypedModel) -> TableSchema {
    delta_schema(&model.schema).unwrap_or_default()
}

/// What the key is known to do by now.
fn key_words(model: &TypedModel) -> String {
    let names: Vec<String> = model.config.unique_key.iter().map(|column| format!("`{}`", column.value)).collect();
    let names = names.join(", ");
    match model.config.materialized.has_one_row_a_key() {
        true => format!("each row has its own {names}"),
        false => format!("no row has a null in {names}"),
    }
}
