//! Reads an object of a source in ranges: from its beginning, some of them ahead, or at any place. Every range is of the object that
//! was listed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use tokio::task::JoinHandle;

use super::source_requests::{ObjectFault, Requester};
use crate::locked::Locked;
use crate::raw::ReadAt;

/// How a path begins that lies in a bucket.
const SCHEME: &str = "s3://";

/// The first range: most files are read with one request, and whoever only looks at a header reads no more.
const FIRST_BYTES: u64 = 1 << 20;

/// Further ranges.
const RANGE_BYTES: u64 = 8 << 20;

/// Ranges of a file that are asked for or wait at the same time. With the one that is read, a file takes 32 MiB at the most.
const RANGES_AHEAD: usize = 3;

/// What is kept of a file that is read at any place: an aligned piece of it, because readers ask for a few bytes many times.
const BLOCK_BYTES: u64 = 512 << 10;

/// Each column of each row group is read at a place of its own. A file takes 32 MiB at the most.
const MOST_BLOCKS: usize = 64;

/// An object as a path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectName<'p> {
    pub bucket: &'p str,
    pub key: &'p str,
}

impl<'p> ObjectName<'p> {
    /// Returns `None` for a path of the project's folder.
    pub fn parse(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix(SCHEME)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self { bucket, key })
    }

    /// The path of another object in the same bucket.
    pub fn path_of(self, key: &str) -> String {
        format!("{SCHEME}{}/{key}", self.bucket)
    }
}

/// An object as it was listed.
#[derive(Clone)]
pub(super) struct SourceObject {
    pub store: Arc<dyn ObjectStore>,
    pub requests: Arc<Requester>,
    pub path: Path,
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
    pub etag: Option<Box<str>>,
}

impl SourceObject {
    /// The bytes of a range, if the object is still the one that was listed.
    async fn range(self, range: Range<u64>) -> io::Result<Bytes> {
        let wanted = range.end.saturating_sub(range.start);
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.etag.as_deref().map(str::to_owned),
            ..GetOptions::default()
        };
        let answer = match self.store.get_opts(&self.path, options).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(ObjectFault::changed("it was removed after it was listed"));
            }
            Err(object_store::Error::Precondition { .. }) => {
                return Err(ObjectFault::changed("it was replaced after it was listed"));
            }
            Err(error) => return Err(ObjectFault::of_store(&error)),
        };
        // A list may know the time to a fraction of a second, which a header does not tell.
        let seconds = |micros: i64| micros.div_euclid(1_000_000);
        let is_as_listed = answer.meta.size == self.size
            && (self.etag.is_some() || seconds(answer.meta.last_modified.timestamp_micros()) == seconds(self.modified));
        if !is_as_listed {
            return Err(ObjectFault::changed("it was replaced after it was listed"));
        }
        let bytes = answer.bytes().await.map_err(|error| ObjectFault::of_store(&error))?;
        if bytes.len() as u64 == wanted {
            return Ok(bytes);
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the store gave fewer bytes than were asked for"))
    }
}

/// An object that is read from beginning to end.
pub(super) struct ObjectText {
    object: SourceObject,
    /// What was not asked for yet begins here.
    next: u64,
    /// Ranges in their order.
    ahead: VecDeque<JoinHandle<io::Result<Bytes>>>,
    /// What was not given out yet.
    current: Bytes,
}

impl ObjectText {
    pub fn new(object: SourceObject) -> Self {
        Self { object, next: 0, ahead: VecDeque::new(), current: Bytes::new() }
    }

    /// Asks for ranges until so many are on their way.
    fn ask(&mut self, ranges: usize) -> io::Result<()> {
        while self.ahead.len() < ranges && self.next < self.object.size {
            let length = if self.next == 0 { FIRST_BYTES } else { RANGE_BYTES };
            let end = self.object.size.min(self.next + length);
            let request = self.object.clone().range(self.next..end);
            self.ahead.push_back(self.object.requests.begin(request)?);
            self.next = end;
        }
        Ok(())
    }
}

impl Read for ObjectText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() && !buffer.is_empty() {
            // Whoever comes for a second range reads the whole file.
            self.ask(if self.next == 0 { 1 } else { RANGES_AHEAD })?;
            let Some(first) = self.ahead.pop_front() else { return Ok(0) };
            let requests = Arc::clone(&self.object.requests);
            self.current = requests.wait(first)?.map_err(io::Error::other)??;
            if self.next > FIRST_BYTES {
                self.ask(RANGES_AHEAD)?;
            }
        }
        let count = buffer.len().min(self.current.len());
        let taken = self.current.split_to(count);
        let (filled, _) = buffer.split_at_mut(count);
        filled.copy_from_slice(&taken);
        Ok(count)
    }
}

impl Drop for ObjectText {
    fn drop(&mut self) {
        self.ahead.iter().for_each(JoinHandle::abort);
    }
}

/// An object that is read at any place, by several threads.
pub(super) struct ObjectBlocks {
    object: SourceObject,
    /// By their number, the one that was needed last at the end.
    blocks: Locked<VecDeque<(u64, Bytes)>>,
}

impl ObjectBlocks {
    pub fn new(object: SourceObject) -> Self {
        Self { object, blocks: Locked::default() }
    }

    fn get(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.object.requests.wait(self.object.clone().range(range))?
    }

    /// The block of this number. Two threads that miss it at once both ask for it.
    fn block(&self, number: u64) -> io::Result<Bytes> {
        let known = {
            let mut blocks = self.blocks.lock();
            let place = blocks.iter().position(|(other, _)| *other == number);
            let found = place.and_then(|place| blocks.remove(place));
            blocks.extend(found.clone());
            found
        };
        if let Some((_, bytes)) = known {
            return Ok(bytes);
        }
        let begin = number * BLOCK_BYTES;
        let bytes = self.get(begin..self.object.size.min(begin + BLOCK_BYTES))?;
        let mut blocks = self.blocks.lock();
        if blocks.len() >= MOST_BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back((number, bytes.clone()));
        Ok(bytes)
    }
}

impl ReadAt for ObjectBlocks {
    fn size(&self) -> io::Result<u64> {
        // Each range is refused if the object has another size by now.
        Ok(self.object.size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.object.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if buffer.len() as u64 > BLOCK_BYTES {
            let bytes = self.get(offset..end)?;
            buffer.copy_from_slice(&bytes);
            return Ok(());
        }
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let block = self.block(at / BLOCK_BYTES)?;
            let within = usize::try_from(at % BLOCK_BYTES).unwrap_or(usize::MAX);
            let found = block.get(within..).unwrap_or_default();
            let count = found.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(found.get(..count).unwrap_or_default());
            at += count as u64;
            rest = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
