//! Days to files, by several threads at once.

use super::interactions::{DayCounts, FirstLine, write_day};
use super::manifest::{Expected, FileManifest, SourceManifest};
use super::output::SampleFile;
use super::{SampleDestination, SampleLayout, World};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Writes all interactions.
pub(super) fn write_interactions(
    world: &World,
    destination: &dyn SampleDestination,
) -> io::Result<(SourceManifest, Expected)> {
    match world.options.layout {
        SampleLayout::Daily => write_daily(world, destination),
        SampleLayout::OneFile => write_one_file(world, destination),
    }
}

/// How many buffers a thread may be ahead of the one file.
const AHEAD: usize = 24;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn write_daily(world: &World, destination: &dyn SampleDestination) -> io::Result<(SourceManifest, Expected)> {
    // Each thread takes the next day. A day depends on the seed and its number alone, so it does not matter which
    // thread makes it.
    let next = AtomicUsize::new(0);
    let mut days = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..world.options.threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    let mut written = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= world.days.len() {
                            return Ok(written);
                        }
                        written.push((index, write_daily_file(world, index, destination)?));
                    }
                })
            })
            .collect();
        for thread in threads {
            let written: io::Result<Vec<_>> = thread.join().expect("writing a day does not panic");
            days.extend(written?);
        }
        io::Result::Ok(())
    })?;
    let mut source = SourceManifest::default();
    let mut expected = Expected::default();
    for (index, (name, counts)) in days {
        counts.add_to(&mut source, &mut expected);
        source.count("byte_order_marks", u64::from(is_marked(world, index)));
        source.add_file(file(name, [&counts]));
    }
    Ok((source, expected))
}

fn write_daily_file(
    world: &World,
    index: usize,
    destination: &dyn SampleDestination,
) -> io::Result<(String, DayCounts)> {
    let date = world.days.get(index).map(|day| day.date).unwrap_or_default();
    let name = format!("user_interactions/{date}.csv");
    let mut out = SampleFile::to_file(destination.create(&name)?);
    if is_marked(world, index) {
        out.buffer.extend_from_slice(BYTE_ORDER_MARK);
    }
    let counts = write_day(world, index, FirstLine::Header, &mut out)?;
    out.finish()?;
    Ok((name, counts))
}

fn is_marked(world: &World, index: usize) -> bool {
    world.options.dirty && index % 13 == 2
}

fn write_one_file(world: &World, destination: &dyn SampleDestination) -> io::Result<(SourceManifest, Expected)> {
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
        // Days are dealt round robin and copied in their order: each thread has the next day ready while the others are
        // copied.
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
    let mut source = SourceManifest::default();
    let mut expected = Expected::default();
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
    let mut out = SampleFile::to_channel(sender);
    days.map(|index| {
        let head = if index == 0 { FirstLine::Header } else { FirstLine::Nothing };
        let counts = write_day(world, index, head, &mut out)?;
        out.finish()?;
        Ok((index, counts))
    })
    .collect()
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
