//! What is wrong with the sources, the store and the tables of a project, one line for each thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load::{Compiled, Loaded};
use crate::analyze::{TypedModel, quarantine_table};
use crate::catalog::list_sources;
use crate::delta::Version;
use crate::figures::{bytes, counted, grouped};
use crate::host::OsHost;
use crate::name::TableName;
use crate::project::LakeLocation;
use crate::store::{HealthFinding, Lake, LostFiles, Observation, RaceShape, StoreError, prove};
use crate::table::{Conversions, TableState};

/// Less free disk than this is worth a word.
const LITTLE_SPACE: u64 = 1 << 30;

/// The versions of karat and of its engine.
pub(crate) fn version_finding() -> HealthFinding {
    let text = format!("karat {}, DataFusion {}", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION);
    HealthFinding::good("versions", text)
}

/// Whether the models of the project are well. What is wrong with them is said elsewhere.
pub(crate) fn project_finding(compiled: &Compiled) -> HealthFinding {
    let project = &compiled.loaded.project;
    let broken = compiled.faults.models().count();
    if broken > 0 {
        let verb = if broken == 1 { "has" } else { "have" };
        let models = counted(broken, "model");
        let text = format!("`{}`: {models} {verb} errors: they are shown above", project.name.value);
        return HealthFinding::bad("project", text);
    }
    let models = compiled.typed.len();
    let sources = project.sources.len();
    let text = format!("`{}`: {models} models, {sources} sources, all of them type-checked", project.name.value);
    HealthFinding::good("project", text)
}

/// The room on the disk of a lake in a folder. Returns `None` for a bucket.
pub(crate) fn disk_finding(loaded: &Loaded) -> Option<HealthFinding> {
    let folder = loaded.lake_folder()?;
    Some(match OsHost::free_bytes(&folder) {
        Some(free) if free < LITTLE_SPACE => HealthFinding::warning("disk", format!("only {} are free", bytes(free))),
        Some(free) => HealthFinding::good("disk", format!("{} are free", bytes(free))),
        None => HealthFinding::warning("disk", "the free space is unknown"),
    })
}

/// What the files of sources show.
pub(crate) fn source_findings(compiled: &Compiled) -> Vec<HealthFinding> {
    let folder = compiled.loaded.source_folder();
    let findings = compiled.loaded.project.sources.values().map(|source| match list_sources(&folder, source) {
        Ok(listing) => {
            let total: u64 = listing.entries.iter().map(|entry| entry.size).sum();
            let files = grouped(listing.entries.len() as u64);
            HealthFinding::good("source", format!("`{}`: {files} files, {}", source.name(), bytes(total)))
        }
        Err(failure) => HealthFinding::bad("source", failure.diagnostic().message.clone()),
    });
    findings.collect()
}

/// Whether a lake's store keeps what commits rely on, and what is wrong with the tables of all models and with those of
/// their bad records.
pub(crate) async fn lake_findings(compiled: &Compiled, lake: &Lake) -> Vec<HealthFinding> {
    let shape = match &compiled.loaded.project.target.lake {
        // Each of these puts is synced to the disk.
        LakeLocation::Folder(_) => RaceShape { writers: 16, keys: 10 },
        LakeLocation::Bucket(_) => RaceShape::default(),
    };
    let host = Arc::clone(&compiled.loaded.workspace.host);
    // Writers race for the same names on the store itself: its promises are tested and not believed.
    let mut findings = prove(lake.objects(), shape, &move || host.now()).await.findings;
    let tables: BTreeSet<TableName> = tables_of_models(compiled).map(|(_, table)| table).collect();
    match lake.observe_all(&tables).await {
        Ok(seen) => {
            findings.extend(unreadable(&seen));
            findings.extend(lake.passed_over().into_iter().map(|text| HealthFinding::warning("table", text)));
            let lost = lost(compiled, lake, &seen).await;
            findings.extend(if lost.is_empty() { all(&seen) } else { None });
            findings.extend(lost);
            findings.extend(rescued(compiled, lake, &seen).await);
            findings.extend(orphans(compiled, lake).await);
        }
        Err(error) => findings.push(HealthFinding::bad("tables", error.to_string())),
    }
    findings
}

fn stored(compiled: &Compiled) -> impl Iterator<Item = &TypedModel> {
    compiled.typed.values().filter(|model| model.config.materialized.is_stored())
}

/// The tables that each model writes.
fn tables_of_models(compiled: &Compiled) -> impl Iterator<Item = (&TypedModel, TableName)> {
    stored(compiled).flat_map(|model| [(model, model.table.clone()), (model, quarantine_table(&model.table))])
}

/// Tables that no model makes any more.
async fn orphans(compiled: &Compiled, lake: &Lake) -> Vec<HealthFinding> {
    let written = match compiled.written_tables() {
        Ok(written) => written,
        Err(faults) => {
            let faults = counted(faults.len(), "error");
            let text = format!("data tests have {faults}: it cannot be said which tables nothing makes any longer");
            return vec![HealthFinding::warning("orphans", text)];
        }
    };
    let found = match lake.orphans(&written, &compiled.loaded.maker()).await {
        Ok(found) => found,
        Err(error) => return vec![HealthFinding::bad("orphans", error.to_string())],
    };
    let tables = found.tables.iter().map(|orphan| {
        let text = format!(
            "no model makes `{}` any longer ({}, {}): its readers see old rows; `karat gc --orphans` removes it",
            orphan.table,
            counted(orphan.objects, "object"),
            bytes(orphan.bytes),
        );
        HealthFinding::warning("orphan", text)
    });
    let unclear = found.unclear.iter().map(|(table, error)| {
        HealthFinding::warning("orphan", format!("no model makes `{table}`, and its origin is unknown: {error}"))
    });
    tables.chain(unclear).collect()
}

