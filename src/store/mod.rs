//! The lake: observe tables, stage files, commit. Nothing else changes the world.

mod backend;
mod checkpoint;
mod commit;
mod commit_bytes;
mod copy;
mod delta_source;
mod error;
#[cfg(test)]
pub(crate) mod faults;
mod file_batch;
mod gc;
mod history;
mod leftovers;
mod log_cache;
mod log_damage;
mod log_names;
mod lost_files;
mod marks;
mod metered;
mod observe;
mod optimize;
mod orphans;
mod passed_tests;
mod proof;
mod random;
mod release;
mod restore;
mod retry_policy;
mod run_records;
mod slot;
mod snapshot;
mod source_bucket;
mod source_facts;
mod source_folder;
mod source_object;
mod source_requests;
mod staging;
mod table_log;
#[cfg(test)]
mod tests;
mod unreadable;

pub(crate) use backend::{Away, LeadsOut, LinkPolicy, LocalBackend, SyncedFiles, Uploads, Watch, open_bucket};
pub(crate) use commit::{Change, CommitOutcome, Committer, kept, onto};
pub(crate) use commit_bytes::{CommitInfo, Maker};
pub(crate) use copy::{CopiedTable, TableCopy};
pub(crate) use delta_source::{DeltaSource, read_delta_source};
pub(crate) use error::{StoreError, io_error};
pub(crate) use gc::{Collection, Removal};
pub(crate) use history::{History, PastVersion};
pub(crate) use leftovers::Leftovers;
pub(crate) use lost_files::LostFiles;
pub(crate) use metered::Requests;
pub(crate) use optimize::{Rearranged, Rearrangement, RewrittenFiles};
pub(crate) use orphans::Orphan;
pub(crate) use proof::{Health, HealthFinding, RaceShape, prove};
pub(crate) use release::{Numbered, Release, Released};
pub(crate) use restore::{Restoration, Restored};
pub(crate) use retry_policy::RetryPolicy;
pub(crate) use run_records::KeptRuns;
pub(crate) use source_bucket::BucketRefused;
pub(crate) use source_folder::SourceFolder;
pub(crate) use source_requests::ObjectFault;
#[cfg(feature = "cluster")]
pub(crate) use staging::temporary_folder;
pub(crate) use staging::{Staging, attempt_name};
pub(crate) use unreadable::{Observation, Unreadable};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::delta::Version;
use crate::locked::Locked;
use crate::name::TableName;
use crate::table::{FactsName, LogLength, StoredFacts, TableState, behind};
use metered::MeteredStore;
use snapshot::SnapshotReader;
use staging::Abandoned;
use table_log::TableLog;

/// How many tables or objects are read at once: most of the time each waits for the store.
pub(crate) const READ_AT_ONCE: usize = 16;

/// How long to wait before a table is looked at again that others were made of when it was newer. The first look was too
/// early, or the store is behind, or somebody has put an older copy in the table's place: then it stays as it is.
const LOOKS_AGAIN: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// So many bytes are read in the time that a request takes which waits beside others.
const BYTES_OF_A_REQUEST: u64 = 16 << 10;

/// Commits that name at least so many files are put together in a checkpoint.
const MANY_FILES: u64 = 1_000;

/// A lake: a folder with one folder a schema, one folder a table below it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lake {
    shared: Arc<OpenLake>,
}

struct OpenLake {
    /// As people call it: `./lake`, `s3://bucket/prefix`.
    address: String,
    store: Arc<dyn ObjectStore>,
    /// The same, to be asked for the number of requests.
    metered: Arc<MeteredStore>,
    /// Which store it is, endpoint and all, if others than this machine can write to it.
    remote: Option<String>,
    committer: Committer,
    /// Made when the first table is read: most commands read none.
    reader: OnceCell<Arc<SnapshotReader>>,
    abandoned: Abandoned,
    /// Finds what killed runs have left; `None` where nobody can.
    leftovers: Option<Arc<dyn Leftovers>>,
    /// What the requests of a bucket have met; `None` for a folder.
    watch: Option<Watch>,
    /// What is wrong with logs that could be read all the same, by the table's folder.
    passed_over: Locked<BTreeMap<String, String>>,
    /// Facts about source files that were read or written: one step asks for them several times.
    facts: Locked<BTreeMap<FactsName, Arc<StoredFacts>>>,
}

