//! One conditional put into a fixed slot of a log, decided and never guessed.
//!
//! A time-out says nothing: the request may have been applied, or may be later. So the same bytes go into the same
//! slot until the store has answered, and a slot that is taken is read: the token in it says whose commit it is.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, PutPayload};

use super::error::{StoreError, io_error, is_definite};
use super::random::Random;
use super::table_log::{TableLog, commit_name};
use crate::project::StorageSettings;
use crate::table::LogActions;

/// How long a commit that has no clear answer is pursued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub tries: u32,
    /// Before the second try; it doubles with each further one.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// A try that takes longer has no answer.
    pub longest_try: Duration,
    /// No try begins later than this, but the second: only it can tell what became of a first one without an answer.
    pub in_all: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { tries: 9, ..Patience::of(&StorageSettings::default()) }
    }
}

impl Patience {
    /// A commit is pursued as long as any other request, and each try may be what the client makes several of.
    pub fn of(settings: &StorageSettings) -> Patience {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let in_all = seconds(settings.retry_seconds);
        let longest_try = in_all + seconds(settings.timeout_seconds);
        let first_wait = Duration::from_millis(200);
        Patience { tries: u32::MAX, first_wait, longest_wait: seconds(15), longest_try, in_all }
    }

    /// A disk of this machine answers at once or not at all.
    pub fn of_disk() -> Patience {
        let milliseconds = Duration::from_millis;
        let (first_wait, longest_wait) = (milliseconds(50), milliseconds(400));
        Patience { tries: 5, first_wait, longest_wait, longest_try: milliseconds(30_000), in_all: milliseconds(60_000) }
    }

    fn wait(self, tries: u32) -> Duration {
        self.first_wait.saturating_mul(1 << tries.min(16)).min(self.longest_wait)
    }
}

/// Whose commit stands in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Ours,
    Theirs,
}

/// A commit whose bytes are fixed.
pub(super) struct Entry<'a> {
    pub version: u64,
    pub bytes: Bytes,
    pub token: &'a str,
    /// The one process that writes to this lake says so: the store need not know conditions.
    pub single_writer: bool,
}

/// Puts the commit, or finds out who came first.
pub(super) async fn put(
    log: &TableLog,
    entry: &Entry<'_>,
    patience: Patience,
    random: &Random,
) -> Result<Slot, StoreError> {
    let mut last = io::Error::other("the store gave no answer");
    // Whether a try may have been applied: then only reading the slot can tell.
    let mut open = false;
    let begun = tokio::time::Instant::now();
    for tries in 0..patience.tries.max(1) {
        if tries > 1 && begun.elapsed() >= patience.in_all {
            break;
        }
        if tries > 0 {
            tokio::time::sleep(random.jittered(patience.wait(tries - 1))).await;
        }
        match tokio::time::timeout(patience.longest_try, attempt(log, entry)).await {
            Ok(Ok(_)) => return Ok(Slot::Ours),
            Ok(Err(Error::AlreadyExists { .. } | Error::Precondition { .. })) => match read(log, entry).await {
                Ok(Some(slot)) => return Ok(slot),
                // Some stores refuse a put because of another one that then fails: the slot is free.
                Ok(None) => last = io::Error::other("the store refused the version, but nothing is there"),
                Err(error) => {
                    open = true;
                    last = error;
                }
            },
            Ok(Err(error)) if is_definite(&error) && !open => {
                return Err(StoreError::unavailable(format!("{}/{}", log.folder, commit_name(entry.version)), error));
            }
            Ok(Err(error)) => {
                open = true;
                last = io_error(&error);
            }
            Err(_elapsed) => {
                open = true;
                last = io::Error::new(io::ErrorKind::TimedOut, "the store gave no answer in time");
            }
        }
    }
    Err(StoreError::Unknown { table: log.name.clone(), version: entry.version, source: last })
}

async fn attempt(log: &TableLog, entry: &Entry<'_>) -> Result<(), Error> {
    let slot = commit_name(entry.version);
    if !entry.single_writer {
        return log.create(&slot, entry.bytes.clone()).await.map(drop);
    }
    let path = log.path(&slot)?;
    match log.store.head(&path).await {
        Err(Error::NotFound { .. }) => log.store.put(&path, PutPayload::from(entry.bytes.clone())).await.map(drop),
        Ok(_) => Err(Error::AlreadyExists { path: slot, source: "the version is there".into() }),
        Err(error) => Err(error),
    }
}

/// Whose commit it is; nothing if the slot is empty after all.
async fn read(log: &TableLog, entry: &Entry<'_>) -> Result<Option<Slot>, io::Error> {
    let bytes = match log.get(&commit_name(entry.version)).await {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    let actions = LogActions::parse(&log.name, &bytes).map_err(io::Error::other)?;
    Ok(Some(if actions.token() == Some(entry.token) { Slot::Ours } else { Slot::Theirs }))
}
