//! The first half of the work: threads take chunks apart and put them into the store, or straight into a file.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::file::properties::WriterPropertiesPtr;

use super::WrittenFile;
use super::encoding::{RowGroupLimits, properties};
use super::file::{FilePlace, FileSettings, FileWriter};
use super::shuffle::{Layout, Shuffled, shuffle};
use super::store::Store;

/// Batches that travel together; chunks are numbered in the order of writing.
pub(crate) struct RowChunk {
    pub(crate) sequence: u64,
    pub(crate) bytes: usize,
    pub(crate) batches: Vec<RecordBatch>,
}

/// What becomes of the chunks.
pub(crate) enum Goal {
    /// They are kept until all rows of a partition are known.
    Store(Box<Store>),
    /// They are encoded in the order in which they come, for a table without partitions and without order.
    File { settings: Arc<FileSettings>, lanes: usize },
}

/// What all threads share.
struct CollectorState {
    layout: Arc<Layout>,
    limits: RowGroupLimits,
    stopped: AtomicBool,
    waiting_bytes: AtomicUsize,
    stored_bytes: AtomicUsize,
    outcome: Mutex<CollectOutcome>,
    store: Mutex<Option<Box<Store>>>,
}

#[derive(Default)]
struct CollectOutcome {
    failure: Option<ArrowError>,
    properties: Option<WriterPropertiesPtr>,
    files: Vec<WrittenFile>,
}

/// What is there when all chunks have been taken.
pub(crate) enum CollectedRows {
    Stored { store: Box<Store>, properties: Option<WriterPropertiesPtr> },
    Written(Vec<WrittenFile>),
}

/// The running threads.
pub(crate) struct Collector {
    shared: Arc<CollectorState>,
    sender: Option<SyncSender<RowChunk>>,
    workers: Vec<JoinHandle<()>>,
}

impl Collector {
    pub(crate) fn start(
        goal: Goal,
        layout: Arc<Layout>,
        limits: RowGroupLimits,
        threads: usize,
    ) -> Result<Self, ArrowError> {
        let (store, file) = match goal {
            Goal::Store(store) => (Some(store), None),
            Goal::File { settings, lanes } => (None, Some((settings, lanes))),
        };
        let shared = Arc::new(CollectorState {
            layout,
            limits,
            stopped: AtomicBool::new(false),
            waiting_bytes: AtomicUsize::new(0),
            stored_bytes: AtomicUsize::new(0),
            outcome: Mutex::default(),
            store: Mutex::new(store),
        });
        // The bounded channel is the back pressure: whoever brings rows cannot run ahead by more than one chunk a
        // thread.
        let (sender, receiver) = sync_channel(threads);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut collector = Self { shared, sender: Some(sender), workers: Vec::new() };
        // Chunks may be stored in any order, since each carries its number. A file takes rows as they come: one thread
        // feeds it, and its lanes do the work.
        match file {
            Some((settings, lanes)) => {
                collector.spawn(move |shared| shared.run(|| shared.encode_all(&receiver, &settings, lanes)))?;
            }
            None => {
                for _ in 0..threads {
                    let receiver = Arc::clone(&receiver);
                    collector.spawn(move |shared| shared.run(|| shared.store_all(&receiver)))?;
                }
            }
        }
        Ok(collector)
    }

    fn spawn(&mut self, work: impl FnOnce(&CollectorState) + Send + 'static) -> Result<(), ArrowError> {
        let shared = Arc::clone(&self.shared);
        let builder = Builder::new().name("karat-write".to_string());
        let worker = builder
            .spawn(move || work(&shared))
            .map_err(|error| ArrowError::IoError(format!("a writer thread cannot be started: {error}"), error))?;
        self.workers.push(worker);
        Ok(())
    }

