//! Hands the blocks of many files to many threads.
//!
//! A file is read by one thread at a time, which keeps it while it cuts a block; another thread meanwhile takes a file
//! that is open and idle, else opens the next one, else waits. Nothing is locked while bytes are read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::compression::RawFile;
use super::error::RawError;
use super::format::RawFormat;
use super::split::{Block, Splitter};

const BLOCK_BYTES: usize = 4 << 20;

/// The blocks of some files of one format. With a single thread they come in the order of the files.
pub(crate) struct BlockQueue {
    format: Arc<RawFormat>,
    block_bytes: usize,
    state: Mutex<State>,
    /// Told when a file is idle or done.
    returned: Condvar,
}

struct State {
    waiting: VecDeque<RawFile>,
    idle: VecDeque<Splitter>,
    /// Files that a thread reads right now.
    busy: usize,
}

enum Source {
    Waiting(RawFile),
    Open(Box<Splitter>),
}

impl BlockQueue {
    /// Refuses a format that cannot be read.
    pub(crate) fn new(files: Vec<RawFile>, format: Arc<RawFormat>) -> Result<Self, RawError> {
        Self::with_block_bytes(files, format, BLOCK_BYTES)
    }

    /// The size of the blocks shows in nothing but speed and memory.
    pub(super) fn with_block_bytes(
        files: Vec<RawFile>,
        format: Arc<RawFormat>,
        block_bytes: usize,
    ) -> Result<Self, RawError> {
        format.check()?;
        let state = State { waiting: files.into(), idle: VecDeque::new(), busy: 0 };
        Ok(Self { format, block_bytes, state: Mutex::new(state), returned: Condvar::new() })
    }

    /// The next block of any file, or `None` when all files are read. A file that failed is given up.
    pub(crate) fn next_block(&self) -> Result<Option<Block>, RawError> {
        while let Some(source) = self.lease() {
            let mut lease = Lease { queue: self, splitter: None };
            let mut splitter = match source {
                Source::Open(splitter) => *splitter,
                Source::Waiting(file) => Splitter::open(&file, &self.format, self.block_bytes)?,
            };
            if let Some(block) = splitter.next_block()? {
                lease.splitter = Some(splitter);
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Takes a file to read, or tells that none is left.
    fn lease(&self) -> Option<Source> {
        let mut state = self.lock();
        loop {
            let idle = state.idle.pop_front().map(|splitter| Source::Open(Box::new(splitter)));
            let source = idle.or_else(|| state.waiting.pop_front().map(Source::Waiting));
            if source.is_some() {
                state.busy += 1;
                return source;
            }
            if state.busy == 0 {
                return None;
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file in the hands of a thread; dropping it gives the file back, or tells that it is done.
struct Lease<'a> {
    queue: &'a BlockQueue,
    splitter: Option<Splitter>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.busy -= 1;
        state.idle.extend(self.splitter.take());
        self.queue.returned.notify_all();
    }
}
