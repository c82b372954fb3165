//! Days to files, by several threads at once.

use super::interactions::{DayCounts, Head, write_day};
use super::manifest::{Expected, FileManifest, SourceManifest};
use super::{Destination, Layout, World};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes on their way into a file, about a megabyte at a time.
pub(super) struct Output {
    pub(super) buffer: Vec<u8>,
    target: Target,
}

enum Target {
    File(Box<dyn io::Write + Send>),
    /// To the thread that writes the one file; `None` ends a day.
    Channel(SyncSender<Option<Vec<u8>>>),
}

impl Output {
    pub(super) fn to_file(file: Box<dyn io::Write + Send>) -> Self {
        Self { buffer: Vec::with_capacity(CHUNK + CHUNK / 16), target: Target::File(file) }
    }

    /// Sends the buffer on its way if it is full.
    pub(super) fn emit_full(&mut self) -> io::Result<()> {
        if self.buffer.len() < CHUNK { Ok(()) } else { self.emit() }
    }

    /// Sends the rest on its way and ends the file or the day.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.emit()?;
        match &mut self.target {
            Target::File(file) => file.flush(),
            Target::Channel(sender) => sender.send(None).map_err(|_| nobody_writes()),
        }
    }

    fn emit(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File(file) => {
                file.write_all(&self.buffer)?;
                self.buffer.clear();
                Ok(())
            }
            Target::Channel(sender) => sender.send(Some(std::mem::take(&mut self.buffer))).map_err(|_| nobody_writes()),
        }
    }
}

/// Writes all interactions.
pub(super) fn write_interactions(
    world: &World,
    destination: &dyn Destination,
) -> io::Result<(SourceManifest, Expected)> {
    match world.options.layout {
        Layout::Daily => write_daily(world, destination),
        Layout::OneFile => write_one_file(world, destination),
    }
}

/// The size at which a buffer is written.
const CHUNK: usize = 1 << 20;

/// How many buffers a thread may be ahead of the one file.
const AHEAD: usize = 24;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn write_daily(world: &World, destination: &dyn Destination) -> io::Result<(SourceManifest, Expected)> {
    let next = AtomicUsize::new(0);
    let write_some = || {
        let mut written = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= world.days.len() {
                return Ok(written);
            }
            written.push((index, write_daily_file(world, index, destination)?));
        }
    };
    let mut days = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..world.options.threads.max(1)).map(|_| scope.spawn(write_some)).collect();
        for thread in threads {
            let written: io::Result<Vec<_>> = thread.join().expect("writing a day does not panic");
            days.extend(written?);
        }
        io::Result::Ok(())
    })?;
    let (mut source, mut expected) = (SourceManifest::default(), Expected::default());
    for (index, (name, counts)) in days {
        counts.add_to(&mut source, &mut expected);
        source.count("byte_order_marks", u64::from(is_marked(world, index)));
        source.add_file(file(name, [&counts]));
    }
    Ok((source, expected))
}

fn write_daily_file(world: &World, index: usize, destination: &dyn Destination) -> io::Result<(String, DayCounts)> {
    let date = world.days.get(index).map(|day| day.date).unwrap_or_default();
    let name = format!("user_interactions/{date}.csv");
    let mut out = Output::to_file(destination.create(&name)?);
    if is_marked(world, index) {
        out.buffer.extend_from_slice(BYTE_ORDER_MARK);
    }
    let counts = write_day(world, index, Head::Header, &mut out)?;
    out.finish()?;
    Ok((name, counts))
}

fn is_marked(world: &World, index: usize) -> bool {
    world.options.dirty && index % 13 == 2
}

fn write_one_file(world: &World, destination: &dyn Destination) -> io::Result<(SourceManifest, Expected)> {
    let name = "user_interactions.csv";
    let mut one_file = destination.create(name)?;
    if world.options.dirty {
        one_file.write_all(BYTE_ORDER_MARK)?;
    }
    let threads = world.options.threads.clamp(1, world.days.len());
    let mut days = BTreeMap::new();
    std::thread::scope(|scope| {
        let mut receivers = Vec::new();
        let mut writers = Vec::new();
        for first in 0..threads {
            let (sender, receiver) = sync_channel(AHEAD);
            receivers.push(receiver);
            writers.push(scope.spawn(move || send_days(world, (first..world.days.len()).step_by(threads), sender)));
        }
        // Leaving early drops the receivers, at which the threads stop.
        for receiver in receivers.iter().cycle().take(world.days.len()) {
            copy_day(receiver, &mut one_file)?;
        }
        for writer in writers {
            days.extend(writer.join().expect("writing a day does not panic")?);
        }
        one_file.flush()
    })?;
    let (mut source, mut expected) = (SourceManifest::default(), Expected::default());
    for counts in days.values() {
        counts.add_to(&mut source, &mut expected);
    }
    source.count("byte_order_marks", u64::from(world.options.dirty));
    source.add_file(file(name.to_owned(), days.values()));
    Ok((source, expected))
}

fn send_days(
    world: &World,
    days: impl Iterator<Item = usize>,
    sender: SyncSender<Option<Vec<u8>>>,
) -> io::Result<Vec<(usize, DayCounts)>> {
    let mut out = Output { buffer: Vec::new(), target: Target::Channel(sender) };
    let send = |index| {
        let head = if index == 0 { Head::Header } else { Head::Nothing };
        let counts = write_day(world, index, head, &mut out)?;
        out.finish()?;
        Ok((index, counts))
    };
    days.map(send).collect()
}

fn copy_day(receiver: &Receiver<Option<Vec<u8>>>, file: &mut dyn io::Write) -> io::Result<()> {
    while let Ok(Some(bytes)) = receiver.recv() {
        file.write_all(&bytes)?;
    }
    Ok(())
}

fn file<'a>(name: String, days: impl IntoIterator<Item = &'a DayCounts>) -> FileManifest {
    let mut file = FileManifest { name, ..FileManifest::default() };
    for day in days {
        file.lines += day.lines;
        file.records += day.records;
        file.quarantined += day.quarantined;
    }
    file
}

fn nobody_writes() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the one file could not be written")
}
