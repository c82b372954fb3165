//! Parses a block of CSV: finds all fields of some rows first, then converts them column by column.

use memchr::{memchr, memrchr};

use super::batch::{BATCH_ROWS, BatchBuilder};
use super::column::{ColumnFields, Nulls};
use super::columns::ColumnPlace;
use super::field::{Field, unquote};
use super::format::{CsvOptions, RawFormat};
use super::path_values::Repeated;
use super::quarantine::{BadRecord, BadRecordReason, RawSample};
use super::record::{Scanned, Syntax, scan, without_return};
use super::split::TextBlock;
use super::structure::Structure;

/// So many bytes are indexed at a time: text and index stay in the fast caches until they are converted.
const INDEXED_BYTES: usize = 64 << 10;

/// Where the fields of some good records are.
#[derive(Default)]
struct Index {
    /// Where each record starts.
    starts: Vec<u32>,
    /// Where each field ends, record by record.
    ends: Vec<u32>,
    /// The physical line where each record starts.
    lines: Vec<i64>,
    /// Whether fields may stand in quotes.
    quoted: bool,
}

struct CsvParser<'a> {
    block: &'a TextBlock,
    syntax: Syntax,
    /// Whether all bytes of the block are UTF-8.
    is_text: bool,
    position: usize,
    line: u64,
    /// The first quote at or behind `position`.
    next_quote: usize,
    structure: Structure,
    index: Index,
    bad: &'a mut Vec<BadRecord>,
}

/// Adds the rows of the block to `batches` and what is no row to `bad`.
pub(super) fn parse(
    block: &TextBlock,
    format: &RawFormat,
    csv: &CsvOptions,
    batches: &mut BatchBuilder<'_>,
    bad: &mut Vec<BadRecord>,
) {
    let mut parser = CsvParser {
        block,
        syntax: Syntax::new(csv, format.max_record_bytes),
        is_text: std::str::from_utf8(&block.bytes).is_ok(),
        position: 0,
        line: block.first_line,
        next_quote: memchr(csv.quote, &block.bytes).unwrap_or(block.bytes.len()),
        structure: Structure::default(),
        index: Index::default(),
        bad,
    };
    while parser.position < block.bytes.len() {
        parser.index_some();
        if batches.pending() + parser.index.lines.len() > BATCH_ROWS {
            batches.flush();
        }
        batches.start_rows(&parser.index.lines);
        for (position, place) in block.columns.places.iter().enumerate() {
            match place {
                ColumnPlace::Declared(declared) if batches.wants(*declared) => {
                    batches.extend(*declared, &parser.column(position, csv, format.forms.trim));
                }
                ColumnPlace::Rescued(name) if batches.wants_rescued() => {
                    let fields = parser.column(position, csv, format.forms.trim);
                    batches.rescue_texts(format.columns.len() + position, name, parser.index.lines.len(), &fields);
                }
                ColumnPlace::Declared(_) | ColumnPlace::Rescued(_) | ColumnPlace::Ignored => {}
            }
        }
        for declared in &block.columns.missing {
            batches.extend(*declared, &Nulls(parser.index.lines.len()));
        }
        for value in &block.columns.of_path {
            batches.extend(value.declared, &Repeated { value, rows: parser.index.lines.len() });
        }
    }
}

