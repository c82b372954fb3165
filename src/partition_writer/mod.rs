//! Writes rows into Parquet files, one directory per partition, within a memory budget.
//!
//! Rows travel in chunks. Threads take each chunk apart by partition and keep it, in memory up to the budget and in a
//! scratch file beyond it. When all rows are there, each partition is encoded in one go, with one open file per
//! thread: a file's rows lie together, and an open file costs more memory than the rows that wait for it. A table
//! without partitions and without an order needs no waiting and is encoded as it comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use serde_json::Value;

mod checksums;
mod destination;
mod key;
mod shuffle;
mod spill;
mod store;
mod encoding;
mod lanes;
mod file;
mod collect;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use crate::delta::delta_schema;
pub(crate) use checksums::{Checksums, OtherBytes, check_whole, with_checksums};
pub(crate) use destination::{Destination, OutputFile, SpillFile};
pub(crate) use key::EmptyPartitionText;

use crate::delta::{TableSchema, file_schema, table_schema};

use collect::{CollectedRows, Collector, Goal, RowChunk};
use encode::EncodeJob;
use encoding::RowGroupLimits;
use file::FileSettings;
use key::is_partition_type;
use shuffle::{Layout, used_bytes};
use store::Store;

/// Rows that are taken apart together: fewer cost more calls, more leave the cache.
const CHUNK_ROWS: usize = 1 << 17;
/// Chunks of wide rows are no smaller than this while the budget allows it.
const CHUNK_BYTES: usize = 4 << 20;
/// A row group of wide rows ends here.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// A large partition is sorted in parts, each a file of its own, and no part is smaller than this.
const SORT_BYTES: usize = 64 << 20;

/// How a table is written.
#[derive(Debug, Clone)]
pub(crate) struct WriterOptions {
    /// In the order of the path.
    pub(crate) partition_columns: Vec<String>,
    /// The order within a file, ascending with nulls first; may be empty.
    pub(crate) sort_columns: Vec<String>,
    /// The bytes of rows that wait in memory; chunks under way come on top, about half as much.
    pub(crate) memory_budget: usize,
    pub(crate) threads: usize,
    /// The name of files before `.parquet`: unique per commit.
    pub(crate) file_stem: String,
    pub(crate) max_file_bytes: usize,
    pub(crate) row_group_rows: usize,
}

impl WriterOptions {
    pub(crate) fn new(file_stem: impl Into<String>) -> Self {
        Self {
            partition_columns: Vec::new(),
            sort_columns: Vec::new(),
            memory_budget: 128 << 20,
            threads: 2,
            file_stem: file_stem.into(),
            max_file_bytes: 256 << 20,
            row_group_rows: 1 << 20,
        }
    }
}

/// A file that is complete and durable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WrittenFile {
    /// Relative to the table, as storage knows it; the log spells it as `to_uri(path)`.
    pub(crate) path: String,
    /// In Delta's text form; none is a null.
    pub(crate) partition_values: Vec<(String, Option<String>)>,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// Delta's statistics object.
    pub(crate) stats: Value,
}

/// Takes rows in any order and writes them into the files of their partitions.
pub(crate) struct PartitionedWriter {
    layout: Arc<Layout>,
    settings: Arc<FileSettings>,
    options: WriterOptions,
    sort_columns: Vec<usize>,
    collector: Collector,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    chunk_bytes: usize,
    sequence: u64,
}

impl PartitionedWriter {
    /// Starts the threads. Dropping the writer without `finish` stops them and removes the scratch file.
    pub(crate) fn new(
        schema: SchemaRef,
        options: WriterOptions,
        destination: Arc<dyn Destination>,
    ) -> Result<Self, ArrowError> {
        let options = WriterOptions { threads: options.threads.max(1), ..options };
        let layout = Arc::new(layout(&schema, &options)?);
        let sort_columns = sort_columns(&layout, &options)?;
        let limits = RowGroupLimits { rows: options.row_group_rows.max(1), bytes: ROW_GROUP_BYTES };
        let settings = Arc::new(FileSettings {
            destination: Arc::clone(&destination),
            schema: Arc::clone(&layout.file),
            limits,
            max_file_bytes: options.max_file_bytes,
            stem: options.file_stem.clone(),
        });
        let goal = if options.partition_columns.is_empty() && sort_columns.is_empty() {
            Goal::File { settings: Arc::clone(&settings), lanes: options.threads }
        } else {
            Goal::Store(Box::new(Store::new(Arc::clone(&layout.file), destination, options.memory_budget)))
        };
        let collector = Collector::start(goal, Arc::clone(&layout), limits, options.threads)?;
        let share = options.memory_budget / (8 * options.threads);
        Ok(Self {
            layout,
            settings,
            sort_columns,
            collector,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            chunk_bytes: share.max(CHUNK_BYTES.min(options.memory_budget / 16)).max(1),
            sequence: 0,
            options,
        })
    }

