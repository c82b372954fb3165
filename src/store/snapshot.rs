//! A table's state, read from its Delta log (only user of delta_kernel).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{Engine, Snapshot};
use delta_kernel_default_engine::DefaultEngine;
use delta_kernel_default_engine::executor::tokio::TokioBackgroundExecutor;
use object_store::local::LocalFileSystem;
use serde_json::Value;
use url::Url;

use super::backend::LocalBackend;
use super::error::StoreError;
use crate::name::TableName;
use crate::table::{DataFile, Record, TableState};

/// Reads logs. One serves all tables.
pub(crate) struct SnapshotReader {
    engine: DefaultEngine<TokioBackgroundExecutor>,
}

impl SnapshotReader {
    pub fn new() -> SnapshotReader {
        SnapshotReader { engine: DefaultEngine::builder(Arc::new(LocalFileSystem::new())).build() }
    }

    /// The newest state of the table in this folder; nothing if there is no table.
    pub fn read(&self, name: &TableName, table: &LocalBackend) -> Result<Option<TableState>, StoreError> {
        let path = format!("{}/{}", name.schema, name.table);
        let corrupt = |reason: String| StoreError::Corrupt { path: path.clone(), reason };
        let absolute = std::path::absolute(table.root()).map_err(|error| StoreError::unavailable(&path, error))?;
        let root = Url::from_directory_path(absolute).map_err(|()| corrupt("not a folder's path".to_owned()))?;
        let has_commit = table
            .list("_delta_log", &|name| name.ends_with(".json") || name.ends_with(".parquet"))
            .map_err(|error| StoreError::unavailable(&path, error))?;
        if has_commit.is_empty() {
            return Ok(None);
        }
        let engine: &dyn Engine = &self.engine;
        let snapshot = Snapshot::builder_for(root.as_str()).build(engine).map_err(|error| corrupt(reason(&error)))?;
        let version = snapshot.version();
        let configuration = snapshot.table_configuration();
        let metadata = configuration.metadata();
        let (id, partition_columns) = (metadata.id().to_owned(), metadata.partition_columns().to_vec());
        let schema = metadata.schema_string().clone();
        let scan = snapshot.scan_builder().build().map_err(|error| corrupt(reason(&error)))?;
        let mut files = Vec::new();
        for found in scan.scan_metadata(engine).map_err(|error| corrupt(reason(&error)))? {
            let (data, selected) = found.map_err(|error| corrupt(reason(&error)))?.scan_files.into_parts();
            let data =
                data.into_any().downcast::<ArrowEngineData>().map_err(|_| corrupt("no Arrow data".to_owned()))?;
            add_files(data.record_batch(), &selected, &mut files)
                .ok_or_else(|| corrupt("the log's files have an unknown shape".to_owned()))?;
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let record = read_record(table, version)?;
        Ok(Some(TableState { id, version, files, partition_columns, schema, record }))
    }
}

/// The first line of what the library says; below it there may be a backtrace.
fn reason(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or("").to_owned()
}

fn add_files(batch: &RecordBatch, selected: &[bool], files: &mut Vec<DataFile>) -> Option<()> {
    let paths = batch.column_by_name("path")?.as_string_opt::<i32>()?;
    let sizes = batch.column_by_name("size")?.as_primitive_opt::<Int64Type>()?;
    let stats = batch.column_by_name("stats")?.as_string_opt::<i32>()?;
    let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
    let partitions = constants.column_by_name("partitionValues")?.as_map_opt()?;
    for row in 0..batch.num_rows() {
        if !selected.get(row).copied().unwrap_or(true) || paths.is_null(row) {
            continue;
        }
        let stats = stats.is_valid(row).then(|| stats.value(row).to_owned());
        files.push(DataFile {
            path: decode_path(paths.value(row)),
            partition: if partitions.is_valid(row) { partition(&partitions.value(row))? } else { BTreeMap::new() },
            bytes: u64::try_from(sizes.value(row)).unwrap_or(0),
            rows: stats.as_deref().and_then(rows_of),
            stats,
        });
    }
    Some(())
}

fn partition(entries: &arrow::array::StructArray) -> Option<BTreeMap<String, Option<String>>> {
    let keys = entries.column(0).as_string_opt::<i32>()?;
    let values = entries.column(1).as_string_opt::<i32>()?;
    // The protocol writes a null partition value as an empty text too.
    let value = |row: usize| Some(values.value(row).to_owned()).filter(|text| values.is_valid(row) && !text.is_empty());
    Some((0..entries.len()).map(|row| (keys.value(row).to_owned(), value(row))).collect())
}

fn rows_of(stats: &str) -> Option<u64> {
    let parsed: Value = serde_json::from_str(stats).ok()?;
    parsed.get("numRecords")?.as_u64()
}

/// Paths in the log are URLs: `%20` is a blank.
pub(super) fn decode_path(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The file of a version in the log.
pub(super) fn commit_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

/// What karat wrote into the commit of this version.
pub(super) fn read_record(table: &LocalBackend, version: u64) -> Result<Option<Record>, StoreError> {
    let path = commit_path(version);
    let bytes = table.get(&path).map_err(|error| StoreError::unavailable(&path, error))?;
    Ok(bytes.as_deref().and_then(record_in))
}

pub(super) fn record_in(commit: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(commit).ok()?;
    let info = text.lines().find_map(|line| {
        let action: Value = serde_json::from_str(line).ok()?;
        action.get("commitInfo")?.get("karat").cloned()
    })?;
    serde_json::from_value(info).ok()
}
