//! Reads the names of a CSV file's columns from its header record.

use super::field::unquote;
use super::quarantine::BadRecordReason;

/// The names that stand in the header record; `ends` are the ends of its fields.
pub(super) fn names(record: &[u8], ends: &[usize], quote: u8, trim: bool) -> Vec<String> {
    let mut names = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let mut scratch = Vec::new();
        let name = unquote(record.get(start..*end).unwrap_or_default(), quote, &mut scratch);
        let name = if trim { name.trim_ascii() } else { name };
        names.push(String::from_utf8_lossy(name).into_owned());
        start = end + 1;
    }
    names
}

/// What to say about a header that is no record.
pub(super) fn broken(reason: BadRecordReason) -> String {
    format!("the header is not a record: {}", reason.name())
}

#[cfg(test)]
mod tests {
    use super::super::format::CsvOptions;
    use super::super::record::{Syntax, scan};
    use super::*;

    fn read(header: &str, trim: bool) -> Vec<String> {
        let mut ends = vec![];
        scan(header.as_bytes(), Syntax::new(&CsvOptions::default(), 99), |end| ends.push(end));
        names(header.as_bytes(), &ends, b'"', trim)
    }

    #[test]
    fn names_may_stand_in_quotes() {
        assert_eq!(read("c,\"a\",b\r\n", false), ["c", "a", "b"]);
    }

    #[test]
    fn nothing_is_trimmed_from_a_name_unless_the_source_says_so() {
        assert_eq!(read("a, b,c\n", false), ["a", " b", "c"]);
        assert_eq!(read("a, b,c\n", true), ["a", "b", "c"]);
    }
}
