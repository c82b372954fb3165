//! One Parquet file encoded by several threads: each takes some of the columns.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::SerializedFileWriter;

use super::destination::NamedFile;
use super::encoding::RowGroupLimits;
use super::shuffle::used_bytes;

/// Batches that may wait in front of a lane.
const QUEUE: usize = 2;

type Chunks = Vec<(usize, ArrowColumnChunk)>;

/// A file whose row groups are encoded in lanes.
pub(crate) struct LaneWriter {
    file: SerializedFileWriter<NamedFile>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    lanes: usize,
    limits: RowGroupLimits,
    group: Option<Group>,
    groups: usize,
}

/// A row group that is being encoded.
struct Group {
    rows: usize,
    bytes: usize,
    senders: Vec<SyncSender<RecordBatch>>,
    workers: Vec<JoinHandle<Result<Chunks, ParquetError>>>,
}

impl LaneWriter {
    pub(crate) fn new(
        writer: ArrowWriter<NamedFile>,
        schema: SchemaRef,
        lanes: usize,
        limits: RowGroupLimits,
    ) -> Result<Self, ParquetError> {
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self { file, factory, schema, lanes, limits, group: None, groups: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let group = match self.group.take() {
                Some(group) => self.group.insert(group),
                None => self.group.insert(Group::start(&self.factory, &self.schema, self.lanes, self.groups)?),
            };
            let rows = rest.num_rows().min(self.limits.rows.saturating_sub(group.rows).max(1));
            let part = rest.slice(0, rows);
            rest = rest.slice(rows, rest.num_rows() - rows);
            group.rows += rows;
            group.bytes += used_bytes(&part);
            // Every lane gets every batch and takes its own columns out of it: batches are shared, not copied.
            let sent = group.senders.iter().all(|sender| sender.send(part.clone()).is_ok());
            // A lane stops listening only when it has failed; ending the group brings its error out.
            if !sent || group.rows >= self.limits.rows || group.bytes >= self.limits.bytes {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// What has reached the file: whole row groups only.
    pub(crate) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    /// Ends the file and tells its metadata and its length.
    pub(crate) fn finish(mut self) -> Result<(ParquetMetaData, u64), ParquetError> {
        self.end_group()?;
        self.file.flush()?;
        let checksums = self.file.inner_mut().end_blocks();
        self.file.append_key_value_metadata(checksums);
        let metadata = self.file.finish()?;
        self.file.flush()?;
        Ok((metadata, self.file.inner_mut().finish()?))
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut row_group = self.file.next_row_group()?;
        for (_, chunk) in group.end()? {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.groups += 1;
        Ok(())
    }
}

impl Group {
    fn start(
        factory: &ArrowRowGroupWriterFactory,
        schema: &SchemaRef,
        lanes: usize,
        number: usize,
    ) -> Result<Self, ParquetError> {
        let mut writers = factory.create_column_writers(number)?.into_iter();
        let mut columns: Vec<Vec<LaneColumn>> = std::iter::repeat_with(Vec::new).take(lanes.max(1)).collect();
        let mut leaf = 0;
        // Columns are dealt round robin. A nested column stays whole: its leaves are computed together.
        for position in 0..schema.fields().len() {
            let count = leaves(schema, position)?;
            let column = LaneColumn { position, first_leaf: leaf, writers: writers.by_ref().take(count).collect() };
            leaf += count;
            if let Some(lane) = columns.get_mut(position % lanes.max(1)) {
                lane.push(column);
            }
        }
        let mut group = Self { rows: 0, bytes: 0, senders: Vec::new(), workers: Vec::new() };
        for lane in columns.into_iter().filter(|lane| !lane.is_empty()) {
            let (sender, receiver) = sync_channel(QUEUE);
            let schema = Arc::clone(schema);
            let worker = Builder::new().name("karat-encode".to_string());
            group.senders.push(sender);
            group.workers.push(worker.spawn(move || encode(lane, &receiver, &schema))?);
        }
        Ok(group)
    }

    /// Waits for all lanes; the column chunks come out in the order of the file.
    fn end(mut self) -> Result<Chunks, ParquetError> {
        self.senders.clear();
        let mut chunks = Vec::new();
        let mut failure = None;
        for worker in self.workers.drain(..) {
            match worker.join() {
                Ok(Ok(lane)) => chunks.extend(lane),
                Ok(Err(error)) => failure = failure.or(Some(error)),
                Err(_) => failure = failure.or(Some(ParquetError::General("an encoding thread died".to_string()))),
            }
        }
        // Parquet wants the column chunks of a row group in the order of the schema, whichever lane was faster.
        chunks.sort_by_key(|(leaf, _)| *leaf);
        failure.map_or(Ok(chunks), Err)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.senders.clear();
        for worker in self.workers.drain(..) {
            // The group is thrown away, and so is what became of it.
            let _ = worker.join();
        }
    }
}

/// A column with its leaves; a nested column has several.
struct LaneColumn {
    position: usize,
    first_leaf: usize,
    writers: Vec<ArrowColumnWriter>,
}

/// The number of Parquet columns that a column becomes.
fn leaves(schema: &SchemaRef, position: usize) -> Result<usize, ParquetError> {
    let field = schema.field(position);
    Ok(compute_leaves(field, &arrow::array::new_empty_array(field.data_type()))?.len())
}

fn encode(
    mut lane: Vec<LaneColumn>,
    batches: &Receiver<RecordBatch>,
    schema: &SchemaRef,
) -> Result<Chunks, ParquetError> {
    for batch in batches {
        for column in &mut lane {
            let leaves = compute_leaves(schema.field(column.position), batch.column(column.position))?;
            for (writer, leaf) in column.writers.iter_mut().zip(&leaves) {
                writer.write(leaf)?;
            }
        }
    }
    let mut chunks = Vec::new();
    for column in lane {
        for (number, writer) in column.writers.into_iter().enumerate() {
            chunks.push((column.first_leaf + number, writer.close()?));
        }
    }
    Ok(chunks)
}
