//! Recognises by its first bytes a file that is not what its name or its declaration says, so that the error can tell what it
//! is, and not what a parser makes of it.

use memchr::{memchr, memchr_iter};

use super::error::Disguise;
use super::format::{RawFormat, RawKind};

const UTF_16: Disguise = Disguise {
    what: "it is UTF-16 without the byte order mark that says so",
    remedy: "save it as UTF-8, as `iconv -f UTF-16LE -t UTF-8` or \"CSV UTF-8\" in Excel do, or with a byte order mark",
};
const UTF_32: Disguise =
    Disguise { what: "it is UTF-32 and not UTF-8", remedy: "save it as UTF-8: `iconv -f UTF-32 -t UTF-8`" };
const ARCHIVE: Disguise = Disguise {
    what: "it is a zip archive, as workbooks of Excel are",
    remedy: "unpack it, or save the sheet as CSV in UTF-8",
};
const WORKBOOK: Disguise =
    Disguise { what: "it is a workbook of an old Excel", remedy: "save the sheet as CSV in UTF-8" };
const GZIP: Disguise = Disguise {
    what: "it is compressed with gzip, and its name does not end in `.gz`",
    remedy: "give it a name that ends in `.gz`, and let `location` match it",
};
const ZSTD: Disguise = Disguise {
    what: "it is compressed with zstd, and its name does not end in `.zst`",
    remedy: "give it a name that ends in `.zst`, and let `location` match it",
};
const BZIP2: Disguise =
    Disguise { what: "it is compressed with bzip2", remedy: "compress it with gzip or zstd instead" };
const XZ: Disguise = Disguise { what: "it is compressed with xz", remedy: "compress it with gzip or zstd instead" };
const PARQUET: Disguise = Disguise {
    what: "it is a Parquet file",
    remedy: "declare `format: parquet`, in a source of its own if other files have another format",
};
const RETURNS: Disguise = Disguise {
    what: "its lines end with a carriage return alone, as on old Macs",
    remedy: "end them with a line feed: `tr '\\r' '\\n'`",
};
const LONG_OBJECTS: Disguise =
    Disguise { what: "its JSON objects span several lines each", remedy: "write one object per line: `jq -c .`" };

/// The beginnings of files that are no text.
const MAGIC: [(&[u8], Disguise); 9] = [
    (b"\xff\xfe\0\0", UTF_32),
    (b"\0\0\xfe\xff", UTF_32),
    (b"PK\x03\x04", ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", WORKBOOK),
    (b"\x1f\x8b", GZIP),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"PAR1", PARQUET),
];

/// What the file is in truth; `None` if nothing speaks against its being text. `head` are its first bytes, and all of them if
/// `is_whole`.
pub(super) fn disguise(head: &[u8], is_whole: bool, format: &RawFormat) -> Option<Disguise> {
    let found = MAGIC.iter().find(|(magic, _)| head.starts_with(magic) && is_binary(magic, head));
    if let Some((_, disguise)) = found {
        return Some(*disguise);
    }
    // Every second byte of plain letters is zero.
    if let [first, second, third, fourth, ..] = head
        && (*first == 0) != (*second == 0)
        && (*third == 0) != (*fourth == 0)
    {
        return Some(UTF_16);
    }
    match &format.kind {
        RawKind::Csv(_) if has_returns_alone(head, is_whole) => Some(RETURNS),
        RawKind::JsonLines => json(head),
        RawKind::Csv(_) | RawKind::Parquet => None,
    }
}

/// Whether what looks like letters stands before bytes that no text has.
fn is_binary(magic: &[u8], head: &[u8]) -> bool {
    let is_letters = magic.iter().all(u8::is_ascii_alphanumeric);
    !is_letters || head.iter().take(64).any(|byte| *byte < b'\t' || *byte >= 0x80)
}

/// A line feed at the very end may be one that the reader has put there.
fn has_returns_alone(head: &[u8], is_whole: bool) -> bool {
    let text = if is_whole { head.strip_suffix(b"\n").unwrap_or(head) } else { head };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    memchr(b'\n', text).is_none() && memchr_iter(b'\r', text).next().is_some()
}

fn json(head: &[u8]) -> Option<Disguise> {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next()?.trim_ascii();
    match line {
        b"{" => Some(LONG_OBJECTS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::column_type::ColumnType;
    use std::sync::Arc;

    use super::super::format::{CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, RawColumn, UnknownColumns};
    use super::*;

    fn found(head: &[u8], kind: RawKind) -> Option<Disguise> {
        let format = RawFormat {
            columns: vec![RawColumn { name: "a".to_owned(), data_type: ColumnType::Text }],
            kind,
            forms: Arc::default(),
            missing_columns: MissingColumns::Error,
            unknown_columns: UnknownColumns::Error,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        };
        disguise(head, true, &format)
    }

    fn csv(head: &[u8]) -> Option<Disguise> {
        found(head, RawKind::Csv(CsvOptions::default()))
    }

    #[test]
    fn the_first_bytes_tell_what_a_file_is() {
        assert_eq!((csv(b"\xff\xfe\0\0a\0\0\0"), csv(b"\0\0\xfe\xff\0\0\0a")), (Some(UTF_32), Some(UTF_32)));
        assert_eq!((csv(b"\0a\0,\0b"), csv(b"a\0,\0b\0")), (Some(UTF_16), Some(UTF_16)));
        assert_eq!((csv(b"PK\x03\x04\x14"), csv(b"\x1f\x8b\x08")), (Some(ARCHIVE), Some(GZIP)));
        assert_eq!((csv(b"\x28\xb5\x2f\xfd\x04"), csv(b"PAR1\x15\x04\0")), (Some(ZSTD), Some(PARQUET)));
        assert_eq!((csv(b"BZh91AY&SY\xab"), csv(b"BZh,id\n1,2\n"), csv(b"PAR1,b\n")), (Some(BZIP2), None, None));
    }

    #[test]
    fn carriage_returns_alone_end_no_lines() {
        assert_eq!((csv(b"a,b\r1,2\r"), csv(b"a,b\r1,2\r\n")), (Some(RETURNS), Some(RETURNS)));
        for text in [&b"a,b\r\n1,2\r\n"[..], b"a,b\r\n", b"a,b\r", b"a\n1\r2\n", b""] {
            assert_eq!(csv(text), None, "{text:?}");
        }
    }

    #[test]
    fn json_stands_in_lines() {
        for (text, expected) in [
            (&b"[{\"a\":1},{\"a\":2}]"[..], None),
            (b"{\n  \"a\": 1\n}\n", Some(LONG_OBJECTS)),
            (b"[1]\n{\"a\":1}\n", None),
            (b"{\"a\":1}\n", None),
            (b"{}\n", None),
        ] {
            assert_eq!(found(text, RawKind::JsonLines), expected, "{text:?}");
        }
    }
}
