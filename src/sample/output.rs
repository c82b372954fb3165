//! A file of the sample while it is written, by itself or as one of the days of the one file.

use std::io;
use std::sync::mpsc::SyncSender;

/// The size at which a buffer is written.
const CHUNK: usize = 1 << 20;

/// Bytes on their way into a file, about a megabyte at a time.
pub(super) struct SampleFile {
    pub(super) buffer: Vec<u8>,
    target: SampleTarget,
}

enum SampleTarget {
    File(Box<dyn io::Write + Send>),
    /// To the thread that writes the one file; `None` ends a day.
    Channel(SyncSender<Option<Vec<u8>>>),
}

impl SampleFile {
    pub(super) fn to_file(file: Box<dyn io::Write + Send>) -> Self {
        Self { buffer: Vec::with_capacity(CHUNK + CHUNK / 16), target: SampleTarget::File(file) }
    }

    /// Days on their way to the thread that writes the one file.
    pub(super) fn to_channel(sender: SyncSender<Option<Vec<u8>>>) -> Self {
        Self { buffer: Vec::new(), target: SampleTarget::Channel(sender) }
    }

    /// Sends the buffer on its way if it is full.
    pub(super) fn emit_full(&mut self) -> io::Result<()> {
        if self.buffer.len() < CHUNK { Ok(()) } else { self.emit() }
    }

    /// Sends the rest on its way and ends the file or the day.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.emit()?;
        match &mut self.target {
            SampleTarget::File(file) => file.flush(),
            SampleTarget::Channel(sender) => sender.send(None).map_err(|_| nobody_writes()),
        }
    }

    fn emit(&mut self) -> io::Result<()> {
        match &mut self.target {
            SampleTarget::File(file) => {
                file.write_all(&self.buffer)?;
                self.buffer.clear();
                Ok(())
            }
            SampleTarget::Channel(sender) => {
                sender.send(Some(std::mem::take(&mut self.buffer))).map_err(|_| nobody_writes())
            }
        }
    }
}

fn nobody_writes() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the one file could not be written")
}
