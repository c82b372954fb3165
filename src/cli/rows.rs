//! Rows as people and programs want them: a table, CSV, JSON lines or Parquet.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use parquet::arrow::ArrowWriter;

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
pub(crate) fn write(format: RowFormat, schema: &SchemaRef, batches: &[RecordBatch], out: &mut dyn Write) -> io::Result<()> {
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
    let mut table = Table::new();
    table.load_preset("      ──            ").set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(schema.fields().iter().map(|field| Cell::new(field.name())));
    for batch in batches {
        let format_options = options();
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &format_options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| Ok(Cell::new(column.value(row).try_to_string()?)));
            table.add_row(cells.collect::<Result<Vec<_>, ArrowError>>()?);
        }
    }
    for (index, field) in schema.fields().iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if field.data_type().is_numeric() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    Ok(text)
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

/// The type of a column in the words of YAML and SQL.
pub(crate) fn type_word(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        other => other.to_string().to_lowercase(),
    }
}
