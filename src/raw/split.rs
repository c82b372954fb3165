//! Cuts one file into blocks that begin and end where a record certainly does.
//!
//! In bytes without a quote every line feed ends a record, so most blocks are cut by three fast searches (quote, last
//! line feed, count of line feeds). Records with quotes are scanned by the rules of [`record`](super::record). What the
//! parser could not know from the block alone is told with it: which of its quotes never close, and the bad record
//! behind it that ends nowhere near.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memchr_iter, memrchr};

use super::columns::{FileColumns, other_delimiter};
use super::compression::RawFile;
use super::disguise::disguise;
use super::error::RawError;
use super::format::{CsvOptions, RawFormat, RawKind};
use super::header;
use super::path_values::path_values;
use super::quarantine::{BadRecord, BadRecordReason, RAW_SAMPLE_BYTES, RawSample};
use super::record::{Scanned, Syntax, scan};

mod array;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// So much is read at a time where only the header is wanted.
const HEADER_BYTES: usize = 16 << 10;

/// Whole records of one file, to be parsed on any thread.
#[derive(Debug)]
pub(crate) struct TextBlock {
    pub(super) file: Arc<str>,
    /// The physical line of the first byte.
    pub(super) first_line: u64,
    /// Records with their line feeds.
    pub(super) bytes: Vec<u8>,
    /// What the fields of a record are.
    pub(super) columns: Arc<FileColumns>,
    /// Where in `bytes` lines start whose quote does not close.
    pub(super) open_quotes: Vec<usize>,
    /// Where in `bytes` the records are, if they are elements of an array; else each is a line.
    pub(super) elements: Option<Vec<Range<usize>>>,
    /// A bad record that stands right behind `bytes`.
    pub(super) set_aside: Option<BadRecord>,
    /// Physical lines of the block, those of the record that was set aside included.
    pub(super) lines: u64,
    /// Bytes read from storage for this block.
    pub(super) stored_bytes: u64,
}

/// Where a block ends.
struct BlockEnd {
    end: usize,
    open_quotes: Vec<usize>,
    /// The bad record that starts there and whose end is not in the buffer.
    fault: Option<(BadRecordReason, usize)>,
}

/// A file that is being cut.
pub(super) struct Splitter {
    file: Arc<str>,
    format: Arc<RawFormat>,
    reader: Box<dyn Read + Send>,
    /// Stored bytes read in all, and how many of them were told in blocks.
    stored: Arc<AtomicU64>,
    stored_told: u64,
    /// How many bytes a block has, unless a record is longer.
    target: usize,
    buffer: Vec<u8>,
    at_end: bool,
    /// Whether the last byte that was read is not a line feed.
    open_line: bool,
    /// The physical line of the buffer's first byte.
    line: u64,
    /// Unknown until the header has been read.
    columns: Option<Arc<FileColumns>>,
    /// What comes next, if the file holds one JSON array.
    array: Option<array::Next>,
}

/// The columns of a file that does not name them before its records. Returns `None` for one that does.
fn columns_without_header(file: &RawFile, format: &RawFormat) -> Option<Arc<FileColumns>> {
    let declared = FileColumns::declared(format.columns.len());
    match &format.kind {
        RawKind::Csv(csv) if csv.header => None,
        // Records of such a file have all columns: nothing tells which of them the path might replace.
        RawKind::Csv(_) => Some(Arc::new(declared)),
        RawKind::JsonLines | RawKind::Parquet => {
            Some(Arc::new(FileColumns { of_path: path_values(&file.name, format), ..declared }))
        }
    }
}

impl Splitter {
    pub(super) fn open(file: &RawFile, format: &Arc<RawFormat>, target: usize) -> Result<Self, RawError> {
        let (reader, stored) =
            file.open().map_err(|error| RawError::Unreadable { file: Arc::clone(&file.name), error })?;
        let mut splitter = Self {
            file: Arc::clone(&file.name),
            format: Arc::clone(format),
            reader,
            stored,
            stored_told: 0,
            target: target.max(1),
            buffer: Vec::new(),
            at_end: false,
            open_line: false,
            line: 1,
            columns: columns_without_header(file, format),
            array: None,
        };
        splitter.fill(BYTE_ORDER_MARK.len())?;
        if splitter.buffer.starts_with(BYTE_ORDER_MARK) {
            splitter.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        splitter.fill(target.min(HEADER_BYTES))?;
        // Blocks as small as those of tests say too little.
        if target >= HEADER_BYTES
            && let Some(disguise) = disguise(&splitter.buffer, splitter.at_end, format)
        {
            return Err(RawError::Disguised { file: Arc::clone(&file.name), disguise });
        }
        match &format.kind {
            RawKind::Csv(csv) => splitter.skip_lines(csv.skip)?,
            RawKind::JsonLines if splitter.begins_array(HEADER_BYTES)? => splitter.array = Some(array::Next::Opening),
            RawKind::JsonLines | RawKind::Parquet => {}
        }
        Ok(splitter)
    }

    /// Reads over the first lines of the file.
    fn skip_lines(&mut self, count: u64) -> Result<(), RawError> {
        for _ in 0..count {
            while memchr(b'\n', &self.buffer).is_none() {
                if self.at_end {
                    return Ok(());
                }
                // However long the line is, no more of it is kept than what was read last.
                self.buffer.clear();
                self.fill(HEADER_BYTES)?;
            }
            let end = memchr(b'\n', &self.buffer).map_or(self.buffer.len(), |feed| feed + 1);
            self.buffer.drain(..end);
            self.line += 1;
            self.fill(HEADER_BYTES)?;
        }
        Ok(())
    }

    /// The next block, or `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> Result<Option<TextBlock>, RawError> {
        let Some(columns) = self.read_header()? else {
            return Ok(None);
        };
        if let Some(next) = self.array {
            return self.next_elements(next, columns);
        }
        let mut wanted = self.target;
        loop {
            self.fill(wanted)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let cut = self.cut();
            if cut.end > 0 || cut.fault.is_some() {
                return self.take(cut, columns).map(Some);
            }
            wanted = self.more();
        }
    }

