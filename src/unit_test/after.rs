//! What a model's table holds after a run, given what it held before and the rows that the model put out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch, interleave};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::analyze::TypedModel;
use crate::diag::{Code, Diagnostic};
use crate::execute::key_columns;
use crate::project::UpdatedColumns;
use crate::span::Span;

/// A table before a run, and what comes to it.
pub(super) struct TableChange<'a> {
    pub model: &'a TypedModel,
    /// What the table held, without the slices that are built; no rows if all of it is built anew.
    pub before: &'a RecordBatch,
    pub new: &'a RecordBatch,
    pub span: Span,
}

/// Why there is no table after the run.
pub(super) enum NoTable {
    /// The run would have failed.
    Refused(Box<Diagnostic>),
    Broken(ArrowError),
}

impl From<ArrowError> for NoTable {
    fn from(error: ArrowError) -> Self {
        NoTable::Broken(error)
    }
}

impl TableChange<'_> {
    /// All rows of the table after the run.
    pub fn after(&self) -> Result<RecordBatch, NoTable> {
        let schema = self.new.schema();
        let before = Self::in_columns(self.before, self.new)?;
        // Slices were left out of what was before, and an appended batch replaces nothing.
        match self.model.config.unique_key.is_empty() {
            true => Ok(concat_batches(&schema, [&before, self.new])?),
            false => self.merged(&before),
        }
    }

    /// The columns of the model, in its order: what it no longer puts out is not compared.
    fn in_columns(rows: &RecordBatch, like: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let schema = like.schema();
        let columns = schema.fields().iter().map(|field| match rows.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type()),
            None => Ok(arrow::array::new_null_array(field.data_type(), rows.num_rows())),
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<Vec<_>, _>>()?)
    }

    /// Rows of the table give way to new rows of the same keys.
    fn merged(&self, before: &RecordBatch) -> Result<RecordBatch, NoTable> {
        let new_keys = self.keys(self.new)?;
        self.refuse_ambiguous(&new_keys)?;
        let old_keys = self.keys(before)?;
        let replaced: BTreeSet<&Vec<u8>> = new_keys.iter().collect();
        let stays: BooleanArray = old_keys.iter().map(|key| Some(!replaced.contains(key))).collect();
        let stay = filter_record_batch(before, &stays)?;
        let mut places: BTreeMap<&Vec<u8>, usize> = BTreeMap::new();
        for (place, key) in old_keys.iter().enumerate() {
            places.insert(key, place);
        }
        let old: Vec<Option<usize>> = new_keys.iter().map(|key| places.get(key).copied()).collect();
        let new = self.with_kept_values(before, &old)?;
        Ok(concat_batches(&self.new.schema(), [&stay, &new])?)
    }

    /// The new rows, with what the table held in the columns that a batch does not change; `old` are the places of the rows
    /// in the table that they replace.
    fn with_kept_values(&self, before: &RecordBatch, old: &[Option<usize>]) -> Result<RecordBatch, ArrowError> {
        let is_kept = |name: &str| match &self.model.config.updated_columns {
            UpdatedColumns::All => false,
            UpdatedColumns::Only(updated) => !updated.iter().any(|column| column.value == name),
            UpdatedColumns::AllBut(kept) => kept.iter().any(|column| column.value == name),
        };
        let schema = self.new.schema();
        let columns = schema.fields().iter().zip(self.new.columns().iter().zip(before.columns()));
        let columns = columns.map(|(field, (new, held))| -> Result<ArrayRef, ArrowError> {
            if !is_kept(field.name()) || key_columns(self.model).any(|key| key == field.name()) {
                return Ok(Arc::clone(new));
            }
            let from: Vec<(usize, usize)> =
                old.iter().enumerate().map(|(row, old)| old.map_or((0, row), |old| (1, old))).collect();
            interleave(&[new.as_ref(), held.as_ref()], &from)
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<Vec<_>, _>>()?)
    }

    /// The key of each row, as bytes that are equal where the keys are.
    fn keys(&self, rows: &RecordBatch) -> Result<Vec<Vec<u8>>, ArrowError> {
        let columns: Vec<ArrayRef> =
            key_columns(self.model).filter_map(|name| rows.column_by_name(name)).map(Arc::clone).collect();
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let keys = RowConverter::new(fields)?.convert_columns(&columns)?;
        Ok((0..keys.num_rows()).map(|row| keys.row(row).as_ref().to_vec()).collect())
    }

    /// A run refuses rows without a key, and two rows of one key where a key stands in one row.
    fn refuse_ambiguous(&self, keys: &[Vec<u8>]) -> Result<(), NoTable> {
        let refused = |what: &str| {
            let message = format!("the run would fail: {what} of `{}` in the new rows", self.model.name);
            NoTable::Refused(Box::new(Diagnostic::error(Code::AmbiguousKey, message).at(self.span)))
        };
        let columns = key_columns(self.model).filter_map(|name| self.new.column_by_name(name));
        if columns.into_iter().any(|column| column.null_count() > 0) {
            return Err(refused("a null stands in the `unique_key`"));
        }
        let distinct: BTreeSet<&Vec<u8>> = keys.iter().collect();
        if self.model.config.materialized.has_one_row_a_key() && distinct.len() < keys.len() {
            return Err(refused("two rows have the same `unique_key`"));
        }
        Ok(())
    }
}
