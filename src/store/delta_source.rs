//! A Delta table that another project or program writes, read as a source: the files that its log says are current.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use object_store::path::Path;
use serde_json::Value;

use super::error::StoreError;
use super::snapshot::{OtherTable, SnapshotReader};
use super::table_log::{TableLog, commit_name};
use super::{LocalBackend, SyncedFiles};
use crate::delta::{PartitionValues, Version};
use crate::table::SourceEntry;

/// What a reader may be asked for that changes nothing for karat: how checkpoints are written, when files are removed, and times
/// without a zone, as all times are read.
const READ: [&str; 4] = ["timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors"];

/// Columns are stored under other names than those of the table, unless the mode is `none`.
const COLUMN_MAPPING: &str = "columnMapping";
const MAPPING_MODE: &str = "delta.columnMapping.mode";

/// A property that every table of karat's has.
const KARAT_PROPERTY: &str = "karat.modelId";

/// A commit is read no further than this for the name of its writer.
const MOST_OF_A_COMMIT: u64 = 1 << 20;

/// The current files of a table.
#[derive(Debug)]
pub(crate) struct DeltaSource {
    /// Relative to the project, in order of their paths.
    pub entries: Vec<SourceEntry>,
    pub partitions: BTreeMap<String, PartitionValues>,
    /// The names of the table's columns.
    pub columns: Vec<String>,
}

/// Reads the newest version of the table in a folder of the project. Blocks. Returns `None` if there is no log.
///
/// # Errors
///
/// Returns [`StoreError::Unsupported`] if the table uses a feature that would make its files say something else than its rows,
/// and [`StoreError::Unavailable`] if a file of the table is not there any more, or a link leads where it may not.
pub(crate) fn read_delta_source(project: &LocalBackend, folder: &str) -> Result<Option<DeltaSource>, StoreError> {
    if !project.exists(&format!("{folder}/_delta_log")) {
        return Ok(None);
    }
    let unavailable = |path: &str, source: io::Error| StoreError::Unavailable { path: path.to_owned(), source };
    project.entry(folder).map_err(|error| unavailable(folder, error))?;
    let (parent, name) = folder.rsplit_once('/').unwrap_or(("", folder));
    let store = SyncedFiles::new(project.path_of(parent));
    let log = TableLog { store: Arc::new(store), folder: Path::from(name), name: folder.to_owned() };
    let reader = SnapshotReader::new(Arc::clone(&log.store))?;
    let table = reader.read_other(&log)?;
    if let Some(feature) = unread_feature(&table) {
        let writer = writer_of(project, folder, table.version);
        let writer = writer.map_or_else(String::new, |writer| format!(", which `{writer}` has written"));
        return Err(StoreError::Unsupported { table: folder.to_owned(), what: format!("{feature}{writer}") });
    }
    let columns = TableColumns::of(&table);
    let mut entries = Vec::with_capacity(table.files.len());
    let mut partitions = BTreeMap::new();
    for other in &table.files {
        let below = other.file.path.as_str();
        let is_inside = !below.starts_with('/') && !below.contains(':') && below.split('/').all(|part| part != "..");
        if !is_inside {
            let what = format!("a file outside of its folder, `{below}`, as a shallow clone has");
            return Err(StoreError::Unsupported { table: folder.to_owned(), what });
        }
        let path = format!("{folder}/{below}");
        // Says now that a file was removed by a vacuum, and follows no link out of the project.
        project.entry(&path).map_err(|error| unavailable(&path, error))?;
        if other.file.partition != PartitionValues::none() {
            partitions.insert(path.clone(), columns.with_zones(&other.file.partition));
        }
        let modified = other.modified.saturating_mul(1000);
        entries.push(SourceEntry { path, size: other.file.bytes, modified, etag: None });
    }
    entries.sort();
    Ok(Some(DeltaSource { entries, partitions, columns: columns.names }))
}

/// What the log says of the columns.
struct TableColumns {
    names: Vec<String>,
    /// Those whose times stand in the log without a time zone and are in UTC, as all times are read.
    without_zone: BTreeSet<String>,
}

impl TableColumns {
    fn of(table: &OtherTable) -> TableColumns {
        // The protocol writes an instant without its zone if the program that wrote it was set so; karat writes UTC.
        let is_utc = table.properties.contains_key(KARAT_PROPERTY);
        let schema: Value = serde_json::from_str(&table.schema).unwrap_or_default();
        let mut columns = TableColumns { names: Vec::new(), without_zone: BTreeSet::new() };
        for field in schema.get("fields").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = field.get("name").and_then(Value::as_str) else { continue };
            let word = field.get("type").and_then(Value::as_str);
            if word == Some("timestamp_ntz") || word == Some("timestamp") && is_utc {
                columns.without_zone.insert(name.to_owned());
            }
            columns.names.push(name.to_owned());
        }
        columns
    }

    /// The values of a file, with the zone of times that have none in the log.
    fn with_zones(&self, values: &PartitionValues) -> PartitionValues {
        let texts = values.to_texts().into_iter().map(|(name, value)| {
            let is_bare = self.without_zone.contains(&name);
            let value = value.map(|text| match is_bare && !text.ends_with('Z') {
                true => format!("{}Z", text.replace(' ', "T")),
                false => text,
            });
            (name, value)
        });
        texts.collect()
    }
}

/// What a table asks of its readers that karat does not do. Returns `None` if its files have its rows as they are.
fn unread_feature(table: &OtherTable) -> Option<String> {
    let is_mapped = table.properties.get(MAPPING_MODE).is_some_and(|mode| mode != "none");
    if is_mapped {
        return Some("column mapping".to_owned());
    }
    let listed = table.protocol.reader_features.iter().flatten();
    if let Some(feature) = listed.map(String::as_str).find(|name| !READ.contains(name) && *name != COLUMN_MAPPING) {
        return Some(format!("the feature `{feature}`"));
    }
    if table.files.iter().any(|file| file.has_deletions) {
        return Some("deletion vectors".to_owned());
    }
    None
}

/// The program that has written a version, if its commit says so.
fn writer_of(project: &LocalBackend, folder: &str, version: Version) -> Option<String> {
    let path = format!("{folder}/{}", commit_name(version));
    let mut text = String::new();
    project.open(&path, MOST_OF_A_COMMIT).ok()?.read_to_string(&mut text).ok()?;
    let mut actions = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let info = actions.find_map(|action| action.get("commitInfo").cloned())?;
    info.get("engineInfo").and_then(Value::as_str).map(str::to_owned)
}
