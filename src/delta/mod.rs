//! What the Delta protocol says of a table, as karat writes and reads it: types, schemas, paths, statistics and the actions of
//! a commit. No IO, and nothing of what karat keeps beside it.

mod actions;
mod column;
pub(crate) mod commit_sum;
mod convert;
mod data_file;
mod partition_values;
mod path;
mod protocol;
mod schema;
mod stats;
mod text;
mod types;
mod version;

pub(crate) use actions::{
    CommitAction, FileAction, TableLabel, TableMetadata, add_action, metadata_action, protocol_action, remove_action,
    transaction_action,
};
pub(crate) use column::StoredColumn;
pub(crate) use convert::column_to_stored;
pub(crate) use data_file::DataFile;
pub(crate) use partition_values::PartitionValues;
pub(crate) use path::{NULL_PARTITION, directory, from_uri, to_uri};
pub(crate) use protocol::{Protocol, unsupported};
pub(crate) use schema::TableSchema;
pub(crate) use stats::{date_text, delta_stats};
pub(crate) use text::SharedText;
pub(crate) use types::{file_schema, is_event_time, read_schema, stored_type, table_schema};
pub use version::Version;
