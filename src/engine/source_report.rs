//! What reading a source found besides rows: bad records, and counts and ranges per file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locked::Locked;
use crate::raw::{BadRecord, BlockStats};

/// So many bad records are kept in memory; a source with more is no such source.
const MOST_BAD_RECORDS: usize = 1_000_000;

/// Filled by every thread that reads the source.
#[derive(Debug, Default)]
pub(crate) struct SourceReport {
    found: Locked<SourceFindings>,
    bytes: AtomicU64,
    rows: AtomicU64,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct SourceFindings {
    pub bad: Vec<BadRecord>,
    pub files: BTreeMap<Arc<str>, BlockStats>,
}

impl SourceReport {
    /// Fails if there are more bad records than memory should hold.
    pub fn add(&self, file: &Arc<str>, stats: &BlockStats, bad: Vec<BadRecord>) -> Result<(), TooManyBadRecords> {
        self.bytes.fetch_add(stats.bytes, Ordering::Relaxed);
        self.rows.fetch_add(stats.rows, Ordering::Relaxed);
        let mut found = self.found.lock();
        found.bad.extend(bad);
        found.files.entry(Arc::clone(file)).or_default().merge(stats);
        if found.bad.len() > MOST_BAD_RECORDS { Err(TooManyBadRecords) } else { Ok(()) }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Everything found, bad records in the order of files and lines.
    pub fn take(&self) -> SourceFindings {
        let mut found = self.found.take();
        found.bad.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
        found
    }
}

impl SourceFindings {
    /// Adds what another read of the same source found; a file that both have read counts once.
    pub fn add(&mut self, other: SourceFindings) {
        let is_new = |file: &str| !self.files.contains_key(file);
        let bad: Vec<BadRecord> = other.bad.into_iter().filter(|bad| is_new(&bad.file)).collect();
        self.bad.extend(bad);
        other.files.into_iter().for_each(|(file, stats)| {
            self.files.entry(file).or_insert(stats);
        });
    }
}

/// A source is no source of the declared format.
#[derive(Debug)]
pub(crate) struct TooManyBadRecords;

impl fmt::Display for TooManyBadRecords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "more than {MOST_BAD_RECORDS} records are bad: is the format declared correctly?")
    }
}

impl std::error::Error for TooManyBadRecords {}
