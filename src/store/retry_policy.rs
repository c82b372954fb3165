//! How long a commit that has no clear answer is pursued.

use std::time::Duration;

use crate::project::StorageSettings;

/// How long a commit that has no clear answer is pursued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    pub tries: u32,
    /// Before the second try; it doubles with each further one.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// A try that takes longer has no answer.
    pub longest_try: Duration,
    /// No try begins later than this, but the second: only it can tell what became of a first one without an answer.
    pub in_all: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy { tries: 9, ..RetryPolicy::of(&StorageSettings::default()) }
    }
}

impl RetryPolicy {
    /// A commit is pursued as long as any other request, and each try may be what the client makes several of.
    pub fn of(settings: &StorageSettings) -> RetryPolicy {
        let in_all = Duration::from_secs(settings.retry_seconds.into());
        RetryPolicy {
            tries: u32::MAX,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(15),
            longest_try: in_all + Duration::from_secs(settings.timeout_seconds.into()),
            in_all,
        }
    }

    /// A disk of this machine answers at once or not at all.
    pub fn of_disk() -> RetryPolicy {
        RetryPolicy {
            tries: 5,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_millis(400),
            longest_try: Duration::from_secs(30),
            in_all: Duration::from_secs(60),
        }
    }

    /// Exponential backoff with a ceiling: how long to wait after so many tries.
    pub(super) fn wait(self, tries: u32) -> Duration {
        self.first_wait.saturating_mul(1 << tries.min(16)).min(self.longest_wait)
    }
}
