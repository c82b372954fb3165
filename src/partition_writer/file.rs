//! The files of one partition, one after the other: a new one begins when the last is large enough.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterPropertiesPtr;

use super::WrittenFile;
use super::destination::{Destination, NamedFile, parquet_error};
use super::encoding::RowGroupLimits;
use super::lanes::LaneWriter;
use crate::delta::delta_stats;

/// What all files of a table have in common.
pub(crate) struct FileSettings {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) schema: SchemaRef,
    pub(crate) limits: RowGroupLimits,
    pub(crate) max_file_bytes: usize,
    pub(crate) stem: String,
}

/// Where the files of a partition go.
#[derive(Clone, Default)]
pub(crate) struct FilePlace {
    /// Empty, or with a slash at its end.
    pub(crate) directory: String,
    pub(crate) values: Vec<(String, Option<String>)>,
    /// Goes into the file names when two partitions share a directory.
    pub(crate) suffix: String,
}

/// Writes the rows of one partition into files.
pub(crate) struct FileWriter {
    settings: Arc<FileSettings>,
    properties: WriterPropertiesPtr,
    place: FilePlace,
    lanes: usize,
    open: Option<OpenFile>,
    written: Vec<WrittenFile>,
}

struct OpenFile {
    path: String,
    body: Body,
    rows: u64,
    nan: Vec<bool>,
}

enum Body {
    Alone(Box<ArrowWriter<NamedFile>>),
    Lanes(Box<LaneWriter>),
}

impl FileWriter {
    /// `lanes` is the number of threads that encode; one means the caller's own.
    pub(crate) fn new(
        settings: Arc<FileSettings>,
        properties: WriterPropertiesPtr,
        place: FilePlace,
        lanes: usize,
    ) -> Self {
        let lanes = lanes.min(settings.schema.fields().len());
        Self { settings, properties, place, lanes, open: None, written: Vec::new() }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.create()?,
        };
        file.write(batch)?;
        let full = file.size() >= self.settings.max_file_bytes;
        self.open = Some(file);
        if full { self.end_file() } else { Ok(()) }
    }

    /// Closes the current file, if there is one; the next row begins another.
    pub(crate) fn end_file(&mut self) -> Result<(), ArrowError> {
        let Some(file) = self.open.take() else { return Ok(()) };
        let OpenFile { path, body, rows, nan } = file;
        let (metadata, bytes) = body.finish().map_err(|error| parquet_error(&path, error))?;
        let stats = delta_stats(&metadata, &self.settings.schema, &nan);
        let partition_values = self.place.values.clone();
        self.written.push(WrittenFile { path, partition_values, bytes, rows, stats });
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Vec<WrittenFile>, ArrowError> {
        self.end_file()?;
        Ok(self.written)
    }

    fn create(&self) -> Result<OpenFile, ArrowError> {
        let FilePlace { directory, suffix, .. } = &self.place;
        let number = match self.written.len() {
            0 => String::new(),
            number => format!("-{number}"),
        };
        let path = format!("{directory}{}{suffix}{number}.parquet", self.settings.stem);
        let file = NamedFile::create(self.settings.destination.as_ref(), &path)?;
        let body = self.body(file).map_err(|error| parquet_error(&path, error))?;
        Ok(OpenFile { path, body, rows: 0, nan: vec![false; self.settings.schema.fields().len()] })
    }

    fn body(&self, file: NamedFile) -> Result<Body, ParquetError> {
        let FileSettings { schema, limits, .. } = self.settings.as_ref();
        // Every stored type follows from the Parquet schema alone, so the Arrow schema would be dead weight.
        let options =
            ArrowWriterOptions::new().with_properties(self.properties.as_ref().clone()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)?;
        Ok(match self.lanes {
            0 | 1 => Body::Alone(Box::new(writer)),
            lanes => Body::Lanes(Box::new(LaneWriter::new(writer, Arc::clone(schema), lanes, *limits)?)),
        })
    }
}

impl OpenFile {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for (nan, column) in self.nan.iter_mut().zip(batch.columns()) {
            *nan = *nan || has_nan(column);
        }
        self.rows += batch.num_rows() as u64;
        let written = match &mut self.body {
            Body::Alone(writer) => writer.write(batch),
            Body::Lanes(writer) => writer.write(batch),
        };
        written.map_err(|error| parquet_error(&self.path, error))
    }

    fn size(&self) -> usize {
        match &self.body {
            Body::Alone(writer) => writer.bytes_written() + writer.in_progress_size(),
            Body::Lanes(writer) => writer.bytes_written(),
        }
    }
}

impl Body {
    /// Ends the file and tells its metadata and its length.
    fn finish(self) -> Result<(ParquetMetaData, u64), ParquetError> {
        match self {
            Self::Lanes(writer) => writer.finish(),
            Self::Alone(mut writer) => {
                // All row groups, out of the library's buffers too.
                writer.flush()?;
                writer.sync()?;
                let checksums = writer.inner_mut().end_blocks();
                writer.append_key_value_metadata(checksums);
                let metadata = writer.finish()?;
                writer.sync()?;
                Ok((metadata, writer.inner_mut().finish()?))
            }
        }
    }
}

/// Parquet's bounds pass over NaN without a trace, so it is looked for here.
fn has_nan(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Float32 => column.as_primitive::<Float32Type>().values().iter().any(|value| value.is_nan()),
        DataType::Float64 => column.as_primitive::<Float64Type>().values().iter().any(|value| value.is_nan()),
        _ => false,
    }
}
