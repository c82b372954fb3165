//! Reads the files of others: CSV, JSON and Parquet to typed batches, and what is no row to quarantine.
//!
//! ```text
//! RawFile ─▶ BlockQueue ─▶ Block ─▶ parse_block ─▶ Parsed { batches, bad, stats }
//!   open      cut where a record certainly ends,    on any thread, nothing shared
//!             or some rows of a row group
//! ```
//!
//! Always: records = rows + quarantined. Neither the size of the blocks nor the number of threads shows in the result,
//! except that blocks of several threads come in any order.

mod error;
mod format;
mod quarantine;
mod utf16;
mod compression;
mod disguise;
mod record;
mod field;
mod text;
mod header;
mod columns;
mod split;
mod guard;
mod guess;
mod parquet;
mod path_values;
mod absent_column;
mod queue;
mod structure;
mod tally;
mod column;
mod batch;
mod csv;
mod inference;
mod json;

#[cfg(test)]
mod tests;

pub(crate) use self::absent_column::{names_of, refuse_column_of_no_file};
pub(crate) use self::column::ColumnRange;
pub(crate) use self::compression::{RawFile, ReadAt};
pub(crate) use self::error::RawError;
pub(crate) use self::format::{
    CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, NO_QUOTE, ProjectedColumn, Projection, RawColumn, RawFormat,
    RawKind, UnknownColumns, output_schema,
};
pub(crate) use self::guard::guarded;
pub(crate) use self::guess::ColumnGuess;
pub(crate) use self::inference::{InferredFiles, infer};
pub(crate) use self::quarantine::{BadRecord, BadRecordReason, quarantine_batch, quarantine_schema};
pub(crate) use self::queue::BlockQueue;
pub(crate) use self::tally::{ColumnTally, RescuedValue};

use std::sync::Arc;

use arrow::array::RecordBatch;

/// Whole records of one file, to be converted on any thread.
#[derive(Debug)]
pub(crate) enum Block {
    Text(split::TextBlock),
    Rows(parquet::RowBlock),
}

impl Block {
    /// The file it was cut from.
    pub(crate) fn file(&self) -> &Arc<str> {
        match self {
            Self::Text(block) => &block.file,
            Self::Rows(block) => &block.file,
        }
    }
}

/// What one block became.
pub(crate) struct ParsedBlock {
    /// Rows in the order of the file, at most 65 536 a batch.
    pub(crate) batches: Vec<RecordBatch>,
    /// In the order of the file.
    pub(crate) bad: Vec<BadRecord>,
    pub(crate) stats: BlockStats,
}

/// Counts of one block, or of many if they are merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BlockStats {
    /// Physical lines, empty ones included; the header's are not.
    pub(crate) lines: u64,
    /// Rows and bad records.
    pub(crate) records: u64,
    pub(crate) rows: u64,
    pub(crate) quarantined: u64,
    /// Bytes read from storage, which for a compressed file are fewer than those parsed.
    pub(crate) bytes: u64,
    /// For each declared column: its range, if it is a date or timestamp column that was converted.
    pub(crate) column_ranges: Vec<Option<ColumnRange>>,
    /// For each declared column: how its values converted, `None` if nobody needed them.
    pub(crate) columns: Vec<Option<ColumnTally>>,
    /// Rows in which at least one value of a declared column did not convert.
    pub(crate) rescued_rows: u64,
}

impl BlockStats {
    /// Adds the counts of another block of the same format and projection.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.lines += other.lines;
        self.records += other.records;
        self.rows += other.rows;
        self.quarantined += other.quarantined;
        self.bytes += other.bytes;
        self.rescued_rows += other.rescued_rows;
        self.columns.resize(self.columns.len().max(other.columns.len()), None);
        for (tally, other) in self.columns.iter_mut().zip(&other.columns) {
            if let Some(other) = other {
                tally.get_or_insert_default().merge(other);
            }
        }
        self.column_ranges.resize(self.column_ranges.len().max(other.column_ranges.len()), None);
        for (range, other) in self.column_ranges.iter_mut().zip(&other.column_ranges) {
            if let Some(other) = other {
                range.get_or_insert_default().merge(*other);
            }
        }
    }
}

/// Converts the records of a block.
///
/// # Errors
///
/// The projection has columns that are not declared, or a column of a Parquet file cannot be looked at.
pub(crate) fn parse_block(block: &Block, format: &RawFormat, projection: &Projection) -> Result<ParsedBlock, RawError> {
    let mut batches = batch::BatchBuilder::new(format, projection, block.file())?;
    let mut bad = Vec::new();
    match (block, &format.kind) {
        (Block::Text(text), RawKind::Csv(options)) => csv::parse(text, format, options, &mut batches, &mut bad),
        (Block::Text(text), RawKind::JsonLines | RawKind::Parquet) => json::parse(text, format, &mut batches, &mut bad),
        (Block::Rows(rows), _) => parquet::parse(rows, format, &mut batches)?,
    }
    let (lines, bytes) = match block {
        Block::Text(text) => {
            bad.extend(text.set_aside.clone());
            (text.lines, text.stored_bytes)
        }
        Block::Rows(rows) => (rows.batch.num_rows() as u64, rows.stored_bytes),
    };
    let built = batches.finish();
    let quarantined = bad.len() as u64;
    let stats = BlockStats {
        lines,
        records: built.rows + quarantined,
        rows: built.rows,
        quarantined,
        bytes,
        column_ranges: built.ranges,
        columns: built.tallies,
        rescued_rows: built.rescued_rows,
    };
    Ok(ParsedBlock { batches: built.batches, bad, stats })
}
