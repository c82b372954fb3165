//! How each column is encoded: decided once, from the first chunk that the writer sees.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use arrow::error::ArrowError;
use foldhash::fast::FixedState;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::checksums::BUILD;

/// Rows of the first chunk that are looked at.
const SAMPLE_ROWS: usize = 1 << 16;
/// A dictionary pays off when a value occurs about this often.
const REPETITIONS: usize = 10;

/// The limits of a row group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowGroupLimits {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// The properties with which all files of a table are written.
pub(crate) fn properties(first: &RecordBatch, limits: RowGroupLimits) -> Result<WriterPropertiesPtr, ArrowError> {
    let level = ZstdLevel::try_new(1)?;
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("karat version {} {BUILD}", env!("CARGO_PKG_VERSION")))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(limits.rows))
        .set_max_row_group_bytes(Some(limits.bytes))
        .set_dictionary_enabled(false);
    // One sample decides for the whole table, so that all of its files are encoded alike.
    let sample = first.slice(0, first.num_rows().min(SAMPLE_ROWS));
    for (field, column) in first.schema().fields().iter().zip(sample.columns()) {
        let path = ColumnPath::from(field.name().as_str());
        if field.data_type().is_nested() {
            builder = nested_dictionaries(builder, field.data_type(), vec![field.name().clone()]);
            continue;
        }
        if repeats(column)? {
            builder = builder.set_column_dictionary_enabled(path.clone(), true);
        }
        // With a dictionary this is the encoding of what no longer fits into it.
        if let Some(encoding) = plain_encoding(field.data_type()) {
            builder = builder.set_column_encoding(path, encoding);
        }
    }
    Ok(Arc::new(builder.build()))
}

/// The best encoding without a dictionary, where it is another than the format's plain one.
fn plain_encoding(data_type: &DataType) -> Option<Encoding> {
    match data_type {
        DataType::Date32 | DataType::Timestamp(_, _) => Some(Encoding::DELTA_BINARY_PACKED),
        // Up to 18 digits a decimal is stored as an integer.
        DataType::Decimal128(precision, _) if *precision <= 18 => Some(Encoding::DELTA_BINARY_PACKED),
        DataType::Utf8 | DataType::Binary => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        other if other.is_integer() => Some(Encoding::DELTA_BINARY_PACKED),
        _ => None,
    }
}

/// Values inside lists and structs are not sampled; they start with a dictionary and leave it when it grows large.
fn nested_dictionaries(
    builder: parquet::file::properties::WriterPropertiesBuilder,
    data_type: &DataType,
    path: Vec<String>,
) -> parquet::file::properties::WriterPropertiesBuilder {
    let within = |name: &str| path.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
    match data_type {
        DataType::List(item) => {
            let mut path = within("list");
            path.push(item.name().clone());
            nested_dictionaries(builder, item.data_type(), path)
        }
        DataType::Struct(fields) => fields
            .iter()
            .fold(builder, |builder, field| nested_dictionaries(builder, field.data_type(), within(field.name()))),
        DataType::Map(entries, _) => nested_dictionaries(builder, entries.data_type(), within(entries.name())),
        DataType::Boolean => builder,
        _ => builder.set_column_dictionary_enabled(ColumnPath::new(path), true),
    }
}

/// Whether few enough values make up the column for a dictionary to be small.
fn repeats(column: &ArrayRef) -> Result<bool, ArrowError> {
    let limit = (column.len() - column.null_count()) / REPETITIONS;
    Ok(match column.data_type() {
        DataType::Boolean => false,
        DataType::Utf8 => few(column.as_string::<i32>().iter().flatten(), limit),
        DataType::Binary => few(column.as_binary::<i32>().iter().flatten(), limit),
        DataType::Float32 => few(column.as_primitive::<Float32Type>().iter().flatten().map(f32::to_bits), limit),
        DataType::Float64 => few(column.as_primitive::<Float64Type>().iter().flatten().map(f64::to_bits), limit),
        DataType::Decimal128(_, _) => few(column.as_primitive::<Decimal128Type>().iter().flatten(), limit),
        _ => few(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().iter().flatten(), limit),
    })
}

fn few<T: Hash + Eq + Copy>(values: impl Iterator<Item = T>, limit: usize) -> bool {
    let mut distinct = HashSet::with_hasher(FixedState::default());
    let mut last = None;
    for value in values {
        // Equal values often stand together.
        if last.replace(value) == Some(value) {
            continue;
        }
        if distinct.insert(value) && distinct.len() > limit {
            return false;
        }
    }
    !distinct.is_empty()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_dictionary_is_for_values_that_repeat() {
        let rows = 5_000;
        let batch = RecordBatch::try_from_iter([
            ("kind", Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("k{}", n % 7)))) as ArrayRef),
            ("name", Arc::new(StringArray::from_iter_values((0..rows).map(|n| n.to_string())))),
            ("n", Arc::new(Int64Array::from_iter_values(0..rows))),
            ("few", Arc::new(Int64Array::from_iter_values((0..rows).map(|n| n % 3)))),
        ])
        .unwrap();
        let properties = properties(&batch, RowGroupLimits { rows: 1000, bytes: 1 << 20 }).unwrap();
        let of = |name: &str| {
            let path = ColumnPath::from(name);
            (properties.dictionary_enabled(&path), properties.encoding(&path))
        };
        assert_eq!(of("kind"), (true, Some(Encoding::DELTA_LENGTH_BYTE_ARRAY)));
        assert_eq!(of("name"), (false, Some(Encoding::DELTA_LENGTH_BYTE_ARRAY)));
        assert_eq!(of("n"), (false, Some(Encoding::DELTA_BINARY_PACKED)));
        assert_eq!(of("few"), (true, Some(Encoding::DELTA_BINARY_PACKED)));
    }
}
