//! The client of a run: sends a plan, waits for its job, and fetches what it puts out. A job that nobody waits for is cancelled.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use ballista_core::client::BallistaClient;
use ballista_core::config::BallistaConfig;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::job_status::Status as JobState;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{CancelJobParams, ExecuteQueryParams, KeyValuePair, PartitionLocation};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version::insert_version_header;
use datafusion::common::{DataFusionError, Result, exec_err, not_impl_err};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use futures::TryStreamExt;
use tonic::transport::Channel;

use super::session::{planning_state, watched};
use super::{ClusterFault, MOST_MESSAGE_BYTES, TaskFailure};
use crate::analyze::Functions;
use crate::engine::KaratCodec;

/// A cluster that a run sends plans to.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// The scheduler's host and port.
    address: String,
    codec: Arc<KaratCodec>,
    hash_joins: SessionState,
    merge_joins: SessionState,
}

impl Cluster {
    /// A cluster whose plans are divided into so many partitions. Nobody is asked whether it is there.
    ///
    /// # Errors
    ///
    /// Fails if a setting is not known to the engine.
    pub fn new(address: String, partitions: usize, runtime: &Arc<RuntimeEnv>) -> Result<Cluster> {
        Ok(Cluster {
            address,
            codec: Arc::new(KaratCodec::new(Arc::new(Functions::load()))),
            hash_joins: planning_state(partitions, true, runtime)?,
            merge_joins: planning_state(partitions, false, runtime)?,
        })
    }

    /// What plans for the cluster are made with.
    pub fn state(&self, prefers_hash_joins: bool) -> &SessionState {
        if prefers_hash_joins { &self.hash_joins } else { &self.merge_joins }
    }

    /// The plan as it is sent. It is decoded as the cluster will, and compared: what arrives is what was meant.
    ///
    /// # Errors
    ///
    /// Fails if the plan cannot be carried out elsewhere; the error says why.
    pub fn encode(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
        let bytes = self.codec.encode(plan)?;
        // This costs a few milliseconds, and makes a fault of either codec a step that is built here instead of wrong rows.
        let arrived = self.codec.decode(&bytes, &self.hash_joins.task_ctx())?;
        let shown = |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(true).to_string();
        if shown(&arrived) != shown(plan) {
            return not_impl_err!("the plan would arrive as another one:\n{}\n{}", shown(plan), shown(&arrived));
        }
        Ok(bytes)
    }

    /// Has a plan carried out, and fetches all that it puts out. Dropping the future cancels the job.
    ///
    /// # Errors
    ///
    /// Fails if the cluster is away or refuses the plan (`ClusterFault`), or with what the plan ran into.
    pub async fn run(&self, plan: Vec<u8>, prefers_hash_joins: bool) -> Result<Vec<RecordBatch>> {
        let mut scheduler = connect(&self.address).await.map_err(|error| self.away(&error))?;
        let options = self.state(prefers_hash_joins).config_options().entries();
        let settings = options.into_iter().map(|entry| KeyValuePair { key: entry.key, value: entry.value }).collect();
        let mut request = tonic::Request::new(ExecuteQueryParams {
            query: Some(Query::PhysicalPlan(plan)),
            settings,
            session_id: String::new(),
            operation_id: String::new(),
        });
        insert_version_header(request.metadata_mut());
        let updates = scheduler.execute_query_push(request).await;
        let mut updates = updates.map_err(|status| self.refusal(&status))?.into_inner();
        let mut job = RunningJob { address: self.address.clone(), id: None };
        loop {
            let update = updates.message().await.map_err(|status| self.away(&status))?;
            let Some(update) = update.and_then(|update| update.status) else {
                return Err(self.away(&"the scheduler has ended the conversation").into());
            };
            job.id.get_or_insert(update.job_id);
            match update.status {
                // There is no more to say than that: figures come with the end of each stage.
                None | Some(JobState::Queued(_) | JobState::Running(_)) => {}
                Some(JobState::Failed(failed)) => {
                    // It has ended: there is nothing to cancel.
                    job.id = None;
                    return Err(failure(&failed.error));
                }
                Some(JobState::Successful(done)) => {
                    let mut rows = Vec::new();
                    for location in done.partition_location {
                        rows.extend(self.fetch(location).await?);
                    }
                    job.id = None;
                    return Ok(rows);
                }
            }
        }
    }

