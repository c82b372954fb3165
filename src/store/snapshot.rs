//! A table's state, read from its Delta log, and the checkpoints of logs (only user of delta_kernel).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::snapshot::SnapshotRef;
use delta_kernel::{Engine, Snapshot};
use delta_kernel_default_engine::DefaultEngine;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::ObjectStore;
use tokio::runtime::{Builder, Runtime};

use super::error::{StoreError, io_error};
use super::log_cache::LogCache;
use super::table_log::TableLog;
use crate::partition_writer::from_uri;
use crate::table::{DataFile, LedgerFound, LedgerName, PartitionValues, SinceLedger, TableState, transaction_name};

/// Reads logs. One serves all tables. Its functions block.
pub(super) struct SnapshotReader {
    engine: DefaultEngine<TokioMultiThreadExecutor>,
    cache: Arc<LogCache>,
    /// The library waits for work on a runtime, and must never see it end: so it has one that lives as long as it is
    /// used. None only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for SnapshotReader {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl SnapshotReader {
    /// A reader of this store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Result<SnapshotReader, StoreError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("karat-log").enable_all().build();
        let runtime = runtime.map_err(|source| StoreError::Unavailable { path: "threads".to_owned(), source })?;
        let executor = Arc::new(TokioMultiThreadExecutor::new(runtime.handle().clone()));
        let cache = Arc::new(LogCache::new(store));
        let engine = DefaultEngine::builder(Arc::clone(&cache) as Arc<_>).with_task_executor(executor).build();
        Ok(SnapshotReader { engine, cache, runtime: Some(runtime) })
    }

    /// A version of the table, the newest if none is given. Its ledger is not read yet. A table that does not exist
    /// is corrupt, as far as this can tell.
    pub fn read(&self, log: &TableLog, version: Option<u64>) -> Result<TableState, StoreError> {
        let state = self.snapshot(log, version).and_then(|snapshot| self.state(log, &snapshot));
        self.cache.forget(&log.folder);
        state
    }

    fn snapshot(&self, log: &TableLog, version: Option<u64>) -> Result<SnapshotRef, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let root = format!("karat:///{}/", log.folder);
        let mut builder = Snapshot::builder_for(root.as_str());
        if let Some(version) = version {
            builder = builder.at_version(version);
        }
        builder.build(engine).map_err(|error| of_store(log.folder.as_ref(), &error))
    }

    fn state(&self, log: &TableLog, snapshot: &SnapshotRef) -> Result<TableState, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let path = log.folder.as_ref();
        let failed = |error: delta_kernel::KernelError| of_store(path, &error);
        let corrupt = |reason: &str| StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() };
        let version = snapshot.version();
        let configuration = snapshot.table_configuration();
        let metadata = configuration.metadata();
        let transaction = snapshot.get_app_id_version(&transaction_name(&log.name), engine).map_err(failed)?;
        let mut state = TableState {
            id: metadata.id().to_owned(),
            version,
            partition_columns: metadata.partition_columns().to_vec(),
            schema: metadata.schema_string().clone(),
            properties: metadata.configuration().clone().into_iter().collect::<BTreeMap<_, _>>(),
            checkpoint: snapshot.log_segment().checkpoint_version,
            transaction: transaction.and_then(LedgerName::from_transaction),
            data_version: version,
            files: Arc::default(),
            ledger: LedgerFound::Unknown("its ledger was not read".to_owned()),
            since: SinceLedger::Nothing,
        };
        let mut files = Vec::new();
        let scan = Arc::clone(snapshot).scan_builder().build().map_err(failed)?;
        for found in scan.scan_metadata(engine).map_err(failed)? {
            let (data, selected) = found.map_err(failed)?.scan_files.into_parts();
            let data = data.into_any().downcast::<ArrowEngineData>().map_err(|_| corrupt("no Arrow data"))?;
            add_files(data.record_batch(), &selected, &mut files)
                .ok_or_else(|| corrupt("the log's files have an unknown shape"))?;
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        state.files = Arc::new(files);
        Ok(state)
    }

    /// Writes a checkpoint of the newest version, so that reading the table does not grow with its history.
    pub fn checkpoint(&self, log: &TableLog) -> Result<(), StoreError> {
        let snapshot = self.snapshot(log, None)?;
        let written = snapshot.checkpoint(&self.engine, None);
        self.cache.forget(&log.folder);
        written.map(drop).map_err(|error| of_store(log.folder.as_ref(), &error))
    }
}

/// What the library says: the store did not answer, or the log is wrong.
fn of_store(path: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    let mut source = Some(error);
    while let Some(found) = source {
        if let Some(delta_kernel::KernelError::ObjectStore(store)) = found.downcast_ref::<delta_kernel::KernelError>()
            && !matches!(store, object_store::Error::NotFound { .. })
        {
            return StoreError::Unavailable { path: path.to_owned(), source: io_error(store) };
        }
        source = found.source();
    }
    StoreError::Corrupt { path: path.to_owned(), reason: reason(error) }
}

/// The first line of what the library says; below it there may be a backtrace.
fn reason(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or("").to_owned()
}

fn add_files(batch: &RecordBatch, selected: &[bool], files: &mut Vec<DataFile>) -> Option<()> {
    let paths = batch.column_by_name("path")?.as_string_opt::<i32>()?;
    let sizes = batch.column_by_name("size")?.as_primitive_opt::<Int64Type>()?;
    let stats = batch.column_by_name("stats")?.as_string_opt::<i32>()?;
    let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
    let partitions = constants.column_by_name("partitionValues")?.as_map_opt()?;
    for row in 0..batch.num_rows() {
        if !selected.get(row).copied().unwrap_or(true) || paths.is_null(row) {
            continue;
        }
        let stats = stats.is_valid(row).then(|| stats.value(row).to_owned());
        files.push(DataFile {
            path: from_uri(paths.value(row)),
            partition: if partitions.is_valid(row) { partition(&partitions.value(row))? } else { BTreeMap::new() },
            bytes: u64::try_from(sizes.value(row)).unwrap_or(0),
            rows: stats.as_deref().and_then(DataFile::rows_of),
            stats,
        });
    }
    Some(())
}

fn partition(entries: &arrow::array::StructArray) -> Option<PartitionValues> {
    let keys = entries.column(0).as_string_opt::<i32>()?;
    let values = entries.column(1).as_string_opt::<i32>()?;
    // The protocol writes a null partition value as an empty text too.
    let value = |row: usize| Some(values.value(row).to_owned()).filter(|text| values.is_valid(row) && !text.is_empty());
    Some((0..entries.len()).map(|row| (keys.value(row).to_owned(), value(row))).collect())
}
