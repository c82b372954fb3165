//! The rules of reading raw files, each on the smallest file that shows it.

mod arrays;
mod csv;
mod damaged;
mod encodings;
mod forms;
mod json;
mod paths;
mod stored_columns;
mod stored_texts;
mod properties;
mod source;

use crate::column_type::ColumnType;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;

/// What became of some files.
#[derive(Debug, Clone, PartialEq, Default)]
struct Outcome {
    /// Every row, its columns joined by `|`, null as `-`.
    rows: Vec<String>,
    /// `line reason raw`
    bad: Vec<String>,
    stats: BlockStats,
}

fn format(columns: &[(&str, ColumnType)], kind: RawKind) -> RawFormat {
    let columns = columns.iter().map(|(name, data_type)| RawColumn { name: (*name).to_owned(), data_type: *data_type });
    RawFormat {
        columns: columns.collect(),
        kind,
        forms: Arc::default(),
        missing_columns: MissingColumns::Error,
        unknown_columns: UnknownColumns::Rescue,
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
    }
}

fn headed(columns: &[(&str, ColumnType)]) -> RawFormat {
    format(columns, RawKind::Csv(CsvOptions::default()))
}

fn headless(columns: &[(&str, ColumnType)]) -> RawFormat {
    format(columns, RawKind::Csv(CsvOptions { header: false, ..CsvOptions::default() }))
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> RawFile {
    let bytes = bytes.as_ref().to_vec();
    RawFile::new(name, bytes.len() as u64, Box::new(move || Ok(Box::new(Cursor::new(bytes.clone())))))
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(row).collect()
}

fn try_read(queue: &BlockQueue, format: &RawFormat, projection: &Projection) -> Result<Outcome, RawError> {
    let mut outcome = Outcome::default();
    while let Some(block) = queue.next_block()? {
        let parsed = parse_block(&block, format, projection)?;
        outcome.rows.extend(parsed.batches.iter().flat_map(rows));
        let bad = parsed.bad.iter();
        outcome.bad.extend(bad.map(|bad| format!("{} {} {}", bad.line, bad.reason.name(), bad.raw)));
        outcome.stats.merge(&parsed.stats);
    }
    assert_eq!(outcome.stats.records, outcome.stats.rows + outcome.stats.quarantined);
    assert_eq!((outcome.stats.rows, outcome.stats.quarantined), (outcome.rows.len() as u64, outcome.bad.len() as u64));
    Ok(outcome)
}

fn read_with(format: &RawFormat, files: Vec<RawFile>, projection: &Projection) -> Result<Outcome, String> {
    let queue = BlockQueue::new(files, Arc::new(format.clone())).map_err(|error| error.to_string())?;
    try_read(&queue, format, projection).map_err(|error| error.to_string())
}

/// Every declared column, the line and what was rescued.
fn read(format: &RawFormat, text: impl AsRef<[u8]>) -> Outcome {
    let mut projection = Projection::all(format);
    projection.columns.retain(|column| *column != ProjectedColumn::SourceFile);
    read_with(format, vec![file("a.csv", text)], &projection).unwrap()
}

const TWO: [(&str, ColumnType); 2] = [("a", ColumnType::Text), ("b", ColumnType::Text)];

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
