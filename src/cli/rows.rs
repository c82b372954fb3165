//! Rows as people and programs want them: a table, CSV, JSON lines or Parquet.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use parquet::arrow::ArrowWriter;

use super::console::visible;

/// How rows are put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum RowFormat {
    /// A table for people
    #[default]
    Table,
    /// With a header line; null is empty
    Csv,
    /// One JSON object a line
    Json,
    /// A Parquet file
    Parquet,
}

const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Writes all rows.
pub(crate) fn write(
    format: RowFormat,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        RowFormat::Table => out.write_all(table(schema, batches).map_err(io_error)?.as_bytes()),
        RowFormat::Csv => csv(schema, batches, out).map_err(io_error),
        RowFormat::Json => json(batches, out).map_err(io_error),
        RowFormat::Parquet => parquet(schema, batches, out),
    }
}

fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

fn options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(TIMESTAMP))
        .with_duration_format(DurationFormat::Pretty)
        .with_null("")
}

/// Numbers to the right, texts to the left, no frame around: it can be read and copied.
pub(crate) fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let format_options = options();
    let mut columns: Vec<Vec<String>> = schema.fields().iter().map(|field| vec![visible(field.name(), true)]).collect();
    for batch in batches {
        for (cells, column) in columns.iter_mut().zip(batch.columns()) {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &format_options)?;
            for row in 0..batch.num_rows() {
                cells.push(visible(&formatter.value(row).try_to_string()?, true));
            }
        }
    }
    let widths: Vec<usize> =
        columns.iter().map(|cells| cells.iter().map(|cell| width(cell)).max().unwrap_or(0)).collect();
    let rows = columns.first().map_or(0, Vec::len);
    let mut text = String::new();
    for row in 0..rows {
        let line = columns.iter().zip(&widths).zip(schema.fields()).map(|((cells, width), field)| {
            padded(cells.get(row).map_or("", String::as_str), *width, field.data_type().is_numeric())
        });
        push_line(&mut text, line);
        if row == 0 {
            push_line(&mut text, widths.iter().map(|width| "─".repeat(*width)));
        }
    }
    Ok(text)
}

fn push_line(text: &mut String, cells: impl Iterator<Item = String>) {
    text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
    text.push('\n');
}

fn padded(cell: &str, wanted: usize, right: bool) -> String {
    let gap = " ".repeat(wanted.saturating_sub(width(cell)));
    if right { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn csv(schema: &SchemaRef, batches: &[RecordBatch], out: &mut dyn Write) -> Result<(), ArrowError> {
    let mut writer = WriterBuilder::new()
        .with_header(true)
        .with_timestamp_format(TIMESTAMP.to_owned())
        .with_timestamp_tz_format(TIMESTAMP.to_owned())
        .build(out);
    if batches.is_empty() {
        writer.write(&RecordBatch::new_empty(schema.clone()))?;
    }
    batches.iter().try_for_each(|batch| writer.write(batch))
}

fn json(batches: &[RecordBatch], out: &mut dyn Write) -> Result<(), ArrowError> {
    let mut writer = LineDelimitedWriter::new(out);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()
}

fn parquet(schema: &SchemaRef, batches: &[RecordBatch], out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema.clone(), None).map_err(io::Error::other)?;
    batches.iter().try_for_each(|batch| writer.write(batch)).map_err(io::Error::other)?;
    writer.close().map_err(io::Error::other)?;
    out.write_all(&bytes)
}
