//! The text of a seed file, and what is wrong with its bytes.

use std::ops::Range;

use crate::diag::{Code, Diagnostic};

/// A seed is read by every command, and kept with the project: what is larger is data, and belongs in a source.
pub(super) const MAX_SEED_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a seed with what is wrong with its bytes. What is not UTF-8 is replaced, so that its line can be shown.
pub(super) fn seed_text(path: &str, bytes: &[u8]) -> SeedText {
    // One byte more than the limit was asked for: that it is there says enough.
    if bytes.len() as u64 > MAX_SEED_BYTES {
        let message = format!("the seed `{path}` has more than {} MiB", MAX_SEED_BYTES >> 20);
        let diagnostic = Diagnostic::error(Code::InvalidSeed, message);
        let note = "a seed is read anew by every command: it is meant for lists that change by hand";
        let fault = diagnostic.note(note).help("declare the file as a source, and read it with `source()`");
        return SeedText { text: String::new(), fault: Some(BytesFault { diagnostic: fault, at: 0..0 }) };
    }
    // Spreadsheets begin "CSV UTF-8" with a byte order mark, which is no part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return SeedText { text: text.to_owned(), fault: None },
        Err(error) => error,
    };
    let start = error.valid_up_to();
    let line = bytes.get(..start).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = format!("line {line} of the seed `{path}` is not UTF-8");
    let fault = Diagnostic::error(Code::InvalidSeed, message).help("save the file with the encoding UTF-8");
    // The text that is shown has a replacement character where the wrong bytes were. What stands before it is unchanged, so its
    // place is that of the wrong bytes.
    let at = start..start + char::REPLACEMENT_CHARACTER.len_utf8();
    SeedText { text: String::from_utf8_lossy(bytes).into_owned(), fault: Some(BytesFault { diagnostic: fault, at }) }
}

pub(super) struct SeedText {
    pub text: String,
    pub fault: Option<BytesFault>,
}

pub(super) struct BytesFault {
    pub diagnostic: Diagnostic,
    /// The place in the text.
    pub at: Range<usize>,
}
