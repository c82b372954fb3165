//! Where partitions and groups of peers begin among the rows of a batch, and what is asked of that.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::array::{ArrayRef, RecordBatch, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{SortOptions, partition};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

/// The values of some keys, row by row.
#[derive(Debug, Clone)]
struct RowKeys {
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl RowKeys {
    pub fn of(expressions: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<RowKeys> {
        let rows = batch.num_rows();
        let columns = expressions.iter().map(|expression| expression.evaluate(batch)?.into_array(rows));
        Ok(RowKeys { columns: columns.collect::<Result<_>>()?, rows })
    }

    /// The keys of the last row.
    pub fn last(&self) -> RowKeys {
        let columns = self.columns.iter().map(|column| column.slice(self.rows.saturating_sub(1), 1));
        RowKeys { columns: columns.collect(), rows: 1 }
    }

    /// Of each row whether it has other keys than the row before it; `before` is the row before the first.
    pub fn begins(&self, before: Option<&RowKeys>) -> Result<BooleanBuffer> {
        let mut begins = BooleanBufferBuilder::new(self.rows);
        begins.append_n(self.rows, false);
        if !self.columns.is_empty() {
            partition(&self.columns)?.ranges().iter().for_each(|range| begins.set_bit(range.start, true));
        }
        if self.rows > 0 {
            begins.set_bit(0, before.map_or(Ok(true), |before| self.first_differs(before))?);
        }
        Ok(begins.finish())
    }

    fn first_differs(&self, before: &RowKeys) -> Result<bool> {
        for (column, before) in self.columns.iter().zip(&before.columns) {
            // Nulls are equal, as they are for `partition`.
            if make_comparator(before, column, SortOptions::default())?(0, 0).is_ne() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What the rows of a window are divided and ordered by.
#[derive(Debug)]
pub(super) struct WindowKeys {
    pub partition_by: Vec<Arc<dyn PhysicalExpr>>,
    pub order_by: Vec<Arc<dyn PhysicalExpr>>,
}

/// The keys of the last row of all batches so far.
#[derive(Debug, Default)]
pub(super) struct LastRow {
    partition: Option<RowKeys>,
    order: Option<RowKeys>,
}

impl WindowKeys {
    /// The boundaries among the rows of a batch behind a row, whose place its last row takes.
    pub fn boundaries(&self, batch: &RecordBatch, before: &mut LastRow) -> Result<Boundaries> {
        let partition = RowKeys::of(&self.partition_by, batch)?;
        let order = RowKeys::of(&self.order_by, batch)?;
        let partition_before = before.partition.replace(partition.last());
        let order_before = before.order.replace(order.last());
        Ok(Boundaries { partitions: partition.begins(partition_before.as_ref())?, order, order_before })
    }
}

/// What a window function knows of the rows of a batch besides their values.
#[derive(Debug)]
pub(super) struct Boundaries {
    /// Of each row whether it is the first of its partition.
    pub partitions: BooleanBuffer,
    /// What the rows are ordered by, and that of the row before the first.
    order: RowKeys,
    order_before: Option<RowKeys>,
}

impl Boundaries {
    /// Of each row whether it is the first of the rows of its partition that are equal in the window's order. Few functions ask
    /// for that.
    pub fn peers(&self) -> Result<BooleanBuffer> {
        Ok(&self.partitions | &self.order.begins(self.order_before.as_ref())?)
    }
}

/// A window function that goes on from batch to batch.
pub(super) trait WindowColumn: Debug + Send {
    /// The results for the rows of a batch.
    fn of_rows(&mut self, batch: &RecordBatch, boundaries: &Boundaries) -> Result<ArrayRef>;

    /// Whether a batch must hold all peers of its rows.
    fn needs_peers(&self) -> bool {
        false
    }
}
