//! The operator, in the place of the engine's.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{OrderingRequirements, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, InputOrderMode, PlanProperties,
};
use futures::{StreamExt, stream};

use super::rows::RunningRows;

/// Window functions that only look back, over rows in the windows' order.
pub(crate) struct RunningWindows {
    /// The engine's operator, which knows what holds of the input and of the output.
    bounded: Arc<BoundedWindowAggExec>,
    metrics: ExecutionPlanMetricsSet,
}

impl RunningWindows {
    /// An operator with the same rows. Returns `None` if it does not know all functions, or if the rows of a partition do not come
    /// one behind the other.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine has not planned a call well.
    pub fn in_place_of(bounded: &BoundedWindowAggExec) -> Result<Option<RunningWindows>> {
        if bounded.input_order_mode != InputOrderMode::Sorted || bounded.state_observer().is_some() {
            return Ok(None);
        }
        let is_known = rows_of(bounded)?.is_some();
        Ok(is_known.then(|| RunningWindows::new(Arc::new(bounded.clone()))))
    }

    /// The engine's operator.
    #[cfg(feature = "cluster")]
    pub fn bounded(&self) -> &BoundedWindowAggExec {
        &self.bounded
    }

    fn new(bounded: Arc<BoundedWindowAggExec>) -> RunningWindows {
        RunningWindows { bounded, metrics: ExecutionPlanMetricsSet::new() }
    }
}

fn rows_of(bounded: &BoundedWindowAggExec) -> Result<Option<RunningRows>> {
    RunningRows::new(bounded.window_expr(), &bounded.input().schema(), bounded.schema())
}

impl fmt::Debug for RunningWindows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunningWindows").field("bounded", &self.bounded).finish_non_exhaustive()
    }
}

impl DisplayAs for RunningWindows {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.bounded.window_expr().iter().map(|call| call.name()).collect();
        write!(formatter, "RunningWindows: [{}]", names.join(", "))
    }
}

impl ExecutionPlan for RunningWindows {
    fn name(&self) -> &str {
        "RunningWindows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.bounded.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.bounded.children()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.bounded.apply_expressions(visit)
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.bounded.required_input_ordering()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.bounded.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.bounded.maintains_input_order()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // With another input, the engine's operator may find that rows do not come in order any more.
        let replaced = Arc::clone(&self.bounded).replace_children(children, options)?;
        let running = match replaced.downcast_ref::<BoundedWindowAggExec>() {
            Some(bounded) => RunningWindows::in_place_of(bounded)?,
            None => None,
        };
        Ok(running.map_or(replaced, |running| Arc::new(running)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(rows) = rows_of(&self.bounded)? else {
            return internal_err!("all functions were known when the operator took its place");
        };
        let input = self.bounded.input().execute(partition, context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let run = Run { input, rows, metrics, is_over: false };
        let batches = stream::unfold(run, |mut run| async move { Some((run.next().await?, run)) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One stream of the operator.
struct Run {
    input: SendableRecordBatchStream,
    rows: RunningRows,
    metrics: BaselineMetrics,
    is_over: bool,
}

impl Run {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        while !self.is_over {
            let batch = self.input.next().await;
            let _time = self.metrics.elapsed_compute().timer();
            let done = match batch {
                Some(batch) => batch.and_then(|batch| self.rows.add(batch)),
                None => {
                    self.is_over = true;
                    self.rows.end()
                }
            };
            // After an error, the states of the functions are those of no row.
            self.is_over |= done.is_err();
            if let Some(done) = done.transpose() {
                return Some(done.inspect(|batch| self.metrics.record_output(batch.num_rows())));
            }
        }
        None
    }
}
