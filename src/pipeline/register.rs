//! What other engines are to see: tables of the lake in one state, with their columns and files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;

use super::charts::write_whole;
use super::diff::TableMoment;
use super::load::Loaded;
use crate::analyze::quarantine_table;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::figures::counted;
use crate::name::TableName;
use crate::project::LakeLocation;
use crate::register::{CannotRegister, RegisteredTable, Registration, ShownTables, WithoutTable};
use crate::select::Selection;
use crate::store::{Lake, Numbered, StoreError};
use crate::table::TableState;

/// Which tables are made visible, and in which state.
pub(crate) struct RegisterRequest<'r> {
    pub selection: &'r Selection,
    pub moment: TableMoment,
    /// Whether the versions stay what they are now, also where no release was asked for.
    pub is_pinned: bool,
    /// The catalog of the engine. `None` for its usual one.
    pub catalog: Option<&'r str>,
}

/// Looks at the tables of the selected models, and at those of their bad records.
///
/// # Errors
///
/// Returns an error if a table cannot be read, if there is no such release, or if files of a version are gone.
pub(crate) async fn registration<'r>(
    loaded: &'r Loaded,
    lake: &Lake,
    request: &RegisterRequest<'r>,
) -> Result<Registration<'r>, Failure> {
    let release = release(loaded, lake, &request.moment).await?;
    let models: Vec<_> = loaded.rendered.outlines().filter(|model| request.selection.contains(&model.name)).collect();
    let stored = || models.iter().filter(|model| model.config.materialized.is_stored());
    let names: BTreeSet<TableName> =
        stored().flat_map(|model| [model.table.clone(), quarantine_table(&model.table)]).collect();
    let states = states(lake, &names, release.as_ref()).await?;
    let shown = shown(loaded, request, release.as_ref());
    let mut without_table = Vec::new();
    for model in &models {
        let why = match states.contains_key(&model.table) {
            _ if !model.config.materialized.is_stored() => "is not stored as a table",
            true => continue,
            false if release.is_some() => "is not in the release",
            false => "has not been built yet",
        };
        without_table.push(WithoutTable { model: model.name.to_string(), why });
    }
    let mut tables = Vec::new();
    for (name, state) in states {
        // Whoever reads the log finds out by itself.
        if shown != ShownTables::Newest {
            refuse_lost_files(lake, &name, &state).await?;
        }
        tables.push(registered(name, &state)?);
    }
    let target = &loaded.project.target;
    let bucket = match &target.lake {
        LakeLocation::Bucket(bucket) => Some(bucket),
        LakeLocation::Folder(_) => None,
    };
    let lake = match loaded.lake_folder() {
        Some(folder) => folder.to_string_lossy().trim_end_matches('/').to_owned(),
        None => target.lake.to_string().trim_end_matches('/').to_owned(),
    };
    let project = loaded.project.name.value.as_str();
    let catalog = request.catalog;
    Ok(Registration { project, target: &target.name, lake, bucket, catalog, shown, tables, without_table })
}

/// The release whose tables are meant. Returns `None` for their newest versions.
async fn release(loaded: &Loaded, lake: &Lake, moment: &TableMoment) -> Result<Option<Numbered>, Failure> {
    match moment {
        // No option of the command names a version or a revision.
        TableMoment::Live | TableMoment::Version(_) | TableMoment::Revision(_) => Ok(None),
        // Where nothing was ever released, readers see the newest versions.
        TableMoment::Released => Ok(lake.newest_release().await?),
        TableMoment::Release(number) => match lake.release_numbered(*number).await? {
            Some(found) => Ok(Some(found)),
            None => {
                let target = &loaded.project.target.name;
                let message = format!("target `{target}` has no release {number} any more, or not yet");
                let diagnostic = Diagnostic::error(Code::UnknownVersion, message);
                Err(Failure::Project(diagnostic.help("`--release` alone is the newest one")))
            }
        },
    }
}

