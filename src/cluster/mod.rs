//! A cluster of Apache DataFusion Ballista that carries out plans of builds: the client of a run, and the two servers.
//!
//! A run plans each step as it does for itself, with the settings of `session.rs`. The finished physical plan, not its SQL, goes to the
//! scheduler as bytes (`engine/codec.rs`), is cut into stages there, and each stage into tasks, which executors carry out. Rows pass
//! from stage to stage over the executors' disks. The write node of each task writes files into the lake and claims its
//! partitions; what comes back are its rows, and the run commits what the claims cover exactly once. So nothing that a cluster does can
//! change a table: a task that is done twice, or by a machine that was thought dead, has written files that nobody names.
//!
//! Ballista has no authentication, and its scheduler holds its state in memory: if it dies, its jobs have failed.

mod client;
mod executor;
mod fault;
mod scheduler;
mod session;
mod shape;
mod stage_engine;
mod task_failure;

pub(crate) use client::Cluster;
pub(crate) use executor::{ExecutorProcess, run_executor};
pub(crate) use fault::ClusterFault;
pub(crate) use scheduler::{SchedulerSettings, run_scheduler};
pub(crate) use shape::ShippedPlan;
pub(crate) use task_failure::TaskFailure;

/// The largest plan that is sent, and the largest message between servers. A plan names the files that it reads: about 2 million
/// of them fit.
const MOST_MESSAGE_BYTES: usize = 256 << 20;

/// How often an executor says that it is alive, and after how much silence its work is given to others, in seconds.
const HEARTBEAT: u64 = 5;
const SILENCE: u64 = 20;
