//! Reads Parquet files: each row group by itself, some rows at a time, and only the columns that somebody needs.
//!
//! What CSV and JSON promise holds here too. A value becomes one of the declared type if nothing of it is lost, and goes to
//! `_rescued` otherwise; columns are held against the declaration; a file that is damaged is named.

mod constants;
mod convert;
mod footer;
mod instants;
mod json_text;
mod text_bytes;
mod thrift;

use std::fmt;
use std::io;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use self::constants::{Constants, constants_of};
use self::convert::{Converted, convert};
use self::footer::ParquetInput;
use self::instants::{CutInstants, Nanoseconds, in_microseconds, is_cut};
use self::json_text::json_text;
use super::batch::BatchBuilder;
use super::columns::{ColumnPlace, FileColumns};
use super::compression::RawFile;
use super::error::RawError;
use super::format::{ProjectedColumn, Projection, RawFormat};
use super::guard::guarded;
use super::path_values::{PathValue, Repeated, path_values};

/// At most so many rows are decoded at a time.
const MOST_ROWS: usize = 8_192;
/// Rows are decoded in batches of about so many bytes, however wide they are.
const BATCH_BYTES: usize = 16 << 20;

/// The names of a file's columns.
pub(super) fn names(file: &RawFile) -> Result<Vec<String>, RawError> {
    let (_, metadata) = footer::read(file)?;
    Ok(names_of(&metadata))
}

/// The columns of a file with the types that they are stored in.
pub(super) fn columns(file: &RawFile) -> Result<Vec<(String, DataType)>, RawError> {
    let (_, metadata) = footer::read(file)?;
    let fields = metadata.schema().fields().iter();
    Ok(fields.map(|field| (field.name().clone(), field.data_type().clone())).collect())
}

fn names_of(metadata: &ArrowReaderMetadata) -> Vec<String> {
    metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// What the row groups of one file share.
struct ParquetFile {
    name: Arc<str>,
    input: ParquetInput,
    /// Instants of 96 bits are read in microseconds.
    metadata: ArrowReaderMetadata,
    /// The roots of the schema that are read, and what they are.
    read: Vec<usize>,
    places: Arc<[ColumnPlace]>,
    missing: Arc<[usize]>,
    of_path: Arc<[PathValue]>,
    constants: Constants,
    /// Those of the roots that are instants of 96 bits, read a second time in nanoseconds, to see what was cut.
    nanoseconds: Option<Nanoseconds>,
}

/// A part of a file that nobody has begun to read.
pub(super) struct RowGroup {
    file: Arc<ParquetFile>,
    index: usize,
    /// The number of its first row in the file, from 1.
    first_row: u64,
}

/// A row group that is being read.
pub(super) struct RowGroupReader {
    file: Arc<ParquetFile>,
    index: usize,
    first_row: u64,
    next_row: u64,
    /// Rows that the file says are still to come.
    left: u64,
    reader: ParquetRecordBatchReader,
    nanoseconds: Option<ParquetRecordBatchReader>,
    /// Rows of a block.
    rows: usize,
    /// The positions of the columns of texts that are read as bytes, because not all of them are UTF-8.
    texts: Arc<[usize]>,
    /// Bytes of the columns that are read, until they were told in a block.
    stored_bytes: u64,
}

/// Some rows of a file, as it has them.
pub(crate) struct RowBlock {
    pub(super) file: Arc<str>,
    /// The number of its first row in the file, from 1.
    first_row: u64,
    pub(super) batch: RecordBatch,
    /// What the columns of the batch are.
    places: Arc<[ColumnPlace]>,
    missing: Arc<[usize]>,
    of_path: Arc<[PathValue]>,
    constants: Constants,
    /// Those of the columns that are texts, as bytes.
    texts: Arc<[usize]>,
    /// Bytes read from storage for this block.
    pub(super) stored_bytes: u64,
}

impl fmt::Debug for RowBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} rows of {} from {}", self.batch.num_rows(), self.file, self.first_row)
    }
}

