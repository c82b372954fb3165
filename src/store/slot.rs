//! One conditional put into a fixed slot of a log, decided and never guessed.
//!
//! A time-out says nothing: the request may have been applied, or may be later. So the same bytes go into the same
//! slot until the store has answered, and a slot that is taken is read: the token in it says whose commit it is.

use std::io;

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, PutPayload};

use super::error::{StoreError, io_error, is_definite};
use super::random::StoreRandom;
use super::retry_policy::RetryPolicy;
use super::table_log::{TableLog, commit_name};
use crate::delta::Version;
use crate::table::LogActions;

/// Whose commit stands in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Ours,
    Theirs,
}

/// A commit whose bytes are fixed.
pub(super) struct FixedCommit<'a> {
    pub version: Version,
    pub bytes: Bytes,
    pub token: &'a str,
    /// The one process that writes to this lake says so: the store need not know conditions.
    pub single_writer: bool,
}

/// Puts the commit, or finds out who came first.
///
/// # Errors
///
/// `Unknown` if no try had a clear answer; every other error means that nothing was or will be written.
pub(super) async fn put(
    log: &TableLog,
    commit: &FixedCommit<'_>,
    retry: RetryPolicy,
    random: &StoreRandom,
) -> Result<Slot, StoreError> {
    let mut last = io::Error::other("the store gave no answer");
    // Whether a try may have been applied, or may still be: then only reading the slot can tell, and giving up is no longer
    // a definite answer.
    let mut open = false;
    let begun = tokio::time::Instant::now();
    for tries in 0..retry.tries.max(1) {
        if tries > 1 && begun.elapsed() >= retry.in_all {
            break;
        }
        if tries > 0 {
            tokio::time::sleep(random.jittered(retry.wait(tries - 1))).await;
        }
        // To put the same bytes again under the same condition is idempotent: if an earlier try landed after all, this
        // one is refused, and the token in the slot says whose commit it is.
        match tokio::time::timeout(retry.longest_try, attempt(log, commit)).await {
            Ok(Ok(_)) => return Ok(Slot::Ours),
            Ok(Err(Error::AlreadyExists { .. } | Error::Precondition { .. })) => match winner(log, commit).await {
                Ok(Some(slot)) => return Ok(slot),
                // Some stores refuse a put because of another one that then fails: the slot is free.
                Ok(None) => last = io::Error::other("the store refused the version, but nothing is there"),
                Err(error) => {
                    open = true;
                    last = error;
                }
            },
            Ok(Err(error)) if is_definite(&error) && !open => {
                return Err(StoreError::unavailable(format!("{}/{}", log.folder, commit_name(commit.version)), error));
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
    Err(StoreError::Unknown { table: log.name.clone(), version: commit.version, source: last })
}

async fn attempt(log: &TableLog, commit: &FixedCommit<'_>) -> Result<(), Error> {
    let slot = commit_name(commit.version);
    if !commit.single_writer {
        return log.create(&slot, commit.bytes.clone()).await.map(drop);
    }
    let path = log.path(&slot)?;
    match log.store.head(&path).await {
        Err(Error::NotFound { .. }) => log.store.put(&path, PutPayload::from(commit.bytes.clone())).await.map(drop),
        Ok(_) => Err(Error::AlreadyExists { path: slot, source: "the version is there".into() }),
        Err(error) => Err(error),
    }
}

/// Whose commit it is. Returns `None` if the slot is empty after all.
async fn winner(log: &TableLog, commit: &FixedCommit<'_>) -> Result<Option<Slot>, io::Error> {
    let bytes = match log.get(&commit_name(commit.version)).await {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    let actions = LogActions::parse(&log.name, &bytes).map_err(io::Error::other)?;
    Ok(Some(if actions.token() == Some(commit.token) { Slot::Ours } else { Slot::Theirs }))
}
