//! Where the writer's files go: the two traits a caller implements, and how their failures are told.

use std::io::{self, Read, Seek, Write};

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::checksums::{BlockSums, seal};

/// Where files go: a local disk, an object store or memory.
pub(crate) trait Destination: Send + Sync {
    /// Opens a new data file at a path relative to the table.
    fn create(&self, relative_path: &str) -> io::Result<Box<dyn OutputFile>>;

    /// Opens a scratch file that vanishes when it is dropped.
    fn spill(&self) -> io::Result<Box<dyn SpillFile>>;

    /// Waits until every finished file is durable. A destination whose files are durable once they are finished has
    /// nothing to wait for.
    fn settle(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file being written; one that is dropped without `finish` was never wanted.
pub(crate) trait OutputFile: Write + Send {
    /// Makes the file durable, at the latest when its destination has settled.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A scratch file for rows that exceed the memory budget.
pub(crate) trait SpillFile: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> SpillFile for T {}

/// A data file that knows its path, its length and the checksums of its bytes.
pub(crate) struct NamedFile {
    /// `None` once the file is finished.
    file: Option<Box<dyn OutputFile>>,
    path: String,
    bytes: u64,
    sums: BlockSums,
    /// What is written behind the blocks: it waits for its own checksum.
    end: Option<Vec<u8>>,
}

impl NamedFile {
    pub(crate) fn create(destination: &dyn Destination, path: &str) -> Result<Self, ArrowError> {
        let file = destination.create(path).map_err(|error| io_error(path, error))?;
        Ok(Self { file: Some(file), path: path.to_string(), bytes: 0, sums: BlockSums::default(), end: None })
    }

    /// Ends the blocks: what is written from now on is the end of the file, and these checksums belong into it.
    pub(crate) fn end_blocks(&mut self) -> KeyValue {
        self.end = Some(Vec::new());
        std::mem::take(&mut self.sums).finish().key_value()
    }

    /// Makes the file durable and tells its length; nothing can be written afterwards.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        if let Some(mut end) = self.end.take() {
            seal(&mut end);
            self.write_all(&end)?;
        }
        let file = self.file.take().ok_or_else(|| finished(&self.path))?;
        file.finish().map_err(|error| named(&self.path, error))?;
        Ok(self.bytes)
    }
}

impl Write for NamedFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if let Some(end) = &mut self.end {
            end.extend_from_slice(buffer);
            return Ok(buffer.len());
        }
        let file = self.file.as_mut().ok_or_else(|| finished(&self.path))?;
        let written = file.write(buffer).map_err(|error| named(&self.path, error))?;
        self.sums.add(buffer.get(..written).unwrap_or(buffer));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().map_err(|error| named(&self.path, error)),
            None => Ok(()),
        }
    }
}

fn finished(path: &str) -> io::Error {
    io::Error::other(format!("`{path}`: the file is finished"))
}

/// Puts the path in front of the message and keeps the kind, so that a full disk stays recognisable.
fn named(path: &str, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    io::Error::new(error.kind(), format!("`{path}`: {error}"))
}

pub(crate) fn io_error(path: &str, error: io::Error) -> ArrowError {
    let error = named(path, error);
    ArrowError::IoError(error.to_string(), error)
}

/// Brings an error of the file system out of the Parquet library unharmed; `path` names the file of any other.
pub(crate) fn parquet_error(path: &str, error: ParquetError) -> ArrowError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => ArrowError::IoError(error.to_string(), *error),
            Err(source) => match source.downcast::<ArrowError>() {
                Ok(error) => *error,
                Err(source) => ArrowError::ParquetError(format!("`{path}`: {source}")),
            },
        },
        other => ArrowError::ParquetError(format!("`{path}`: {other}")),
    }
}
