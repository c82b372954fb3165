//! The second half of the work: all rows are there, and each partition becomes its files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, scope};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{
    LexicographicalComparator, SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::file::properties::WriterPropertiesPtr;

use super::WrittenFile;
use super::file::{FilePlace, FileSettings, FileWriter};
use super::key::{Key, delta_text};
use super::shuffle::used_bytes;
use super::store::{Partition, SealedStore};
use crate::delta::directory;

/// Rows that are given to the encoder at once.
const ENCODE_ROWS: usize = 1 << 16;

/// What is to be done with every partition.
pub(crate) struct EncodeJob {
    pub(crate) settings: Arc<FileSettings>,
    pub(crate) properties: WriterPropertiesPtr,
    /// Name and stored type of the partition columns.
    pub(crate) partition_columns: Vec<(String, DataType)>,
    /// Positions of the sort columns in the file.
    pub(crate) sort_columns: Vec<usize>,
    /// The most bytes that are sorted at once.
    pub(crate) sort_bytes: usize,
    pub(crate) threads: usize,
}

impl EncodeJob {
    /// Writes all partitions with one open file per thread.
    pub(crate) fn run(&self, partitions: &[Partition], rows: &SealedStore) -> Result<Vec<WrittenFile>, ArrowError> {
        let places = self.places(partitions)?;
        let threads = self.threads.min(partitions.len()).max(1);
        // With fewer partitions than threads, the threads that are left encode columns side by side.
        let lanes = (self.threads / threads).max(1);
        // A thread that is done takes the next partition: they come largest first, so the last ones end at about the
        // same time.
        let next = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let outcome = Mutex::new(Ok(Vec::new()));
        let work = || {
            while !stopped.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (Some(partition), Some(place)) = (partitions.get(number), places.get(number)) else {
                    break;
                };
                let result = self.write_partition(partition, place, rows, lanes);
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                match (result, outcome.as_mut()) {
                    (Ok(files), Ok(all)) => all.extend(files),
                    (Err(error), Ok(_)) => {
                        stopped.store(true, Ordering::Relaxed);
                        *outcome = Err(error);
                    }
                    (_, Err(_)) => {}
                }
            }
        };
        let died = scope(|threads_of| {
            // A thread that cannot be had makes the work slower, and no more than that.
            let started: Vec<_> = (1..threads)
                .map(|_| Builder::new().name("karat-encode".to_string()).spawn_scoped(threads_of, work))
                .filter_map(Result::ok)
                .collect();
            work();
            started.into_iter().filter_map(|thread| thread.join().err()).count() > 0
        });
        if died {
            return Err(ArrowError::ComputeError("an encoding thread died".to_string()));
        }
        let mut files = outcome.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// Directories; partitions whose directories differ in case alone get different file names, for disks
    /// that do not tell them apart.
    fn places(&self, partitions: &[Partition]) -> Result<Vec<FilePlace>, ArrowError> {
        let mut places = Vec::with_capacity(partitions.len());
        let mut twins: BTreeMap<String, Vec<(&Key, usize)>> = BTreeMap::new();
        for (number, partition) in partitions.iter().enumerate() {
            let mut values = Vec::with_capacity(self.partition_columns.len());
            for ((name, stored), value) in self.partition_columns.iter().zip(&partition.key) {
                values.push((name.clone(), delta_text(value, stored)?));
            }
            let directory = directory(&values);
            twins.entry(directory.to_lowercase()).or_default().push((&partition.key, number));
            places.push(FilePlace { directory, values, suffix: String::new() });
        }
        // Ranked by key: the names do not depend on which partition was seen first.
        for mut group in twins.into_values() {
            group.sort();
            for (rank, (_, number)) in group.into_iter().enumerate().skip(1) {
                if let Some(place) = places.get_mut(number) {
                    place.suffix = format!("-v{rank}");
                }
            }
        }
        Ok(places)
    }

    fn write_partition(
        &self,
        partition: &Partition,
        place: &FilePlace,
        rows: &SealedStore,
        lanes: usize,
    ) -> Result<Vec<WrittenFile>, ArrowError> {
        let mut writer =
            FileWriter::new(Arc::clone(&self.settings), Arc::clone(&self.properties), place.clone(), lanes);
        let batches = rows.read(partition, ENCODE_ROWS);
        if self.sort_columns.is_empty() {
            for batch in batches {
                writer.write(&batch?)?;
            }
            return writer.finish();
        }
        let mut waiting = Vec::new();
        let mut bytes = 0;
        for batch in batches {
            let batch = batch?;
            bytes += used_bytes(&batch);
            waiting.push(batch);
            if bytes >= self.sort_bytes {
                self.write_sorted(std::mem::take(&mut waiting), &mut writer)?;
                bytes = 0;
            }
        }
        self.write_sorted(waiting, &mut writer)?;
        writer.finish()
    }

    /// Writes rows in order and ends the file after them.
    fn write_sorted(&self, batches: Vec<RecordBatch>, writer: &mut FileWriter) -> Result<(), ArrowError> {
        let Some(first) = batches.first() else { return Ok(()) };
        let mut all = concat_batches(&first.schema(), &batches)?;
        drop(batches);
        let columns: Vec<SortColumn> =
            self.sort_columns.iter().map(|position| sort_column(all.column(*position))).collect();
        // Rows often come in order already, and looking costs a single pass.
        if !is_sorted(&columns, all.num_rows())? {
            let order = lexsort_to_indices(&columns, None)?;
            drop(columns);
            all = take_record_batch(&all, &order)?;
        }
        let mut start = 0;
        while start < all.num_rows() {
            let rows = ENCODE_ROWS.min(all.num_rows() - start);
            writer.write(&all.slice(start, rows))?;
            start += rows;
        }
        // Each sorted part is a file of its own: the order holds within a file, and nothing has to be merged.
        writer.end_file()
    }
}

fn sort_column(values: &ArrayRef) -> SortColumn {
    let options = SortOptions { descending: false, nulls_first: true };
    SortColumn { values: ArrayRef::clone(values), options: Some(options) }
}

fn is_sorted(columns: &[SortColumn], rows: usize) -> Result<bool, ArrowError> {
    let comparator = LexicographicalComparator::try_new(columns)?;
    Ok((1..rows).all(|row| comparator.compare(row - 1, row).is_le()))
}
