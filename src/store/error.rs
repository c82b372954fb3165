//! What can be wrong with the world: callers match on it to decide whether another try makes sense.

use std::fmt;
use std::io;

use crate::delta::Version;

#[derive(Debug)]
pub(crate) enum StoreError {
    /// Another writer's version came first, and neither is newer than the other.
    Conflict { table: String, version: Version, reason: String },
    /// The store did not say whether the commit happened.
    Unknown { table: String, version: Version, source: io::Error },
    /// The store could not be read or written.
    Unavailable { path: String, source: io::Error },
    /// A table asks of its readers or writers what karat does not do.
    Unsupported { table: String, what: String },
    /// A table's log is not what it should be.
    Corrupt { path: String, reason: String },
    /// The store does not keep what a commit relies on.
    Unsafe { address: String, reasons: Vec<String> },
}

impl StoreError {
    pub fn unavailable(path: impl Into<String>, source: object_store::Error) -> StoreError {
        StoreError::Unavailable { path: path.into(), source: io_error(&source) }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict { table, version, reason } => {
                write!(formatter, "another writer committed version {version} of `{table}` first: {reason}")
            }
            StoreError::Unknown { table, version, source } => {
                write!(formatter, "it is unknown whether version {version} of `{table}` was committed: {source}")
            }
            StoreError::Unavailable { path, source } => write!(formatter, "`{path}`: {source}"),
            StoreError::Unsupported { table, what } => {
                write!(formatter, "`{table}` uses what karat does not support: {what}")
            }
            StoreError::Corrupt { path, reason } => write!(formatter, "`{path}`: {reason}"),
            StoreError::Unsafe { address, reasons } => {
                write!(formatter, "{address} cannot hold a lake: {}", reasons.join("; "))
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// An error of a store with the kind that it has at its bottom, so that a full disk stays recognisable, and with its
/// first line as the message.
pub(crate) fn io_error(error: &object_store::Error) -> io::Error {
    let kind = io_kind(error).unwrap_or(match error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            io::ErrorKind::Unsupported
        }
        _ => io::ErrorKind::Other,
    });
    let text = match error {
        // The name of the client says nothing to anybody.
        object_store::Error::Generic { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    io::Error::new(kind, told(&text))
}

/// What a store says, in one line: of a document in XML its code and its message.
pub(super) fn told(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(found, _)| found.trim())
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("the store says `{code}`: {}", without_entities(message)),
        (Some(code), None) => format!("the store says `{code}`"),
        (None, _) => text.lines().next().unwrap_or("the store gave no reason").to_owned(),
    }
}

/// A text of XML without the five escapes that every document may have.
pub(super) fn without_entities(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

/// The kind of the input or output error at the bottom, if there is one that says more than "other".
pub(crate) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<io::Error>()
            && found.kind() != io::ErrorKind::Other
        {
            return Some(found.kind());
        }
        source = error.source();
    }
    None
}

/// Whether the error is an answer: the store took nothing, and asking again will not change that.
pub(super) fn is_definite(error: &object_store::Error) -> bool {
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. }
        | object_store::Error::NotImplemented { .. }
        | object_store::Error::NotSupported { .. }
        | object_store::Error::InvalidPath { .. } => true,
        other => io_kind(other).is_some_and(|kind| {
            matches!(
                kind,
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn an_answer_in_xml_is_told_by_its_code_and_message() {
        let answer = "Error performing GET http://127.0.0.1:9000/lake in 2ms - 404 Not Found: \
                      <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist\
                      </Message><BucketName>lake</BucketName></Error>";
        assert_eq!(told(answer), "the store says `NoSuchBucket`: The bucket does not exist");
        assert_eq!(told("error sending request\nbacktrace"), "error sending request");
        let skewed =
            "403: <Error><Code>RequestTimeTooSkewed</Code><Message>the server&#39;s time &amp; yours</Message>";
        assert_eq!(told(skewed), "the store says `RequestTimeTooSkewed`: the server's time & yours");
        assert_eq!(told("503: <Error><Code>SlowDown</Code>"), "the store says `SlowDown`");
        assert_eq!(told("503: <Error><Code>SlowDown"), "503: <Error><Code>SlowDown");
    }
}
