//! A data file of the lake as the engine reads it: its bytes are held against the checksums in its footer.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::common::Result as EngineResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::figures::bytes as bytes_of;
use crate::partition_writer::{Checksums, OtherBytes};

#[cfg(test)]
mod tests;

/// The bytes at the end of a file that are read first: footer and indexes of nearly all files, and small files whole.
const END_BYTES: u64 = 1 << 17;

/// A data file of the lake is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedFile {
    /// In the lake, with the folder of its table.
    pub path: String,
    /// `None` if it is gone.
    pub reason: Option<String>,
}

impl fmt::Display for DamagedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(formatter, "the data file `{}` is damaged: {reason}", self.path),
            None => write!(formatter, "the data file `{}` is gone", self.path),
        }
    }
}

impl std::error::Error for DamagedFile {}

/// Opens the data files of a store.
#[derive(Debug)]
pub(super) struct LakeFiles {
    pub store: Arc<dyn ObjectStore>,
}

impl ParquetFileReaderFactory for LakeFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _footer_bytes: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location;
        let metrics = ParquetFileMetrics::new(partition, path.as_ref(), metrics);
        Ok(Box::new(LakeFile { store: Arc::clone(&self.store), path, size: file.object_meta.size, metrics, end: None }))
    }
}

struct LakeFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// As the table's log has it.
    size: u64,
    metrics: ParquetFileMetrics,
    /// `None` until something is read.
    end: Option<End>,
}

/// The last bytes of a file, which say what the others are.
#[derive(Clone)]
struct End {
    start: u64,
    bytes: Bytes,
    /// `None` if another program has written the file, or an earlier version of karat.
    checksums: Option<Arc<Checksums>>,
}

impl End {
    /// Bytes of the file, if they lie in this end of it.
    fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        let from = usize::try_from(range.start.checked_sub(self.start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.start)?).ok()?;
        (from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

impl LakeFile {
    fn damaged(&self, reason: String) -> ParquetError {
        ParquetError::External(Box::new(DamagedFile { path: self.path.to_string(), reason: Some(reason) }))
    }

    fn checked<T>(&self, checked: std::result::Result<T, OtherBytes>) -> Result<T> {
        checked.map_err(|OtherBytes(reason)| self.damaged(reason))
    }

    /// Reads bytes as they are. The store's own error may only mean that the file is shorter than it was.
    async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.metrics.bytes_scanned.add(usize::try_from(wanted).unwrap_or(usize::MAX));
        let read = self.store.get_ranges(&self.path, ranges).await;
        let is_whole = |read: &Vec<Bytes>| read.iter().map(|bytes| bytes.len() as u64).sum::<u64>() == wanted;
        match read {
            Ok(read) if is_whole(&read) => Ok(read),
            Ok(_) => Err(self.damaged(format!("it is shorter than the {} that it had", bytes_of(self.size)))),
            Err(object_store::Error::NotFound { .. }) => {
                Err(ParquetError::External(Box::new(DamagedFile { path: self.path.to_string(), reason: None })))
            }
            Err(error) => match self.store.head(&self.path).await {
                Ok(about) if about.size != self.size => {
                    Err(self.damaged(format!("it has {} instead of {}", bytes_of(about.size), bytes_of(self.size))))
                }
                Ok(_) | Err(_) => Err(ParquetError::External(Box::new(error))),
            },
        }
    }

    async fn fetch_one(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(self.fetch(&[range]).await?.pop().unwrap_or_default())
    }

    /// Reads the end of the file once, and holds it against its checksum.
    async fn end(&mut self) -> Result<End> {
        if let Some(end) = &self.end {
            return Ok(end.clone());
        }
        let mut start = self.size.saturating_sub(END_BYTES);
        let mut bytes = self.fetch_one(start..self.size).await?;
        // The last eight bytes tell the length of the footer: a long one takes a second request, and hardly any file
        // has one.
        let footer = footer_bytes(&bytes).map_or(0, |length| length.min(self.size));
        if footer > self.size - start {
            start = self.size - footer;
            bytes = self.fetch_one(start..self.size).await?;
        }
        let checksums = self.checked(Checksums::find(&bytes))?.map(Arc::new);
        if let Some(checksums) = &checksums {
            let until = checksums.until();
            if until > self.size {
                return Err(self.damaged("its footer speaks of bytes that it does not have".to_owned()));
            }
            // The checksum is of all bytes behind the blocks, so all of them are needed before any is believed.
            if until < start {
                let mut all = BytesMut::from(self.fetch_one(until..start).await?);
                all.extend_from_slice(&bytes);
                start = until;
                bytes = all.freeze();
            }
            let behind = usize::try_from(until - start).ok().and_then(|place| bytes.get(place..));
            self.checked(checksums.check_end(behind.unwrap_or_default()))?;
        }
        let end = End { start, bytes, checksums };
        self.end = Some(end.clone());
        Ok(end)
    }

    async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let end = self.end().await?;
        if ranges.iter().any(|range| range.start > range.end || range.end > self.size) {
            return Err(self.damaged("its footer speaks of bytes that it does not have".to_owned()));
        }
        let Some(checksums) = end.checksums.clone() else {
            let inside: Option<Vec<Bytes>> = ranges.iter().map(|range| end.get(range)).collect();
            return match inside {
                Some(read) => Ok(read),
                None => self.fetch(&ranges).await,
            };
        };
        // Whole blocks are read, since only a whole block can be held against its checksum; neighbours are merged, so
        // that no block is read twice.
        let blocks = merged(ranges.iter().map(|range| checksums.whole_blocks(range)));
        let blocks = self.read_blocks(&end, &checksums, blocks).await?;
        ranges
            .iter()
            .map(|range| {
                within(&blocks, range)
                    .or_else(|| end.get(range))
                    .ok_or_else(|| self.damaged("its footer speaks of bytes that are in two parts of it".to_owned()))
            })
            .collect()
    }

