//! A table's state, read from its Delta log, and the checkpoints of logs (only user of delta_kernel).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use delta_kernel::checkpoint::LastCheckpointHintStats;
use delta_kernel::engine::arrow_data::{ArrowEngineData, EngineDataArrowExt};
use delta_kernel::log_segment_files::LogSegmentFiles;
use delta_kernel::path::ParsedLogPath;
use delta_kernel::snapshot::SnapshotRef;
use delta_kernel::{Engine, Snapshot};
use delta_kernel_default_engine::DefaultEngine;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use super::checkpoint::{bytes_of, files_of};
use super::error::{StoreError, io_error};
use super::file_batch::FileBatch;
use super::log_cache::LogCache;
use super::table_log::{TableLog, commit_name};
use crate::delta::{DataFile, Protocol, TableLabel, Version};
use crate::table::{
    LedgerFound, LedgerName, LogActions, LogLength, RecentLedgers, SinceLedger, TableState, files_after, ledgers_after,
    transaction_name,
};

/// Reads logs. One serves all tables. Its functions block.
pub(super) struct SnapshotReader {
    engine: DefaultEngine<TokioMultiThreadExecutor>,
    cache: Arc<LogCache>,
    /// The library waits for work on a runtime, and must never see it end: so it has one that lives as long as it is
    /// used. None only while it is dropped.
    runtime: Option<Runtime>,
}

/// What a log says, read by karat itself.
#[derive(Debug, PartialEq)]
struct Replayed {
    files: Vec<DataFile>,
    /// How many files the commits after the checkpoint name.
    logged_files: u64,
    ledgers: BTreeMap<Version, LedgerName>,
}

/// A table that another program writes.
pub(super) struct OtherTable {
    pub version: Version,
    /// Delta's `schemaString`.
    pub schema: String,
    pub properties: BTreeMap<String, String>,
    pub protocol: Protocol,
    pub files: Vec<OtherFile>,
}

/// A file of such a table.
pub(super) struct OtherFile {
    pub file: DataFile,
    /// Milliseconds since 1970, as its writer has noted.
    pub modified: i64,
    /// Whether some of its rows are deleted.
    pub has_deletions: bool,
}

