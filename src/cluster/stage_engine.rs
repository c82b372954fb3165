//! Tells the write node of a task which partitions of the plan it writes, and what goes wrong in the words of this machine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;

use super::task_failure::{Describe, TaskFailure};
use crate::engine::WriteNode;

/// Ballista's engine, for plans that write.
pub(super) struct StageEngine {
    pub inner: DefaultExecutionEngine,
    pub describe: Describe,
}

impl ExecutionEngine for StageEngine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        // A write node keeps the partitions of its input, and the stage that it is in ends with it: its partitions are those of
        // the stage.
        let named = plan.transform_down(|node| match node.downcast_ref::<WriteNode>() {
            Some(write) => {
                let claiming: Arc<dyn ExecutionPlan> = Arc::new(write.claiming(global_output_partition_ids.clone()));
                Ok(Transformed::yes(claiming))
            }
            None => Ok(Transformed::no(node)),
        });
        let plan = named.data()?;
        let inner = self.inner.create_query_stage_exec(
            job_id,
            stage_id,
            task_id,
            global_output_partition_ids,
            plan,
            work_dir,
            config,
        )?;
        Ok(Arc::new(DescribingStage { inner, describe: self.describe }))
    }
}

/// A stage of Ballista's whose errors say what they mean.
#[derive(Debug)]
struct DescribingStage {
    inner: Arc<dyn QueryStageExecutor>,
    describe: Describe,
}

impl fmt::Display for DescribingStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

#[async_trait]
impl QueryStageExecutor for DescribingStage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        let done = self.inner.execute_query_stage(task_id, context).await;
        done.map_err(|error| TaskFailure::passed_on(error, self.describe))
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.inner.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.inner.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.inner.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.inner.collect_column_stats()
    }
}
