//! The actions of a commit, one a line (Delta protocol, "Actions"): as they are read, and as karat writes them.
//!
//! Actions and fields that nobody here needs are passed over. The order of fields is what it always was: commits of equal
//! content are equal bytes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{DataFile, PartitionValues, Protocol, SharedText, TableSchema, from_uri, to_uri};

/// One line of a commit. It holds one action, whichever it is.
#[derive(Deserialize)]
pub(crate) struct CommitAction {
    pub add: Option<FileAction>,
    pub remove: Option<FileAction>,
    #[serde(rename = "metaData")]
    pub metadata: Option<MetadataAction>,
    pub protocol: Option<Protocol>,
    pub txn: Option<TransactionAction>,
    #[serde(rename = "commitInfo")]
    pub info: Option<InfoAction>,
}

/// A file that comes or goes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileAction {
    path: String,
    #[serde(default)]
    partition_values: Option<PartitionValues>,
    #[serde(default)]
    size: Option<u64>,
    /// False if rows were only rearranged.
    #[serde(default = "yes")]
    pub data_change: bool,
    #[serde(default)]
    stats: Option<SharedText>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetadataAction {
    id: String,
    schema_string: String,
    #[serde(default)]
    partition_columns: Vec<String>,
    #[serde(default)]
    configuration: BTreeMap<String, String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    created_time: Option<i64>,
}

/// A number that an application counts in the table's log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionAction {
    pub app_id: String,
    pub version: i64,
}

/// What a commit says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InfoAction {
    pub timestamp: Option<i64>,
    pub operation: Option<String>,
    pub engine_info: Option<String>,
    /// What karat writes beside the data.
    pub karat: Option<Value>,
}

/// What a table is, apart from its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableMetadata {
    pub id: String,
    pub schema: TableSchema,
    pub partition_columns: Vec<String>,
    pub properties: BTreeMap<String, String>,
    pub label: TableLabel,
}

/// Metadata of a table that decides nothing, and is kept as it is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TableLabel {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Milliseconds since 1970.
    pub created: Option<i64>,
}

impl CommitAction {
    /// The actions of a commit in their order; an error says what is wrong with a line.
    pub fn all(commit: &[u8]) -> impl Iterator<Item = Result<CommitAction, String>> {
        let lines = lines(commit).filter(|line| !line.trim_ascii().is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string()))
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    // The last line may lack its line feed.
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    ends.scan(0, |start, end| {
        let line = bytes.get(*start..end);
        *start = end + 1;
        line
    })
}

impl FileAction {
    /// Relative to the table's folder, decoded.
    pub fn path(&self) -> String {
        from_uri(&self.path)
    }

    /// What is said of the file's partition: removals may leave it out.
    pub fn partition(&self) -> PartitionValues {
        self.partition_values.clone().unwrap_or_else(PartitionValues::none)
    }
}

impl From<FileAction> for DataFile {
    fn from(file: FileAction) -> DataFile {
        DataFile {
            path: file.path().into(),
            partition: file.partition(),
            bytes: file.size.unwrap_or(0),
            rows: file.stats.as_deref().and_then(DataFile::rows_of),
            stats: file.stats,
        }
    }
}

impl From<MetadataAction> for TableMetadata {
    fn from(found: MetadataAction) -> TableMetadata {
        let label = TableLabel { name: found.name, description: found.description, created: found.created_time };
        TableMetadata {
            id: found.id,
            schema: found.schema_string.into(),
            partition_columns: found.partition_columns,
            properties: found.configuration,
            label,
        }
    }
}

/// A file that comes at this time, in milliseconds since 1970; `changes_data` says whether its rows are new to the table.
pub(crate) fn add_action(file: &DataFile, now: i64, changes_data: bool) -> Value {
    json!({"add": {
        "path": to_uri(&file.path),
        "partitionValues": file.partition,
        "size": file.bytes,
        "modificationTime": now,
        "dataChange": changes_data,
        "stats": file.stats,
    }})
}

/// A file that goes at this time, in milliseconds since 1970; `changes_data` says whether its rows go with it.
pub(crate) fn remove_action(file: &DataFile, now: i64, changes_data: bool) -> Value {
    json!({"remove": {
        "path": to_uri(&file.path),
        "deletionTimestamp": now,
        "dataChange": changes_data,
        "extendedFileMetadata": true,
        "partitionValues": file.partition,
        "size": file.bytes,
    }})
}

/// What the table is from now on.
pub(crate) fn metadata_action(metadata: &TableMetadata) -> Value {
    let label = &metadata.label;
    let mut action = json!({
        "id": metadata.id,
        "name": label.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": metadata.schema.as_str(),
        "partitionColumns": metadata.partition_columns,
        "createdTime": label.created,
        "configuration": metadata.properties,
    });
    if let (Some(description), Some(fields)) = (&label.description, action.as_object_mut()) {
        fields.insert("description".to_owned(), description.clone().into());
    }
    json!({ "metaData": action })
}

/// What karat asks of those who read and write its tables.
pub(crate) fn protocol_action() -> Value {
    let Protocol { min_reader_version, min_writer_version, .. } = Protocol::OWN;
    json!({"protocol": {"minReaderVersion": min_reader_version, "minWriterVersion": min_writer_version}})
}

/// The number that an application has come to at this time, in milliseconds since 1970.
pub(crate) fn transaction_action(application: &str, version: i64, now: i64) -> Value {
    json!({"txn": {"appId": application, "version": version, "lastUpdated": now}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_log() {
        for path in ["event_date=2023-05-03/part-1.parquet", "country=C%C3%B4te/é x.parquet", "a%3Ab/c.parquet"] {
            assert_eq!(from_uri(&to_uri(path)), path);
        }
    }
}
