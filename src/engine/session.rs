//! What plans are made with: the engine's planner, and karat's operators and accumulators.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;

use super::running_windows::UseRunningWindows;
use crate::analyze::UseOwnAggregates;

/// A session whose plans are those that runs carry out and `karat compile` shows.
pub(crate) fn session(options: ConfigOptions) -> SessionStateBuilder {
    SessionStateBuilder::new_with_default_features()
        .with_config(SessionConfig::from(options))
        .with_optimizer_rule(Arc::new(UseOwnAggregates))
        .with_physical_optimizer_rule(Arc::new(UseRunningWindows))
}
