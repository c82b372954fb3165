//! Staged files become a version of a table: one conditional put into a fixed slot, never guessed.

use std::io;

use serde_json::{Value, json};

use super::backend::{LocalBackend, Put};
use super::error::StoreError;
use super::snapshot::{commit_path, record_in};
use crate::partition_writer::{WrittenFile, to_uri};
use crate::table::{DataFile, Record, TableState};

/// How often an ambiguous put is tried again, always into the same slot with the same bytes.
const PATIENCE: u32 = 5;

/// What shall change in one table, as data.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// The state that the change was computed against; nothing for a table that does not exist.
    pub base: Option<TableState>,
    /// The files that go, of the base.
    pub remove: Vec<DataFile>,
    pub add: Vec<WrittenFile>,
    /// Delta's schema string.
    pub schema: String,
    pub partition_columns: Vec<String>,
    pub record: Record,
    pub now_millis: i64,
}

/// A version that readers can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub version: u64,
    pub table_id: String,
}

/// Commits, or says why not. A lost answer is settled by reading the slot: our token there means that it happened.
pub(crate) fn commit(table: &LocalBackend, name: &str, commit: &Commit) -> Result<Committed, StoreError> {
    let version = commit.base.as_ref().map_or(0, |base| base.version + 1);
    let table_id = commit.base.as_ref().map_or_else(|| table_id(&commit.record.token), |base| base.id.clone());
    let bytes = actions(commit, &table_id, version == 0);
    let slot = commit_path(version);
    let mut last = io::Error::other("the store gave no answer");
    for _ in 0..PATIENCE {
        match table.put_if_absent(&slot, &bytes, &commit.record.token) {
            Ok(Put::Created) => return Ok(Committed { version, table_id }),
            Ok(Put::Exists) => {
                return settle(table, &slot, name, version, commit).map(|()| Committed { version, table_id });
            }
            // These are answers: the disk took nothing.
            Err(error) if is_definite(&error) => return Err(StoreError::unavailable(slot, error)),
            Err(error) => last = error,
        }
    }
    Err(StoreError::Unknown { table: name.to_owned(), version, source: last })
}

fn is_definite(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
    )
}

/// The slot is taken: by an earlier try of ours, or by another writer.
fn settle(table: &LocalBackend, slot: &str, name: &str, version: u64, commit: &Commit) -> Result<(), StoreError> {
    let found =
        table.get(slot).map_err(|error| StoreError::Unknown { table: name.to_owned(), version, source: error })?;
    let token = found.as_deref().and_then(record_in).map(|record| record.token);
    if token.as_deref() == Some(commit.record.token.as_str()) {
        Ok(())
    } else {
        Err(StoreError::Conflict { table: name.to_owned(), version })
    }
}

/// A new table's id: a UUID's form around the random token.
fn table_id(token: &str) -> String {
    let hex = blake3::hash(token.as_bytes()).to_hex().to_string();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or("").to_owned();
    format!("{}-{}-4{}-8{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

/// The bytes of the commit: one action a line, in Delta's format.
fn actions(commit: &Commit, table_id: &str, first: bool) -> Vec<u8> {
    let mut lines = vec![json!({"commitInfo": {
        "timestamp": commit.now_millis,
        "operation": "WRITE",
        "operationParameters": {"mode": "Overwrite"},
        "engineInfo": concat!("karat/", env!("CARGO_PKG_VERSION")),
        "txnId": commit.record.token,
        "karat": commit.record,
    }})];
    if first {
        lines.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    }
    let unchanged = commit
        .base
        .as_ref()
        .is_some_and(|base| base.schema == commit.schema && base.partition_columns == commit.partition_columns);
    if !unchanged {
        lines.push(metadata(commit, table_id));
    }
    lines.extend(commit.remove.iter().map(|file| remove(file, commit.now_millis)));
    lines.extend(commit.add.iter().map(|file| add(file, commit.now_millis)));
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.to_string().as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

fn metadata(commit: &Commit, table_id: &str) -> Value {
    json!({"metaData": {
        "id": table_id,
        "name": commit.record.model,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": commit.schema,
        "partitionColumns": commit.partition_columns,
        "createdTime": commit.now_millis,
        "configuration": {"delta.enableExpiredLogCleanup": "false", "karat.model": commit.record.model},
    }})
}

fn add(file: &WrittenFile, now_millis: i64) -> Value {
    let values: serde_json::Map<String, Value> =
        file.partition_values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({"add": {
        "path": to_uri(&file.path),
        "partitionValues": values,
        "size": file.bytes,
        "modificationTime": now_millis,
        "dataChange": true,
        "stats": file.stats.to_string(),
    }})
}

fn remove(file: &DataFile, now_millis: i64) -> Value {
    json!({"remove": {
        "path": to_uri(&file.path),
        "deletionTimestamp": now_millis,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": file.partition,
        "size": file.bytes,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::snapshot::decode_path;

    #[test]
    fn a_path_survives_the_log() {
        for path in ["event_date=2023-05-03/part-1.parquet", "country=C%C3%B4te/é x.parquet", "a%3Ab/c.parquet"] {
            assert_eq!(decode_path(&to_uri(path)), path);
        }
    }
}