/// Adds the files of a batch. Returns `None` if the batch has another shape.
type AddFiles<F> = fn(&RecordBatch, &[bool], &mut Vec<F>) -> Option<()>;

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
    pub fn read(&self, log: &TableLog, version: Option<Version>) -> Result<TableState, StoreError> {
        let state = self.snapshot(log, version).and_then(|snapshot| self.state(log, &snapshot));
        self.cache.forget(&log.folder);
        state
    }

    /// The newest version of a table that another program writes, as the library puts it together: it knows what the writers
    /// of other programs ask of a reader.
    pub fn read_other(&self, log: &TableLog) -> Result<OtherTable, StoreError> {
        let read = self.snapshot(log, None).and_then(|snapshot| {
            let configuration = snapshot.table_configuration();
            let metadata = configuration.metadata();
            Ok(OtherTable {
                version: Version::new(snapshot.version()),
                schema: metadata.schema_string().clone(),
                properties: metadata.configuration().clone().into_iter().collect(),
                protocol: protocol_of(configuration.protocol()),
                files: self.scanned(log, &snapshot, add_other_files)?,
            })
        });
        self.cache.forget(&log.folder);
        read
    }

    /// From now on an object of a log is taken as not there.
    pub fn pass_over(&self, log: &TableLog, name: &str) -> Result<(), StoreError> {
        let path = log.path(name).map_err(|error| StoreError::unavailable(name, error))?;
        self.cache.pass_over(path);
        Ok(())
    }

    /// Whether an object of a log is taken as not there.
    pub fn is_passed_over(&self, log: &TableLog, name: &str) -> bool {
        log.path(name).is_ok_and(|path| self.cache.is_passed_over(&path))
    }

    fn snapshot(&self, log: &TableLog, version: Option<Version>) -> Result<SnapshotRef, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let root = format!("karat:///{}/", log.folder);
        let mut builder = Snapshot::builder_for(root.as_str());
        if let Some(version) = version {
            builder = builder.at_version(version.number());
        }
        builder.build(engine).map_err(failed(log))
    }

    fn state(&self, log: &TableLog, snapshot: &SnapshotRef) -> Result<TableState, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let version = Version::new(snapshot.version());
        let configuration = snapshot.table_configuration();
        let metadata = configuration.metadata();
        let transaction = snapshot.get_app_id_version(&transaction_name(&log.name), engine).map_err(failed(log))?;
        let mut state = TableState {
            id: metadata.id().to_owned(),
            version,
            partition_columns: metadata.partition_columns().to_vec(),
            schema: metadata.schema_string().clone().into(),
            properties: metadata.configuration().clone().into_iter().collect::<BTreeMap<_, _>>(),
            protocol: protocol_of(configuration.protocol()),
            label: TableLabel {
                name: metadata.name().map(str::to_owned),
                description: metadata.description().map(str::to_owned),
                created: metadata.created_time(),
            },
            log: LogLength {
                checkpoint: snapshot.log_segment().checkpoint_version.map(Version::new),
                ..LogLength::default()
            },
            transaction: transaction.and_then(LedgerName::from_transaction),
            recent: RecentLedgers::default(),
            data_version: version,
            elsewhere: None,
            files: Arc::default(),
            ledger: LedgerFound::Unknown("its ledger was not read".to_owned()),
            since: SinceLedger::Nothing,
        };
        let listed = &snapshot.log_segment().listed;
        state.log.checkpoint_bytes = listed.checkpoint_parts.iter().map(|part| part.location.size).sum();
        state.log.bytes = listed.ascending_commit_files.iter().map(|commit| commit.location.size).sum();
        // Read by karat itself where the log has the form that karat writes: the library looks at every file several
        // times.
        match self.replayed(log, listed)? {
            Some(replayed) => {
                state.files = Arc::new(replayed.files);
                state.log.files = replayed.logged_files;
                state.recent = Arc::new(replayed.ledgers);
            }
            None => {
                let mut files = self.scanned(log, snapshot, add_files)?;
                files.sort_by(|left, right| left.path.cmp(&right.path));
                state.files = Arc::new(files);
            }
        }
        Ok(state)
    }

    /// What the checkpoint and the commits after it say. Returns `None` if the log has a form that only the library
    /// knows.
    fn replayed(&self, log: &TableLog, listed: &LogSegmentFiles) -> Result<Option<Replayed>, StoreError> {
        let name = |path: &ParsedLogPath| format!("_delta_log/{}", path.filename);
        let files = match listed.checkpoint_parts.as_slice() {
            [] => Vec::new(),
            // One checkpoint in one part, as karat writes it. What other engines write in other forms is the library's.
            [one] if one.filename == format!("{:020}.checkpoint.parquet", one.version) => {
                let path = name(one);
                let files = files_of(self.object(log, &path)?);
                let files = files.map_err(|error| corrupt(log, format!("`{path}`: {error}")))?;
                let Some(files) = files else { return Ok(None) };
                files
            }
            _ => return Ok(None),
        };
        let mut commits = Vec::new();
        for commit in &listed.ascending_commit_files {
            let path = name(commit);
            let version = Version::new(commit.version);
            if path != commit_name(version) {
                return Ok(None);
            }
            let actions = LogActions::parse(&log.name, &self.object(log, &path)?);
            commits.push((version, actions.map_err(|reason| corrupt(log, format!("`{path}`: {reason}")))?));
        }
        let actions = || commits.iter().map(|(_, actions)| actions);
        Ok(Some(Replayed {
            files: files_after(&files, actions()),
            logged_files: actions().map(LogActions::files_named).sum(),
            ledgers: ledgers_after(None, commits.iter().map(|(version, actions)| (*version, actions))).collect(),
        }))
    }

    /// An object of the log, which the library has read before.
    fn object(&self, log: &TableLog, name: &str) -> Result<Bytes, StoreError> {
        let runtime = self.runtime.as_ref().expect("it is there until the reader is dropped");
        let read = async { self.cache.get(&log.path(name)?).await?.bytes().await };
        runtime.block_on(read).map_err(|error| StoreError::unavailable(format!("{}/{name}", log.folder), error))
    }

    /// The files of a table, as the library puts them together.
    fn scanned<F>(&self, log: &TableLog, snapshot: &SnapshotRef, add: AddFiles<F>) -> Result<Vec<F>, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let mut files = Vec::new();
        let scan = Arc::clone(snapshot).scan_builder().build().map_err(failed(log))?;
        for found in scan.scan_metadata(engine).map_err(failed(log))? {
            let (data, selected) = found.map_err(failed(log))?.scan_files.into_parts();
            let data = data.into_any().downcast::<ArrowEngineData>();
            let data = data.map_err(|_| corrupt(log, "no Arrow data".to_owned()))?;
            add(data.record_batch(), &selected, &mut files)
                .ok_or_else(|| corrupt(log, "the log's files have an unknown shape".to_owned()))?;
        }
        Ok(files)
    }

    /// Writes a checkpoint of the newest version, so that reading the table does not grow with its history. What is read of the
    /// log from then on.
    pub fn checkpoint(&self, log: &TableLog) -> Result<LogLength, StoreError> {
        let written = self.snapshot(log, None).and_then(|snapshot| self.write_checkpoint(log, &snapshot));
        self.cache.forget(&log.folder);
        written
    }

    fn write_checkpoint(&self, log: &TableLog, snapshot: &SnapshotRef) -> Result<LogLength, StoreError> {
        let engine: &dyn Engine = &self.engine;
        let version = Version::new(snapshot.version());
        if let Some(newest) = snapshot.log_segment().listed.checkpoint_parts.first()
            && newest.version == version.number()
        {
            let checkpoint_bytes = newest.location.size;
            return Ok(LogLength { checkpoint: Some(version), checkpoint_bytes, ..LogLength::default() });
        }
        let writer = Arc::clone(snapshot).create_checkpoint_writer(engine).map_err(failed(log))?;
        let actions = writer.checkpoint_data(engine).map_err(failed(log))?;
        let state = actions.state();
        let batches = actions.map(|actions| actions?.apply_selection_vector()?.try_into_record_batch());
        let bytes = bytes_of(batches).map_err(|error| of_store(log.folder.as_ref(), &*error))?;
        let checkpoint_bytes = bytes.len() as u64;
        let name = format!("_delta_log/{version:020}.checkpoint.parquet");
        let runtime = self.runtime.as_ref().expect("it is there until the reader is dropped");
        runtime.block_on(log.put_content(&name, bytes))?;
        let state = Arc::into_inner(state).expect("only the actions, which are read, had it too");
        let told =
            LastCheckpointHintStats::from_reconciliation_state(state, checkpoint_bytes, 0).map_err(failed(log))?;
        writer.finalize(engine, &told).map_err(failed(log))?;
        Ok(LogLength { checkpoint: Some(version), checkpoint_bytes, ..LogLength::default() })
    }
}

