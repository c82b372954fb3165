//! What must be true after every history: the invariants, each on all versions that there ever were.
//!
//! I1 truth, I2 exactly once, I3 monotone, I4 freshness, I5 convergence, I6 every build has a cause, I7 no loss, I8
//! releases. That a second run writes nothing is seen by the history itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::history::World;
use super::process::decode;
use super::world::{Model, Rows, digest};
use crate::delta::Version;
use crate::store::observe::ledger_of;
use crate::store::release::Release;
use crate::table::{InputVersion, LogActions, Provenance, SinceLedger, SliceEntry, SliceKey, TableState};

/// One version of a table, with its rows.
struct Committed {
    state: TableState,
    actions: LogActions,
    rows: Rows,
}

pub(super) async fn all(world: &World) -> Result<(), String> {
    let mut tables = BTreeMap::new();
    for model in Model::ALL {
        tables.insert(model, versions(world, model).await?);
    }
    let judged = async {
        i5_converged(world, &tables)?;
        i2_exactly_once(world, &tables)?;
        for (model, versions) in &tables {
            i3_monotone(*model, versions)?;
            i6_caused(*model, versions)?;
            for version in versions {
                i1_truthful(world, *model, version, &tables)?;
            }
        }
        i8_releases(world, &tables).await
    };
    judged.await.map_err(|reason| format!("{reason}\n{}", told(&tables)))
}

/// The history as the logs tell it.
fn told(tables: &BTreeMap<Model, Vec<Committed>>) -> String {
    let mut text = String::new();
    for (model, versions) in tables {
        for Committed { state, actions, rows } in versions {
            let who = actions.note.as_ref().map_or(actions.operation.clone().unwrap_or_default(), |note| {
                format!("{} built {} of {:?}", note.run, note.slices, note.inputs)
            });
            let rows: BTreeMap<String, &Vec<i64>> =
                rows.iter().map(|(slice, rows)| (slice.to_string(), rows)).collect();
            let changed_externally = state.changed_externally(&model.layout());
            text.push_str(&format!(
                "{model:?} {}: {who}\n    rows {rows:?}, changed externally {changed_externally:?}\n",
                state.version
            ));
        }
    }
    text
}

/// I7: every version with its rows, read from files that must all still be there.
async fn versions(world: &World, model: Model) -> Result<Vec<Committed>, String> {
    let log = world.log(model);
    let commits = log.commits_after(None).await.map_err(|error| error.to_string())?;
    let (mut state, mut found) = (TableState::empty(), Vec::new());
    let mut since = SinceLedger::Nothing;
    for (version, actions) in commits {
        state = state.after(&[(version, actions.clone())]);
        since = if actions.ledger.is_some() { SinceLedger::Nothing } else { since.and(&actions) };
        let ledger = ledger_of(&log, &state).await.map_err(|error| error.to_string())?;
        let state = TableState { ledger, since: since.clone(), ..state.clone() };
        let mut rows = Rows::new();
        for file in state.files.iter() {
            let path = Path::from(format!("sim/{}/{}", model.name(), file.path));
            let bytes = async { world.store.get(&path).await?.bytes().await };
            let bytes = bytes.await.map_err(|error| format!("version {version} of {model:?} lost a file: {error}"))?;
            for (slice, mut more) in decode(&bytes) {
                rows.entry(slice).or_default().append(&mut more);
            }
        }
        rows.values_mut().for_each(|rows| rows.sort_unstable());
        found.push(Committed { state, actions, rows });
    }
    Ok(found)
}

/// I4, I5: in the end, when a run says that everything is fresh, the tables are what a full refresh would make.
fn i5_converged(world: &World, tables: &BTreeMap<Model, Vec<Committed>>) -> Result<(), String> {
    for (model, mut truth) in world.truth() {
        truth.values_mut().for_each(|rows| rows.sort_unstable());
        let last = tables[&model].last().ok_or_else(|| format!("{model:?} was never built"))?;
        if last.rows != truth {
            return Err(format!("{model:?} ends as {:?}, not as {truth:?}", last.rows));
        }
    }
    Ok(())
}

/// I2: a token occurs at most once; who says that it committed did, who says that it did not did not.
fn i2_exactly_once(world: &World, tables: &BTreeMap<Model, Vec<Committed>>) -> Result<(), String> {
    let mut seen: BTreeMap<&str, (Model, Version)> = BTreeMap::new();
    for (model, versions) in tables {
        for version in versions {
            let Some(token) = version.actions.token() else { continue };
            let place = (*model, version.state.version);
            if let Some(before) = seen.insert(token, place) {
                return Err(format!("the commit {token} is there twice: {before:?} and {place:?}"));
            }
        }
    }
    for claims in &world.claims {
        for (model, version, token) in &claims.committed {
            if seen.get(token.as_str()) != Some(&(*model, *version)) {
                let found = seen.get(token.as_str());
                return Err(format!(
                    "a run says it committed {model:?} as version {version}, but {token} is {found:?}"
                ));
            }
        }
        for token in &claims.not_committed {
            if let Some(place) = seen.get(token.as_str()) {
                return Err(format!("a run says that its commit {token} failed, but it is {place:?}"));
            }
        }
    }
    Ok(())
}

