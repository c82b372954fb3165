//! A destination in memory that counts what is open and fails on demand.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::{Destination, OutputFile, SpillFile};

/// Files in memory, with a count of everything that is open and a fault on demand.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(super) open: Arc<AtomicUsize>,
    pub(super) spills: AtomicUsize,
    pub(super) fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Create(usize),
    Write,
    Finish,
    Spill,
    SpillWrite,
}

struct MemoryFile {
    memory: Arc<Memory>,
    path: String,
    bytes: Vec<u8>,
}

struct Scratch {
    bytes: Cursor<Vec<u8>>,
    full: bool,
    open: Arc<AtomicUsize>,
}

/// The destination under test; a newtype, because the file needs a counted pointer to it.
pub(super) struct InMemory(pub(super) Arc<Memory>);

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left on device")
}

impl Destination for InMemory {
    fn create(&self, relative_path: &str) -> io::Result<Box<dyn OutputFile>> {
        let exists = self.0.files.lock().unwrap().contains_key(relative_path);
        assert!(!exists, "{relative_path} is written twice");
        if let Some(Fault::Create(after)) = self.0.fault
            && self.0.files.lock().unwrap().len() >= after
        {
            return Err(full());
        }
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(MemoryFile { memory: Arc::clone(&self.0), path: relative_path.to_string(), bytes: Vec::new() }))
    }

    fn spill(&self) -> io::Result<Box<dyn SpillFile>> {
        if self.0.fault == Some(Fault::Spill) {
            return Err(full());
        }
        self.0.open.fetch_add(1, Ordering::SeqCst);
        self.0.spills.fetch_add(1, Ordering::SeqCst);
        let full = self.0.fault == Some(Fault::SpillWrite);
        Ok(Box::new(Scratch { bytes: Cursor::default(), full, open: Arc::clone(&self.0.open) }))
    }
}

impl Write for MemoryFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.memory.fault == Some(Fault::Write) {
            return Err(full());
        }
        self.bytes.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl OutputFile for MemoryFile {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.memory.fault == Some(Fault::Finish) {
            return Err(full());
        }
        let (path, bytes) = (std::mem::take(&mut self.path), std::mem::take(&mut self.bytes));
        self.memory.files.lock().unwrap().insert(path, bytes);
        Ok(())
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.memory.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Write for Scratch {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.full { Err(full()) } else { self.bytes.write(buffer) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Scratch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for Scratch {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}