impl CsvParser<'_> {
    /// Indexes the next records of the block.
    fn index_some(&mut self) {
        self.index.starts.clear();
        self.index.ends.clear();
        self.index.lines.clear();
        self.index.quoted = false;
        let end = (self.position + INDEXED_BYTES).min(self.block.bytes.len());
        while self.position < end {
            if self.next_quote < self.position {
                let rest = self.block.bytes.get(self.position..).unwrap_or_default();
                self.next_quote = memchr(self.syntax.quote, rest).map_or(usize::MAX, |offset| self.position + offset);
            }
            let plain = self.block.bytes.get(self.position..end.min(self.next_quote)).unwrap_or_default();
            match memrchr(b'\n', plain) {
                Some(last) => self.index_plain(self.position + last + 1),
                None => {
                    let next = self.next_line(self.position);
                    if self.next_quote < next { self.index_quoted() } else { self.index_plain(next) }
                }
            }
        }
    }

    /// Indexes records up to `end`, in which there is no quote: every line is one.
    fn index_plain(&mut self, end: usize) {
        let plain = self.block.bytes.get(self.position..end).unwrap_or_default();
        self.structure.find(plain, self.position, self.syntax.delimiter);
        // It is put back below; meanwhile records are judged with the whole parser.
        let structure = std::mem::take(&mut self.structure);
        let mut rest = structure.marks();
        let mut taken = 0;
        let mut start = self.position;
        for place in structure.lines() {
            let (record, marks) = rest.split_at((place + 1 - taken) as usize);
            let feed = record.last().map_or(start, |feed| *feed as usize);
            let text_end = without_return(&self.block.bytes, start, feed);
            if text_end > start && !self.is_comment(start) {
                let verdict = self.judge(start, feed, record.len());
                let too_long = (feed - start > self.syntax.limit).then_some(BadRecordReason::RecordTooLong);
                match too_long.or(verdict) {
                    None => self.keep(start, text_end, record),
                    Some(reason) => self.reject(reason, start, feed),
                }
            }
            self.line += 1;
            (rest, taken, start) = (marks, place + 1, feed + 1);
        }
        self.structure = structure;
        self.position = end;
    }

    /// Indexes one record, in whose first line there is a quote.
    fn index_quoted(&mut self) {
        let start = self.position;
        let record = self.block.bytes.get(start..).unwrap_or_default();
        let before = self.index.ends.len();
        let ends = &mut self.index.ends;
        let scanned = if self.block.open_quotes.binary_search(&start).is_ok() {
            Scanned::Fault { reason: BadRecordReason::UnclosedQuote, at: 0 }
        } else {
            scan(record, self.syntax, |end| ends.push((start + end) as u32))
        };
        let (next, fault) = match scanned {
            Scanned::Comment { next } => {
                self.position = start + next;
                self.line += 1;
                return;
            }
            Scanned::Record { next } => (start + next, self.judge(start, start + next, self.index.ends.len() - before)),
            Scanned::Fault { reason, at } => (self.next_line(start + at), Some(reason)),
            Scanned::Unfinished => (self.block.bytes.len(), Some(BadRecordReason::UnclosedQuote)),
        };
        match fault {
            None => {
                self.index.starts.push(start as u32);
                self.index.lines.push(self.line.cast_signed());
                self.index.quoted = true;
            }
            Some(reason) => {
                self.index.ends.truncate(before);
                self.reject(reason, start, next - 1);
            }
        }
        let lines = self.block.bytes.get(start..next).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', lines).count() as u64;
        self.position = next;
    }

    #[inline]
    fn is_comment(&self, start: usize) -> bool {
        self.syntax.comment.is_some() && self.block.bytes.get(start).copied() == self.syntax.comment
    }

    /// Why a record with this many fields is bad all the same.
    #[inline]
    fn judge(&self, start: usize, end: usize, fields: usize) -> Option<BadRecordReason> {
        let record = || self.block.bytes.get(start..end).unwrap_or_default();
        if !self.is_text && std::str::from_utf8(record()).is_err() {
            return Some(BadRecordReason::InvalidUtf8);
        }
        match fields.cmp(&self.block.columns.places.len()) {
            std::cmp::Ordering::Less => Some(BadRecordReason::TooFewColumns),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(BadRecordReason::TooManyColumns),
        }
    }

    #[inline]
    fn keep(&mut self, start: usize, end: usize, marks: &[u32]) {
        self.index.starts.push(start as u32);
        self.index.lines.push(self.line.cast_signed());
        self.index.ends.extend_from_slice(marks);
        if let Some(last) = self.index.ends.last_mut() {
            *last = end as u32;
        }
    }

    /// Puts the record that ends with the line feed at `feed` into quarantine.
    #[cold]
    fn reject(&mut self, reason: BadRecordReason, start: usize, feed: usize) {
        let end = without_return(&self.block.bytes, start, feed);
        let raw = self.block.bytes.get(start..end).unwrap_or_default();
        self.bad.push(BadRecord::new(&self.block.file, self.line, reason, RawSample::whole(raw)));
    }

    fn next_line(&self, from: usize) -> usize {
        let rest = self.block.bytes.get(from..).unwrap_or_default();
        memchr(b'\n', rest).map_or(self.block.bytes.len(), |offset| from + offset + 1)
    }

    fn column<'a>(&'a self, position: usize, csv: &'a CsvOptions, trim: bool) -> CsvColumn<'a> {
        CsvColumn {
            index: &self.index,
            bytes: &self.block.bytes,
            position,
            width: self.block.columns.places.len(),
            csv,
            trim,
        }
    }
}

/// One column of the records in an index.
struct CsvColumn<'a> {
    index: &'a Index,
    bytes: &'a [u8],
    /// Its place in the file.
    position: usize,
    /// Fields of a record.
    width: usize,
    csv: &'a CsvOptions,
    /// Whether blanks around a value do not belong to it.
    trim: bool,
}

impl CsvColumn<'_> {
    /// Gives the raw field of each record: where it starts, and its length.
    #[inline]
    fn each_raw<'b>(&'b self, mut visit: impl FnMut(&'b [u8], usize)) {
        let mut visit = |start: u32, end: u32| {
            visit(self.bytes.get(start as usize..).unwrap_or_default(), (end - start) as usize);
        };
        let records = self.index.ends.chunks_exact(self.width);
        match self.position.checked_sub(1) {
            None => {
                for (start, ends) in self.index.starts.iter().zip(records) {
                    visit(*start, ends.first().copied().unwrap_or(*start));
                }
            }
            Some(before) => {
                for ends in records {
                    if let Some([previous, end]) = ends.get(before..before + 2) {
                        visit(previous + 1, *end);
                    }
                }
            }
        }
    }
}

impl ColumnFields for CsvColumn<'_> {
    #[inline]
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        let null_text = self.csv.null_text.as_deref().map(str::as_bytes);
        if !self.index.quoted && null_text.is_none() && !self.trim {
            return self.each_raw(|tail, length| visit(Field::within(tail, length)));
        }
        let mut scratch = Vec::new();
        self.each_raw(|tail, length| {
            let raw = Field::within(tail, length);
            let field = match raw.text().first() {
                Some(first) if *first == self.csv.quote => {
                    Field::new(unquote(raw.text(), self.csv.quote, &mut scratch))
                }
                _ => raw,
            };
            let field = if self.trim { field.trimmed() } else { field };
            visit(if Some(field.text()) == null_text { Field::new(b"") } else { field });
        });
    }
}
