//! When something last changed: at a version, or in one that is still to come.

use crate::delta::Version;

/// When something last changed. What is still to come is newer than every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LastChange {
    At(Version),
    /// In the version that a run is going to make.
    Pending,
}

impl LastChange {
    pub fn is_after(self, version: Version) -> bool {
        LastChange::At(version) < self
    }
}
