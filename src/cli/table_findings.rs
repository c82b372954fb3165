//! What `karat doctor` finds in the tables of a project, one line for each thing that is wrong.

use std::collections::BTreeSet;

use super::app::{App, Compiled};
use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::figures::counted;
use crate::name::TableName;
use crate::store::{Finding, Lake, Observation};
use crate::table::{Conversions, TableState};

/// Looks at the tables of all models, and at those of their bad records.
pub(crate) fn of(app: &App<'_>, compiled: &Compiled) -> Vec<Finding> {
    let Ok(lake) = compiled.loaded.lake(app) else { return Vec::new() };
    let look = async {
        let mut findings = Vec::new();
        match lake.observe_all(&tables(compiled)).await {
            Ok(seen) => {
                findings.extend(unreadable(&seen));
                findings.extend(lake.passed_over().into_iter().map(|text| Finding::warning("table", text)));
                findings.extend(all(&seen));
                findings.extend(rescued(compiled, lake, &seen).await);
            }
            Err(error) => findings.push(Finding::bad("tables", error.to_string())),
        }
        findings
    };
    app.wait(lake, look).unwrap_or_default()
}

fn stored(compiled: &Compiled) -> impl Iterator<Item = &TypedModel> {
    compiled.typed.values().filter(|model| model.config.materialized.is_stored())
}

fn tables(compiled: &Compiled) -> BTreeSet<TableName> {
    stored(compiled).flat_map(|model| [model.table.clone(), quarantine_table(&model.table)]).collect()
}

fn unreadable(seen: &Observation) -> impl Iterator<Item = Finding> {
    seen.unreadable.iter().map(|(table, error)| Finding::bad("table", format!("`{table}` cannot be read: {error}")))
}

/// That the others can be read.
fn all(seen: &Observation) -> Option<Finding> {
    let there: Vec<&TableState> = seen.tables.values().filter_map(|state| state.as_deref()).collect();
    if there.is_empty() {
        return None;
    }
    let files = there.iter().map(|state| state.files.len()).sum();
    Some(Finding::good("tables", format!("{} can be read, {}", counted(there.len(), "table"), counted(files, "file"))))
}

/// What did not convert in the source files that tables were made of.
async fn rescued(compiled: &Compiled, lake: &Lake, seen: &Observation) -> Vec<Finding> {
    let reads_files = |model: &&TypedModel| model.inputs().iter().any(|input| matches!(input, Input::Source(_)));
    let mut findings = Vec::new();
    for model in stored(compiled).filter(reads_files) {
        let Some(Some(state)) = seen.tables.get(&model.table) else { continue };
        let Some(digest) = state.known_ledger().and_then(|ledger| ledger.source_files.clone()) else { continue };
        let mut every = Conversions::default();
        lake.source_files(&model.table, &digest).await.values().for_each(|file| every.add(&file.conversions));
        if every.rescued_rows > 0 {
            findings.push(Finding::warning("values", format!("`{}` was made with {every}", model.table)));
        }
    }
    findings
}
