//! Files that a step has written and that nobody sees yet.

use crate::store::Staging;

/// Removes its files unless they are committed: also when the step is dropped in the middle.
pub(crate) struct Staged(Option<Staging>);

impl Staged {
    pub fn new(staging: Staging) -> Self {
        Self(Some(staging))
    }

    pub fn staging(&self) -> &Staging {
        self.0.as_ref().expect("only a commit takes the staging")
    }

    /// From here on the files may be part of a version: only a definite answer allows to remove them.
    pub fn hand_over(mut self) -> Option<Staging> {
        self.0.take()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(staging) = &self.0 {
            staging.abandon();
        }
    }
}
