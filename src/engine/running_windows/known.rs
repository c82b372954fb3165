//! Which window functions are known here, and what makes their columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::window::{
    PlainAggregateWindowExpr, StandardWindowExpr, StandardWindowFunctionExpr, WindowExpr,
};
use datafusion::physical_plan::windows::WindowUDFExpr;

use super::boundaries::{Boundaries, WindowColumn};
use super::positions::{Lag, Positions, RowPosition};
use crate::analyze::{RunningAggregate, running};

/// What makes the column of a window function over the columns of a schema. Returns `None` if the function is unknown here.
///
/// # Errors
///
/// Returns an error if the engine has not planned the call well.
pub(super) fn column_of(call: &Arc<dyn WindowExpr>, schema: &Schema) -> Result<Option<Box<dyn WindowColumn>>> {
    if let Some(function) = call.as_any().downcast_ref::<StandardWindowExpr>() {
        let function = function.get_standard_func_expr();
        return Ok(function.as_any().downcast_ref::<WindowUDFExpr>().and_then(of_function));
    }
    let Some(plain) = call.as_any().downcast_ref::<PlainAggregateWindowExpr>() else { return Ok(None) };
    if !ends_at_the_row(call.get_window_frame()) || has_filter(plain) {
        return Ok(None);
    }
    let Some(running) = running(plain.get_aggregate_expr(), schema)? else { return Ok(None) };
    // `range` and `groups` end with the last peer of the row, `rows` with the row itself.
    let by_peers = call.get_window_frame().units != WindowFrameUnits::Rows;
    Ok(Some(Box::new(RunningColumn { running, arguments: call.expressions(), by_peers })))
}

fn of_function(call: &WindowUDFExpr) -> Option<Box<dyn WindowColumn>> {
    match call.fun().name() {
        "row_number" => Some(Box::new(Positions::new(RowPosition::Row))),
        "rank" => Some(Box::new(Positions::new(RowPosition::Rank))),
        "dense_rank" => Some(Box::new(Positions::new(RowPosition::DenseRank))),
        "lag" => Some(Box::new(lag_of(call)?)),
        _ => None,
    }
}

/// `lag` by a fixed number of rows, null where there is no such row. Returns `None` if the call means something else.
fn lag_of(call: &WindowUDFExpr) -> Option<Lag> {
    let [value, options @ ..] = call.args() else { return None };
    let has_default = options
        .get(1)
        .is_some_and(|default| default.downcast_ref::<Literal>().is_none_or(|literal| !literal.value().is_null()));
    // How far a call looks back, and whether it ignores nulls or was turned around, only its evaluator tells: from a row
    // far from the first, it asks for the rows from the one that it shows, or for all if it has to look for it.
    let evaluator = call.create_evaluator().ok()?;
    let reach = evaluator.get_range(FAR, FAR + 1).ok()?;
    let offset = FAR.checked_sub(reach.start)?;
    let is_lag = evaluator.is_causal() && reach.end == FAR + 1 && (1..=MOST_ROWS_BACK).contains(&offset);
    (is_lag && !has_default).then(|| Lag::new(Arc::clone(value), offset))
}

/// A row with more rows before it than any call looks back.
const FAR: usize = 1 << 40;

/// The rows that are kept from one batch for the next.
const MOST_ROWS_BACK: usize = 1 << 16;

/// Whether a frame reaches from the first row of the partition to the row, or to its last peer.
fn ends_at_the_row(frame: &WindowFrame) -> bool {
    matches!(&frame.start_bound, WindowFrameBound::Preceding(bound) if bound.is_null())
        && matches!(frame.end_bound, WindowFrameBound::CurrentRow)
}

/// Whether a call has a FILTER clause. The engine does not say so but where it shows the whole call.
fn has_filter(call: &PlainAggregateWindowExpr) -> bool {
    !format!("{call:?}").ends_with("filter: None }")
}

/// An aggregate up to each row, or up to its last peer.
#[derive(Debug)]
struct RunningColumn {
    running: Box<dyn RunningAggregate>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    by_peers: bool,
}

impl WindowColumn for RunningColumn {
    fn of_rows(&mut self, batch: &RecordBatch, boundaries: &Boundaries) -> Result<ArrayRef> {
        let columns = self.arguments.iter().map(|argument| argument.evaluate(batch)?.into_array(batch.num_rows()));
        let after_each = self.running.after_each(&columns.collect::<Result<Vec<_>>>()?, &boundaries.partitions)?;
        if !self.by_peers {
            return Ok(after_each);
        }
        Ok(take(&after_each, &last_peers(&boundaries.peers()?), None)?)
    }

    fn needs_peers(&self) -> bool {
        self.by_peers
    }
}

/// The last peer of each row.
fn last_peers(begins: &BooleanBuffer) -> UInt64Array {
    let mut last: Vec<u64> = vec![0; begins.len()];
    let mut end = begins.len() as u64;
    for (row, last) in last.iter_mut().enumerate().rev() {
        *last = end - 1;
        if begins.value(row) {
            end = row as u64;
        }
    }
    UInt64Array::from(last)
}
