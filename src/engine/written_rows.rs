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

/// Positions of columns by which claims are told.
pub(super) const PATH: usize = 0;
pub(super) const CLAIM: usize = 9;
pub(super) const ATTEMPT: usize = 10;

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// A row with a path is a file, one with a slice is a slice, or that of it which came from a source file, and one with a
/// partition says that the attempt has written all rows of that partition of the plan.
pub(super) fn output_schema() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(Schema::new(vec![
            field("path", DataType::Utf8),
            field("partition_values", DataType::Utf8),
            field("rows", DataType::UInt64),
            field("bytes", DataType::UInt64),
            field("stats", DataType::Utf8),
            field("slice_kind", DataType::UInt8),
            field("slice_start", DataType::Int64),
            field("hash", DataType::FixedSizeBinary(16)),
            field("source_file", DataType::Utf8),
            field("claimed_partition", DataType::UInt64),
            Field::new("attempt", DataType::Utf8, false),
        ]))
    }))
}

/// The rows of a slice, or those of them that came from a source file.
pub(super) type TalliedSlice = (SliceKey, Option<String>, SliceRows);

/// What one execution of a write node, or of a part of it, has done.
pub(super) struct WriteAttempt<'a> {
    /// Random, and in the names of all of its files: no two attempts write the same file.
    pub name: &'a str,
    /// The partitions of the plan whose rows it has written.
    pub partitions: &'a [usize],
    pub files: &'a [WrittenFile],
    pub slices: &'a [TalliedSlice],
}

/// One row of the output.
#[derive(Clone, Copy)]
enum OutputRow<'a> {
    Claim(usize),
    File(&'a WrittenFile),
    Slice(&'a TalliedSlice),
}

impl<'a> OutputRow<'a> {
    fn claim(&self) -> Option<u64> {
        match self {
            OutputRow::Claim(partition) => Some(*partition as u64),
            OutputRow::File(_) | OutputRow::Slice(_) => None,
        }
    }

    fn file(&self) -> Option<&'a WrittenFile> {
        match *self {
            OutputRow::File(file) => Some(file),
            OutputRow::Claim(_) | OutputRow::Slice(_) => None,
        }
    }

    fn slice(&self) -> Option<&'a TalliedSlice> {
        match *self {
            OutputRow::Slice(slice) => Some(slice),
            OutputRow::Claim(_) | OutputRow::File(_) => None,
        }
    }

    fn rows(&self) -> Option<u64> {
        match self {
            OutputRow::Claim(_) => None,
            OutputRow::File(file) => Some(file.rows),
            OutputRow::Slice((_, _, slice)) => Some(slice.rows),
        }
    }
}

pub(super) fn to_batch(attempt: &WriteAttempt<'_>) -> Result<RecordBatch> {
    let claims = attempt.partitions.iter().map(|partition| OutputRow::Claim(*partition));
    let files = attempt.files.iter().map(OutputRow::File);
    let all: Vec<OutputRow<'_>> = claims.chain(files).chain(attempt.slices.iter().map(OutputRow::Slice)).collect();
    let file = |row: &OutputRow<'_>, text: fn(&WrittenFile) -> String| row.file().map(text);
    let keys = || all.iter().map(|row| row.slice().map(|(key, _, _)| key));
    let hashes = all.iter().map(|row| row.slice().map(|(_, _, slice)| slice.hash.to_be_bytes()));
    let source_files = all.iter().map(|row| row.slice().and_then(|(_, file, _)| file.as_deref()));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(all.iter().map(|row| row.file().map(|file| &*file.path)).collect::<StringArray>()),
        Arc::new(
            all.iter()
                .map(|row| file(row, |file| serde_json::json!(file.partition_values).to_string()))
                .collect::<StringArray>(),
        ),
        Arc::new(all.iter().map(OutputRow::rows).collect::<UInt64Array>()),
        Arc::new(all.iter().map(|row| row.file().map(|file| file.bytes)).collect::<UInt64Array>()),
        Arc::new(all.iter().map(|row| file(row, |file| file.stats.to_string())).collect::<StringArray>()),
        Arc::new(keys().map(|key| key.map(kind)).collect::<UInt8Array>()),
        Arc::new(keys().map(|key| key.and_then(start)).collect::<Int64Array>()),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(hashes, 16)?),
        Arc::new(source_files.collect::<StringArray>()),
        Arc::new(all.iter().map(OutputRow::claim).collect::<UInt64Array>()),
        Arc::new(all.iter().map(|_| Some(attempt.name)).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(output_schema(), columns)?)
}

/// What kind of slice it is, as a number.
fn kind(key: &SliceKey) -> u8 {
    match key {
        SliceKey::All => 0,
        SliceKey::NullTime => 1,
        SliceKey::At(_) => 2,
    }
}

/// Where the slice begins, in seconds since 1970: no slice is shorter than an hour.
fn start(key: &SliceKey) -> Option<i64> {
    match key {
        SliceKey::All | SliceKey::NullTime => None,
        SliceKey::At(time) => Some(time.and_utc().timestamp()),
    }
}

fn key(kind: u8, start: Option<i64>) -> Option<SliceKey> {
    match (kind, start) {
        (0, None) => Some(SliceKey::All),
        (1, None) => Some(SliceKey::NullTime),
        (2, Some(start)) => Some(SliceKey::At(DateTime::from_timestamp(start, 0)?.naive_utc())),
        _ => None,
    }
}

fn external(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Reads back which files a write node wrote.
pub(crate) fn written_files(batches: &[RecordBatch]) -> Result<Vec<WrittenFile>> {
    let mut files = Vec::new();
    for batch in batches {
        let paths = batch.column(0).as_string::<i32>();
        let partition_values = batch.column(1).as_string::<i32>();
        let rows = batch.column(2).as_primitive::<UInt64Type>();
        let bytes = batch.column(3).as_primitive::<UInt64Type>();
        let stats = batch.column(4).as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| paths.is_valid(*row)) {
            files.push(WrittenFile {
                path: paths.value(row).to_owned(),
                partition_values: serde_json::from_str(partition_values.value(row)).map_err(external)?,
                rows: rows.value(row),
                bytes: bytes.value(row),
                stats: serde_json::from_str(stats.value(row)).map_err(external)?,
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
        let rows = batch.column(2).as_primitive::<UInt64Type>();
        let kinds = batch.column(5).as_primitive::<UInt8Type>();
        let starts = batch.column(6).as_primitive::<Int64Type>();
        let hashes = batch.column(7).as_fixed_size_binary();
        let files = batch.column(8).as_string::<i32>();
        for ((rows, kind), ((start, hash), file)) in rows.iter().zip(kinds).zip(starts.iter().zip(hashes).zip(files)) {
            let (Some(rows), Some(kind), Some(hash)) = (rows, kind, hash) else { continue };
            let (Some(key), Ok(hash)) = (key(kind, start), <[u8; 16]>::try_from(hash)) else {
                return internal_err!("a write node names a slice of the kind {kind} that begins at {start:?}");
            };
            found(file, key, SliceRows { rows, hash: u128::from_be_bytes(hash) });
        }
    }
    Ok(())
}
