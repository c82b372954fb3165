//! The settings that plans for a cluster are made with, and that its servers have in common.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::{
    BALLISTA_BROADCAST_JOIN_THRESHOLD_BYTES, BALLISTA_CLIENT_GRPC_MAX_MESSAGE_SIZE, BallistaConfig,
};
use ballista_core::extension::SessionConfigExt;
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use tonic::transport::Endpoint;

use super::{HEARTBEAT, MOST_MESSAGE_BYTES, SILENCE};
use crate::analyze::{Functions, plan_options};
use crate::engine::session;

/// The engine's settings for plans that are cut into stages.
fn options(partitions: usize, prefers_hash_joins: bool) -> Result<ConfigOptions> {
    let mut options = plan_options(partitions);
    options.optimizer.prefer_hash_join = prefers_hash_joins;
    // The scheduler would take such repartitioning out, and the plan would have other partitions than it was made with.
    options.optimizer.enable_round_robin_repartition = false;
    // A filter that waits for what another stage finds waits for ever: stages share no memory.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // A subquery that is computed beside its plan shares a cell of memory with it, too.
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    // The order in which a scan is to read row groups is no part of the engine's messages.
    options.optimizer.enable_sort_pushdown = false;
    // The scheduler decides anew which joins send one side to all tasks, and does not look at what stands above them: an
    // aggregate that was planned over one partition would be carried out once for each of several. So no join is planned to send
    // a side to all tasks, and the scheduler is not to make one of any.
    options.optimizer.hash_join_single_partition_threshold = 0;
    options.optimizer.hash_join_single_partition_threshold_rows = 0;
    options.extensions.insert(BallistaConfig::default());
    options.set(BALLISTA_BROADCAST_JOIN_THRESHOLD_BYTES, "0")?;
    options.set(BALLISTA_CLIENT_GRPC_MAX_MESSAGE_SIZE, &MOST_MESSAGE_BYTES.to_string())?;
    Ok(options)
}

/// A connection that notices when nobody is at its other end any more: a process that has been stopped keeps its connections, and a
/// read from it would wait for ever.
pub(super) fn watched(endpoint: Endpoint) -> std::result::Result<Endpoint, Box<dyn Error + Send + Sync>> {
    Ok(endpoint
        .connect_timeout(Duration::from_secs(HEARTBEAT))
        .http2_keep_alive_interval(Duration::from_secs(HEARTBEAT))
        .keep_alive_timeout(Duration::from_secs(SILENCE - HEARTBEAT))
        .keep_alive_while_idle(true))
}

/// What a run plans with for a cluster.
pub(super) fn planning_state(
    partitions: usize,
    prefers_hash_joins: bool,
    runtime: &Arc<RuntimeEnv>,
) -> Result<SessionState> {
    let builder = session(options(partitions, prefers_hash_joins)?);
    Ok(with_own_functions(builder, &Functions::load()).with_runtime_env(Arc::clone(runtime)).build())
}

/// The settings that a server begins with; those of a plan come with it.
pub(super) fn server_config() -> SessionConfig {
    // The keys are constants, and the numbers are in their ranges.
    let config = SessionConfig::from(options(1, true).expect("the settings of a cluster are valid"));
    config.with_ballista_override_create_grpc_client_endpoint(Arc::new(watched))
}

/// The scheduler decodes plans to cut them. It computes nothing.
pub(super) fn scheduler_state(config: SessionConfig, runtime: &Arc<RuntimeEnv>) -> SessionState {
    let builder = SessionStateBuilder::new_with_default_features().with_config(config);
    with_own_functions(builder, &Functions::load()).with_runtime_env(Arc::clone(runtime)).build()
}

/// Functions under the names that karat gives them: those of the clock are none of them.
fn with_own_functions(builder: SessionStateBuilder, functions: &Functions) -> SessionStateBuilder {
    builder
        .with_scalar_functions(functions.scalar.values().cloned().collect())
        .with_aggregate_functions(functions.aggregate.values().cloned().collect())
        .with_window_functions(functions.window.values().cloned().collect())
}
