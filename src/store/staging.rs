//! Data files of a build on their way to the store: uploaded side by side, invisible until a commit names them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::error::{StoreError, io_error};
use super::random::StoreRandom;
use super::table_log::TableLog;
use crate::locked::Locked;
use crate::name::TableName;
use crate::partition_writer::{Destination, OutputFile, SpillFile};
use crate::table::TableState;

/// A file of up to this many bytes is uploaded in one request; a larger one in parts of this size.
const PART: usize = 8 << 20;
/// Bytes of one build's files that are on their way at once, and how many of them a small file counts for: so at most
/// 32 files are on their way.
const IN_FLIGHT: usize = 64 << 20;
const LEAST_ROOM: usize = IN_FLIGHT / 32;

/// The files of one build. What it created is known, so that an abandoned build leaves nothing. Clones share all.
#[derive(Debug, Clone)]
pub(crate) struct Staging(Arc<StagedFiles>);

#[derive(Debug)]
struct StagedFiles {
    log: TableLog,
    runtime: Handle,
    room: Arc<Semaphore>,
    state: Locked<StagingState>,
    /// Where the names of abandoned files are left for removal.
    abandoned: Abandoned,
}

/// Files that nobody will refer to, to be removed when there is time.
pub(crate) type Abandoned = Arc<Locked<Vec<Path>>>;

#[derive(Debug, Default)]
struct StagingState {
    created: BTreeSet<Path>,
    uploads: Vec<JoinHandle<io::Result<()>>>,
    /// Set when nobody wants the files any more: threads that still write get an error instead of a new file.
    is_closed: bool,
}

/// A random name for one attempt to write files: 64 bits as 16 hex digits.
pub(crate) fn attempt_name() -> io::Result<String> {
    Ok(format!("{:016x}", StoreRandom::Machine.number()?))
}

/// A folder for rows between the stages of a plan, which is removed with what is in it when it is dropped.
#[cfg(feature = "cluster")]
pub(crate) fn temporary_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("karat-executor-").tempdir()
}

impl Staging {
    /// The files of an attempt on a machine that has the lake's objects and nothing else of the build.
    pub fn over(store: Arc<dyn ObjectStore>, table: &TableName) -> Result<Staging, StoreError> {
        Ok(Staging::new(TableLog::of(store, table)?, Abandoned::default()))
    }

    /// Makes files that another machine has written, by their names in the table's folder, files of this build.
    pub fn adopt<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<(), StoreError> {
        let failed = |name: &str, error| StoreError::unavailable(name, error);
        let paths = names.into_iter().map(|name| self.0.log.path(name).map_err(|error| failed(name, error)));
        let paths = paths.collect::<Result<Vec<Path>, StoreError>>()?;
        self.0.state.lock().created.extend(paths);
        Ok(())
    }

    /// Whether a file of this build is in the lake.
    #[cfg(feature = "cluster")]
    pub async fn has(&self, name: &str) -> Result<bool, object_store::Error> {
        match self.0.log.store.head(&self.0.log.path(name)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives some files up for removal.
    pub fn give_up_files<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        let mut state = self.0.state.lock();
        for path in names.into_iter().filter_map(|name| self.0.log.path(name).ok()) {
            if state.created.remove(&path) {
                self.0.abandoned.lock().push(path);
            }
        }
    }

    /// Removes everything that was created, in the background: of an attempt that gives no answer. What cannot be removed is
    /// left to `gc`.
    pub fn remove_all(&self) {
        self.abandon();
        let paths = std::mem::take(&mut *self.0.abandoned.lock());
        let store = Arc::clone(&self.0.log.store);
        self.0.runtime.spawn(async move {
            for path in paths {
                let _left_to_gc = store.delete(&path).await;
            }
        });
    }

    /// Uploads on the runtime that this is called on.
    pub fn new(log: TableLog, abandoned: Abandoned) -> Staging {
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        Staging(Arc::new(StagedFiles { log, runtime: Handle::current(), room, state: Locked::default(), abandoned }))
    }

    /// Gives everything that was created up for removal, and lets nothing more be created: nobody may refer to it.
    pub fn abandon(&self) {
        self.give_up(true);
    }

    /// Gives everything that was created up for removal, to write it another way.
    pub fn restart(&self) {
        self.give_up(false);
    }

    /// Gives those files up for removal that the committed table does not name: of slices that another run has brought
    /// further.
    pub fn keep(&self, committed: &TableState) {
        let named: BTreeSet<&str> = committed.files.iter().map(|file| file.path.as_str()).collect();
        let is_named = |path: &Path| self.0.log.name_of(path).is_some_and(|name| named.contains(name.as_str()));
        let created = std::mem::take(&mut self.0.state.lock().created);
        self.0.abandoned.lock().extend(created.into_iter().filter(|path| !is_named(path)));
    }

    fn give_up(&self, for_ever: bool) {
        let mut state = self.0.state.lock();
        state.is_closed |= for_ever;
        // An upload that is aborted in the middle may still have landed: its file is given up like the others.
        state.uploads.drain(..).for_each(|upload| upload.abort());
        self.0.abandoned.lock().extend(std::mem::take(&mut state.created));
    }
}

impl Destination for Staging {
    fn create(&self, relative_path: &str) -> io::Result<Box<dyn OutputFile>> {
        let path = self.0.log.path(relative_path).map_err(|error| io_error(&error))?;
        let mut state = self.0.state.lock();
        if state.is_closed {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was stopped"));
        }
        state.created.insert(path.clone());
        drop(state);
        let staging = Arc::clone(&self.0);
        Ok(Box::new(StagedFile { staging, path, waiting: Vec::new(), upload: None }))
    }