    /// The rows that an executor holds.
    async fn fetch(&self, location: PartitionLocation) -> Result<Vec<RecordBatch>> {
        let layout = location.layout();
        let (Some(executor), Some(partition)) = (location.executor_meta, location.partition_id) else {
            return exec_err!("the scheduler does not say where the results are");
        };
        let port = u16::try_from(executor.port).unwrap_or_default();
        let failed = |error: ballista_core::error::BallistaError| self.away(&error);
        let watch = Arc::new(BallistaConfigGrpcEndpoint::new(Arc::new(watched)));
        let mut client =
            BallistaClient::try_new(&executor.host, port, MOST_MESSAGE_BYTES, false, Some(watch), 3, 1000, 0, 0)
                .await
                .map_err(failed)?;
        let rows = client.fetch_partition(&executor.id, &partition.into(), location.file_id, layout, true).await;
        rows.map_err(failed)?.try_collect().await
    }

    fn away(&self, reason: &dyn std::fmt::Display) -> ClusterFault {
        ClusterFault::Away { address: self.address.clone(), reason: reason.to_string() }
    }

    fn refusal(&self, status: &tonic::Status) -> ClusterFault {
        let address = self.address.clone();
        let reason = status.message().to_owned();
        match status.code() {
            tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition | tonic::Code::OutOfRange => {
                ClusterFault::Refused { address, reason }
            }
            _ => ClusterFault::Away { address, reason },
        }
    }
}

/// What a job ran into. Errors come as texts; where memory was short is told apart again, because other joins may need less.
fn failure(text: &str) -> DataFusionError {
    if let Some(failure) = TaskFailure::find(text) {
        return DataFusionError::External(Box::new(failure));
    }
    let short = "Resources exhausted";
    if text.contains("ResourcesExhausted") || text.contains(short) {
        return DataFusionError::ResourcesExhausted(text.to_owned());
    }
    DataFusionError::Execution(text.to_owned())
}

/// A job that is cancelled unless it has ended.
struct RunningJob {
    /// The scheduler's host and port.
    address: String,
    /// `None` before the scheduler has said it, and when the job has ended.
    id: Option<String>,
}

/// How long a run that ends may wait for a scheduler to hear of it.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);

impl Drop for RunningJob {
    /// Waits until the scheduler knows, because the process may be about to end. The runtime may be, too, so another one asks.
    fn drop(&mut self) {
        let Some(job_id) = self.id.take() else { return };
        let address = self.address.clone();
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let cancelled = async {
                connect(&address).await?.cancel_job(CancelJobParams { job_id }).await.map_err(io::Error::other)
            };
            runtime.block_on(async { tokio::time::timeout(CANCEL_WITHIN, cancelled).await })?.map(drop)
        });
        if let Ok(Err(error)) = asking.join() {
            tracing::info!(%error, "a job of the cluster could not be cancelled");
        }
    }
}

/// A conversation with a scheduler.
async fn connect(address: &str) -> io::Result<SchedulerGrpcClient<Channel>> {
    let timeouts = GrpcClientConfig::from(&BallistaConfig::default());
    let endpoint =
        create_grpc_client_endpoint(format!("http://{address}"), Some(&timeouts)).map_err(io::Error::other)?;
    let endpoint = watched(endpoint).map_err(io::Error::other)?;
    let channel = endpoint.connect().await.map_err(|error| io::Error::other(root(&error)))?;
    let client = SchedulerGrpcClient::new(channel);
    Ok(client.max_encoding_message_size(MOST_MESSAGE_BYTES).max_decoding_message_size(MOST_MESSAGE_BYTES))
}

/// The cause at the bottom of an error: what is above it says only that there is one.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
