//! Errors of a disk as errors of an object store, with the disk's own word at the end of the chain.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with a file.
#[derive(Debug)]
struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.path.display(), self.source)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The error of a deed that needs the disk: nothing that is in the way counts as an object.
pub(super) fn failed(path: &Path, source: io::Error) -> object_store::Error {
    let kind = source.kind();
    let shown = path.to_string_lossy().into_owned();
    let source = Box::new(FileError { path: path.to_path_buf(), source });
    if kind == io::ErrorKind::PermissionDenied {
        object_store::Error::PermissionDenied { path: shown, source }
    } else {
        object_store::Error::Generic { store: "files", source }
    }
}

/// The error of a deed that needs an object: a file in the place of one of its folders means that it is not there.
pub(super) fn missing(path: &Path, source: io::Error) -> object_store::Error {
    if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory) {
        object_store::Error::NotFound { path: path.to_string_lossy().into_owned(), source: source.into() }
    } else {
        failed(path, source)
    }
}

/// The error of a put that must not overwrite.
pub(super) fn taken(path: &Path, source: io::Error) -> object_store::Error {
    object_store::Error::AlreadyExists { path: path.to_string_lossy().into_owned(), source: source.into() }
}
