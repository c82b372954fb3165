//! What may be wrong with a cluster, apart from what is wrong with a plan.

use std::fmt;

use datafusion::common::DataFusionError;

/// A cluster could not carry out a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClusterFault {
    /// Nobody answers at the address, or nobody does any longer.
    Away { address: String, reason: String },
    /// The scheduler does not take the plan.
    Refused { address: String, reason: String },
    /// The executors have another lake than the run.
    OtherLake { file: String },
}

impl fmt::Display for ClusterFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterFault::Away { address, reason } => {
                write!(formatter, "the cluster at `{address}` does not answer: {reason}")
            }
            ClusterFault::Refused { address, reason } => {
                write!(formatter, "the cluster at `{address}` refuses the plan: {reason}")
            }
            ClusterFault::OtherLake { file } => {
                write!(formatter, "an executor has written `{file}`, and it is not in this run's lake")
            }
        }
    }
}

impl std::error::Error for ClusterFault {}

impl ClusterFault {
    /// Whether the same command may work later.
    pub fn may_pass(&self) -> bool {
        matches!(self, ClusterFault::Away { .. })
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            ClusterFault::Away { .. } => {
                "see whether `karat scheduler` runs there, and run the same command again: it builds what is missing"
            }
            ClusterFault::Refused { .. } => "start the scheduler and the executors with this version of karat",
            ClusterFault::OtherLake { .. } => {
                "start every executor with the project and the target of the run; a lake in a folder must be on a shared disk"
            }
        }
    }
}

impl From<ClusterFault> for DataFusionError {
    fn from(fault: ClusterFault) -> DataFusionError {
        DataFusionError::External(Box::new(fault))
    }
}
