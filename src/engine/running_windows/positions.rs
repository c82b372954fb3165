//! Window functions that only count rows, and the one that shows an earlier row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::{concat, interleave};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use super::boundaries::{Boundaries, WindowColumn};

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowPosition {
    /// `row_number()`: the rows of the partition up to this one.
    Row,
    /// `rank()`: the rows before the first peer, and one.
    Rank,
    /// `dense_rank()`: the groups of peers up to that of the row.
    DenseRank,
}

#[derive(Debug)]
pub(super) struct Positions {
    position: RowPosition,
    row: u64,
    rank: u64,
    dense_rank: u64,
}

impl Positions {
    pub fn new(position: RowPosition) -> Positions {
        Positions { position, row: 0, rank: 0, dense_rank: 0 }
    }
}

impl WindowColumn for Positions {
    fn of_rows(&mut self, batch: &RecordBatch, boundaries: &Boundaries) -> Result<ArrayRef> {
        let peers = match self.position {
            RowPosition::Row => None,
            RowPosition::Rank | RowPosition::DenseRank => Some(boundaries.peers()?),
        };
        let position = |row: usize| {
            if boundaries.partitions.value(row) {
                self.row = 0;
                self.dense_rank = 0;
            }
            self.row += 1;
            if peers.as_ref().is_some_and(|begins| begins.value(row)) {
                self.rank = self.row;
                self.dense_rank += 1;
            }
            match self.position {
                RowPosition::Row => self.row,
                RowPosition::Rank => self.rank,
                RowPosition::DenseRank => self.dense_rank,
            }
        };
        Ok(Arc::new(UInt64Array::from_iter_values((0..batch.num_rows()).map(position))))
    }
}

/// `lag(value, offset)`.
#[derive(Debug)]
pub(super) struct Lag {
    value: Arc<dyn PhysicalExpr>,
    offset: usize,
    /// The values of the last rows, no more than the offset, whatever partition they are of.
    before: Option<ArrayRef>,
    /// How many rows the partition has so far.
    rows: usize,
}

const NO_ROW: (usize, usize) = (0, 0);
const BEFORE: usize = 1;
const IN_BATCH: usize = 2;

impl Lag {
    pub fn new(value: Arc<dyn PhysicalExpr>, offset: usize) -> Lag {
        Lag { value, offset, before: None, rows: 0 }
    }

    /// Keeps the last values for the next batch.
    fn keep(&mut self, before: &ArrayRef, column: &ArrayRef) -> Result<()> {
        let missing = self.offset.saturating_sub(column.len()).min(before.len());
        let earlier = before.slice(before.len() - missing, missing);
        let taken = self.offset.min(column.len());
        let later = column.slice(column.len() - taken, taken);
        // A copy, because a slice would hold on to its whole column.
        self.before = Some(concat(&[earlier.as_ref(), later.as_ref()])?);
        Ok(())
    }
}

impl WindowColumn for Lag {
    fn of_rows(&mut self, batch: &RecordBatch, boundaries: &Boundaries) -> Result<ArrayRef> {
        let column = self.value.evaluate(batch)?.into_array(batch.num_rows())?;
        let none = new_null_array(column.data_type(), 1);
        let before = self.before.take().unwrap_or_else(|| none.slice(0, 0));
        let place = |row: usize| {
            if boundaries.partitions.value(row) {
                self.rows = 0;
            }
            self.rows += 1;
            // The row that far back belongs to another partition, or there is none.
            if self.rows <= self.offset {
                return NO_ROW;
            }
            match row.checked_sub(self.offset) {
                Some(shown) => (IN_BATCH, shown),
                None => (BEFORE, before.len() + row - self.offset),
            }
        };
        let places: Vec<(usize, usize)> = (0..column.len()).map(place).collect();
        let shown = interleave(&[none.as_ref(), before.as_ref(), column.as_ref()], &places)?;
        self.keep(&before, &column)?;
        Ok(shown)
    }
}
