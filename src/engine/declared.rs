//! A table that is only declared: plans can be made and shown over it, not run.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableScan, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use crate::analyze::InputTable;

/// Rows that a table is taken to have when nothing was observed: with an event time it is a table of facts, which
/// grows; without one it is a dimension, small enough to be broadcast.
const ROWS_OF_FACTS: usize = 1_000_000_000;
const ROWS_OF_A_DIMENSION: usize = 100_000;

#[derive(Debug)]
pub(crate) struct DeclaredTable(pub InputTable);

/// What was declared of the table behind a bound scan.
pub(crate) fn declared_table(scan: &TableScan) -> Option<InputTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn Any = provider.as_ref();
    provider.downcast_ref::<DeclaredTable>().map(|table| table.0.clone())
}

#[async_trait]
impl TableProvider for DeclaredTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        datafusion::logical_expr::TableSource::supports_filters_pushdown(&self.0, filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.0.schema.project(columns)?),
            None => self.0.schema.clone(),
        };
        let (partitions, predicates) = filters.iter().cloned().partition(|filter| self.0.is_exact(filter));
        let partitioning = self.partitioning(&schema, state.config().target_partitions());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(DeclaredScan {
            table: self.0.name.table.to_string(),
            rows: if self.0.event_time.is_some() { ROWS_OF_FACTS } else { ROWS_OF_A_DIMENSION },
            partitions,
            predicates,
            properties: Arc::new(properties),
        }))
    }
}

impl DeclaredTable {
    /// As it would be of the table's files: together by partition, if the plan keeps that column.
    fn partitioning(&self, schema: &SchemaRef, threads: usize) -> Partitioning {
        let columns: Option<Vec<_>> = self
            .0
            .partition_by
            .iter()
            .map(|name| {
                let index = schema.index_of(name).ok()?;
                Some(Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>)
            })
            .collect();
        match columns.filter(|columns| self.0.keeps_partitions && !columns.is_empty()) {
            Some(columns) => Partitioning::Hash(columns, threads),
            None => Partitioning::UnknownPartitioning(threads),
        }
    }
}

/// The leaf of a compiled plan: which columns of which partitions would be read.
#[derive(Debug)]
struct DeclaredScan {
    table: String,
    rows: usize,
    /// Filters that choose whole files.
    partitions: Vec<Expr>,
    /// Filters that are checked against the statistics of files and row groups.
    predicates: Vec<Expr>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for DeclaredScan {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> =
            self.properties.eq_properties.schema().fields().iter().map(|field| field.name().as_str()).collect();
        write!(formatter, "Scan: {}, columns=[{}]", self.table, columns.join(", "))?;
        for (word, filters) in [("partitions", &self.partitions), ("predicate", &self.predicates)] {
            if !filters.is_empty() {
                let shown: Vec<String> = filters.iter().map(show_filter).collect();
                write!(formatter, ", {word}=[{}]", shown.join(" AND "))?;
            }
        }
        Ok(())
    }
}

/// A filter without the table's name before every column.
pub(crate) fn show_filter(filter: &Expr) -> String {
    let bare = unnormalize_col(filter.clone());
    let short = bare.human_display().to_string();
    // The short form leaves out parentheses, which matter as soon as there is an OR.
    if short.contains(" OR ") { bare.to_string() } else { short }
}

impl ExecutionPlan for DeclaredScan {
    fn name(&self) -> &str {
        "Scan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a compiled plan was run without its tables")
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = Precision::Inexact(self.rows);
        Ok(Arc::new(statistics))
    }
}