/// Opens a file and holds its columns against the declared ones.
pub(super) fn row_groups(
    file: &RawFile,
    format: &RawFormat,
    projection: &Projection,
) -> Result<Vec<RowGroup>, RawError> {
    let (input, metadata) = footer::read(file)?;
    let names = names_of(&metadata);
    let mut columns = FileColumns::named(&names, path_values(&file.name, format), format)
        .map_err(|message| RawError::Columns { file: Arc::clone(&file.name), line: None, message, delimiter: None })?;
    let constants = constants_of(file, format)?;
    // What the log says of the whole file goes before what the file says.
    for place in &mut columns.places {
        if matches!(place, ColumnPlace::Declared(index) if constants.has(*index)) {
            *place = ColumnPlace::Ignored;
        }
    }
    let rescues = projection.columns.contains(&ProjectedColumn::Rescued);
    let is_read = |place: &ColumnPlace| match place {
        ColumnPlace::Declared(index) => projection.converts(*index),
        ColumnPlace::Rescued(_) => rescues,
        ColumnPlace::Ignored => false,
    };
    let read: Vec<usize> =
        columns.places.iter().enumerate().filter(|(_, place)| is_read(place)).map(|(root, _)| root).collect();
    let places = columns.places.into_iter().filter(is_read).collect();
    let (metadata, nanoseconds) = in_microseconds(metadata, &read).map_err(|error| footer::damaged(file, &error))?;
    let groups: Vec<u64> = rows_of_groups(&metadata).map_err(|error| footer::damaged(file, &error))?;
    let name = Arc::clone(&file.name);
    let file = Arc::new(ParquetFile {
        name,
        input,
        metadata,
        read,
        places,
        missing: columns.missing.into(),
        of_path: columns.of_path.into(),
        constants,
        nanoseconds,
    });
    let mut first_row = 1;
    let mut parts = Vec::with_capacity(groups.len());
    for (index, rows) in groups.into_iter().enumerate() {
        parts.push(RowGroup { file: Arc::clone(&file), index, first_row });
        first_row += rows;
    }
    Ok(parts)
}

fn rows_of_groups(metadata: &ArrowReaderMetadata) -> Result<Vec<u64>, String> {
    let groups = metadata.metadata().row_groups().iter();
    let rows = groups.map(|group| {
        let rows = u64::try_from(group.num_rows()).ok().filter(|rows| *rows <= u64::from(u32::MAX));
        rows.ok_or_else(|| format!("a row group has {} rows", group.num_rows()))
    });
    rows.collect()
}

impl RowGroup {
    pub(super) fn open(self) -> Result<RowGroupReader, RawError> {
        let file = self.file;
        let group = file.metadata.metadata().row_groups().get(self.index);
        let left = group.map_or(0, |group| group.num_rows()).cast_unsigned();
        let bytes = group.map_or(0, |group| group.total_byte_size()).cast_unsigned();
        let width = usize::try_from(bytes / left.max(1)).unwrap_or(usize::MAX).max(1);
        let rows = (BATCH_BYTES / width).clamp(1, MOST_ROWS);
        let opened = readers(&file, &file.metadata, self.index, Blocks { rows, skipped: 0 });
        let (reader, nanoseconds) = opened.map_err(|error| damaged(&file, self.index, &error.to_string()))?;
        let stored_bytes = stored_bytes(&file, self.index);
        Ok(RowGroupReader {
            file,
            index: self.index,
            first_row: self.first_row,
            next_row: self.first_row,
            left,
            reader,
            nanoseconds,
            rows,
            texts: Arc::default(),
            stored_bytes,
        })
    }
}

/// How the rows of a row group are read.
#[derive(Clone, Copy)]
struct Blocks {
    /// So many at a time.
    rows: usize,
    /// So many at the beginning are passed over.
    skipped: usize,
}

