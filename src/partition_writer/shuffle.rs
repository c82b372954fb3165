//! Brings the rows of a chunk into stored types and into an order in which each partition is one run.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat, interleave};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use crate::delta::column_to_stored;

use super::key::{ChunkKeys, Key, KeyColumn, chunk_keys};

/// Where the columns of the input stand in what is stored.
pub(crate) struct Layout {
    pub(crate) input: SchemaRef,
    pub(crate) table: SchemaRef,
    pub(crate) file: SchemaRef,
    /// Positions of the partition columns in the input, in the order of the path.
    pub(crate) partition_columns: Vec<usize>,
    /// Positions of all other columns in the input.
    pub(crate) file_columns: Vec<usize>,
}

/// A run of rows of one partition within a shuffled chunk.
pub(crate) struct PartitionRun {
    pub(crate) key: Key,
    pub(crate) start: usize,
    pub(crate) rows: usize,
}

/// A chunk as it is stored, owning its memory alone.
pub(crate) struct Shuffled {
    pub(crate) batch: RecordBatch,
    pub(crate) runs: Vec<PartitionRun>,
}

/// Takes the batches of a chunk apart by partition; rows of a partition keep their order.
pub(crate) fn shuffle(batches: &[RecordBatch], layout: &Layout) -> Result<Shuffled, ArrowError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let keys = partition_keys(batches, layout, rows)?;
    let starts = run_starts(&keys);
    // Keys are numbered as they come, so rows in the order of their numbers lie together already.
    let order = if keys.codes.is_sorted() { None } else { Some(counting_sort(batches, &keys.codes, &starts)) };
    let mut columns = Vec::with_capacity(layout.file_columns.len());
    for (position, field) in layout.file_columns.iter().zip(layout.file.fields()) {
        let arrays: Vec<ArrayRef> = batches.iter().map(|batch| Arc::clone(batch.column(*position))).collect();
        columns.push(gather(arrays, field, order.as_deref())?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&layout.file), columns, &options)?;
    let ends = starts.iter().skip(1).copied().chain([rows]);
    let runs = keys.keys.into_iter().zip(starts.iter().copied().zip(ends));
    let runs = runs.map(|(key, (start, end))| PartitionRun { key, start, rows: end - start }).collect();
    Ok(Shuffled { batch, runs })
}

fn partition_keys(batches: &[RecordBatch], layout: &Layout, rows: usize) -> Result<ChunkKeys, ArrowError> {
    let mut columns = Vec::with_capacity(layout.partition_columns.len());
    for position in &layout.partition_columns {
        let field = layout.table.field(*position);
        let arrays = batches.iter().map(|batch| column_to_stored(batch.column(*position), field));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        columns.push(KeyColumn { name: field.name(), arrays });
    }
    chunk_keys(&columns, rows)
}

/// The first row of each key, once the rows are in the order of their codes.
fn run_starts(keys: &ChunkKeys) -> Vec<usize> {
    let mut counts = vec![0_usize; keys.keys.len()];
    for code in &keys.codes {
        if let Some(count) = counts.get_mut(*code as usize) {
            *count += 1;
        }
    }
    // The exclusive prefix sum of the counts.
    let mut total = 0;
    for count in &mut counts {
        total += std::mem::replace(count, total);
    }
    counts
}

/// Where each row of the sorted chunk comes from: the batch and the row within it.
#[expect(clippy::indexing_slicing, reason = "codes number the starts, and the starts count the rows")]
fn counting_sort(batches: &[RecordBatch], codes: &[u32], starts: &[usize]) -> Vec<(usize, usize)> {
    // A stable counting sort: rows of a partition keep their order, and the cost grows with the rows alone.
    let mut next = starts.to_vec();
    let mut order = vec![(0, 0); codes.len()];
    let mut rest = codes;
    for (number, batch) in batches.iter().enumerate() {
        let (here, later) = rest.split_at(batch.num_rows());
        for (row, code) in here.iter().enumerate() {
            let slot = &mut next[*code as usize];
            order[*slot] = (number, row);
            *slot += 1;
        }
        rest = later;
    }
    order
}

