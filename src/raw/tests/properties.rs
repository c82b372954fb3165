//! Properties: whatever the bytes are, the size of the blocks and the number of threads do not show, and the rows and
//! bad records of a CSV file are those of a reader that looks at one byte after the other.

use crate::column_type::ColumnType;
use crate::raw::quarantine::{BadRecordReason, RawSample};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const COLUMNS: [(&str, ColumnType); 2] = [("a", ColumnType::Text), ("b", ColumnType::Text)];

fn csv(limit: usize, header: bool) -> RawFormat {
    let kind = RawKind::Csv(CsvOptions { header, ..CsvOptions::default() });
    RawFormat { max_record_bytes: limit, ..format(&COLUMNS, kind) }
}

fn read(format: &RawFormat, bytes: &[u8], block_bytes: usize) -> Outcome {
    let queue = BlockQueue::with_block_bytes(vec![file("f", bytes)], Arc::new(format.clone()), block_bytes).unwrap();
    try_read(&queue, format, &Projection::all(format)).unwrap()
}

/// Bytes in which the marks of CSV are frequent.
fn dirty(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(select(pieces), 0..150).prop_map(|pieces| pieces.concat())
}

const CSV_PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"12",
    b",",
    b",",
    b"\"",
    b"\"",
    b"\"\"",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"a,b\n",
    b"a,\"b\n,\"\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"xxxxxxxxxxxxxxxxxxxxxxxx",
    b"\0",
    b",\"",
    b"\",",
];

const JSON_PIECES: &[&[u8]] = &[
    b"{\"a\":\"1\"}\n",
    b"{\"a\":1,\"c\":[{}]}\r\n",
    b"{",
    b"}",
    b"\"",
    b"\n",
    b"\r",
    b"\"a\":",
    b"1",
    b",",
    b"\xff",
    b"xxxxxxxxxxxxxxxxxxxxxxxx",
    b"\\",
    b"null",
    b"{\"b\":null}\n",
];

/// What stands at the beginning of some bytes that end in a line feed.
struct Slow {
    fields: Vec<Vec<u8>>,
    fault: Option<BadRecordReason>,
    /// Bytes up to the next record.
    length: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    Closed,
    Returned,
}

fn slow_record(bytes: &[u8], limit: usize) -> Slow {
    let (mut state, mut fields, mut field) = (State::FieldStart, vec![], vec![]);
    let line_end = |from: usize| from + bytes[from..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let fault = |reason, at| Slow { fields: vec![], fault: Some(reason), length: line_end(at) };
    for (offset, byte) in bytes.iter().copied().enumerate() {
        if state == State::Returned && byte != b'\n' {
            return fault(BadRecordReason::BadQuoting, offset - 1);
        }
        if offset == limit && state == State::Quoted {
            return fault(BadRecordReason::UnclosedQuote, 0);
        }
        if offset == limit && byte != b'\n' {
            return fault(BadRecordReason::RecordTooLong, offset);
        }
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Quoted, _) => {
                field.push(byte);
                State::Quoted
            }
            (State::FieldStart, b'"') => State::Quoted,
            (State::Closed, b'"') => {
                field.push(byte);
                State::Quoted
            }
            (State::Plain, b'"') => return fault(BadRecordReason::BadQuoting, offset),
            (_, b',') => {
                fields.push(std::mem::take(&mut field));
                State::FieldStart
            }
            (_, b'\n') => {
                if state == State::Plain && field.last() == Some(&b'\r') {
                    field.pop();
                }
                fields.push(field);
                return Slow { fields, fault: None, length: offset + 1 };
            }
            (State::Closed, b'\r') => State::Returned,
            (State::Closed, _) => return fault(BadRecordReason::BadQuoting, offset),
            (State::FieldStart | State::Plain | State::Returned, _) => {
                field.push(byte);
                State::Plain
            }
        };
    }
    fault(BadRecordReason::UnclosedQuote, 0)
}