    /// Hands a chunk over, waiting while the threads are behind; an error is told once.
    pub(crate) fn send(&mut self, chunk: RowChunk) -> Result<(), ArrowError> {
        let bytes = chunk.bytes;
        self.shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // Sending fails only if nobody listens any more, and threads stop listening only when one of them has failed.
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(chunk).is_ok());
        if sent && !self.shared.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.stop();
        Err(self.failure())
    }

    #[cfg(test)]
    /// Bytes of rows that are in the threads' hands or in the store.
    pub(crate) fn bytes(&self) -> usize {
        self.shared.waiting_bytes.load(Ordering::Relaxed) + self.shared.stored_bytes.load(Ordering::Relaxed)
    }

    /// Waits until all chunks have been taken.
    pub(crate) fn finish(mut self) -> Result<CollectedRows, ArrowError> {
        if self.sender.is_none() {
            return Err(self.failure());
        }
        self.join();
        if self.shared.stopped.load(Ordering::Relaxed) {
            return Err(self.failure());
        }
        let store = lock(&self.shared.store).take();
        let mut outcome = lock(&self.shared.outcome);
        Ok(match store {
            Some(store) => CollectedRows::Stored { store, properties: outcome.properties.take() },
            None => CollectedRows::Written(std::mem::take(&mut outcome.files)),
        })
    }

    fn failure(&self) -> ArrowError {
        let failure = lock(&self.shared.outcome).failure.take();
        failure.unwrap_or_else(|| ArrowError::ComputeError("the writer has failed before".to_string()))
    }

    fn stop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.join();
        lock(&self.shared.store).take();
    }

    fn join(&mut self) {
        self.sender = None;
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                self.shared.fail(ArrowError::ComputeError("a writer thread died".to_string()));
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop();
    }
}

impl CollectorState {
    fn run(&self, work: impl FnOnce() -> Result<(), ArrowError>) {
        if let Err(error) = work() {
            self.fail(error);
        }
    }

    /// Only the first error is kept: the others are its consequences, or as good as it.
    fn fail(&self, error: ArrowError) {
        lock(&self.outcome).failure.get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The next chunk; none when there are no more or when the work is given up.
    fn next(&self, receiver: &Mutex<Receiver<RowChunk>>) -> Option<RowChunk> {
        if self.is_stopped() {
            return None;
        }
        // The lock is held while this thread waits; the others queue up behind it, which is as good as waiting for the
        // channel.
        lock(receiver).recv().ok().filter(|_| !self.is_stopped())
    }

    fn shuffled(&self, chunk: RowChunk) -> Result<Shuffled, ArrowError> {
        let RowChunk { sequence, bytes, batches } = chunk;
        let shuffled = shuffle(&batches, &self.layout)?;
        drop(batches);
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        // The first chunk decides the encodings, whichever thread has it: equal input gives equal files with any number
        // of threads.
        if sequence == 0 {
            let properties = properties(&shuffled.batch, self.limits)?;
            lock(&self.outcome).properties = Some(properties);
        }
        Ok(shuffled)
    }

    fn store_all(&self, receiver: &Mutex<Receiver<RowChunk>>) -> Result<(), ArrowError> {
        while let Some(chunk) = self.next(receiver) {
            let sequence = chunk.sequence;
            let shuffled = self.shuffled(chunk)?;
            if let Some(store) = lock(&self.store).as_mut() {
                store.insert(sequence, shuffled, || self.is_stopped())?;
                self.stored_bytes.store(store.bytes(), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn encode_all(
        &self,
        receiver: &Mutex<Receiver<RowChunk>>,
        settings: &Arc<FileSettings>,
        lanes: usize,
    ) -> Result<(), ArrowError> {
        let mut writer = None;
        while let Some(chunk) = self.next(receiver) {
            let shuffled = self.shuffled(chunk)?;
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let properties = lock(&self.outcome).properties.take().unwrap_or_default();
                    none.insert(FileWriter::new(Arc::clone(settings), properties, FilePlace::default(), lanes))
                }
            };
            writer.write(&shuffled.batch)?;
        }
        if let Some(writer) = writer
            && !self.is_stopped()
        {
            let files = writer.finish()?;
            lock(&self.outcome).files = files;
        }
        Ok(())
    }
}

/// A thread that died while it held a lock has failed anyway; its words must not be lost over that.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