/// What a table asks for, in karat's words.
fn protocol_of(found: &delta_kernel::actions::Protocol) -> Protocol {
    let named = |features: Option<&[delta_kernel::table_features::TableFeature]>| {
        features.map(|features| features.iter().map(ToString::to_string).collect())
    };
    Protocol {
        min_reader_version: found.min_reader_version().into(),
        min_writer_version: found.min_writer_version().into(),
        reader_features: named(found.reader_features()),
        writer_features: named(found.writer_features()),
    }
}

/// What the library says of a log, as an error of the store.
fn failed(log: &TableLog) -> impl Fn(delta_kernel::KernelError) -> StoreError {
    |error| of_store(log.folder.as_ref(), &error)
}

/// What the library says: the store did not answer, or the log is wrong.
fn of_store(path: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    let mut source = Some(error);
    while let Some(found) = source {
        if let Some(delta_kernel::KernelError::Unsupported(what)) = found.downcast_ref::<delta_kernel::KernelError>() {
            return StoreError::Unsupported { table: path.to_owned(), what: what.clone() };
        }
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

fn corrupt(log: &TableLog, reason: String) -> StoreError {
    StoreError::Corrupt { path: log.folder.to_string(), reason }
}

fn add_files(batch: &RecordBatch, selected: &[bool], files: &mut Vec<DataFile>) -> Option<()> {
    let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
    let columns = FileBatch::of(|name| batch.column_by_name(name).or_else(|| constants.column_by_name(name)))?;
    files.extend(
        (0..batch.num_rows())
            .filter(|row| selected.get(*row).copied().unwrap_or(true))
            .filter_map(|row| columns.file(row)),
    );
    Some(())
}

/// The same of another program's table.
fn add_other_files(batch: &RecordBatch, selected: &[bool], files: &mut Vec<OtherFile>) -> Option<()> {
    let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
    let columns = FileBatch::of(|name| batch.column_by_name(name).or_else(|| constants.column_by_name(name)))?;
    let modified = batch.column_by_name("modificationTime")?.as_primitive_opt::<Int64Type>()?;
    let vectors = batch.column_by_name("deletionVector")?.as_struct_opt()?;
    let kinds = vectors.column_by_name("storageType")?;
    for row in (0..batch.num_rows()).filter(|row| selected.get(*row).copied().unwrap_or(true)) {
        let Some(file) = columns.file(row) else { continue };
        let has_deletions = vectors.is_valid(row) && kinds.is_valid(row);
        files.push(OtherFile { file, modified: modified.value(row), has_deletions });
    }
    Some(())
}

#[cfg(test)]
mod tests;
