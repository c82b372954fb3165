//! Where a lake lies: the only code of the engine that touches files.

mod local;
mod s3;

pub(crate) use local::{LocalBackend, LocalDestination, SourceEntry};

/// What became of a put that must not overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Created,
    /// Something stands there already; it was not touched.
    Exists,
}
