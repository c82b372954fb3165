//! A source as the engine reads it: raw files in blocks on all cores, bad records to the side.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::{self, StreamExt};

use super::source_pruning::{KnownFiles, may_match};
use super::source_report::SourceReport;
use crate::delta::PartitionValues;
use crate::name::TableName;
use crate::raw::{BlockQueue, ProjectedColumn, Projection, RawError, RawFile, RawFormat, output_schema, parse_block};
use crate::store::SourceFolder;
use crate::table::{SourceEntry, SourceListing};

/// The listed files of a source, as plain data.
#[derive(Debug, Clone)]
pub(crate) struct ListedSource {
    pub name: TableName,
    /// What the paths are relative to, unless they lie in a bucket.
    pub backend: SourceFolder,
    pub format: Arc<RawFormat>,
    /// Whether rows show where they come from, besides the declared columns.
    pub has_origin_columns: bool,
    pub entries: Vec<SourceEntry>,
    /// All files of the source, those too that are not read.
    pub all: Arc<SourceListing>,
    /// Facts about those files that did not change since they were read.
    pub known: Arc<KnownFiles>,
}

#[derive(Debug)]
pub(crate) struct SourceTable {
    files: ListedSource,
    schema: SchemaRef,
    report: Arc<SourceReport>,
}

impl ListedSource {
    fn raw(&self, entry: &SourceEntry) -> RawFile {
        let constants = self.all.partitions.get(&entry.path).map(PartitionValues::to_texts);
        self.backend.raw_file(entry, &self.format.kind).with_constants(constants.unwrap_or_default())
    }

    /// The columns that a query can name.
    fn columns(&self) -> Projection {
        if self.has_origin_columns { Projection::all(&self.format) } else { Projection::declared(&self.format) }
    }

    /// Refuses a declared column that no file has. The files are opened on a thread that may wait for the disk.
    async fn refuse_column_of_no_file(&self) -> Result<()> {
        let files = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let is_read = |entry: &&SourceEntry| files.entries.contains(entry);
            // New files have the columns that old ones lack, and files that are read anyway cost nothing more.
            let read = files.entries.iter().rev();
            let others = files.all.entries.iter().rev().filter(|entry| !is_read(entry));
            crate::raw::refuse_column_of_no_file(read.chain(others).map(|entry| files.raw(entry)), &files.format)
        });
        let checked = checked.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        checked.map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

impl SourceTable {
    pub fn new(files: ListedSource, report: Arc<SourceReport>) -> SourceTable {
        let schema = output_schema(&files.format, &files.columns());
        SourceTable { files, schema, report }
    }

    /// The files that may hold a row that passes the filters: those that are known not to are not read again.
    fn pruned(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<SourceEntry>> {
        let known: Vec<_> =
            self.files.entries.iter().filter_map(|entry| self.files.known.get(&entry.path).map(Arc::as_ref)).collect();
        let mut may = may_match(state, &self.schema, filters, &known)?.into_iter();
        Ok(self
            .files
            .entries
            .iter()
            .filter(|entry| !self.files.known.contains_key(&entry.path) || may.next().unwrap_or(true))
            .cloned()
            .collect())
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.files.refuse_column_of_no_file().await?;
        let entries = self.pruned(state, filters)?;
        let all = self.files.columns();
        let mut wanted = match projection {
            Some(columns) => {
                Projection { columns: columns.iter().filter_map(|column| all.columns.get(*column).copied()).collect() }
            }
            None => all,
        };
        if wanted.columns.is_empty() {
            // A batch without columns has no rows; the line number is the cheapest column.
            wanted.columns.push(ProjectedColumn::SourceLine);
        }
        let schema = output_schema(&self.files.format, &wanted);
        let partitions = state.config().target_partitions().min(entries_worth(&entries));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let scan = SourceScan {
            files: ListedSource { entries, ..self.files.clone() },
            projection: Arc::new(wanted),
            report: Arc::clone(&self.report),
            queue: Arc::default(),
            properties: Arc::new(properties),
        };
        let scan: Arc<dyn ExecutionPlan> = Arc::new(scan);
        match projection {
            Some(columns) if columns.is_empty() => {
                let none = Vec::<datafusion::physical_plan::projection::ProjectionExpr>::new();
                Ok(Arc::new(datafusion::physical_plan::projection::ProjectionExec::try_new(none, scan)?))
            }
            _ => Ok(scan),
        }
    }
}

/// One thread for every few megabytes is enough.
fn entries_worth(entries: &[SourceEntry]) -> usize {
    let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
    usize::try_from(bytes / (4 << 20)).unwrap_or(usize::MAX).max(1)
}

/// Reads blocks of the files, each partition a thread of its own.
pub(super) struct SourceScan {
    files: ListedSource,
    projection: Arc<Projection>,
    report: Arc<SourceReport>,
    /// Shared by the partitions; made by the first that runs.
    queue: Arc<OnceLock<Result<Arc<BlockQueue>, String>>>,
    properties: Arc<PlanProperties>,
}

impl SourceScan {
    fn queue(&self) -> Result<Arc<BlockQueue>> {
        let made = self.queue.get_or_init(|| {
            // One queue for all partitions: a partition that is done takes the next block of whatever file, so no
            // thread waits for a large one.
            let files = self.files.entries.iter().map(|entry| self.files.raw(entry));
            BlockQueue::new(files.collect(), Arc::clone(&self.files.format))
                .map(|queue| queue.reading(Arc::clone(&self.projection)))
                .map(Arc::new)
                .map_err(|error| error.to_string())
        });
        made.clone().map_err(DataFusionError::Execution)
    }
}

impl fmt::Debug for SourceScan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SourceScan").field("files", &self.files.entries.len()).finish_non_exhaustive()
    }
}

impl DisplayAs for SourceScan {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SourceScan: {}, files={}", self.files.name, self.files.entries.len())
    }
}

impl ExecutionPlan for SourceScan {
    fn name(&self) -> &str {
        "SourceScan"
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
        let work = ScanWork {
            queue: self.queue()?,
            format: Arc::clone(&self.files.format),
            projection: Arc::clone(&self.projection),
            report: Arc::clone(&self.report),
        };
        let blocks = stream::try_unfold(work, |work| async move {
            // Reading and converting a block takes milliseconds and waits for the disk: not on a thread of the runtime.
            tokio::task::spawn_blocking(move || Ok(work.next()?.map(|batches| (batches, work))))
                .await
                .map_err(|error| DataFusionError::External(Box::new(error)))?
        });
        let batches = blocks.map(|found: Result<Vec<RecordBatch>>| match found {
            Ok(batches) => stream::iter(batches.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches.flatten())))
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let bytes: u64 = self.files.entries.iter().map(|entry| entry.size).sum();
        statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Arc::new(statistics))
    }
}

/// What a thread needs to turn the next block into rows.
struct ScanWork {
    queue: Arc<BlockQueue>,
    format: Arc<RawFormat>,
    projection: Arc<Projection>,
    report: Arc<SourceReport>,
}

fn external(error: RawError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl ScanWork {
    fn next(&self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(block) = self.queue.next_block().map_err(external)? else {
            return Ok(None);
        };
        let parsed = parse_block(&block, &self.format, &self.projection).map_err(external)?;
        let heard = self.report.add(block.file(), &parsed.stats, parsed.bad);
        heard.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Some(parsed.batches))
    }
}
