//! The interactions of one day as lines of CSV, with what they must come to.

use super::World;
use super::day::{self, Delivery, Interaction};
use super::dirt::{self, Dirt, DirtKind, Fate, KINDS, Lottery};
use super::manifest::{Expected, SourceManifest};
use super::output::SampleFile;
use super::random::{Purpose, Random};
use super::row::{HEADER, Row};
use std::io;

/// What the lines of a day come to.
pub(super) struct DayCounts {
    pub(super) records: u64,
    pub(super) quarantined: u64,
    pub(super) lines: u64,
    crlf_lines: u64,
    late: u64,
    delivered_again: u64,
    dirt: Vec<(Dirt, u64)>,
}

/// Whether a day's lines begin with the header: in the one file only those of the first day do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstLine {
    Header,
    Nothing,
}

/// Writes all lines of a day.
pub(super) fn write_day(
    world: &World,
    index: usize,
    first_line: FirstLine,
    out: &mut SampleFile,
) -> io::Result<DayCounts> {
    let today = world.days.get(index).expect("a day that is written is one of the sample");
    let mut batch = day::late(world, index);
    let late = batch.len() as u64;
    batch.extend(day::delivered_again(world, index));
    let not_on_time = batch.len() as u64;
    batch.extend(day::over_midnight(world, index).0);
    batch.extend(index.checked_sub(1).map(|yesterday| day::over_midnight(world, yesterday).1).unwrap_or_default());
    // A third is dirty at most, so that enough rows are left to be dirty when the duplicates are taken off.
    let room = if world.options.dirty { (today.rows - not_on_time) / 3 } else { 0 };
    let lottery = Lottery::new(room, dirt::planned(today.first_row, today.rows));
    let dirt = lottery.prizes().to_vec();
    let on_time = today.rows - not_on_time - duplicates(&dirt);
    let ordinary = on_time - (batch.len() as u64 - not_on_time);
    let mut lines = Lines::new(world, index, out, lottery, on_time);
    if first_line == FirstLine::Header {
        lines.out.buffer.extend_from_slice(HEADER);
        lines.end_line();
    }
    day::ordinary(world, index, ordinary, &mut |event| {
        batch.push(event);
        if batch.len() < BATCH { Ok(()) } else { lines.write_batch(&mut batch) }
    })?;
    lines.write_batch(&mut batch)?;
    lines.release_copy();
    Ok(DayCounts {
        records: today.rows,
        quarantined: dirt
            .iter()
            .filter(|(dirt, _)| matches!(kind(*dirt).fate, Fate::Quarantined(_)))
            .map(|(_, n)| n)
            .sum(),
        lines: lines.ended + lines.inside,
        crlf_lines: if lines.line_end == b"\r\n" { lines.ended } else { 0 },
        late,
        delivered_again: not_on_time - late,
        dirt,
    })
}

impl DayCounts {
    /// Adds the day, but not its file, to the sums of the source and to what cleaning must arrive at.
    pub(super) fn add_to(&self, source: &mut SourceManifest, expected: &mut Expected) {
        let mut kept = self.records - self.delivered_again;
        let mut not_ok = 0;
        for (dirt, times) in &self.dirt {
            let kind = kind(*dirt);
            source.count(kind.name, *times);
            match kind.fate {
                Fate::Kept("ok") => (),
                Fate::Kept(status) => {
                    *expected.duration_status.entry(status).or_default() += times;
                    not_ok += times;
                }
                Fate::Stranger => expected.unknown_users += times,
                Fate::Rejected(reason) => {
                    *expected.rejected.entry(reason).or_default() += times;
                    kept -= times;
                }
                Fate::Quarantined(reason) => {
                    source.quarantine(reason, *times);
                    kept -= times;
                }
            }
        }
        kept -= duplicates(&self.dirt);
        source.count("late_rows", self.late);
        source.count("redelivered_duplicates", self.delivered_again);
        source.count("crlf_lines", self.crlf_lines);
        expected.duplicates += duplicates(&self.dirt) + self.delivered_again;
        expected.fct_interactions += kept;
        *expected.duration_status.entry("ok").or_default() += kept - not_ok;
    }
}

/// How many events are sorted at once; it bounds the memory of a huge day.
const BATCH: usize = 1 << 19;

/// The lines of a day while they are written.
struct Lines<'a> {
    world: &'a World,
    index: usize,
    out: &'a mut SampleFile,
    random: Random,
    lottery: Lottery<Dirt>,
    /// Rows on time that are still to come; only those are made dirty.
    on_time: u64,
    line_end: &'static [u8],
    /// A second copy of a line, which comes some rows after the first.
    copy: Vec<u8>,
    rows_until_copy: u64,
    /// Lines that were ended.
    ended: u64,
    /// Line feeds inside quotes.
    inside: u64,
}

impl<'a> Lines<'a> {
    fn new(world: &'a World, index: usize, out: &'a mut SampleFile, lottery: Lottery<Dirt>, on_time: u64) -> Self {
        Self {
            world,
            index,
            out,
            random: Random::stream(world.options.seed, Purpose::Dirt, index as u64),
            lottery,
            on_time,
            line_end: if world.options.dirty && index % 11 == 1 { b"\r\n" } else { b"\n" },
            copy: Vec::new(),
            rows_until_copy: 0,
            ended: 0,
            inside: 0,
        }
    }

    fn write_batch(&mut self, batch: &mut Vec<Interaction>) -> io::Result<()> {
        batch.sort_unstable();
        for event in batch.drain(..) {
            self.write_event(event);
            self.out.emit_full()?;
        }
        Ok(())
    }

    fn write_event(&mut self, event: Interaction) {
        if self.rows_until_copy == 0 {
            self.release_copy();
        }
        self.rows_until_copy = self.rows_until_copy.saturating_sub(1);
        let row = Row { world: self.world, day: self.index, event };
        let mut dirt = None;
        if event.delivery == Delivery::OnTime {
            dirt = self.lottery.draw(self.on_time, &mut self.random);
            self.on_time -= 1;
        }
        match dirt {
            None => row.write_clean(&mut self.out.buffer),
            Some(Dirt::ExactDuplicate) => {
                self.prepare_copy();
                row.write_clean(&mut self.copy);
                self.out.buffer.extend_from_slice(&self.copy);
            }
            Some(Dirt::NearDuplicate) => {
                self.prepare_copy();
                row.write_clean(&mut self.out.buffer);
                row.write_near_duplicate(&mut self.copy);
            }
            Some(Dirt::BlankLine) => {
                row.write_clean(&mut self.out.buffer);
                self.end_line();
            }
            Some(dirt) => self.inside += row.write_dirty(dirt, &mut self.random, &mut self.out.buffer),
        }
        self.end_line();
    }

    fn prepare_copy(&mut self) {
        self.release_copy();
        self.rows_until_copy = self.random.below(200);
    }

    fn release_copy(&mut self) {
        if !self.copy.is_empty() {
            self.out.buffer.append(&mut self.copy);
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.out.buffer.extend_from_slice(self.line_end);
        self.ended += 1;
    }
}

fn kind(dirt: Dirt) -> &'static DirtKind {
    KINDS.iter().find(|kind| kind.dirt == dirt).expect("every kind of dirt is listed")
}

/// How many records are one more copy of another.
fn duplicates(dirt: &[(Dirt, u64)]) -> u64 {
    let copied = dirt.iter().filter(|(dirt, _)| matches!(dirt, Dirt::ExactDuplicate | Dirt::NearDuplicate));
    copied.map(|(_, times)| times).sum()
}