    /// Whole blocks with their place in the file, each held against its checksum.
    async fn read_blocks(
        &self,
        end: &End,
        checksums: &Checksums,
        blocks: Vec<Range<u64>>,
    ) -> Result<Vec<(u64, Bytes)>> {
        let mut read: Vec<(u64, Bytes)> =
            blocks.iter().filter_map(|range| Some((range.start, end.get(range)?))).collect();
        let wanted: Vec<Range<u64>> = blocks.into_iter().filter(|range| end.get(range).is_none()).collect();
        if !wanted.is_empty() {
            let fetched = self.fetch(&wanted).await?;
            read.extend(wanted.iter().map(|range| range.start).zip(fetched));
        }
        for (start, bytes) in &read {
            self.checked(checksums.check_blocks(*start, bytes))?;
        }
        Ok(read)
    }
}

/// How long the footer is by the end of it: its length, and then Parquet's four letters.
fn footer_bytes(end: &[u8]) -> Option<u64> {
    let (_, last) = end.split_last_chunk::<8>()?;
    let [a, b, c, d, ..] = *last;
    Some(u64::from(u32::from_le_bytes([a, b, c, d])) + last.len() as u64)
}

/// The same bytes in ranges that do not touch.
fn merged(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.filter(|range| !range.is_empty()).collect();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The bytes of a range, if one of the pieces holds it whole.
fn within(pieces: &[(u64, Bytes)], range: &Range<u64>) -> Option<Bytes> {
    pieces.iter().find_map(|(start, bytes)| {
        let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    })
}

impl AsyncFileReader for LakeFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { Ok(self.read(vec![range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.read(ranges).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let indexes = options.map_or(PageIndexPolicy::Skip, ArrowReaderOptions::column_index_policy);
            let reader = ParquetMetaDataReader::new().with_page_index_policy(indexes);
            Ok(Arc::new(reader.load_and_finish(&mut *self, size).await?))
        }
        .boxed()
    }
}
