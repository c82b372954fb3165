//! Hands the blocks of many files to many threads.
//!
//! A file is read by one thread at a time, which keeps it while it cuts a block; another thread meanwhile takes a file
//! that is open and idle, else opens the next one, else waits. Nothing is locked while bytes are read. Of a Parquet file
//! each row group is read like a file of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Block;
use super::compression::RawFile;
use super::error::RawError;
use super::format::{Projection, RawFormat, RawKind};
use super::parquet::{self, RowGroup, RowGroupReader};
use super::split::Splitter;

const BLOCK_BYTES: usize = 4 << 20;

/// The blocks of some files of one format. With a single thread they come in the order of the files.
pub(crate) struct BlockQueue {
    format: Arc<RawFormat>,
    /// Which columns somebody needs.
    projection: Arc<Projection>,
    block_bytes: usize,
    state: Mutex<QueueState>,
    /// Told when a file is idle or done.
    returned: Condvar,
}

struct QueueState {
    waiting: VecDeque<Waiting>,
    idle: VecDeque<OpenSource>,
    /// Files that a thread reads right now.
    busy: usize,
}

/// What nobody has begun to read.
enum Waiting {
    File(RawFile),
    RowGroup(RowGroup),
}

/// What is being read.
enum OpenSource {
    Text(Box<Splitter>),
    Rows(Box<RowGroupReader>),
}

impl OpenSource {
    fn next_block(&mut self) -> Result<Option<Block>, RawError> {
        match self {
            Self::Text(splitter) => Ok(splitter.next_block()?.map(Block::Text)),
            Self::Rows(reader) => Ok(reader.next_block()?.map(Block::Rows)),
        }
    }
}

enum NextSource {
    Waiting(Waiting),
    Open(OpenSource),
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
        let waiting = files.into_iter().map(Waiting::File).collect();
        let state = Mutex::new(QueueState { waiting, idle: VecDeque::new(), busy: 0 });
        let projection = Arc::new(Projection::all(&format));
        Ok(Self { format, projection, block_bytes, state, returned: Condvar::new() })
    }

    /// The same, with only these columns of files that are stored by columns.
    pub(crate) fn reading(self, projection: Arc<Projection>) -> Self {
        Self { projection, ..self }
    }

    /// The next block of any file, or `None` when all files are read. A file that failed is given up.
    pub(crate) fn next_block(&self) -> Result<Option<Block>, RawError> {
        while let Some(source) = self.lease() {
            let mut lease = Lease { queue: self, open: None, parts: Vec::new() };
            let mut open = match source {
                NextSource::Open(open) => open,
                NextSource::Waiting(Waiting::RowGroup(part)) => OpenSource::Rows(Box::new(part.open()?)),
                NextSource::Waiting(Waiting::File(file)) => match self.format.kind {
                    RawKind::Csv(_) | RawKind::JsonLines => {
                        OpenSource::Text(Box::new(Splitter::open(&file, &self.format, self.block_bytes)?))
                    }
                    RawKind::Parquet => {
                        lease.parts = parquet::row_groups(&file, &self.format, &self.projection)?;
                        continue;
                    }
                },
            };
            if let Some(block) = open.next_block()? {
                lease.open = Some(open);
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Takes a file to read, or tells that none is left.
    fn lease(&self) -> Option<NextSource> {
        let mut state = self.lock();
        loop {
            // Files that are open go first, so that no more are open than there are threads.
            let idle = state.idle.pop_front().map(NextSource::Open);
            let source = idle.or_else(|| state.waiting.pop_front().map(NextSource::Waiting));
            if source.is_some() {
                state.busy += 1;
                return source;
            }
            // A file that is being read may come back, or turn out to consist of row groups.
            if state.busy == 0 {
                return None;
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file in the hands of a thread; dropping it gives the file back, or tells that it is done.
struct Lease<'a> {
    queue: &'a BlockQueue,
    open: Option<OpenSource>,
    /// What the file turned out to consist of.
    parts: Vec<RowGroup>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.busy -= 1;
        state.idle.extend(self.open.take());
        // In reverse to the front: the row groups come next, in the order of the file.
        for part in self.parts.drain(..).rev() {
            state.waiting.push_front(Waiting::RowGroup(part));
        }
        self.queue.returned.notify_all();
    }
}
