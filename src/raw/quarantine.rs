//! Bad records: what could not become a row, kept with its place, the reason and its raw text.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::name::{SOURCE_FILE, SOURCE_LINE};

/// Raw text is kept up to this many bytes.
const RAW_TEXT_BYTES: usize = 1_000;
/// So many bytes of a record are enough to make its raw text: a character cut in half at the end does not show.
pub(super) const RAW_SAMPLE_BYTES: usize = RAW_TEXT_BYTES + 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BadRecordReason {
    TooFewColumns,
    TooManyColumns,
    BadQuoting,
    InvalidUtf8,
    RecordTooLong,
    UnclosedQuote,
    BadJson,
}

impl BadRecordReason {
    /// The word in the quarantine table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            BadRecordReason::TooFewColumns => "too_few_columns",
            BadRecordReason::TooManyColumns => "too_many_columns",
            BadRecordReason::BadQuoting => "bad_quoting",
            BadRecordReason::InvalidUtf8 => "invalid_utf8",
            BadRecordReason::RecordTooLong => "record_too_long",
            BadRecordReason::UnclosedQuote => "unclosed_quote",
            BadRecordReason::BadJson => "bad_json",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRecord {
    pub(crate) file: Arc<str>,
    /// The physical line, from 1, where the record starts.
    pub(crate) line: u64,
    pub(crate) reason: BadRecordReason,
    /// The record without its line end; bytes that are not UTF-8 are replaced, and a cut text says so.
    pub(crate) raw: String,
}

/// The bytes of a bad record: all of them, or at least the first [`RAW_SAMPLE_BYTES`].
#[derive(Clone, Copy)]
pub(super) struct RawSample<'b> {
    pub(super) bytes: &'b [u8],
    /// Of the whole record.
    pub(super) length: u64,
}

impl<'b> RawSample<'b> {
    pub(super) fn whole(bytes: &'b [u8]) -> Self {
        Self { bytes, length: bytes.len() as u64 }
    }
}

impl BadRecord {
    /// A bad record that begins in this line.
    pub(super) fn new(file: &Arc<str>, line: u64, reason: BadRecordReason, raw: RawSample<'_>) -> Self {
        let RawSample { bytes, length } = raw;
        let sample = bytes.get(..RAW_SAMPLE_BYTES).unwrap_or(bytes);
        let mut raw = String::from_utf8_lossy(sample).into_owned();
        if raw.len() > RAW_TEXT_BYTES {
            raw.truncate(raw.floor_char_boundary(RAW_TEXT_BYTES));
            raw.push_str(&format!("… (cut: the record has {length} bytes)"));
        }
        Self { file: Arc::clone(file), line, reason, raw }
    }
}

/// The schema of [`quarantine_batch`].
pub(crate) fn quarantine_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(SOURCE_FILE, DataType::Utf8, false),
        Field::new(SOURCE_LINE, DataType::Int64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("raw", DataType::Utf8, false),
    ]))
}

/// Bad records as rows of the quarantine table, in the order given.
pub(crate) fn quarantine_batch(bad: &[BadRecord]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(bad.iter().map(|record| &record.file))),
        Arc::new(Int64Array::from_iter_values(bad.iter().map(|record| record.line.cast_signed()))),
        Arc::new(StringArray::from_iter_values(bad.iter().map(|record| record.reason.name()))),
        Arc::new(StringArray::from_iter_values(bad.iter().map(|record| &record.raw))),
    ];
    RecordBatch::try_new(quarantine_schema(), columns).expect("the columns fit the quarantine's schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(bytes: &[u8]) -> String {
        BadRecord::new(&"f".into(), 1, BadRecordReason::BadJson, RawSample::whole(bytes)).raw
    }

    #[test]
    fn a_text_of_a_thousand_bytes_is_whole_and_a_longer_one_says_that_it_is_cut() {
        assert_eq!(raw(&[b'a'; 1_000]), "a".repeat(1_000));
        assert_eq!(raw(&[b'a'; 1_001]), format!("{}… (cut: the record has 1001 bytes)", "a".repeat(1_000)));
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let text = format!("a{}", "é".repeat(600));
        assert_eq!(raw(text.as_bytes()), format!("a{}… (cut: the record has 1201 bytes)", "é".repeat(499)));
        assert!(!raw("€".repeat(400).as_bytes()).contains('\u{fffd}'));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_within_the_bound() {
        assert_eq!(raw(b"a\xff,b"), "a\u{fffd},b");
        assert!(raw(&[0xff; 900]).starts_with(&"\u{fffd}".repeat(333)));
        assert!(raw(&[0xff; 900]).ends_with("(cut: the record has 900 bytes)"));
    }

    #[test]
    fn a_batch_shows_file_line_reason_and_raw_text() {
        let bad = BadRecord::new(&"a.csv".into(), 7, BadRecordReason::TooFewColumns, RawSample::whole(b"x,y"));
        let shown = arrow::util::pretty::pretty_format_batches(&[quarantine_batch(&[bad])]).unwrap().to_string();
        assert!(shown.contains("| a.csv        | 7            | too_few_columns | x,y |"), "{shown}");
        assert_eq!(quarantine_batch(&[]).num_rows(), 0);
    }
}
