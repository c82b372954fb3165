//! Files of a table as the columns of a batch tell them, without a text of its own for each.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, MapArray, StringViewArray};
use arrow::datatypes::Int64Type;

use crate::delta::{DataFile, PartitionValues, SharedText, from_uri};

/// The columns of `add` actions, by the names that the Delta protocol gives them.
pub(super) struct FileBatch<'b> {
    paths: Arc<StringViewArray>,
    sizes: &'b Int64Array,
    stats: Arc<StringViewArray>,
    partitions: &'b MapArray,
    columns: Arc<StringViewArray>,
    values: Arc<StringViewArray>,
}

/// The texts of a column, in its own memory.
fn texts(column: &ArrayRef) -> Option<Arc<StringViewArray>> {
    let views = column.as_string_view_opt().cloned();
    views.or_else(|| column.as_string_opt::<i32>().map(StringViewArray::from)).map(Arc::new)
}

impl<'b> FileBatch<'b> {
    /// Returns `None` if a column is not there, or is of another type.
    pub fn of(column: impl Fn(&str) -> Option<&'b ArrayRef>) -> Option<FileBatch<'b>> {
        let partitions = column("partitionValues")?.as_map_opt()?;
        Some(FileBatch {
            paths: texts(column("path")?)?,
            sizes: column("size")?.as_primitive_opt::<Int64Type>()?,
            stats: texts(column("stats")?)?,
            partitions,
            columns: texts(partitions.keys())?,
            values: texts(partitions.values())?,
        })
    }

    /// The file of a row. Returns `None` if it has none.
    pub fn file(&self, row: usize) -> Option<DataFile> {
        let path = SharedText::cell(&self.paths, row)?;
        let stats = SharedText::cell(&self.stats, row);
        Some(DataFile {
            path: if path.contains('%') { from_uri(&path).into() } else { path },
            partition: self.partition(row),
            bytes: u64::try_from(self.sizes.value(row)).unwrap_or(0),
            rows: stats.as_deref().and_then(DataFile::rows_of),
            stats,
        })
    }

    fn partition(&self, row: usize) -> PartitionValues {
        let offsets = self.partitions.value_offsets();
        let place = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        let entries = if self.partitions.is_valid(row) { place(row)..place(row + 1) } else { 0..0 };
        // The protocol writes a null partition value as an empty text too.
        let value = |entry: usize| SharedText::cell(&self.values, entry).filter(|text| !text.is_empty());
        entries.filter_map(|entry| Some((SharedText::cell(&self.columns, entry)?, value(entry)))).collect()
    }
}
