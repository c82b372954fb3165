//! What computes: memory pool, spill, threads and the lake's address (only user of `SessionConfig`).

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use object_store::ObjectStore;
use url::Url;

use crate::analyze::plan_options;
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::engine::{LAKE_URL, OTHER_LAKE_URL, OpenTargets, session};
#[cfg(feature = "cluster")]
use crate::project::Target;

/// What a run may take of the machine.
#[derive(Debug, Clone)]
pub(crate) struct EngineSettings {
    /// Bytes for sorting, grouping and joining, all models together.
    pub memory: usize,
    /// Threads of one model.
    pub partitions: usize,
    /// Rows of input that are computed at once, where a table can be built in parts.
    pub part_rows: u64,
    /// The objects of the lake.
    pub lake: Arc<dyn ObjectStore>,
}

impl EngineSettings {
    /// Rows of a part: enough for fast scans; grouping and sorting so many takes a few hundred megabytes.
    pub const USUAL_PART_ROWS: u64 = 2_000_000;
}

/// One memory pool for everything that runs.
#[derive(Clone)]
pub(crate) struct Engine {
    hash_joins: SessionState,
    merge_joins: SessionState,
    pub settings: EngineSettings,
    /// Where the plans of steps that are at work write to.
    pub targets: Arc<OpenTargets>,
    /// What carries out the plans of builds in the place of this machine.
    #[cfg(feature = "cluster")]
    pub cluster: Option<Cluster>,
}

/// At most so much is spilled before a run gives up.
const MOST_SPILL: u64 = 512 * 1024 * 1024 * 1024;

impl Engine {
    pub fn open(settings: EngineSettings) -> Result<Self> {
        let top = NonZeroUsize::new(3).expect("three is not zero");
        // Operators that can spill share what is left fairly: none starves while another sorts. The tracker names the largest
        // consumers when memory runs out.
        let pool = TrackConsumersPool::new(FairSpillPool::new(settings.memory), top);
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::OsTmpDirectory)
            .with_max_temp_directory_size(MOST_SPILL);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk);
        let runtime = Arc::new(runtime.build()?);
        let url = Url::parse(LAKE_URL).expect("an address of ours is a URL");
        runtime.register_object_store(&url, Arc::clone(&settings.lake));
        let targets = Arc::new(OpenTargets::default());
        let opened = |is_hash: bool| {
            let mut state = state(&settings, &runtime, is_hash);
            state.config_mut().set_extension(Arc::clone(&targets));
            state
        };
        let hash_joins = opened(true);
        let merge_joins = opened(false);
        Ok(Self {
            hash_joins,
            merge_joins,
            settings,
            targets,
            #[cfg(feature = "cluster")]
            cluster: None,
        })
    }

    /// The same engine, which sends the plans of builds to a target's cluster, if it has one.
    ///
    /// # Errors
    ///
    /// Fails if a setting of the cluster is not known to the engine.
    #[cfg(feature = "cluster")]
    pub fn on_cluster_of(self, target: &Target) -> Result<Self> {
        let Some(cluster) = &target.cluster else { return Ok(self) };
        let runtime = self.hash_joins.runtime_env();
        let cluster = Cluster::new(cluster.address.clone(), cluster.partitions, runtime)?;
        Ok(Self { cluster: Some(cluster), ..self })
    }

    /// Lets plans read the tables of a second lake, which is never written to.
    pub fn add_other_lake(&self, lake: Arc<dyn ObjectStore>) {
        let url = Url::parse(OTHER_LAKE_URL).expect("an address of ours is a URL");
        self.hash_joins.runtime_env().register_object_store(&url, lake);
    }

    /// Runs a plan and collects what it puts out.
    pub async fn collect(&self, plan: &LogicalPlan, joins: Joins) -> Result<Vec<RecordBatch>> {
        let state = self.state(joins);
        let physical = state.create_physical_plan(plan).await?;
        execute_stream(physical, state.task_ctx())?.try_collect().await
    }

    /// What plans are made and run with.
    pub fn state(&self, joins: Joins) -> &SessionState {
        match joins {
            Joins::Hash => &self.hash_joins,
            Joins::Merge => &self.merge_joins,
        }
    }
}

/// How big tables are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joins {
    /// Fast, but one side must fit into memory.
    Hash,
    /// Sorts both sides, which can spill.
    Merge,
}

impl Joins {
    /// Whether the engine gave up hash joins for want of memory, which merge joins may not need.
    pub fn may_need_less(error: &DataFusionError) -> bool {
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
    }
}

fn state(settings: &EngineSettings, runtime: &Arc<RuntimeEnv>, hash: bool) -> SessionState {
    let mut options = plan_options(settings.partitions);
    // A hash join must hold its smaller side; a sort-merge join can spill both.
    options.optimizer.prefer_hash_join = hash;
    // The default reserves ten megabytes for every sort of every thread, which a small limit does not have.
    let reserve = settings.memory / (settings.partitions.max(1) * 16);
    options.execution.sort_spill_reservation_bytes = reserve.min(options.execution.sort_spill_reservation_bytes);
    session(options).with_runtime_env(Arc::clone(runtime)).build()
}