/// I3: for one fingerprint, the inputs that a slice was made of never become older.
fn i3_monotone(model: Model, versions: &[Committed]) -> Result<(), String> {
    for (before, after) in versions.iter().zip(versions.iter().skip(1)) {
        let (Some(old), Some(new)) = (before.state.known_ledger(), after.state.known_ledger()) else { continue };
        for (slice, entry) in &new.slices {
            let Some(earlier) = old.slices.get(slice) else { continue };
            if entry.provenance.compare(&earlier.provenance) == Some(std::cmp::Ordering::Less) {
                let version = after.state.version;
                return Err(format!("version {version} of {model:?} took {slice} back to {:?}", entry.provenance));
            }
        }
    }
    Ok(())
}

/// I6: every commit of a run says why it was made.
fn i6_caused(model: Model, versions: &[Committed]) -> Result<(), String> {
    let without = |version: &&Committed| version.actions.note.as_ref().is_some_and(|note| note.why.is_empty());
    match versions.iter().find(without) {
        Some(version) => Err(format!("version {} of {model:?} was built for no reason", version.state.version)),
        None => Ok(()),
    }
}

/// I1: a slice that nothing else has changed and that is recorded with some inputs holds what the model makes of these inputs.
fn i1_truthful(
    world: &World,
    model: Model,
    version: &Committed,
    tables: &BTreeMap<Model, Vec<Committed>>,
) -> Result<(), String> {
    let Some(ledger) = version.state.known_ledger() else { return Ok(()) };
    let changed_externally = version.state.changed_externally(&model.layout());
    let wrong = |slice: &SliceKey, reason: String| {
        Err(format!("version {} of {model:?}, slice {slice}: {reason}", version.state.version))
    };
    for (slice, SliceEntry { provenance, rows, .. }) in
        ledger.slices.iter().filter(|(slice, _)| !changed_externally.contains(slice))
    {
        let found = version.rows.get(slice).cloned().unwrap_or_default();
        if digest(&found) != *rows {
            return wrong(slice, format!("the ledger says {rows:?}, the rows are {found:?}"));
        }
        let Some(inputs) = inputs(world, model, provenance, tables) else {
            return wrong(slice, format!("built from versions that do not exist: {provenance:?}"));
        };
        let mut expected = made_of(model, provenance, &inputs).remove(slice).unwrap_or_default();
        expected.sort_unstable();
        if found != expected {
            return wrong(slice, format!("holds {found:?}, but {provenance:?} makes {expected:?}"));
        }
    }
    Ok(())
}

fn made_of(model: Model, provenance: &Provenance, inputs: &[Rows]) -> Rows {
    let code = provenance.fingerprint.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(1);
    model.compute(code, inputs)
}

/// The rows of the inputs at the recorded versions.
fn inputs(
    world: &World,
    model: Model,
    provenance: &Provenance,
    tables: &BTreeMap<Model, Vec<Committed>>,
) -> Option<Vec<Rows>> {
    if model == Model::Events {
        let InputVersion::Files(version) = provenance.inputs.get("files")? else { return None };
        return Some(vec![world.files.at(version.parse().ok()?)]);
    }
    let rows = |parent: &Model| match provenance.inputs.get(&parent.table())? {
        InputVersion::Table { version, .. } => {
            Some(tables[parent].iter().find(|found| found.state.version == *version)?.rows.clone())
        }
        InputVersion::Missing => Some(Rows::new()),
        InputVersion::Files(_) => None,
    };
    model.parents().iter().map(rows).collect()
}

/// I8: a release that a whole run made shows tables that belong together, and later ones never go back.
async fn i8_releases(world: &World, tables: &BTreeMap<Model, Vec<Committed>>) -> Result<(), String> {
    let folder = Path::from("_karat/releases");
    let listed: Vec<_> = world.store.list(Some(&folder)).try_collect().await.map_err(|error| error.to_string())?;
    let whole: BTreeSet<u64> = world.claims.iter().filter_map(|claims| claims.released).collect();
    let mut before: Option<Release> = None;
    let mut numbers: Vec<_> = listed.into_iter().filter(|meta| meta.location.as_ref().ends_with(".json")).collect();
    numbers.sort_by(|left, right| left.location.cmp(&right.location));
    for meta in numbers {
        let bytes = async { world.store.get(&meta.location).await?.bytes().await }.await.unwrap();
        let release: Release = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let number: u64 = meta.location.filename().unwrap().trim_end_matches(".json").parse().unwrap();
        let at = |model: Model| {
            let version = release.tables.get(&model.table())?.version;
            tables[&model].iter().find(|found| found.state.version == version)
        };
        for (table, released) in &release.tables {
            let went_back = before
                .as_ref()
                .and_then(|before| before.tables.get(table))
                .is_some_and(|old| old.version > released.version);
            if went_back {
                return Err(format!("release {number} took {table} back"));
            }
        }
        if whole.contains(&number) {
            for model in Model::ALL {
                let Some(version) = at(model) else { return Err(format!("release {number} shows no {model:?}")) };
                let Some(ledger) = version.state.known_ledger() else { continue };
                let rows: Option<Vec<Rows>> =
                    model.parents().iter().map(|parent| at(*parent).map(|version| version.rows.clone())).collect();
                let Some(rows) = rows.filter(|_| model != Model::Events) else { continue };
                let changed_externally = version.state.changed_externally(&model.layout());
                for (slice, entry) in ledger.slices.iter().filter(|(slice, _)| !changed_externally.contains(slice)) {
                    let expected = made_of(model, &entry.provenance, &rows).remove(slice).unwrap_or_default();
                    if digest(&expected) != entry.rows {
                        return Err(format!("release {number} shows {model:?} beside inputs that it was not made of"));
                    }
                }
            }
        }
        before = Some(release);
    }
    Ok(())
}
