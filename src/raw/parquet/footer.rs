//! Reads the footer of a Parquet file, whatever its bytes are.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::super::compression::{RawFile, ReadAt};
use super::super::error::RawError;
use super::super::guard::guarded;
use super::thrift;
use crate::locked::Locked;

/// The word at both ends of a Parquet file.
pub(in crate::raw) const MAGIC: &[u8; 4] = b"PAR1";

/// A file as the library reads it: any thread, any place.
#[derive(Clone)]
pub(super) struct ParquetInput {
    file: Arc<dyn ReadAt>,
    size: u64,
    /// The first read that failed. The library turns errors into texts, and would have it that the file is damaged.
    fault: Arc<Locked<Option<io::Error>>>,
}

impl ParquetInput {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer).map_err(|error| {
            let text = error.to_string();
            self.fault.lock().get_or_insert(error);
            io::Error::other(text)
        })
    }

    /// Why the library could not read on, if the file could not be read; then nothing is known of its content.
    pub(super) fn take_fault(&self) -> Option<io::Error> {
        self.fault.lock().take()
    }
}

impl Length for ParquetInput {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for ParquetInput {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(io::BufReader::new(From { input: self.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let is_inside = start.checked_add(length as u64).is_some_and(|end| end <= self.size);
        if !is_inside {
            return Err(ParquetError::EOF("it ends before its data do".to_owned()));
        }
        let mut buffer = vec![0; length];
        self.read_at(start, &mut buffer)?;
        Ok(buffer.into())
    }
}

/// The bytes of a file from a place on.
pub(super) struct From {
    input: ParquetInput,
    position: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.input.size.saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (wanted, _) = buffer.split_at_mut(count);
        self.input.read_at(self.position, wanted)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Opens a file and reads its footer.
pub(super) fn read(file: &RawFile) -> Result<(ParquetInput, ArrowReaderMetadata), RawError> {
    let unreadable = |error: io::Error| RawError::Unreadable { file: Arc::clone(&file.name), error };
    let input = ParquetInput {
        file: Arc::from(file.open_at_any_place().map_err(unreadable)?),
        size: file.size,
        fault: Arc::default(),
    };
    check(&input).map_err(unreadable)?;
    // The length of the footer is right, but what it says may still lead the library astray.
    match guarded(|| ArrowReaderMetadata::load(&input, ArrowReaderOptions::new())) {
        Ok(Ok(metadata)) => Ok((input, metadata)),
        Ok(Err(error)) => match input.take_fault() {
            Some(fault) => Err(unreadable(fault)),
            None => Err(damaged(file, &error.to_string())),
        },
        Err(_) => Err(damaged(file, "its bytes are inconsistent")),
    }
}

pub(super) fn damaged(file: &RawFile, message: &str) -> RawError {
    let error = wrong(format!("its footer is damaged: {}", message.trim_end_matches('.')));
    RawError::Unreadable { file: Arc::clone(&file.name), error }
}

fn wrong(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// The magic words, and a footer that fits between them.
fn check(input: &ParquetInput) -> io::Result<()> {
    let size = input.size;
    if size < 12 {
        return Err(wrong(format!("a Parquet file has at least 12 bytes, and it has {size}")));
    }
    let mut head = [0; 4];
    input.file.read_at(0, &mut head)?;
    let mut tail = [0; 8];
    input.file.read_at(size - 8, &mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if head != *MAGIC || magic != *MAGIC {
        return Err(wrong("it is not a Parquet file, or it was cut off: `PAR1` is missing at an end"));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > size - 12 {
        return Err(wrong("the length of its footer is larger than the file"));
    }
    let mut footer = vec![0; usize::try_from(length).unwrap_or_default()];
    input.file.read_at(size - 8 - length, &mut footer)?;
    if thrift::is_sound(&footer) { Ok(()) } else { Err(wrong("its footer is damaged: it does not end where it says")) }
}
