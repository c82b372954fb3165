//! Why a whole raw file could not be read; a bad record is not an error but a [`BadRecord`](super::BadRecord).

use std::fmt;
use std::io;
use std::sync::Arc;

/// What a file is in truth, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disguise {
    pub(crate) what: &'static str,
    pub(crate) remedy: &'static str,
}

#[derive(Debug)]
pub(crate) enum RawError {
    /// The storage or the decompressor failed; the same read may work later.
    Unreadable { file: Arc<str>, error: io::Error },
    /// The file is not what its name or its declaration says.
    Disguised { file: Arc<str>, disguise: Disguise },
    /// The header line is no record.
    Header { file: Arc<str>, line: u64, message: String },
    /// A file that holds one JSON array is none as a whole.
    Array { file: Arc<str>, line: u64, message: &'static str },
    /// The columns of a file are not those that are declared; `line` is where they are named.
    /// `delimiter` is the one that seems to stand between the names.
    Columns { file: Arc<str>, line: Option<u64>, message: String, delimiter: Option<char> },
    /// The declaration itself cannot be used.
    Format { message: String },
}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawError::Unreadable { file, error } => write!(f, "`{file}` cannot be read: {error}"),
            RawError::Disguised { file, disguise } => write!(f, "`{file}` cannot be read: {}", disguise.what),
            RawError::Header { file, line, message } | RawError::Columns { file, line: Some(line), message, .. } => {
                write!(f, "`{file}` line {line}: {message}")
            }
            RawError::Array { file, line, message } => write!(f, "`{file}` line {line}: {message}"),
            RawError::Columns { file, line: None, message, .. } => write!(f, "`{file}`: {message}"),
            RawError::Format { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for RawError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RawError::Unreadable { error, .. } => Some(error),
            RawError::Disguised { .. }
            | RawError::Header { .. }
            | RawError::Array { .. }
            | RawError::Columns { .. }
            | RawError::Format { .. } => None,
        }
    }
}