impl Lake {
    /// A lake whose objects have their names in `store` relative to the lake's own folder.
    /// For a store that others than this machine can write to, `remote` says which one it is.
    pub fn open(address: String, store: Arc<dyn ObjectStore>, committer: Committer, remote: Option<String>) -> Lake {
        let metered = Arc::new(MeteredStore::new(store));
        let store: Arc<dyn ObjectStore> = Arc::clone(&metered) as Arc<_>;
        Lake {
            shared: Arc::new(OpenLake {
                address,
                store,
                metered,
                remote,
                committer,
                reader: OnceCell::new(),
                abandoned: Abandoned::default(),
                leftovers: None,
                watch: None,
                passed_over: Locked::default(),
                facts: Locked::default(),
            }),
        }
    }

    /// The same lake, in which what killed runs have left is found so.
    pub fn with_leftovers(mut self, leftovers: Option<Arc<dyn Leftovers>>) -> Lake {
        let shared = Arc::get_mut(&mut self.shared).expect("a lake that was just opened has one owner");
        shared.leftovers = leftovers;
        self
    }

    /// The same lake, whose requests are watched.
    pub fn with_watch(mut self, watch: Option<Watch>) -> Lake {
        let shared = Arc::get_mut(&mut self.shared).expect("a lake that was just opened has one owner");
        shared.watch = watch;
        self
    }

    /// Since when the store does not answer, if it does not.
    pub fn away(&self) -> Option<Away> {
        self.shared.watch.as_ref().and_then(Watch::away)
    }

    /// Which store it is, as people call it.
    pub fn server(&self) -> String {
        self.shared.remote.clone().unwrap_or_else(|| self.shared.address.clone())
    }

    /// How often the store was asked for something until now.
    pub fn requests(&self) -> Requests {
        self.shared.metered.requests()
    }

