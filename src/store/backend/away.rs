//! Whether the server of a bucket is away: the client tries again for a minute or so, and says nothing meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::locked::Locked;

/// A server that has not answered since then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Away {
    pub since: Instant,
    /// What became of the newest try.
    pub error: String,
    /// How long each request is tried.
    pub patience: Duration,
}

/// What the requests of a bucket have met. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    patience: Duration,
    away: Arc<Locked<Option<Away>>>,
}

impl Watch {
    pub fn new(patience: Duration) -> Watch {
        Watch { patience, away: Arc::default() }
    }

    pub fn away(&self) -> Option<Away> {
        self.lock().clone()
    }

    /// A try had no answer, or one after which the client tries again.
    pub(super) fn failed(&self, error: String) {
        let mut away = self.lock();
        let since = away.as_ref().map_or_else(Instant::now, |away| away.since);
        *away = Some(Away { since, error, patience: self.patience });
    }

    pub(super) fn answered(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Away>> {
        self.away.lock()
    }
}
