//! `karat executor`: carries out the tasks of a scheduler, over the lake of a target.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ballista_core::registry::BallistaFunctionRegistry;

use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use object_store::ObjectStore;

use super::session::{server_config, watched};
use super::stage_engine::StageEngine;
use super::task_failure::Describe;
use super::{HEARTBEAT, MOST_MESSAGE_BYTES};
use crate::analyze::Functions;
use crate::engine::{KaratCodec, LAKE_URL};

/// What an executor may use, and where it is found.
#[derive(Debug, Clone)]
pub(crate) struct ExecutorProcess {
    /// The scheduler's host and port.
    pub scheduler: (String, u16),
    /// The address that it listens at, at two ports: for rows, and the one after it for tasks.
    pub bind: IpAddr,
    pub port: u16,
    /// Where the others find it, if not at the address that it listens at.
    pub advertise: Option<String>,
    /// How many tasks run at once, each with its share of the memory.
    pub slots: usize,
    /// Bytes for sorting, grouping and joining.
    pub memory: usize,
    /// Where rows lie between stages. It is made, and what an executor has put there is removed when it ends.
    pub work_dir: PathBuf,
    /// Says what the errors of tasks mean.
    pub describe: Describe,
}

/// Serves until the process is asked to end, or the scheduler is gone.
///
/// # Errors
///
/// Fails if there is no scheduler, an address cannot be listened at, or the folder cannot be made.
pub(crate) async fn run_executor(settings: ExecutorProcess, lake: Arc<dyn ObjectStore>) -> Result<()> {
    let functions = Arc::new(Functions::load());
    let url = ObjectStoreUrl::parse(LAKE_URL)?;
    let work_dir = settings.work_dir.to_string_lossy().into_owned();
    let spill_dir = settings.work_dir.clone();
    let most = u32::try_from(MOST_MESSAGE_BYTES).expect("a message is less than 4 GiB");
    let (scheduler_host, scheduler_port) = settings.scheduler;
    // What is not said here is Ballista's own default: tasks are pushed to executors, and the shuffle is compressed.
    let config = ExecutorProcessConfig {
        bind_host: settings.bind.to_string(),
        external_host: Some(settings.advertise.unwrap_or_else(|| settings.bind.to_string())),
        port: settings.port,
        grpc_port: settings.port.saturating_add(1),
        scheduler_host,
        scheduler_port,
        scheduler_connect_timeout_seconds: 30,
        vcores: settings.slots,
        work_dir: Some(work_dir),
        // The scheduler has rows removed when a job has ended. These are what is left of schedulers that died.
        job_data_ttl_seconds: 24 * 60 * 60,
        job_data_clean_up_interval_seconds: 10 * 60,
        grpc_max_decoding_message_size: most,
        grpc_max_encoding_message_size: most,
        executor_heartbeat_interval_seconds: HEARTBEAT,
        // Of the executor; each task gets the share of the slots that it takes, and spills beyond it.
        memory_pool_size: Some(settings.memory as u64),
        override_execution_engine: Some(Arc::new(StageEngine {
            inner: DefaultExecutionEngine::new(),
            describe: settings.describe,
        })),
        override_function_registry: Some(Arc::new(registry(&functions))),
        // The keys of the lake are those of this machine: none comes with a plan.
        override_runtime_producer: Some(Arc::new(move |_| {
            let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill_dir.clone()]));
            let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc()?;
            runtime.register_object_store(url.as_ref(), Arc::clone(&lake));
            Ok(runtime)
        })),
        override_create_grpc_client_endpoint: Some(Arc::new(watched)),
        override_config_producer: Some(Arc::new(server_config)),
        override_physical_codec: Some(Arc::new(KaratCodec::new(functions))),
        ..ExecutorProcessConfig::default()
    };
    let ended = start_executor_process(Arc::new(config)).await;
    ended.map_err(|error| DataFusionError::External(Box::new(error)))
}

/// Every function under its names.
fn registry(functions: &Functions) -> BallistaFunctionRegistry {
    BallistaFunctionRegistry {
        scalar_functions: functions.scalar.clone().into_iter().collect(),
        aggregate_functions: functions.aggregate.clone().into_iter().collect(),
        window_functions: functions.window.clone().into_iter().collect(),
        higher_order_functions: functions.higher_order.clone().into_iter().collect(),
    }
}