    /// The objects of the lake.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.shared.store
    }

    pub fn committer(&self) -> &Committer {
        &self.shared.committer
    }

    fn log(&self, name: &TableName) -> Result<TableLog, StoreError> {
        TableLog::of(Arc::clone(&self.shared.store), name)
    }

    async fn reader(&self) -> Result<Arc<SnapshotReader>, StoreError> {
        self.shared
            .reader
            .get_or_try_init(|| async { SnapshotReader::new(Arc::clone(&self.shared.store)).map(Arc::new) })
            .await
            .cloned()
    }

    /// The newest state of a table. Returns `None` if there is none.
    pub async fn observe(&self, name: &TableName) -> Result<Option<Arc<TableState>>, StoreError> {
        let log = self.log(name)?;
        match self.snapshot(&log, None).await? {
            Some(state) => Ok(Some(Arc::new(observe::complete(&log, state).await?))),
            None => Ok(None),
        }
    }

    /// The newest states of tables, none of which was made of something newer than what was seen of the others.
    pub async fn observe_all(&self, names: &BTreeSet<TableName>) -> Result<Observation, StoreError> {
        let mut seen = Observation::default();
        let mut next = names.clone();
        let mut waits = LOOKS_AGAIN.iter();
        while !next.is_empty() {
            let found = futures::stream::iter(next)
                .map(|name| async move { (name.clone(), self.observe(&name).await) })
                .buffer_unordered(READ_AT_ONCE);
            // In the order of their names, so that the same failure is always told of the same table.
            let found: BTreeMap<TableName, _> = found.collect().await;
            for (name, state) in found {
                seen.note(name, state)?;
            }
            let states = seen.tables.iter().filter_map(|(name, state)| Some((name.key(), state.as_deref()?)));
            let behind = behind(states);
            next = names.iter().filter(|name| behind.contains(&name.key())).cloned().collect();
            match waits.next() {
                // The plan finds that these tables went back, and builds again what was made of them.
                None => break,
                Some(_) if next.is_empty() => {}
                Some(wait) => tokio::time::sleep(*wait).await,
            }
        }
        seen.of_a_store_that_opens()
    }

    /// What is wrong with logs that could be read all the same.
    pub fn passed_over(&self) -> Vec<String> {
        self.lock_passed_over().values().cloned().collect()
    }

    fn lock_passed_over(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.shared.passed_over.lock()
    }

    /// A version of a table as readers see it, without its ledger. Returns `None` if the table does not exist.
    pub async fn at_version(&self, name: &TableName, version: Version) -> Result<Option<Arc<TableState>>, StoreError> {
        Ok(self.snapshot(&self.log(name)?, Some(version)).await?.map(Arc::new))
    }

    /// The same state with its ledger.
    pub async fn with_ledger(&self, name: &TableName, state: &TableState) -> Result<Arc<TableState>, StoreError> {
        Ok(Arc::new(observe::complete(&self.log(name)?, state.clone()).await?))
    }

    async fn snapshot(&self, log: &TableLog, version: Option<Version>) -> Result<Option<TableState>, StoreError> {
        let read = self.read_existing(log, version).await?;
        match read.as_ref().and_then(TableState::unsupported) {
            Some(what) => Err(StoreError::Unsupported { table: log.folder.to_string(), what }),
            None => Ok(read),
        }
    }

    async fn read_existing(&self, log: &TableLog, version: Option<Version>) -> Result<Option<TableState>, StoreError> {
        match self.read_log(log, version).await {
            Err(StoreError::Corrupt { .. }) => {
                let has_log = log.list("_delta_log").await?.iter().any(|meta| {
                    let name = meta.location.filename().unwrap_or_default();
                    name.ends_with(".json") || name.ends_with(".parquet")
                });
                if !has_log {
                    return Ok(None);
                }
                // Another run may have made the table between the two looks.
                match self.read_log(log, version).await {
                    Err(error @ StoreError::Corrupt { .. }) => self.read_damaged(log, version, error).await.map(Some),
                    read => read.map(Some),
                }
            }
            read => read.map(Some),
        }
    }

    /// Reads a log without what is damaged of it and only repeats what is not.
    async fn read_damaged(
        &self,
        log: &TableLog,
        version: Option<Version>,
        error: StoreError,
    ) -> Result<TableState, StoreError> {
        let damage = log_damage::damage(log).await?;
        let mut error = error;
        if let Some((name, reason)) = damage.dispensable.first() {
            let reader = self.reader().await?;
            for (name, _) in &damage.dispensable {
                reader.pass_over(log, name)?;
            }
            match self.read_log(log, version).await {
                Ok(state) => {
                    let told = format!("`{}/{name}`: {reason}; `{}` was read without it", log.folder, log.name);
                    self.lock_passed_over().insert(log.folder.to_string(), told);
                    return Ok(state);
                }
                Err(still) => error = still,
            }
        }
        match (error, damage.fatal) {
            (StoreError::Corrupt { .. }, Some((name, reason))) => {
                Err(StoreError::Corrupt { path: format!("{}/{name}", log.folder), reason })
            }
            (error, _) => Err(error),
        }
    }

    async fn read_log(&self, log: &TableLog, version: Option<Version>) -> Result<TableState, StoreError> {
        let reader = self.reader().await?;
        let owned_log = log.clone();
        let read = tokio::task::spawn_blocking(move || reader.read(&owned_log, version)).await;
        // The decoder of Parquet panics at some damaged checkpoints.
        read.unwrap_or_else(|_panic| {
            let reason = "the library that reads logs gave up".to_owned();
            Err(StoreError::Corrupt { path: log.folder.to_string(), reason })
        })
    }

    /// Where the new files of a table go. They are invisible until they are committed.
    pub fn stage(&self, name: &TableName) -> Result<Staging, StoreError> {
        Ok(Staging::new(self.log(name)?, Arc::clone(&self.shared.abandoned)))
    }

    /// Makes staged files visible.
    pub async fn commit(&self, name: &TableName, change: Change) -> Result<CommitOutcome, StoreError> {
        self.shared.committer.commit(&self.log(name)?, change).await
    }

    /// Writes a checkpoint if the log has grown enough since the last one: by so many commits that to read them costs as much
    /// as to read a checkpoint, or by so many files that to read them one by one costs more than to list all of them anew.
    /// A failure hurts nobody: the next commit tries again. What is read of the log from then on, if one was written.
    pub async fn checkpoint(&self, name: &TableName, state: &TableState) -> Result<Option<LogLength>, StoreError> {
        let log = self.log(name)?;
        let length = &state.log;
        let first = length.checkpoint.map_or(Version::FIRST, Version::next);
        let commits = state.version.next().number() - first.number();
        let has_many_files = length.files >= MANY_FILES && length.files * 2 >= state.files.len() as u64;
        let is_long = length.bytes + commits * BYTES_OF_A_REQUEST >= length.checkpoint_bytes;
        let is_due = commits > u64::from(self.shared.committer.checkpoint_every) && is_long;
        let is_damaged = self.lock_passed_over().contains_key(log.folder.as_ref());
        if !is_due && !has_many_files && !is_damaged {
            return Ok(None);
        }
        let reader = self.reader().await?;
        let folder = log.folder.to_string();
        let written = tokio::task::spawn_blocking(move || reader.checkpoint(&log)).await;
        let written = written.expect("writing a checkpoint does not panic")?;
        // The new checkpoint and its hint stand in the place of what was damaged.
        self.lock_passed_over().remove(&folder);
        Ok(Some(written))
    }

    /// Refuses a store that does not keep what commits rely on. The proof is remembered in the lake, so it is made once
    /// a target. On this machine's own disk a commit is a link, which the system makes for one writer only.
    pub async fn prove_once(&self, now: &(dyn Fn() -> DateTime<Utc> + Send + Sync)) -> Result<(), StoreError> {
        let Some(store) = self.shared.remote.clone().filter(|_| !self.shared.committer.single_writer) else {
            return Ok(());
        };
        let place = Path::from(PROOF);
        let remembered = match self.objects().get(&place).await {
            Ok(found) => found.bytes().await.map(|bytes| serde_json::from_slice::<Proven>(&bytes).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let remembered = remembered.map_err(|error| StoreError::unavailable(PROOF, error))?;
        if remembered.is_some_and(|proven| proven.store == store) {
            return Ok(());
        }
        let proof = prove(self.objects(), RaceShape::default(), now).await;
        if !proof.is_safe() {
            let bad = proof.findings.into_iter().filter(|finding| finding.verdict == Health::Bad);
            let reasons = bad.map(|finding| finding.text).collect();
            return Err(StoreError::Unsafe { address: format!("`{}`", self.shared.address), reasons });
        }
        let proven = Proven { store, at: now().timestamp_millis() };
        let bytes = serde_json::to_vec(&proven).expect("texts and numbers can be written as JSON");
        if let Err(error) = self.objects().put(&place, bytes.into()).await {
            tracing::info!(%error, "the proof was not remembered: the next run makes it again");
        }
        Ok(())
    }

    /// Removes the files of abandoned builds. Best effort: what stays is an orphan, which `karat gc` removes.
    pub async fn sweep(&self) {
        let abandoned = self.shared.abandoned.take();
        if !abandoned.is_empty() {
            let paths = futures::stream::iter(abandoned.into_iter().map(Ok)).boxed();
            self.shared.store.delete_stream(paths).for_each(|_gone_or_not| async {}).await;
        }
    }
}

/// Where the lake remembers that its store was proved.
const PROOF: &str = "_karat/proof.json";

/// Which store was proved: a lake that was copied elsewhere is proved again.
#[derive(Serialize, Deserialize)]
struct Proven {
    store: String,
    /// Milliseconds since 1970.
    at: i64,
}
