//! The SQL functions that karat offers, and the settings under which SQL is planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};

use super::arithmetic::{checked_functions, checked_sum, numeric_casts};
use super::null_character::guarded_chr;
use super::value_size::bounded_functions;
use super::{aggregate, comparison, foreign, time, written_casts};

/// Every function by its names, and how operators become functions.
#[derive(Debug)]
pub(crate) struct Functions {
    pub scalar: BTreeMap<String, Arc<ScalarUDF>>,
    pub higher_order: BTreeMap<String, Arc<HigherOrderUDF>>,
    pub aggregate: BTreeMap<String, Arc<AggregateUDF>>,
    pub window: BTreeMap<String, Arc<WindowUDF>>,
    pub planners: Vec<Arc<dyn ExprPlanner>>,
}

macro_rules! by_name {
    ($functions:expr) => {{
        let mut found = BTreeMap::new();
        for function in $functions {
            for alias in function.aliases() {
                found.insert(alias.clone(), Arc::clone(&function));
            }
            found.insert(function.name().to_owned(), function);
        }
        found
    }};
}

/// Functions that read the clock: with them a table would depend on when it was built.
pub(crate) const CLOCK: [&str; 5] = ["now", "current_timestamp", "current_date", "current_time", "today"];

impl Functions {
    pub fn load() -> Functions {
        let mut scalar = by_name!(SessionStateDefaults::default_scalar_functions());
        scalar.retain(|name, _| !CLOCK.contains(&name.as_str()));
        let checked = checked_functions(scalar.iter());
        scalar.extend(checked);
        let bounded = bounded_functions(scalar.iter());
        scalar.extend(bounded);
        if let Some(chr) = scalar.get("chr").map(guarded_chr) {
            scalar.insert("chr".to_owned(), chr);
        }
        scalar.insert("coalesce".to_owned(), comparison::coalesce());
        scalar.extend(numeric_casts());
        scalar.extend(time::functions());
        scalar.extend(foreign::duckdb::functions());
        scalar.extend(foreign::warehouse::functions());
        scalar.extend([written_casts::function()]);
        // Other names of the engine's own functions, whose patterns and types are not PostgreSQL's.
        scalar.retain(|name, _| !["date_format", "datepart", "datetrunc"].contains(&name.as_str()));
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(time::TimeOperators)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let mut aggregate = by_name!(SessionStateDefaults::default_aggregate_functions());
        aggregate.insert("sum".to_owned(), checked_sum());
        let own = aggregate::functions(aggregate.iter());
        aggregate.extend(own);
        Functions {
            scalar,
            higher_order: by_name!(SessionStateDefaults::default_higher_order_functions()),
            aggregate,
            window: by_name!(SessionStateDefaults::default_window_functions()),
            planners,
        }
    }

    /// Every function's name: what a suggestion may offer.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let scalar = self.scalar.keys().chain(self.higher_order.keys());
        scalar.chain(self.aggregate.keys()).chain(self.window.keys()).map(String::as_str).filter(|name| {
            *name != written_casts::OPERAND && !foreign::OWN.iter().any(|prefix| name.starts_with(prefix))
        })
    }
}

/// The engine's settings that can change a plan. One set for compiling and running, and nothing from the machine in
/// it: a compiled plan is the same everywhere.
pub(crate) fn plan_options(partitions: usize) -> ConfigOptions {
    let mut options = ConfigOptions::default();
    options.sql_parser.collect_spans = true;
    options.execution.target_partitions = partitions;
    // The zone of `timestamptz`: an instant is shown, and cast, in UTC.
    options.execution.time_zone = Some("UTC".to_owned());
    options.execution.collect_statistics = false;
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.schema_force_view_types = true;
    // Dimensions are broadcast: they are far smaller than the facts that they are joined to.
    options.optimizer.hash_join_single_partition_threshold = 32 * 1024 * 1024;
    options.optimizer.hash_join_single_partition_threshold_rows = 1_000_000;
    // A file has one partition's rows; cutting it finer would cost more than it gains.
    options.optimizer.repartition_file_min_size = 64 * 1024 * 1024;
    // Rows that lie together in partitions are grouped where they are read.
    options.optimizer.preserve_file_partitions = 1;
    options.optimizer.subset_repartition_threshold = 1;
    options
}
