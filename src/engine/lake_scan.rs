//! Reads data files of the lake with the engine's reader of Parquet, and says which one it was when that fails.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::future::{FutureExt, poll_fn};
use futures::stream::{BoxStream, StreamExt, poll_fn as stream_of};
use object_store::ObjectStore;
use parquet::errors::ParquetError;

use super::lake_file::{DamagedFile, LakeFiles};
use crate::raw::guarded;

/// The engine's source of Parquet files over [`LakeFiles`]. It holds plain data, as a plan should: files are opened when it runs.
#[derive(Clone)]
pub(super) struct LakeScan {
    parquet: Arc<dyn FileSource>,
}

impl LakeScan {
    pub fn new(parquet: ParquetSource) -> LakeScan {
        LakeScan { parquet: Arc::new(parquet) }
    }

    /// What reads the files.
    #[cfg(feature = "cluster")]
    pub fn parquet(&self) -> Arc<dyn FileSource> {
        Arc::clone(&self.parquet)
    }

    fn over(parquet: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(LakeScan { parquet })
    }
}

impl FileSource for LakeScan {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.parquet.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let Some(parquet) = self.parquet.downcast_ref::<ParquetSource>() else {
            return internal_err!("a file of the lake is a Parquet file");
        };
        let files = Arc::new(LakeFiles { store: Arc::clone(&store) });
        let parquet = parquet.clone().with_parquet_file_reader_factory(files);
        Ok(Box::new(Naming { inner: parquet.create_morselizer(store, config, partition)? }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.parquet.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        LakeScan::over(self.parquet.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.parquet.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.parquet.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.parquet.metrics()
    }

    fn file_type(&self) -> &str {
        self.parquet.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.parquet.fmt_extra(format, formatter)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.parquet.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(LakeScan::over);
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.parquet.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: LakeScan::over(inner) },
            SortOrderPushdownResult::Inexact { inner } => {
                SortOrderPushdownResult::Inexact { inner: LakeScan::over(inner) }
            }
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.parquet.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.parquet.try_pushdown_projection(projection)?.map(LakeScan::over))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.parquet.apply_expressions(visit)
    }
}

/// Does what the engine's reader of Parquet does, a part of a file (a morsel) at a time.
#[derive(Debug)]
struct Naming {
    inner: Box<dyn Morselizer>,
}

impl Morselizer for Naming {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let path: Arc<str> = Arc::from(file.object_meta.location.as_ref());
        let inner = named(&path, || self.inner.plan_file(file))?;
        Ok(Box::new(NamingPlanner { path, inner }))
    }
}

#[derive(Debug)]
struct NamingPlanner {
    path: Arc<str>,
    inner: Box<dyn MorselPlanner>,
}

impl NamingPlanner {
    fn boxed(path: &Arc<str>, inner: Box<dyn MorselPlanner>) -> Box<dyn MorselPlanner> {
        Box::new(NamingPlanner { path: Arc::clone(path), inner })
    }
}

impl MorselPlanner for NamingPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let NamingPlanner { path, inner } = *self;
        let Some(mut plan) = named(&path, || inner.plan())? else { return Ok(None) };
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| Box::new(NamingMorsel { path: Arc::clone(&path), inner }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter().map(|inner| NamingPlanner::boxed(&path, inner));
        let mut naming = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            let mut pending = pending.into_future();
            naming.set_pending_planner(poll_fn(move |context| {
                let polled = named(&path, || Ok(pending.poll_unpin(context)))?;
                polled.map(|planned| named(&path, || planned).map(|inner| NamingPlanner::boxed(&path, inner)))
            }));
        }
        Ok(Some(naming))
    }
}

#[derive(Debug)]
struct NamingMorsel {
    path: Arc<str>,
    inner: Box<dyn Morsel>,
}

impl Morsel for NamingMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let NamingMorsel { path, inner } = *self;
        let mut batches = Some(inner.into_stream());
        stream_of(move |context| {
            let Some(stream) = &mut batches else { return None.into() };
            match named(&path, || Ok(stream.poll_next_unpin(context))) {
                Ok(polled) => polled.map(|batch| batch.map(|batch| named(&path, || batch))),
                Err(error) => {
                    // After a panic its state is anything.
                    batches = None;
                    Some(Err(error)).into()
                }
            }
        })
        .boxed()
    }
}

/// Does a part of the work, and gives what goes wrong with the file its name.
fn named<T>(path: &Arc<str>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match guarded(work) {
        Ok(done) => done.map_err(|error| with_name(path, error)),
        Err(_) => Err(damaged(path, "its bytes are inconsistent")),
    }
}

fn with_name(path: &str, error: DataFusionError) -> DataFusionError {
    if let Some(known) = damaged_file(&error) {
        return DataFusionError::External(Box::new(known.clone()));
    }
    match error.find_root() {
        // An error of the store, which has a name in it.
        DataFusionError::ParquetError(inner) if matches!(**inner, ParquetError::External(_)) => error,
        DataFusionError::ParquetError(inner) => damaged(path, &inner.to_string()),
        DataFusionError::ArrowError(inner, _) => match &**inner {
            ArrowError::ParquetError(reason) => damaged(path, reason),
            _ => error,
        },
        _ => error,
    }
}

fn damaged(path: &str, reason: &str) -> DataFusionError {
    const PARTS: [&str; 5] =
        ["Parquet error: ", "Parquet argument error: ", "External: ", "Arrow: ", "ArrowError(ParquetError("];
    let mut text = reason.lines().next().unwrap_or(reason).trim();
    while let Some(rest) = PARTS.iter().find_map(|part| text.strip_prefix(part)) {
        text = rest;
    }
    DataFusionError::External(Box::new(DamagedFile { path: path.to_owned(), reason: Some(text.to_owned()) }))
}

fn damaged_file(error: &DataFusionError) -> Option<&DamagedFile> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<DamagedFile>() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
