//! Which failure deserves another plan: a hash join whose build side does not fit becomes a merge join.

use datafusion::common::DataFusionError;

/// Whether the engine gave up for want of memory, which a merge join may not need.
pub(crate) fn worth_a_merge_join(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}
