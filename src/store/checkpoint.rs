//! Checkpoints of a log (Delta protocol, "Checkpoints"): the files that one lists, and the bytes of a new one.
//!
//! The library that reads logs looks at every file of a table several times, which costs more than all else that a run does
//! for one new day of a long history. So checkpoints as karat writes them are read here, a column at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::file_batch::FileBatch;
use crate::partition_writer::{OtherBytes, check_whole, with_checksums};
use crate::table::DataFile;

/// What is needed of a checkpoint: the files, and whatever tells that they are not all.
const READ: [&str; 6] =
    ["add.path", "add.partitionValues", "add.size", "add.stats", "add.deletionVector.storageType", "sidecar"];

/// Its files, in the order of their paths. Returns `None` if it has a form that karat does not write: files that are
/// listed elsewhere, rows that were deleted without a new file, statistics of another kind.
pub(super) fn files_of(checkpoint: Bytes) -> Result<Option<Vec<DataFile>>, ParquetError> {
    if let Err(OtherBytes(reason)) = check_whole(&checkpoint) {
        return Err(ParquetError::General(reason));
    }
    let found = ArrowReaderMetadata::load(&checkpoint, ArrowReaderOptions::new())?;
    let schema = Schema::new(found.schema().fields().iter().map(viewed).collect::<Vec<_>>());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    let viewed = ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(checkpoint, viewed);
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

/// The same field with texts that are left where they are in the object, and not copied.
fn viewed(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        DataType::Map(entries, sorted) => DataType::Map(viewed(entries), *sorted),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
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

/// A checkpoint of these actions, compressed: most of it is statistics of files, which are much alike.
pub(super) fn bytes_of<E: std::error::Error + 'static>(
    actions: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let compression = Compression::ZSTD(ZstdLevel::default());
    // Whoever reads a checkpoint reads all of it. The descriptions of its sixty columns would be larger than what it holds.
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = None;
    for batch in actions {
        let batch = batch?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let options = options.clone();
                writer.insert(ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options)?)
            }
        };
        writer.write(&batch)?;
    }
    let writer = writer.ok_or("a table has no actions")?;
    Ok(with_checksums(writer)?)
}