    /// How far to read when a record reaches beyond the buffer: one byte more than the limit decides about any record.
    fn more(&self) -> usize {
        let enough = self.format.max_record_bytes + 1;
        (self.buffer.len() * 2).min(enough).max(self.buffer.len() + 1)
    }

    fn syntax(&self) -> Option<Syntax> {
        match &self.format.kind {
            RawKind::Csv(csv) => Some(Syntax::new(csv, self.format.max_record_bytes)),
            RawKind::JsonLines | RawKind::Parquet => None,
        }
    }

    /// Finds the end of the last record that is certainly whole.
    fn cut(&self) -> BlockEnd {
        let mut cut = BlockEnd { end: 0, open_quotes: Vec::new(), fault: None };
        loop {
            let (_, rest) = self.buffer.split_at(cut.end);
            let quote = self.syntax().and_then(|syntax| Some((memchr(syntax.quote, rest)?, syntax)));
            // Without a quote in the rest, every line feed ends a record: the fast path, and nearly all of most files.
            let Some((quote, syntax)) = quote else {
                let whole = memrchr(b'\n', rest).map_or(0, |last| last + 1);
                let limit = self.format.max_record_bytes;
                cut.end += whole;
                cut.fault = (rest.len() - whole > limit).then_some((BadRecordReason::RecordTooLong, limit));
                return cut;
            };
            // Speculation ends here: the record with the quote is scanned by the full rules from its beginning, and the
            // fast search goes on behind it.
            let (before, _) = rest.split_at(quote);
            let start = memrchr(b'\n', before).map_or(0, |last| last + 1);
            let (_, record) = rest.split_at(start);
            cut.end += start;
            let (reason, at) = match scan(record, syntax, |_| ()) {
                Scanned::Record { next } | Scanned::Comment { next } => {
                    cut.end += next;
                    continue;
                }
                Scanned::Fault { reason, at } => (reason, at),
                // The last line of a file has got its line feed, so only an open quote can be unfinished.
                Scanned::Unfinished if self.at_end => (BadRecordReason::UnclosedQuote, 0),
                Scanned::Unfinished => return cut,
            };
            let Some(next) = next_line(record, at) else {
                cut.fault = Some((reason, at));
                return cut;
            };
            if reason == BadRecordReason::UnclosedQuote {
                cut.open_quotes.push(cut.end);
            }
            cut.end += next;
        }
    }

    /// Takes the bytes up to the cut, and what is set aside there, out of the buffer.
    fn take(&mut self, cut: BlockEnd, columns: Arc<FileColumns>) -> Result<TextBlock, RawError> {
        // The tail is copied and not the block: it is shorter than a record, as a rule.
        let (_, tail) = self.buffer.split_at(cut.end);
        let tail = tail.to_vec();
        let mut bytes = std::mem::replace(&mut self.buffer, tail);
        bytes.truncate(cut.end);
        let first_line = self.line;
        self.line += count_lines(&bytes);
        let set_aside = match cut.fault {
            Some((reason, at)) => Some(self.set_aside(reason, at)?),
            None => None,
        };
        let stored = self.stored.load(Ordering::Relaxed);
        let stored_bytes = stored - std::mem::replace(&mut self.stored_told, stored);
        let file = Arc::clone(&self.file);
        let lines = self.line - first_line;
        let open_quotes = cut.open_quotes;
        Ok(TextBlock { file, first_line, bytes, columns, open_quotes, elements: None, set_aside, lines, stored_bytes })
    }

