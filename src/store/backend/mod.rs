//! Where a lake lies: the only code of the engine that touches files.

mod local;
mod synced_files;

pub(crate) use local::{LocalBackend, SourceEntry};
pub(crate) use synced_files::SyncedFiles;
