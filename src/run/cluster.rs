//! The rows of a step, written by the machines of a cluster.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

use super::context::RunContext;
use super::write::{PlanWritten, WriteJob};
use crate::analyze::TypedModel;
use crate::cluster::{ClusterFault, ShippedPlan};
use crate::engine::{WriteNode, WriteTarget, claimed_files};
use crate::execute::{Joins, slice_cut};

impl RunContext<'_> {
    /// Has a plan carried out by the target's cluster. Returns `None` if there is none, or if the plan has to stay here: then
    /// nothing has been done.
    pub(super) async fn write_on_cluster(
        &self,
        job: WriteJob<'_>,
        logical: &LogicalPlan,
    ) -> EngineResult<Option<PlanWritten>> {
        let Some(cluster) = &self.engine.cluster else { return Ok(None) };
        let model = job.model;
        let is_hash = job.joins == Joins::Hash;
        let options = self.writer_options(job);
        let rows = cluster.state(is_hash).create_physical_plan(logical).await?;
        let divided = cluster.state(is_hash).config_options().execution.target_partitions;
        let ShippedPlan { rows, partitions } = match ShippedPlan::new(rows, &options.partition_columns, divided) {
            Ok(shipped) => shipped,
            Err(reason) => {
                tell_why_here(model, &reason);
                return Ok(None);
            }
        };
        let target = WriteTarget { table: model.table.clone(), name: job.name.to_owned() };
        let written = Arc::new(WriteNode::new(rows, options, slice_cut(model), target));
        // Above the writing there is a stage of its own: the results of a plan's last stage are handed out even if the executor
        // that had them is lost and the tasks run again, those of the stages below are not.
        let plan: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(written));
        let encoded = match cluster.encode(&plan) {
            Ok(encoded) => encoded,
            Err(reason) => {
                tell_why_here(model, &reason);
                return Ok(None);
            }
        };
        tracing::info!(model = %model.name, partitions, bytes = encoded.len(), "built on the cluster");
        let batches = cluster.run(encoded, is_hash).await?;
        let batches = self.accept(job, &batches, partitions)?;
        // What one file of each attempt shows, the others would too: whether the executor has the same lake.
        for file in claimed_files(&batches) {
            if !job.staged.staging().has(&file).await? {
                return Err(ClusterFault::OtherLake { file }.into());
            }
        }
        PlanWritten::read(&batches).map(Some)
    }
}

fn tell_why_here(model: &TypedModel, reason: &DataFusionError) {
    let reason = reason.strip_backtrace();
    let reason = reason.strip_prefix("This feature is not implemented: ").unwrap_or(&reason);
    tracing::info!(model = %model.name, reason, "built on this machine, not on the cluster");
}
