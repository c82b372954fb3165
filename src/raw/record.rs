//! The rules by which CSV bytes fall into records; the splitter and the parser both ask here, so they cannot disagree.
//!
//! A record ends at the first line feed outside quotes. Two things end it earlier than its quotes say:
//!
//! * A fault (a quote inside an unquoted field, text after a closing quote): the record ends with the physical line
//!   that holds the fault.
//! * The limit: whether a record is too long is decided by the byte at offset `limit` from its start. If the record has
//!   not ended there, an open quote makes only its *first* physical line a bad record (`unclosed_quote`) and reading
//!   goes on behind that line; otherwise the record is `record_too_long` and ends with the line that crosses the limit.
//!   A quote that is open at the end of the file is `unclosed_quote` too.

use memchr::{memchr, memchr3};

use super::format::CsvOptions;
use super::quarantine::BadRecordReason;

/// What ends fields and records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    /// A line that begins with it is no record.
    pub(super) comment: Option<u8>,
    /// How many bytes a record may have before its line feed.
    pub(super) limit: usize,
}

impl Syntax {
    pub(super) fn new(csv: &CsvOptions, limit: usize) -> Self {
        Self { delimiter: csv.delimiter, quote: csv.quote, comment: csv.comment, limit }
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A record; the next one starts at this offset.
    Record { next: usize },
    /// A line that is no record; the next one starts at this offset.
    Comment { next: usize },
    /// A bad record that ends with the physical line that holds the byte `at`.
    Fault { reason: BadRecordReason, at: usize },
    /// The bytes end before the record does, and below the limit.
    Unfinished,
}

/// How a quoted field ended.
enum Closed {
    /// Behind its closing quote a delimiter stands at this offset.
    Field(usize),
    /// Behind its closing quote the record ends: the field ends at the first offset, the next record starts at the second.
    Record(usize, usize),
    Not(Scanned),
}

/// Reads the record at the beginning of `bytes` and gives the end of each of its fields to `end_of_field`.
///
/// The ends count quotes in and line ends out. Those of a faulty record mean nothing.
pub(super) fn scan(bytes: &[u8], syntax: Syntax, mut end_of_field: impl FnMut(usize)) -> Scanned {
    if syntax.comment.is_some() && bytes.first().copied() == syntax.comment {
        return match memchr(b'\n', window(bytes, 0, syntax.limit + 1)) {
            Some(feed) => Scanned::Comment { next: feed + 1 },
            None => undecided(bytes, syntax, BadRecordReason::RecordTooLong),
        };
    }
    let mut start = 0;
    loop {
        // A quote opens a field only at its very beginning; anywhere else it is a fault.
        if start < syntax.limit && bytes.get(start) == Some(&syntax.quote) {
            match close(bytes, start + 1, syntax) {
                Closed::Field(end) => {
                    end_of_field(end);
                    start = end + 1;
                    continue;
                }
                Closed::Record(end, next) => {
                    end_of_field(end);
                    return Scanned::Record { next };
                }
                Closed::Not(scanned) => return scanned,
            }
        }
        let field = window(bytes, start, syntax.limit + 1);
        let Some(offset) = memchr3(syntax.delimiter, syntax.quote, b'\n', field) else {
            return undecided(bytes, syntax, BadRecordReason::RecordTooLong);
        };
        let end = start + offset;
        match bytes.get(end) {
            Some(b'\n') => {
                end_of_field(without_return(bytes, start, end));
                return Scanned::Record { next: end + 1 };
            }
            _ if end == syntax.limit => {
                return Scanned::Fault { reason: BadRecordReason::RecordTooLong, at: end };
            }
            Some(byte) if *byte == syntax.delimiter => {
                end_of_field(end);
                start = end + 1;
            }
            _ => {
                return Scanned::Fault { reason: BadRecordReason::BadQuoting, at: end };
            }
        }
    }
}

/// Looks for the end of a quoted field whose text begins at `inside`.
fn close(bytes: &[u8], mut inside: usize, syntax: Syntax) -> Closed {
    loop {
        let Some(offset) = memchr(syntax.quote, window(bytes, inside, syntax.limit)) else {
            return Closed::Not(undecided(bytes, syntax, BadRecordReason::UnclosedQuote));
        };
        let after = inside + offset + 1;
        let fault = |reason| Closed::Not(Scanned::Fault { reason, at: after });
        // What follows the quote decides: one more quote makes it a part of the text, a delimiter or a line end closes
        // the field. A carriage return at the end of the bytes says nothing yet.
        match (bytes.get(after), bytes.get(after + 1)) {
            (Some(b'\n'), _) => return Closed::Record(after, after + 1),
            (Some(_), _) if after == syntax.limit => return fault(BadRecordReason::RecordTooLong),
            (Some(byte), _) if *byte == syntax.quote => inside = after + 1,
            (Some(byte), _) if *byte == syntax.delimiter => return Closed::Field(after),
            (Some(b'\r'), Some(b'\n')) => return Closed::Record(after, after + 2),
            (Some(b'\r'), None) | (None, _) => return Closed::Not(Scanned::Unfinished),
            (Some(_), _) => return fault(BadRecordReason::BadQuoting),
        }
    }
}

/// The verdict on a record that goes on to the end of the bytes or to the limit.
fn undecided(bytes: &[u8], syntax: Syntax, reason: BadRecordReason) -> Scanned {
    if bytes.len() <= syntax.limit {
        return Scanned::Unfinished;
    }
    // Only the first line of an open quote is lost: everything behind it is read again, outside quotes.
    let at = if reason == BadRecordReason::UnclosedQuote { 0 } else { syntax.limit };
    Scanned::Fault { reason, at }
}

/// The bytes from `start` up to the limit, as far as there are any.
fn window(bytes: &[u8], start: usize, limit: usize) -> &[u8] {
    bytes.get(start..limit.min(bytes.len())).unwrap_or_default()
}

/// The end of a field in front of a line feed at `end`, without the carriage return that belongs to it.
pub(super) fn without_return(bytes: &[u8], start: usize, end: usize) -> usize {
    match bytes.get(start..end) {
        Some([.., b'\r']) => end - 1,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, limit: usize) -> (Scanned, Vec<usize>) {
        let mut ends = vec![];
        let scanned =
            scan(text.as_bytes(), Syntax { delimiter: b',', quote: b'"', comment: None, limit }, |end| ends.push(end));
        (scanned, ends)
    }

    fn fault(text: &str, limit: usize) -> Option<(BadRecordReason, usize)> {
        match check(text, limit).0 {
            Scanned::Fault { reason, at } => Some((reason, at)),
            Scanned::Record { .. } | Scanned::Comment { .. } | Scanned::Unfinished => None,
        }
    }

    #[test]
    fn fields_end_at_delimiters_and_line_ends_outside_quotes() {
        assert_eq!(check("a,\"b,\"\"\n\",c\nd", 99), (Scanned::Record { next: 12 }, vec![1, 9, 11]));
        assert_eq!(check("a,\"b\"\r\nc", 99), (Scanned::Record { next: 7 }, vec![1, 5]));
        assert_eq!(check("a,b\r\nc", 99), (Scanned::Record { next: 5 }, vec![1, 3]));
    }

    #[test]
    fn a_quote_inside_an_unquoted_field_is_a_fault_at_the_quote() {
        assert_eq!(fault("a,b\"c\"\n", 99), Some((BadRecordReason::BadQuoting, 3)));
    }

    #[test]
    fn text_after_a_closing_quote_is_a_fault_at_the_text() {
        assert_eq!(fault("\"a\n\"b\n", 99), Some((BadRecordReason::BadQuoting, 4)));
        assert_eq!(fault("\"a\"\rb\n", 99), Some((BadRecordReason::BadQuoting, 3)));
    }

    #[test]
    fn the_byte_at_the_limit_decides() {
        assert_eq!(check("abcd\n", 4).0, Scanned::Record { next: 5 });
        assert_eq!(fault("abcde\n", 4), Some((BadRecordReason::RecordTooLong, 4)));
        assert_eq!(check("\"ab\"\n", 4).0, Scanned::Record { next: 5 });
        assert_eq!(fault("\"ab\"\r\n", 4), Some((BadRecordReason::RecordTooLong, 4)));
        assert_eq!(fault("\"abc\"\n", 4), Some((BadRecordReason::UnclosedQuote, 0)));
        assert_eq!(fault("abc,\"\"\n", 4), Some((BadRecordReason::RecordTooLong, 4)));
    }

    #[test]
    fn too_few_bytes_decide_nothing() {
        for text in ["", "ab", "\"ab", "\"ab\"", "\"a\"\r", "abcd"] {
            assert_eq!(check(text, 4).0, Scanned::Unfinished, "{text}");
        }
    }
}