    /// Reads over the record at the buffer's beginning, which ends with the physical line that holds the byte `at`,
    /// keeping no more of it than its raw text needs.
    fn set_aside(&mut self, reason: BadRecordReason, at: usize) -> Result<BadRecord, RawError> {
        let line = self.line;
        let mut sample = Vec::new();
        let mut length = 0;
        let mut last = None;
        let mut from = at;
        loop {
            let next = next_line(&self.buffer, from);
            let end = next.unwrap_or(self.buffer.len());
            let (taken, _) = self.buffer.split_at(end);
            self.line += count_lines(taken);
            let text = taken.get(..end - usize::from(next.is_some())).unwrap_or_default();
            length += text.len() as u64;
            last = text.last().copied().or(last);
            sample.extend(text.iter().take(RAW_SAMPLE_BYTES.saturating_sub(sample.len())));
            self.buffer.drain(..end);
            if next.is_some() || (end == 0 && self.at_end) {
                break;
            }
            from = 0;
            self.fill(self.target)?;
        }
        // The carriage return in front of the line feed belongs to the line end.
        length -= u64::from(last == Some(b'\r'));
        sample.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(BadRecord::new(&self.file, line, reason, RawSample { bytes: &sample, length }))
    }

    /// Reads until the buffer has `wanted` bytes or the file ends; then the last line gets a line feed if it has none.
    fn fill(&mut self, wanted: usize) -> Result<(), RawError> {
        let missing = wanted.saturating_sub(self.buffer.len());
        if self.at_end || missing == 0 {
            return Ok(());
        }
        self.buffer.reserve_exact(missing + 1);
        let read = self.reader.by_ref().take(missing as u64).read_to_end(&mut self.buffer);
        let count = read.map_err(|error| RawError::Unreadable { file: Arc::clone(&self.file), error })?;
        if count > 0 {
            self.open_line = self.buffer.last() != Some(&b'\n');
        }
        if count < missing {
            self.at_end = true;
            if self.open_line {
                self.buffer.push(b'\n');
            }
        }
        Ok(())
    }

    /// The names in a file's header; `None` if the file has no record at all.
    pub(super) fn header_of(file: &RawFile, format: &Arc<RawFormat>) -> Result<Option<Vec<String>>, RawError> {
        let mut splitter = Self::open(file, format, HEADER_BYTES)?;
        match &format.kind {
            RawKind::Csv(csv) => Ok(splitter.names(csv)?.map(|(_, names)| names)),
            RawKind::JsonLines | RawKind::Parquet => Ok(None),
        }
    }

    /// The columns: as declared, or as the header names them; `None` if the file has no record at all.
    fn read_header(&mut self) -> Result<Option<Arc<FileColumns>>, RawError> {
        let format = Arc::clone(&self.format);
        let (RawKind::Csv(csv), None) = (&format.kind, &self.columns) else {
            return Ok(self.columns.clone());
        };
        let Some((line, names)) = self.names(csv)? else {
            return Ok(None);
        };
        self.columns = Some(Arc::new(FileColumns::named(&names, path_values(&self.file, &format), &format).map_err(
            |message| RawError::Columns {
                file: Arc::clone(&self.file),
                line: Some(line),
                message,
                delimiter: other_delimiter(&names),
            },
        )?));
        Ok(self.columns.clone())
    }

    /// Reads over the header and gives its line and its names.
    fn names(&mut self, csv: &CsvOptions) -> Result<Option<(u64, Vec<String>)>, RawError> {
        let syntax = Syntax::new(csv, self.format.max_record_bytes);
        let mut wanted = self.target;
        loop {
            self.fill(wanted)?;
            self.skip_empty_lines();
            let wrong = |message| RawError::Header { file: Arc::clone(&self.file), line: self.line, message };
            let mut ends = Vec::new();
            match scan(&self.buffer, syntax, |end| ends.push(end)) {
                Scanned::Comment { next } => {
                    self.line += 1;
                    self.buffer.drain(..next);
                }
                Scanned::Record { next } => {
                    let (record, _) = self.buffer.split_at(next);
                    if std::str::from_utf8(record).is_err() {
                        return Err(wrong("the header is not UTF-8: save the file as UTF-8".to_owned()));
                    }
                    let names = header::names(record, &ends, csv.quote, self.format.forms.trim);
                    let line = self.line;
                    self.line += count_lines(record);
                    self.buffer.drain(..next);
                    return Ok(Some((line, names)));
                }
                Scanned::Fault { reason, .. } => return Err(wrong(header::broken(reason))),
                Scanned::Unfinished if !self.at_end => wanted = self.more(),
                Scanned::Unfinished if self.buffer.is_empty() => return Ok(None),
                Scanned::Unfinished => return Err(wrong(header::broken(BadRecordReason::UnclosedQuote))),
            }
        }
    }

    /// An empty line is no record, not even the header.
    fn skip_empty_lines(&mut self) {
        let mut rest = self.buffer.as_slice();
        while let Some(next) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")) {
            rest = next;
            self.line += 1;
        }
        let empty = self.buffer.len() - rest.len();
        self.buffer.drain(..empty);
    }
}

fn next_line(bytes: &[u8], from: usize) -> Option<usize> {
    memchr(b'\n', bytes.get(from..)?).map(|offset| from + offset + 1)
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