/// The readers of a row group and of its instants of 96 bits.
fn readers(
    file: &ParquetFile,
    metadata: &ArrowReaderMetadata,
    index: usize,
    blocks: Blocks,
) -> Result<(ParquetRecordBatchReader, Option<ParquetRecordBatchReader>), ParquetError> {
    let reader = |metadata: &ArrowReaderMetadata, roots: &[usize]| {
        let description = metadata.metadata().file_metadata().schema_descr();
        let mask = ProjectionMask::roots(description, roots.iter().copied());
        ParquetRecordBatchReaderBuilder::new_with_metadata(file.input.clone(), metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![index])
            .with_batch_size(blocks.rows)
            .with_offset(blocks.skipped)
            .build()
    };
    let opened = guarded(|| {
        let nanoseconds = file.nanoseconds.as_ref().map(|again| reader(&again.metadata, &again.roots));
        Ok((reader(metadata, &file.read)?, nanoseconds.transpose()?))
    });
    opened.unwrap_or_else(|_| Err(ParquetError::General(PANICKED.to_owned())))
}

/// What is said of bytes that lead the library astray.
const PANICKED: &str = "its bytes are inconsistent";

/// The bytes that the columns which are read have in the file.
fn stored_bytes(file: &ParquetFile, index: usize) -> u64 {
    let metadata = file.metadata.metadata();
    let description = metadata.file_metadata().schema_descr();
    let Some(group) = metadata.row_groups().get(index) else { return 0 };
    let columns = group.columns().iter().enumerate().filter(|(leaf, _)| {
        *leaf < description.num_columns() && file.read.contains(&description.get_column_root_idx(*leaf))
    });
    columns.map(|(_, column)| u64::try_from(column.compressed_size()).unwrap_or_default()).sum()
}

fn damaged(file: &ParquetFile, index: usize, message: &str) -> RawError {
    if let Some(error) = file.input.take_fault() {
        return RawError::Unreadable { file: Arc::clone(&file.name), error };
    }
    let message = format!("row group {} is damaged: {}", index + 1, message.trim_end_matches('.'));
    let error = io::Error::new(io::ErrorKind::InvalidData, message);
    RawError::Unreadable { file: Arc::clone(&file.name), error }
}

impl RowGroupReader {
    /// The next rows, or `None` at the end of the row group.
    pub(super) fn next_block(&mut self) -> Result<Option<RowBlock>, RawError> {
        let decoded = match self.decode() {
            Err(error) => self.decode_bytes().unwrap_or(Err(error)),
            decoded => decoded,
        };
        let (batch, again) = decoded.map_err(|error| damaged(&self.file, self.index, &error.to_string()))?;
        let Some(batch) = batch else {
            let left = self.left;
            return if left == 0 {
                Ok(None)
            } else {
                Err(damaged(&self.file, self.index, &format!("{left} rows are missing")))
            };
        };
        let batch = match again {
            Some(again) => self.exact(batch, &again)?,
            None => batch,
        };
        let rows = batch.num_rows() as u64;
        let first_row = self.next_row;
        self.next_row += rows;
        self.left =
            self.left.checked_sub(rows).ok_or_else(|| damaged(&self.file, self.index, "it has too many rows"))?;
        Ok(Some(RowBlock {
            file: Arc::clone(&self.file.name),
            first_row,
            batch,
            places: Arc::clone(&self.file.places),
            missing: Arc::clone(&self.file.missing),
            of_path: Arc::clone(&self.file.of_path),
            constants: self.file.constants.clone(),
            texts: Arc::clone(&self.texts),
            stored_bytes: std::mem::take(&mut self.stored_bytes),
        }))
    }

    /// Decodes the next rows.
    fn decode(&mut self) -> Result<Decoded, ArrowError> {
        let decoded = guarded(|| {
            let batch = self.reader.next().transpose()?;
            let again = self.nanoseconds.as_mut().and_then(Iterator::next).transpose()?;
            Ok((batch, again))
        });
        decoded.unwrap_or_else(|_| Err(ArrowError::ParquetError(PANICKED.to_owned())))
    }

    /// Decodes the next rows once more, and those behind them too, with texts as bytes. `None` if that makes no difference.
    fn decode_bytes(&mut self) -> Option<Result<Decoded, ArrowError>> {
        let texts = text_bytes::positions(&self.file.metadata, &self.file.read);
        if texts.is_empty() || !self.texts.is_empty() {
            return None;
        }
        let roots: Vec<usize> = texts.iter().filter_map(|position| self.file.read.get(*position).copied()).collect();
        let metadata = guarded(|| text_bytes::as_bytes(&self.file.input, &self.file.metadata, &roots)).ok()?.ok()?;
        let skipped = usize::try_from(self.next_row - self.first_row).ok()?;
        let (reader, nanoseconds) =
            readers(&self.file, &metadata, self.index, Blocks { rows: self.rows, skipped }).ok()?;
        (self.reader, self.nanoseconds, self.texts) = (reader, nanoseconds, texts.into());
        // What fails now too has nothing to do with texts.
        self.decode().map(Ok).ok()
    }

