//! Where a lake lies: the only code of the engine that touches files.

mod local;
mod synced_files;

pub(crate) use local::{LocalBackend, LocalDestination, SourceEntry};
pub(crate) use synced_files::{SyncedFiles, io_kind};

/// What became of a put that must not overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Created,
    /// Something stands there already; it was not touched.
    Exists,
}