    fn spill(&self) -> io::Result<Box<dyn SpillFile>> {
        // A file without a name: it is gone when it is closed, however the process ends.
        tempfile::tempfile().map(|file| Box::new(file) as Box<dyn SpillFile>)
    }

    fn settle(&self) -> io::Result<()> {
        let uploads = std::mem::take(&mut self.0.state.lock().uploads);
        let results = self.0.runtime.block_on(futures::future::join_all(uploads));
        results.into_iter().try_for_each(|joined| {
            joined.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::Interrupted, "the run was stopped")))
        })
    }
}

/// A file being written by a thread of the writer.
struct StagedFile {
    staging: Arc<StagedFiles>,
    path: Path,
    waiting: Vec<u8>,
    /// Only for a file that does not fit into one request.
    upload: Option<PartsUpload>,
}

impl StagedFile {
    /// Waits until there is room for so many bytes on the way.
    fn room(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let permits =
            u32::try_from(bytes.clamp(LEAST_ROOM, IN_FLIGHT)).expect("what may be on the way is less than 4 GiB");
        let room = Arc::clone(&self.staging.room).acquire_many_owned(permits);
        self.staging.runtime.block_on(room).map_err(io::Error::other)
    }

    fn send_part(&mut self) -> io::Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.waiting));
        let runtime = self.staging.runtime.clone();
        let store = Arc::clone(&self.staging.log.store);
        if self.upload.is_none() {
            let started = runtime.block_on(store.put_multipart(&self.path)).map_err(|error| io_error(&error))?;
            self.upload = Some(PartsUpload { multipart: Some(started), runtime: runtime.clone() });
        }
        let room = self.room(part.len())?;
        let Some(multipart) = self.upload.as_mut().and_then(|upload| upload.multipart.as_mut()) else {
            return Err(io::Error::other("the upload is over"));
        };
        let sent = runtime.block_on(multipart.put_part(PutPayload::from(part))).map_err(|error| io_error(&error));
        drop(room);
        sent
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PART {
            self.send_part()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl OutputFile for StagedFile {
    /// The last of it is sent in the background: that it arrived is known when the destination has settled.
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.upload.is_some() && !self.waiting.is_empty() {
            self.send_part()?;
        }
        let room = self.room(self.waiting.len())?;
        let store = Arc::clone(&self.staging.log.store);
        let path = self.path.clone();
        let rest = std::mem::take(&mut self.waiting);
        let upload = self.upload.take();
        let sending = async move {
            let sent = match upload {
                None => store.put(&path, PutPayload::from(rest)).await.map(drop).map_err(|error| io_error(&error)),
                Some(upload) => upload.complete().await,
            };
            drop(room);
            sent.map_err(|error| named(&path, error))
        };
        let mut state = self.staging.state.lock();
        if state.is_closed {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was stopped"));
        }
        state.uploads.push(self.staging.runtime.spawn(sending));
        Ok(())
    }
}

/// The error with the name of the file, if it does not tell it itself.
fn named(path: &Path, error: io::Error) -> io::Error {
    let text = error.to_string();
    let is_told = path.filename().is_some_and(|name| text.contains(name));
    if is_told { error } else { io::Error::new(error.kind(), format!("`{path}`: {text}")) }
}

/// An upload in parts. One that is dropped before it is complete is taken back: else the store would keep its parts.
struct PartsUpload {
    multipart: Option<Box<dyn MultipartUpload>>,
    runtime: Handle,
}

impl PartsUpload {
    async fn complete(mut self) -> io::Result<()> {
        let Some(mut multipart) = self.multipart.take() else { return Ok(()) };
        match multipart.complete().await {
            Ok(_) => Ok(()),
            Err(error) => {
                self.multipart = Some(multipart);
                Err(io_error(&error))
            }
        }
    }
}

impl Drop for PartsUpload {
    fn drop(&mut self) {
        if let Some(mut multipart) = self.multipart.take() {
            // Best effort: what cannot be taken back is the store's to expire.
            self.runtime.spawn(async move { multipart.abort().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::table;

    #[tokio::test(flavor = "multi_thread")]
    async fn files_that_a_commit_does_not_name_are_given_up() {
        let store = Arc::new(InMemory::new());
        let log = TableLog { store: Arc::clone(&store) as Arc<_>, folder: Path::from("s/t"), name: "s.t".to_owned() };
        let abandoned = Abandoned::default();
        let staging = Staging::new(log, Arc::clone(&abandoned));
        let writer = staging.clone();
        let write = move || {
            for path in ["day=2023-05-01/a.parquet", "day=2023-05-02/b.parquet"] {
                let mut file = writer.create(path).unwrap();
                file.write_all(b"rows").unwrap();
                file.finish().unwrap();
            }
            writer.settle().unwrap();
        };
        tokio::task::spawn_blocking(write).await.unwrap();
        let file = table::DataFile {
            path: "day=2023-05-02/b.parquet".into(),
            partition: table::PartitionValues::none(),
            bytes: 4,
            rows: None,
            stats: None,
        };
        staging.keep(&TableState { files: Arc::new(vec![file]), ..TableState::empty() });
        assert_eq!(*abandoned.lock(), [Path::parse("s/t/day=2023-05-01/a.parquet").unwrap()]);
        staging.abandon();
        assert_eq!(abandoned.lock().len(), 1, "what is committed is not given up any more");
    }
}
