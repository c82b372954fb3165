//! Rows as people and programs want them: a table, CSV, JSON lines or Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, NullableEncoder};
use arrow::json::{Encoder, EncoderFactory, EncoderOptions};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use parquet::arrow::ArrowWriter;

use super::control_characters::visible;

/// How rows are put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RowFormat {
    #[default]
    Table,
    Csv,
    Json,
    Parquet,
}

impl RowFormat {
    pub const ALL: [RowFormat; 4] = [RowFormat::Table, RowFormat::Csv, RowFormat::Json, RowFormat::Parquet];

    /// By which it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            RowFormat::Table => "table",
            RowFormat::Csv => "csv",
            RowFormat::Json => "json",
            RowFormat::Parquet => "parquet",
        }
    }

    /// What it is, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            RowFormat::Table => "Aligned columns, for people",
            RowFormat::Csv => "With a header line; nulls are empty fields",
            RowFormat::Json => "One JSON object per line",
            RowFormat::Parquet => "A Parquet file",
        }
    }
}

const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Writes all rows.
pub(crate) fn write_rows(
    format: RowFormat,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        RowFormat::Table => out.write_all(row_table(schema, batches).map_err(io_error)?.as_bytes()),
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

/// How values are written for people; a null is nothing.
pub(crate) fn value_options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(TIMESTAMP))
        .with_duration_format(DurationFormat::Pretty)
        .with_null("")
}

/// Numbers to the right, texts to the left, no frame around: it can be read and copied.
pub(crate) fn row_table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let format_options = value_options();
    let mut columns: Vec<Vec<String>> = schema.fields().iter().map(|field| vec![visible(field.name(), true)]).collect();
    for batch in batches {
        for (cells, column) in columns.iter_mut().zip(batch.columns()) {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &format_options)?;
            for row in 0..batch.num_rows() {
                cells.push(visible(&formatter.value(row).try_to_string()?, true));
            }
        }
    }
    // Widths need every cell, so a table is formatted whole; `--limit` keeps it small.
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

pub(super) fn padded(cell: &str, wanted: usize, right: bool) -> String {
    let gap = " ".repeat(wanted.saturating_sub(width(cell)));
    if right { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
}

pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

fn csv(schema: &SchemaRef, batches: &[RecordBatch], out: &mut dyn Write) -> Result<(), ArrowError> {
    let mut writer = WriterBuilder::new()
        .with_header(true)
        .with_timestamp_format(TIMESTAMP.to_owned())
        .with_timestamp_tz_format(TIMESTAMP.to_owned())
        .build(out);
    // The header is written with the first batch.
    if batches.is_empty() {
        writer.write(&RecordBatch::new_empty(schema.clone()))?;
    }
    batches.iter().try_for_each(|batch| writer.write(batch))
}

fn json(batches: &[RecordBatch], out: &mut dyn Write) -> Result<(), ArrowError> {
    let mut writer =
        arrow::json::WriterBuilder::new().with_encoder_factory(Arc::new(WithoutNumber)).build::<_, LineDelimited>(out);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()
}

/// JSON has no number for `NaN` and `Infinity`: they are texts, as PostgreSQL's `to_json` writes them, and not null.
#[derive(Debug)]
struct WithoutNumber;

impl EncoderFactory for WithoutNumber {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                Box::new(Floats(move |row| Shown::new(values.value(row), values.value(row))))
            }
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>();
                Box::new(Floats(move |row| Shown::new(f64::from(values.value(row)), values.value(row))))
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

/// A floating-point number in JSON.
struct Shown(String);

impl Shown {
    fn new(value: f64, number: impl std::fmt::Debug) -> Shown {
        Shown(match value {
            _ if value.is_nan() => "\"NaN\"".to_owned(),
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            _ => format!("{number:?}"),
        })
    }
}

struct Floats<F>(F);

impl<F: Fn(usize) -> Shown> Encoder for Floats<F> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice((self.0)(row).0.as_bytes());
    }
}

fn parquet(schema: &SchemaRef, batches: &[RecordBatch], out: &mut dyn Write) -> io::Result<()> {
    // The writer wants to own its output and be sent between threads; a pipe is neither.
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema.clone(), None).map_err(io::Error::other)?;
    batches.iter().try_for_each(|batch| writer.write(batch)).map_err(io::Error::other)?;
    writer.close().map_err(io::Error::other)?;
    out.write_all(&bytes)
}
