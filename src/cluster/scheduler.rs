//! `karat scheduler`: takes plans from runs, cuts them into stages and tasks, and gives these to executors.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ballista_core::ConfigProducer;
use ballista_executor::terminate::sig_term;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::memory::InMemory;

use super::session::{scheduler_state, server_config, watched};
use super::{HEARTBEAT, MOST_MESSAGE_BYTES, SILENCE};
use crate::analyze::Functions;
use crate::engine::{KaratCodec, LAKE_URL};

/// Where a scheduler is found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchedulerSettings {
    /// The address that it listens at.
    pub bind: IpAddr,
    pub port: u16,
}

/// Serves until the process is asked to end, by Ctrl-C or as service managers do.
///
/// # Errors
///
/// Fails if the address cannot be listened at.
pub(crate) async fn run_scheduler(settings: SchedulerSettings) -> Result<()> {
    let runtime = Arc::new(RuntimeEnv::default());
    // Whoever decodes a scan asks for its store. The scheduler reads nothing, so this one is empty, and needs no keys.
    let lake = ObjectStoreUrl::parse(LAKE_URL)?;
    runtime.register_object_store(lake.as_ref(), Arc::new(InMemory::new()));
    let config_producer: ConfigProducer = Arc::new(server_config);
    let most = u32::try_from(MOST_MESSAGE_BYTES).expect("a message is less than 4 GiB");
    let config = SchedulerConfig {
        bind_host: settings.bind.to_string(),
        bind_port: settings.port,
        external_host: settings.bind.to_string(),
        grpc_server_max_decoding_message_size: most,
        grpc_server_max_encoding_message_size: most,
        grpc_client_max_message_size: most,
        // Ballista's defaults are a minute and three: too long to wait for a machine that is gone.
        executor_timeout_seconds: SILENCE,
        expire_dead_executor_interval_seconds: HEARTBEAT,
        no_executors_grace_period_seconds: SILENCE,
        finished_job_data_clean_up_interval_seconds: 60,
        finished_job_state_clean_up_interval_seconds: 600,
        override_create_grpc_client_endpoint: Some(Arc::new(watched)),
        override_config_producer: Some(config_producer),
        override_session_builder: Some(Arc::new(move |config| Ok(scheduler_state(config, &runtime)))),
        override_physical_codec: Some(Arc::new(KaratCodec::new(Arc::new(Functions::load())))),
        ..SchedulerConfig::default()
    };
    let external = |error: ballista_core::error::BallistaError| DataFusionError::External(Box::new(error));
    let cluster = BallistaCluster::new_from_config(&config).await.map_err(external)?;
    let address = SocketAddr::new(settings.bind, settings.port);
    tokio::select! {
        served = start_server(cluster, address, Arc::new(config)) => served.map_err(external),
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = sig_term() => Ok(()),
    }
}
