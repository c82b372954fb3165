//! The files that a checkpoint of a log lists (Delta protocol, "Checkpoints").
//!
//! The library that reads logs looks at every file of a table several times, which costs more than all else that a run does
//! for one new day of a long history. So checkpoints as karat writes them are read here, a column at a time.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::file_batch::FileBatch;
use crate::table::DataFile;

/// What is needed of a checkpoint: the files, and whatever tells that they are not all.
const READ: [&str; 6] =
    ["add.path", "add.partitionValues", "add.size", "add.stats", "add.deletionVector.storageType", "sidecar"];

/// Its files, in the order of their paths. Nothing if it has a form that karat does not write: files that are listed
/// elsewhere, rows that were deleted without a new file, statistics of another kind.
pub(super) fn files_of(checkpoint: Bytes) -> Result<Option<Vec<DataFile>>, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(checkpoint)?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), READ);
    let mut files = Vec::new();
    for batch in builder.with_projection(columns).build()? {
        if add_files(&batch.map_err(|error: ArrowError| ParquetError::from(error))?, &mut files).is_none() {
            return Ok(None);
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Some(files))
}

fn add_files(batch: &RecordBatch, files: &mut Vec<DataFile>) -> Option<()> {
    let add = batch.column_by_name("add")?.as_struct_opt()?;
    let is_set = |column: &ArrayRef| column.logical_null_count() < column.len();
    if batch.column_by_name("sidecar").is_some_and(is_set) {
        return None;
    }
    if add.column_by_name("deletionVector").is_some_and(is_set) {
        return None;
    }
    let columns = FileBatch::of(|name| add.column_by_name(name))?;
    files.reserve(add.len());
    files.extend((0..add.len()).filter(|row| add.is_valid(*row)).filter_map(|row| columns.file(row)));
    Some(())
}