    /// Takes rows over; waits only while the threads are behind. An error of a thread comes out here or in `finish`.
    pub(crate) fn write(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        self.check(&batch)?;
        let rows = batch.num_rows();
        let bytes = used_bytes(&batch);
        let row_bytes = (bytes / rows.max(1)).max(1);
        let mut start = 0;
        while start < rows {
            let by_bytes = self.chunk_bytes.saturating_sub(self.waiting_bytes) / row_bytes;
            let room = (CHUNK_ROWS - self.waiting_rows).min(by_bytes).max(1);
            let part = batch.slice(start, room.min(rows - start));
            start += part.num_rows();
            self.waiting_rows += part.num_rows();
            self.waiting_bytes += part.num_rows() * row_bytes;
            self.waiting.push(part);
            if self.waiting_rows >= CHUNK_ROWS || self.waiting_bytes + row_bytes > self.chunk_bytes {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and returns all files, ordered by path.
    pub(crate) fn finish(mut self) -> Result<Vec<WrittenFile>, ArrowError> {
        self.send()?;
        let Self { layout, settings, options, sort_columns, collector, .. } = self;
        let destination = Arc::clone(&settings.destination);
        let files = match collector.finish()? {
            CollectedRows::Written(files) => files,
            CollectedRows::Stored { store, properties } => {
                let (partitions, rows) = store.seal();
                let names = layout.partition_columns.iter().map(|position| layout.table.field(*position));
                let job = EncodeJob {
                    settings,
                    properties: properties.unwrap_or_default(),
                    partition_columns: names.map(|field| (field.name().clone(), field.data_type().clone())).collect(),
                    sort_columns,
                    sort_bytes: options.memory_budget.max(SORT_BYTES),
                    threads: options.threads,
                };
                job.run(&partitions, &rows)?
            }
        };
        destination.settle().map_err(|error| ArrowError::IoError(error.to_string(), error))?;
        Ok(files)
    }

    /// Bytes of rows that are in memory now.
    #[cfg(test)]
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.waiting_bytes + self.collector.bytes()
    }

    fn send(&mut self) -> Result<(), ArrowError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let batches = std::mem::take(&mut self.waiting);
        let chunk = RowChunk { sequence: self.sequence, bytes: self.waiting_bytes, batches };
        self.sequence += 1;
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        self.collector.send(chunk)
    }

    fn check(&self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let schema = batch.schema();
        let expected = self.layout.input.fields();
        let found = schema.fields();
        if expected.len() != found.len() {
            let reason = format!("a batch of {} columns for a table of {}", found.len(), expected.len());
            return Err(ArrowError::SchemaError(reason));
        }
        for (expected, found) in expected.iter().zip(found) {
            if expected.data_type() != found.data_type() {
                let name = expected.name();
                let wanted = expected.data_type();
                let found = found.data_type();
                let reason = format!("column `{name}` is {wanted}, and a batch brings {found}");
                return Err(ArrowError::SchemaError(reason));
            }
        }
        Ok(())
    }
}

fn layout(schema: &SchemaRef, options: &WriterOptions) -> Result<Layout, ArrowError> {
    TableSchema::of(schema)?;
    let mut names = BTreeSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            return Err(ArrowError::SchemaError(format!("two columns are called `{}`", field.name())));
        }
    }
    let table = table_schema(schema);
    let mut partition_columns = Vec::new();
    for name in &options.partition_columns {
        let position = schema.index_of(name).map_err(|_| no_column("partition", name))?;
        let stored = table.field(position).data_type();
        if !is_partition_type(stored) {
            let reason = format!("a table cannot be partitioned by column `{name}` of type {stored}");
            return Err(ArrowError::SchemaError(reason));
        }
        if partition_columns.contains(&position) {
            return Err(ArrowError::SchemaError(format!("partition column `{name}` is named twice")));
        }
        partition_columns.push(position);
    }
    let file_columns: Vec<usize> =
        (0..schema.fields().len()).filter(|position| !partition_columns.contains(position)).collect();
    if file_columns.is_empty() {
        return Err(ArrowError::SchemaError("a table needs a column besides its partition columns".to_string()));
    }
    let file = file_schema(schema, &options.partition_columns);
    Ok(Layout { input: Arc::clone(schema), table, file, partition_columns, file_columns })
}

fn sort_columns(layout: &Layout, options: &WriterOptions) -> Result<Vec<usize>, ArrowError> {
    let mut positions = Vec::new();
    for name in &options.sort_columns {
        // Within a file a partition column has one value, so it orders nothing.
        if options.partition_columns.contains(name) {
            continue;
        }
        let position = layout.file.index_of(name).map_err(|_| no_column("sort", name))?;
        if layout.file.field(position).data_type().is_nested() {
            return Err(ArrowError::SchemaError(format!("rows cannot be sorted by the nested column `{name}`")));
        }
        positions.push(position);
    }
    Ok(positions)
}

fn no_column(role: &str, name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("{role} column `{name}` is not among the columns"))
}
