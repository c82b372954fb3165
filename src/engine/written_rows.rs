//! What a write node says of what it has written, as rows, and read back from them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt8Type, UInt64Type};
use chrono::DateTime;
use datafusion::common::{DataFusionError, Result, internal_err};

use super::origin_tally::RowsOfFiles;
use crate::partition_writer::WrittenFile;
use crate::table::{SliceKey, SliceMap, SliceRows};

/// A row with a path is a file, one with a slice is a slice, or that of it which came from a source file.
pub(super) fn output_schema() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(Schema::new(vec![
            field("path", DataType::Utf8),
            field("partition_values", DataType::Utf8),
            Field::new("rows", DataType::UInt64, false),
            field("bytes", DataType::UInt64),
            field("stats", DataType::Utf8),
            field("slice_kind", DataType::UInt8),
            field("slice_start", DataType::Int64),
            field("hash", DataType::FixedSizeBinary(16)),
            field("source_file", DataType::Utf8),
        ]))
    }))
}

/// The rows of a slice, or those of them that came from a source file.
pub(super) type TalliedSlice = (SliceKey, Option<String>, SliceRows);

pub(super) fn to_batch(files: &[WrittenFile], slices: &[TalliedSlice]) -> Result<RecordBatch> {
    let no_files = files.iter().map(|_| None);
    let no_slices = slices.iter().map(|_| None);
    let keys = files.iter().map(|_| None).chain(slices.iter().map(|(key, _, _)| Some(key)));
    let hashes = files.iter().map(|_| None).chain(slices.iter().map(|(_, _, slice)| Some(slice.hash.to_be_bytes())));
    let source_files = no_files.chain(slices.iter().map(|(_, file, _)| file.as_deref()));
    let of_files = |of: &dyn Fn(&WrittenFile) -> String| -> ArrayRef {
        let texts = files.iter().map(|file| Some(of(file)));
        Arc::new(texts.chain(no_slices.clone()).collect::<StringArray>())
    };
    let rows = files.iter().map(|file| file.rows).chain(slices.iter().map(|(_, _, slice)| slice.rows));
    let bytes = files.iter().map(|file| Some(file.bytes)).chain(slices.iter().map(|_| None));
    let columns: Vec<ArrayRef> = vec![
        of_files(&|file| file.path.clone()),
        of_files(&|file| serde_json::json!(file.partition_values).to_string()),
        Arc::new(UInt64Array::from_iter_values(rows)),
        Arc::new(bytes.collect::<UInt64Array>()),
        of_files(&|file| file.stats.to_string()),
        Arc::new(keys.clone().map(|key| key.map(kind)).collect::<UInt8Array>()),
        Arc::new(keys.map(|key| key.and_then(start)).collect::<Int64Array>()),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(hashes, 16)?),
        Arc::new(source_files.collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(output_schema(), columns)?)
}

/// What kind of slice it is, as a number.
fn kind(key: &SliceKey) -> u8 {
    match key {
        SliceKey::All => 0,
        SliceKey::Timeless => 1,
        SliceKey::At(_) => 2,
    }
}

/// Where the slice begins, in seconds since 1970: no slice is shorter than an hour.
fn start(key: &SliceKey) -> Option<i64> {
    match key {
        SliceKey::All | SliceKey::Timeless => None,
        SliceKey::At(time) => Some(time.and_utc().timestamp()),
    }
}

fn key(kind: u8, start: Option<i64>) -> Option<SliceKey> {
    match (kind, start) {
        (0, None) => Some(SliceKey::All),
        (1, None) => Some(SliceKey::Timeless),
        (2, Some(start)) => Some(SliceKey::At(DateTime::from_timestamp(start, 0)?.naive_utc())),
        _ => None,
    }
}

/// Reads back which files a write node wrote.
pub(crate) fn written_files(batches: &[RecordBatch]) -> Result<Vec<WrittenFile>> {
    let external = |error: serde_json::Error| DataFusionError::External(Box::new(error));
    let mut files = Vec::new();
    for batch in batches {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let number = |column: usize| batch.column(column).as_primitive::<UInt64Type>();
        for row in (0..batch.num_rows()).filter(|row| text(0).is_valid(*row)) {
            files.push(WrittenFile {
                path: text(0).value(row).to_owned(),
                partition_values: serde_json::from_str(text(1).value(row)).map_err(external)?,
                rows: number(2).value(row),
                bytes: number(3).value(row),
                stats: serde_json::from_str(text(4).value(row)).map_err(external)?,
            });
        }
    }
    Ok(files)
}

/// Reads back what the rows of each slice are that a write node wrote.
pub(crate) fn written_slices(batches: &[RecordBatch]) -> Result<SliceMap<SliceRows>> {
    let mut slices = Vec::new();
    each_slice(batches, |_, key, rows| slices.push((key, rows)))?;
    Ok(SliceMap::summed(slices))
}

/// Reads back which rows came from which source file; empty if the rows did not tell.
pub(crate) fn written_origins(batches: &[RecordBatch]) -> Result<RowsOfFiles> {
    let mut files: BTreeMap<String, Vec<(SliceKey, SliceRows)>> = BTreeMap::new();
    each_slice(batches, |file, key, rows| {
        if let Some(file) = file {
            files.entry(file.to_owned()).or_default().push((key, rows));
        }
    })?;
    Ok(files.into_iter().map(|(file, slices)| (file, SliceMap::summed(slices))).collect())
}

fn each_slice(batches: &[RecordBatch], mut found: impl FnMut(Option<&str>, SliceKey, SliceRows)) -> Result<()> {
    for batch in batches {
        let rows = batch.column(2).as_primitive::<UInt64Type>().iter().flatten();
        let kinds = batch.column(5).as_primitive::<UInt8Type>();
        let starts = batch.column(6).as_primitive::<Int64Type>();
        let hashes = batch.column(7).as_fixed_size_binary();
        let files = batch.column(8).as_string::<i32>();
        for ((rows, kind), ((start, hash), file)) in rows.zip(kinds).zip(starts.iter().zip(hashes).zip(files)) {
            let (Some(kind), Some(hash)) = (kind, hash) else { continue };
            let (Some(key), Ok(hash)) = (key(kind, start), <[u8; 16]>::try_from(hash)) else {
                return internal_err!("a write node names a slice of the kind {kind} that begins at {start:?}");
            };
            found(file, key, SliceRows { rows, hash: u128::from_be_bytes(hash) });
        }
    }
    Ok(())
}