/// One column of the chunk in a single array of its stored type.
fn gather(
    mut arrays: Vec<ArrayRef>,
    field: &arrow::datatypes::Field,
    order: Option<&[(usize, usize)]>,
) -> Result<ArrayRef, ArrowError> {
    // The dictionaries of several batches would have to be merged first, which costs more than plain values.
    for array in &mut arrays {
        if matches!(array.data_type(), DataType::Dictionary(_, _) | DataType::RunEndEncoded(_, _)) {
            *array = column_to_stored(array, field)?;
        }
    }
    let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    let gathered = match order {
        Some(order) => interleave(&parts, order)?,
        None => concat(&parts)?,
    };
    drop(arrays);
    owned(&column_to_stored(&gathered, field)?)
}

/// Copies an array that is a small part of somebody else's buffers, so that these can be freed.
fn owned(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let used = array.to_data().get_slice_memory_size()?;
    // Half again as much is not worth a copy.
    if array.get_buffer_memory_size() <= used + used / 2 + 1024 {
        return Ok(Arc::clone(array));
    }
    // A lone array would be handed back as it is; a second, empty one forces the copy.
    concat(&[array.as_ref(), array.slice(0, 0).as_ref()])
}

/// The bytes that the rows of a batch take, without what its buffers hold besides.
pub(crate) fn used_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(used_by).sum()
}

fn used_by(column: &ArrayRef) -> usize {
    use arrow::array::AsArray;
    match column.data_type() {
        DataType::Utf8View => 16 * column.len() + column.as_string_view().total_bytes_len(),
        DataType::BinaryView => 16 * column.len() + column.as_binary_view().total_bytes_len(),
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_buffer_memory_size()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int32Array, StringViewArray};
    use arrow::datatypes::{Field, Int32Type, Schema};

    use super::*;
    use crate::delta::{file_schema, table_schema};

    fn batch(keys: Vec<i32>, names: Vec<&str>) -> RecordBatch {
        let keys: ArrayRef = Arc::new(Int32Array::from(keys));
        let names: ArrayRef = Arc::new(StringViewArray::from(names));
        RecordBatch::try_from_iter([("k", Arc::clone(&keys)), ("n", keys), ("s", names)]).unwrap()
    }

    fn layout(schema: &Schema) -> Layout {
        Layout {
            input: Arc::new(schema.clone()),
            table: table_schema(schema),
            file: file_schema(schema, &["k".to_string()]),
            partition_columns: vec![0],
            file_columns: vec![1, 2],
        }
    }

    #[test]
    fn rows_of_a_partition_become_one_run_and_keep_their_order() {
        let batches = [batch(vec![2, 1, 2], vec!["a", "b", "c"]), batch(vec![1, 3], vec!["d", "e"])];
        let shuffled = shuffle(&batches, &layout(&batches[0].schema())).unwrap();
        let runs: Vec<_> = shuffled.runs.iter().map(|run| (run.start, run.rows)).collect();
        assert_eq!(runs, [(0, 2), (2, 2), (4, 1)]);
        let names: Vec<_> = shuffled.batch.column(1).as_string::<i32>().iter().flatten().collect();
        assert_eq!(names, ["a", "c", "b", "d", "e"]);
        assert_eq!(shuffled.batch.column(0).as_primitive::<Int32Type>().values(), &[2, 2, 1, 1, 3]);
    }

    #[test]
    fn a_small_slice_does_not_keep_a_large_buffer_alive() {
        let large = Int32Array::from_iter_values(0..100_000);
        let schema = Schema::new(vec![Field::new("k", DataType::Int32, true), Field::new("n", DataType::Int32, true)]);
        let column: ArrayRef = Arc::new(large);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::clone(&column), column]).unwrap();
        let layout = Layout { file_columns: vec![1], ..layout(&schema) };
        let shuffled = shuffle(&[batch.slice(5, 1)], &layout).unwrap();
        assert!(shuffled.batch.get_array_memory_size() < 4096);
        assert_eq!(shuffled.batch.column(0).as_primitive::<Int32Type>().values(), &[5]);
    }

    #[test]
    fn only_the_bytes_of_the_rows_count() {
        let text = "a text of more than twelve bytes";
        let batch = batch(vec![0; 1000], vec![text; 1000]);
        let slice = batch.slice(0, 10);
        assert_eq!(used_bytes(&slice), 2 * 40 + 10 * (16 + text.len()));
    }
}
