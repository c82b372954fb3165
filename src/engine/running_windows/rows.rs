//! The rows of one stream, from batch to batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::WindowExpr;

use super::boundaries::{Boundaries, RowKeys, WindowColumn};
use super::known::column_of;

/// Adds the columns of window functions to batches of rows that come in the windows' order.
#[derive(Debug)]
pub(super) struct RunningRows {
    /// What comes in, and the functions' columns.
    schema: SchemaRef,
    columns: Vec<Box<dyn WindowColumn>>,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    /// The keys of the partition, and those of the order.
    peers_by: Vec<Arc<dyn PhysicalExpr>>,
    needs_peers: bool,
    /// The last row that was put out.
    partition_before: Option<RowKeys>,
    peers_before: Option<RowKeys>,
    /// Rows whose last peers are still to come, in the order in which they came.
    waiting: Vec<RecordBatch>,
    /// The last row that is waiting.
    last_waiting: Option<RowKeys>,
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
        let order_by = first.order_by().iter().map(|by| Arc::clone(&by.expr));
        Ok(Some(RunningRows {
            schema,
            needs_peers: columns.iter().any(|column| column.needs_peers()),
            columns,
            partition_by: first.partition_by().to_vec(),
            peers_by: first.partition_by().iter().cloned().chain(order_by).collect(),
            partition_before: None,
            peers_before: None,
            waiting: Vec::new(),
            last_waiting: None,
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
        let keys = RowKeys::of(&self.peers_by, &batch)?;
        let begins = keys.begins(self.last_waiting.as_ref())?;
        self.last_waiting = Some(keys.last());
        // The rows before the last group of peers have all of theirs.
        let last_group = begins.set_indices().last();
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
        let partitions = RowKeys::of(&self.partition_by, batch)?;
        let peers = RowKeys::of(&self.peers_by, batch)?;
        let boundaries = Boundaries {
            partitions: partitions.begins(self.partition_before.as_ref())?,
            peers: peers.begins(self.peers_before.as_ref())?,
        };
        self.partition_before = Some(partitions.last());
        self.peers_before = Some(peers.last());
        let mut columns = batch.columns().to_vec();
        for column in &mut self.columns {
            columns.push(column.of_rows(batch, &boundaries)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