/// The tables that exist, in the state that is meant.
async fn states(
    lake: &Lake,
    names: &BTreeSet<TableName>,
    release: Option<&Numbered>,
) -> Result<BTreeMap<TableName, Arc<TableState>>, Failure> {
    let Some(found) = release else {
        let seen = if names.is_empty() { Default::default() } else { lake.observe_all(names).await? };
        if let Some(error) = seen.unreadable.values().next() {
            return Err(Failure::from(&**error));
        }
        return Ok(seen.tables.into_iter().filter_map(|(name, state)| Some((name, state?))).collect());
    };
    let mut states = BTreeMap::new();
    for name in names {
        // A release is read once: tables of two releases may not belong together.
        let Some(released) = found.release.tables.get(&name.key()) else { continue };
        let state = match lake.at_version(name, released.version).await {
            // The log does not reach back so far.
            Err(StoreError::Corrupt { .. }) => None,
            state => state?.filter(|state| state.id == released.id),
        };
        let state = state.ok_or_else(|| {
            let version = released.version;
            let message =
                format!("version {version} of `{name}`, which release {} shows, cannot be read", found.number);
            let diagnostic = Diagnostic::error(Code::UnknownVersion, message);
            Failure::Project(diagnostic.help(format!("`karat history {name}` lists the versions")))
        })?;
        states.insert(name.clone(), state);
    }
    Ok(states)
}

/// A list of files that is not whole would be a wrong number in another engine, or an error that nobody there understands.
async fn refuse_lost_files(lake: &Lake, name: &TableName, state: &TableState) -> Result<(), Failure> {
    let lost = lake.lost_files(name, state).await?;
    if lost.is_empty() {
        return Ok(());
    }
    let files = counted(state.files.len(), "file");
    let gone = lost.gone.len() + lost.other_size.len();
    let message = format!("version {} of `{name}` has lost {gone} of its {files}", state.version);
    let diagnostic = Diagnostic::error(Code::UnknownVersion, message)
        .note("`karat gc` removes the files of versions that are older than its retention");
    Err(Failure::Project(
        diagnostic.help("choose a newer release; `karat doctor` looks at the files of the newest versions"),
    ))
}

fn registered(name: TableName, state: &TableState) -> Result<RegisteredTable, Failure> {
    let columns = state.schema.columns().ok_or_else(|| {
        let message = format!("the log of `{name}` has no schema that can be read");
        Failure::Project(Diagnostic::error(Code::CorruptTable, message).help("`karat doctor` looks at the table"))
    })?;
    Ok(RegisteredTable {
        name,
        version: state.version,
        columns,
        partition_columns: state.partition_columns.clone(),
        files: state.files.to_vec(),
    })
}

/// The state in words.
fn shown(loaded: &Loaded, request: &RegisterRequest<'_>, release: Option<&Numbered>) -> ShownTables {
    let in_words = |milliseconds: i64| {
        let time = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
        time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
    };
    match release {
        Some(found) => {
            let time = in_words(found.release.released);
            ShownTables::Pinned(format!("release {} of {time}", found.number))
        }
        None if request.is_pinned || request.moment != TableMoment::Live => {
            let time = in_words(loaded.host().now().timestamp_millis());
            ShownTables::Pinned(format!("their newest versions at {time}"))
        }
        None => ShownTables::Newest,
    }
}

/// Writes statements into a file.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub(crate) fn write_statements(path: &Path, statements: &str) -> Result<(), Diagnostic> {
    write_whole(path, statements).map_err(|error| {
        let message = format!("`{}` cannot be written: {error}", path.display());
        Diagnostic::error(Code::Storage, message).help("make the folder writable, or name another file with `--out`")
    })
}

impl From<CannotRegister> for Diagnostic {
    fn from(refused: CannotRegister) -> Self {
        Diagnostic::error(Code::InvalidConfig, refused.message).help(refused.help)
    }
}
