//! The scratch file that takes rows over the memory budget: one segment of Arrow IPC after the other.

use std::io::{Cursor, SeekFrom};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::destination::{Destination, SpillFile, io_error};

/// What an error calls the scratch file.
const NAME: &str = "spill file";

/// Where a segment lies in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    offset: u64,
    bytes: usize,
}

/// The scratch file with all segments written so far.
pub(crate) struct Spill {
    file: Box<dyn SpillFile>,
    end: u64,
}

impl Spill {
    pub(crate) fn create(destination: &dyn Destination) -> Result<Self, ArrowError> {
        Ok(Self { file: destination.spill().map_err(|error| io_error(NAME, error))?, end: 0 })
    }

    pub(crate) fn append(&mut self, batch: &RecordBatch, schema: &Schema) -> Result<Segment, ArrowError> {
        let mut writer = StreamWriter::try_new(Vec::with_capacity(batch.get_array_memory_size() + 4096), schema)?;
        writer.write(batch)?;
        let bytes = writer.into_inner()?;
        // All segments are appended before the first one is read, so the position of the file is its end.
        self.file.write_all(&bytes).map_err(|error| io_error(NAME, error))?;
        let segment = Segment { offset: self.end, bytes: bytes.len() };
        self.end += bytes.len() as u64;
        Ok(segment)
    }

    /// The bytes of a segment; decoding them is left to `decode`, which needs no lock.
    pub(crate) fn read(&mut self, segment: Segment) -> Result<Vec<u8>, ArrowError> {
        let mut bytes = vec![0; segment.bytes];
        let found = self.file.seek(SeekFrom::Start(segment.offset)).and_then(|_| self.file.read_exact(&mut bytes));
        found.map_err(|error| io_error(NAME, error))?;
        Ok(bytes)
    }
}

/// The rows of a segment.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    reader.next().unwrap_or_else(|| Err(ArrowError::IpcError("a spilled segment has no rows".to_string())))
}