    /// The batch with instants in nanoseconds where microseconds do not hold them, so that they are rescued as they are.
    fn exact(&self, batch: RecordBatch, again: &RecordBatch) -> Result<RecordBatch, RawError> {
        let mut columns = batch.columns().to_vec();
        let mut fields = batch.schema().fields().to_vec();
        let roots = self.file.nanoseconds.iter().flat_map(|again| &again.roots);
        for (root, nanos) in roots.zip(again.columns()) {
            let place = self.file.read.iter().position(|read| read == root);
            let place = place.and_then(|place| Some((columns.get_mut(place)?, fields.get_mut(place)?)));
            let Some((column, field)) = place else { continue };
            match is_cut(column, nanos) {
                CutInstants::Nothing => {}
                CutInstants::Nanoseconds => {
                    *field = Arc::new(field.as_ref().clone().with_data_type(nanos.data_type().clone()));
                    *column = Arc::clone(nanos);
                }
                CutInstants::FarAway => {
                    let message = "it has an instant of 96 bits, of a far year and with nanoseconds";
                    return Err(damaged(&self.file, self.index, message));
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::new(Schema::new(fields));
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| damaged(&self.file, self.index, &error.to_string()))
    }
}

/// Rows, and their instants of 96 bits once more; `None` at the end of the row group.
type Decoded = (Option<RecordBatch>, Option<RecordBatch>);

/// Adds the rows of a block to `batches`.
pub(super) fn parse(block: &RowBlock, format: &RawFormat, batches: &mut BatchBuilder<'_>) -> Result<(), RawError> {
    let rows = block.batch.num_rows();
    let lines: Vec<i64> = (block.first_row.cast_signed()..).take(rows).collect();
    batches.start_rows(&lines);
    let wrong = |error: ArrowError| RawError::Columns {
        file: Arc::clone(&block.file),
        line: None,
        message: error.to_string(),
        delimiter: None,
    };
    for (position, (place, array)) in block.places.iter().zip(block.batch.columns()).enumerate() {
        match place {
            ColumnPlace::Declared(declared) if batches.wants(*declared) => {
                let Some(column) = format.columns.get(*declared) else { continue };
                let converted = match block.texts.contains(&position) {
                    true => text_bytes::convert_texts(array, column.data_type, &format.forms),
                    false => convert(array, column.data_type, &format.forms),
                };
                let Converted { array, read, misfits } = converted.map_err(wrong)?;
                for row in misfits {
                    batches.rescue_declared_in(row, *declared, &json_text(&read, row).map_err(wrong)?);
                }
                batches.set(*declared, array);
            }
            ColumnPlace::Rescued(name) if batches.wants_rescued() => {
                let texts = block.texts.contains(&position).then(|| text_bytes::shown(array)).transpose();
                let texts = texts.map_err(wrong)?;
                let array = texts.as_ref().unwrap_or(array);
                for row in (0..rows).filter(|row| array.is_valid(*row)) {
                    let json = json_text(array, row).map_err(wrong)?;
                    batches.rescue_in(row, format.columns.len() + position, name, &json);
                }
            }
            ColumnPlace::Declared(_) | ColumnPlace::Rescued(_) | ColumnPlace::Ignored => {}
        }
    }
    for declared in block.missing.iter() {
        if let Some(column) = format.columns.get(*declared) {
            batches.set(*declared, arrow::array::new_null_array(&column.data_type.arrow(), rows));
        }
    }
    for value in block.of_path.iter() {
        batches.extend(value.declared, &Repeated { value, rows });
    }
    for (declared, array) in block.constants.of_rows(rows).map_err(wrong)? {
        batches.set(declared, array);
    }
    batches.flush();
    Ok(())
}
