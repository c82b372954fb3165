//! The rules of the writer as a whole, on a destination in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{PartitionedWriter, WriterOptions, WrittenFile};
use memory::{Fault, InMemory, Memory};

mod memory;
mod round_trip;
mod rules;
mod faults;

fn memory(fault: Option<Fault>) -> Arc<Memory> {
    Arc::new(Memory { fault, ..Memory::default() })
}

fn options(partition_columns: &[&str]) -> WriterOptions {
    let partition_columns = partition_columns.iter().map(ToString::to_string).collect();
    WriterOptions { partition_columns, ..WriterOptions::new("part-x") }
}

fn write(
    batches: &[RecordBatch],
    options: WriterOptions,
    memory: &Arc<Memory>,
) -> Result<Vec<WrittenFile>, ArrowError> {
    let destination = Arc::new(InMemory(Arc::clone(memory)));
    let mut writer = PartitionedWriter::new(batches[0].schema(), options, destination)?;
    for batch in batches {
        writer.write(batch.clone())?;
    }
    writer.finish()
}

fn read(memory: &Memory, path: &str) -> RecordBatch {
    let bytes = memory.files.lock().unwrap()[path].clone();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let schema: SchemaRef = Arc::clone(reader.schema());
    let batches = reader.build().unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// Every row as text, in the order of the batch; nulls are spelled apart from empty texts.
fn lines(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &ArrayRef, row| match column.is_null(row) {
        true => "∅".to_string(),
        false => array_value_to_string(column, row).unwrap(),
    };
    let line = |row| batch.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(line).collect()
}

fn strings(columns: &[(&str, Vec<Option<&str>>)]) -> RecordBatch {
    let arrays = columns.iter().map(|(name, values)| (*name, Arc::new(StringArray::from(values.clone())) as ArrayRef));
    RecordBatch::try_from_iter(arrays).unwrap()
}

fn numbered(days: impl Iterator<Item = i32>) -> RecordBatch {
    let days: Vec<i32> = days.collect();
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..days.len() as i64));
    let s: ArrayRef = Arc::new(StringArray::from_iter_values((0..days.len()).map(|n| format!("row {n}"))));
    RecordBatch::try_from_iter([("day", Arc::new(Date32Array::from(days)) as ArrayRef), ("n", n), ("s", s)]).unwrap()
}