/// Rows and bad records of a file without header, read one byte after the other.
fn slow(bytes: &[u8], limit: usize) -> (Vec<String>, Vec<String>) {
    let mut bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).to_vec();
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
    let (mut rows, mut bad, mut line, mut rest) = (vec![], vec![], 1, &bytes[..]);
    while !rest.is_empty() {
        let Slow { fields, fault, length } = slow_record(rest, limit);
        let text = &rest[..length - 1];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let not_text = std::str::from_utf8(text).is_err().then_some(BadRecordReason::InvalidUtf8);
        let width = match fields.len() {
            0 | 1 => Some(BadRecordReason::TooFewColumns),
            2 => None,
            _ => Some(BadRecordReason::TooManyColumns),
        };
        match fault.or(not_text).or(width) {
            _ if text.is_empty() => {}
            Some(reason) => {
                let raw = BadRecord::new(&"f".into(), 0, reason, RawSample::whole(text)).raw;
                bad.push(format!("{line} {} {raw}", reason.name()));
            }
            None => {
                let shown = |field: &Vec<u8>| match field.as_slice() {
                    b"" => "-".to_owned(),
                    text => String::from_utf8(text.to_vec()).unwrap(),
                };
                rows.push(format!("{}|{}|f|{line}|-", shown(&fields[0]), shown(&fields[1])));
            }
        }
        line += rest[..length].iter().filter(|byte| **byte == b'\n').count();
        rest = &rest[length..];
    }
    (rows, bad)
}

/// The outcome without what depends on how bytes were read ahead.
fn sorted(mut outcome: Outcome) -> Outcome {
    outcome.rows.sort();
    outcome.bad.sort();
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_block_size_reads_csv_like_the_slow_reader(bytes in dirty(CSV_PIECES), limit in 1_usize..60, size in 1_usize..64) {
        let format = csv(limit, false);
        let (rows, bad) = slow(&bytes, limit);
        let whole = read(&format, &bytes, 1 << 13);
        prop_assert_eq!(&whole.rows, &rows);
        prop_assert_eq!(&whole.bad, &bad);
        prop_assert_eq!(read(&format, &bytes, size), whole);
    }

    #[test]
    fn any_block_size_reads_json_the_same(bytes in dirty(JSON_PIECES), limit in 1_usize..60, size in 1_usize..64) {
        let format = RawFormat { max_record_bytes: limit, ..format(&COLUMNS, RawKind::JsonLines) };
        prop_assert_eq!(read(&format, &bytes, size), read(&format, &bytes, 1 << 13));
    }

    #[test]
    fn any_block_size_reads_header_and_records_the_same(bytes in dirty(CSV_PIECES), size in 1_usize..64) {
        let bytes = [b"\r\n\"b\",a\r\n", bytes.as_slice()].concat();
        let format = csv(40, true);
        prop_assert_eq!(read(&format, &bytes, size), read(&format, &bytes, 1 << 13));
    }

    #[test]
    fn any_number_of_threads_reads_the_same(files in proptest::collection::vec(dirty(CSV_PIECES), 1..5), size in 1_usize..64) {
        let format = Arc::new(csv(40, false));
        let queue = |size| {
            let files = files.iter().enumerate().map(|(index, bytes)| file(&format!("{index}"), bytes)).collect();
            BlockQueue::with_block_bytes(files, Arc::clone(&format), size).unwrap()
        };
        let projection = Projection::all(&format);
        let alone = try_read(&queue(1 << 13), &format, &projection).unwrap();
        let shared = queue(size);
        let work = || try_read(&shared, &format, &projection).unwrap();
        let together = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).reduce(|mut all, one| {
                all.rows.extend(one.rows);
                all.bad.extend(one.bad);
                all.stats.merge(&one.stats);
                all
            })
        });
        prop_assert_eq!(sorted(together.unwrap()), sorted(alone));
    }
}
