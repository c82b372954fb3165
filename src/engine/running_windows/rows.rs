//! The rows of one stream, from batch to batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::window::WindowExpr;

use super::boundaries::{LastRow, WindowColumn, WindowKeys};
use super::known::column_of;

/// Adds the columns of window functions to batches of rows that come in the windows' order.
#[derive(Debug)]
pub(super) struct RunningRows {
    /// What comes in, and the functions' columns.
    schema: SchemaRef,
    columns: Vec<Box<dyn WindowColumn>>,
    keys: WindowKeys,
    needs_peers: bool,
    /// The last row that was put out, and the last that came in where rows wait for their peers.
    put_out: LastRow,
    came_in: LastRow,
    /// Rows whose last peers are still to come, in the order in which they came.
    waiting: Vec<RecordBatch>,
}

impl RunningRows {
    /// Returns `None` if not all functions are known here, or if they do not share one order.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine has not planned a call well.
    pub fn new(calls: &[Arc<dyn WindowExpr>], input: &SchemaRef, schema: SchemaRef) -> Result<Option<RunningRows>> {
        let Some(first) = calls.first() else { return Ok(None) };
        let mut columns = Vec::with_capacity(calls.len());
        for call in calls {
            let has_same_order = call.partition_by() == first.partition_by() && call.order_by() == first.order_by();
            match column_of(call, input)? {
                Some(column) if has_same_order => columns.push(column),
                _ => return Ok(None),
            }
        }
        Ok(Some(RunningRows {
            schema,
            needs_peers: columns.iter().any(|column| column.needs_peers()),
            columns,
            keys: WindowKeys {
                partition_by: first.partition_by().to_vec(),
                order_by: first.order_by().iter().map(|by| Arc::clone(&by.expr)).collect(),
            },
            put_out: LastRow::default(),
            came_in: LastRow::default(),
            waiting: Vec::new(),
        }))
    }

    /// The rows that are done once a batch has come. Returns `None` if none is.
    pub fn add(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        if !self.needs_peers {
            return self.done(&batch).map(Some);
        }
        let boundaries = self.keys.boundaries(&batch, &mut self.came_in)?;
        // The rows before the last group of peers have all of theirs.
        let last_group = boundaries.peers()?.set_indices().last();
        let Some(last_group) = last_group else {
            self.waiting.push(batch);
            return Ok(None);
        };
        self.waiting.push(batch.slice(0, last_group));
        let ready = self.taken()?;
        self.waiting.push(batch.slice(last_group, batch.num_rows() - last_group));
        if ready.num_rows() == 0 {
            return Ok(None);
        }
        self.done(&ready).map(Some)
    }

    /// The rows that are done when no more come.
    pub fn end(&mut self) -> Result<Option<RecordBatch>> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let rest = self.taken()?;
        self.done(&rest).map(Some)
    }

    /// All rows that were waiting, in one batch.
    fn taken(&mut self) -> Result<RecordBatch> {
        let waiting = std::mem::take(&mut self.waiting);
        match waiting.as_slice() {
            [] => Ok(RecordBatch::new_empty(Arc::clone(&self.schema))),
            [only] => Ok(only.clone()),
            [first, ..] => Ok(concat_batches(first.schema_ref(), &waiting)?),
        }
    }

    fn done(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let boundaries = self.keys.boundaries(batch, &mut self.put_out)?;
        let mut columns = batch.columns().to_vec();
        for column in &mut self.columns {
            columns.push(column.of_rows(batch, &boundaries)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