fn unreadable(seen: &Observation) -> impl Iterator<Item = HealthFinding> {
    seen.unreadable
        .iter()
        .map(|(table, error)| HealthFinding::bad("table", format!("`{table}` cannot be read: {error}")))
}

/// That the others can be read, and have lost nothing.
fn all(seen: &Observation) -> Option<HealthFinding> {
    let there: Vec<&TableState> = seen.tables.values().filter_map(|state| state.as_deref()).collect();
    if there.is_empty() {
        return None;
    }
    let files = there.iter().map(|state| state.files.len()).sum();
    let text = format!("{} and their {} are there", counted(there.len(), "table"), counted(files, "file"));
    Some(HealthFinding::good("tables", text))
}

/// The files that the newest versions of tables, and those that readers are shown, have lost.
async fn lost(compiled: &Compiled, lake: &Lake, seen: &Observation) -> Vec<HealthFinding> {
    let mut findings = Vec::new();
    let released = match lake.newest_release().await {
        Ok(released) => released.map(|found| found.release.tables).unwrap_or_default(),
        Err(error) => {
            findings.push(HealthFinding::bad("release", error.to_string()));
            BTreeMap::new()
        }
    };
    for (model, table) in tables_of_models(compiled) {
        let Some(Some(state)) = seen.tables.get(&table) else { continue };
        let newest = newest_lost(lake, &table, state).await;
        let shown = released.get(&table.key()).filter(|shown| shown.version != state.version);
        let shown = match shown {
            Some(shown) => lost_at(lake, &table, shown.version).await,
            None => Ok(None),
        };
        for lost in [newest, shown] {
            match lost {
                Ok(Some(lost)) => {
                    findings.push(HealthFinding::bad("files", describe(model, &table, &lost, state.version)));
                }
                Ok(None) => {}
                Err(error) => findings.push(HealthFinding::bad("files", format!("of `{table}`: {error}"))),
            }
        }
    }
    findings
}

/// Files that a version of a table has lost.
struct Lost {
    version: Version,
    files: LostFiles,
}

impl Lost {
    /// Returns `None` if nothing is lost.
    fn new(version: Version, files: LostFiles) -> Option<Self> {
        (!files.is_empty()).then_some(Self { version, files })
    }
}

/// What the newest version has lost. A run may have replaced files between the look at the log and the list.
async fn newest_lost(lake: &Lake, table: &TableName, state: &TableState) -> Result<Option<Lost>, StoreError> {
    let lost = lake.lost_files(table, state).await?;
    if lost.is_empty() {
        return Ok(None);
    }
    match lake.observe(table).await? {
        Some(now) if now.version != state.version => {
            let lost = lake.lost_files(table, &now).await?;
            Ok(Lost::new(now.version, lost))
        }
        Some(_) => Ok(Lost::new(state.version, lost)),
        None => Ok(None),
    }
}

async fn lost_at(lake: &Lake, table: &TableName, version: Version) -> Result<Option<Lost>, StoreError> {
    let Some(state) = lake.at_version(table, version).await? else { return Ok(None) };
    let lost = lake.lost_files(table, &state).await?;
    Ok(Lost::new(version, lost))
}

/// What was lost, and what to do about it.
fn describe(model: &TypedModel, table: &TableName, lost: &Lost, newest: Version) -> String {
    let Lost { version, files: lost } = lost;
    let mut parts = Vec::new();
    if let Some(first) = lost.gone.first() {
        parts.push(format!("{} gone, first `{first}`", are(lost.gone.len())));
    }
    if let Some(first) = lost.other_size.first() {
        let count = lost.other_size.len();
        let sizes = format!("{} instead of {}", bytes(first.found), bytes(first.written));
        parts.push(format!("{} not as written, first `{}` ({sizes})", are(count), first.name));
    }
    let what = if *version == newest { String::new() } else { format!(" of version {version}, which readers see") };
    let name = &model.name;
    let remedy = match model.is_refresh_equivalent() {
        true => format!("restore them from a copy, or `karat run --select {name} --full-refresh`"),
        // A full refresh would lose the rows that only this table still has.
        false => format!("restore them from a copy, or restore a version that has lost none: `karat history {name}`"),
    };
    format!("`{table}`{what}: {}; {remedy}", parts.join("; "))
}

fn are(count: usize) -> String {
    if count == 1 { "1 file is".to_owned() } else { format!("{} files are", grouped(count as u64)) }
}

/// What did not convert in the source files that tables were made of.
async fn rescued(compiled: &Compiled, lake: &Lake, seen: &Observation) -> Vec<HealthFinding> {
    let mut findings = Vec::new();
    for model in stored(compiled).filter(|model| model.reads_sources()) {
        let Some(Some(state)) = seen.tables.get(&model.table) else { continue };
        let Some(digest) = state.known_ledger().and_then(|ledger| ledger.source_files.clone()) else { continue };
        let mut every = Conversions::default();
        lake.source_files(&model.table, &digest).await.values().for_each(|file| every.add(&file.conversions));
        if every.rescued_rows > 0 {
            findings.push(HealthFinding::warning("values", format!("`{}` was built with {every}", model.table)));
        }
    }
    findings
}
