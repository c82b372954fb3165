//! An old version of a table becomes its newest: one commit that brings back the files it had.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Lake;
use super::commit::Committer;
use super::commit_bytes::{CommitDraft, CommitInfo, CommitOperation};
use super::error::StoreError;
use super::log_names::LogVersions;
use super::marks::{FRESH, Mark};
use super::observe::complete;
use super::slot::{self, FixedCommit, Slot};
use super::table_log::TableLog;
use crate::delta::Version;
use crate::name::TableName;
use crate::table::{DataFile, Ledger, LedgerFound, LedgerName, LogActions, SinceLedger, TableState};

/// What became of a restore.
#[derive(Debug)]
pub(crate) enum Restored {
    /// The old state is a new version now.
    Committed(Box<Restoration>),
    /// The table is what it was at that version, and nothing was committed.
    Same(Arc<TableState>),
    NoTable,
    NoVersion {
        oldest: Version,
        newest: Version,
    },
    /// So many files of the version were removed.
    FilesGone {
        gone: usize,
        of: usize,
    },
}

/// A restore that was committed.
#[derive(Debug)]
pub(crate) struct Restoration {
    pub state: Arc<TableState>,
    /// How many files came back, and how many went.
    pub added: usize,
    pub removed: usize,
    /// Whether it is known what the restored slices were made of.
    pub has_ledger: bool,
}

impl Lake {
    /// Makes a version of a table its newest.
    ///
    /// # Errors
    ///
    /// `Conflict` if another writer commits in between, since what came is not replaced unseen, or if old files are being removed;
    /// `Unknown` if the commit may stand or not.
    pub async fn restore(
        &self,
        name: &TableName,
        version: Version,
        about: &CommitInfo,
    ) -> Result<Restored, StoreError> {
        let log = self.log(name)?;
        let Some(newest) = self.observe(name).await? else { return Ok(Restored::NoTable) };
        if version == newest.version {
            return Ok(Restored::Same(newest));
        }
        let names = names(&log, &log.list("_delta_log").await?);
        let readable = LogVersions::of(names.iter().map(String::as_str)).readable();
        let (oldest, last) = readable.map_or((newest.version, newest.version), |range| (*range.start(), *range.end()));
        if version < oldest || version > last {
            return Ok(Restored::NoVersion { oldest, newest: last });
        }
        let pin = Mark::Pin(version).put(&log, &self.committer().random).await?;
        let restored = self.restore_pinned(&log, version, newest, about).await;
        // Whoever is not certain leaves the pin: the commit may yet land.
        if !matches!(restored, Err(StoreError::Unknown { .. }))
            && let Ok(pin) = log.path(&pin)
            && let Err(error) = log.store.delete(&pin).await
        {
            tracing::info!(%error, "a pin was not removed; `karat gc` does that");
        }
        restored
    }

    async fn restore_pinned(
        &self,
        log: &TableLog,
        version: Version,
        newest: Arc<TableState>,
        about: &CommitInfo,
    ) -> Result<Restored, StoreError> {
        // Listed after the pin stands: a removal that began before is seen here, and one that begins later sees the
        // pin.
        let objects = log.list("").await?;
        if is_being_cleaned(log, &objects, about.now) {
            let reason = "`karat gc` is removing old files of it at this moment".to_owned();
            return Err(StoreError::Conflict { table: log.name.clone(), version: newest.version.next(), reason });
        }
        let Some(old) = self.snapshot(log, Some(version)).await? else { return Ok(Restored::NoTable) };
        let names: BTreeSet<String> = names(log, &objects).into_iter().collect();
        let gone = old.files.iter().filter(|file| !names.contains(file.path.as_str())).count();
        if gone > 0 {
            return Ok(Restored::FilesGone { gone, of: old.files.len() });
        }
        let add = without(&old.files, &newest.files);
        let remove = without(&newest.files, &old.files);
        let is_same = old.schema == newest.schema && old.partition_columns == newest.partition_columns;
        if add.is_empty() && remove.is_empty() && is_same {
            return Ok(Restored::Same(newest));
        }
        let old = complete(log, old).await?;
        let known = ledger_that_holds(&old);
        let has_ledger = known.is_some();
        // What the old ledger lies on may be removed as soon as nothing pins its version: this one is complete.
        let (ledger, object) = restored_ledger(known, &newest).stored_on(None);
        log.put_content(&object.name.path(), object.bytes).await?;
        let restoring =
            Restoring { old: &old, newest: &newest, ledger: &ledger, name: object.name, add: &add, remove: &remove };
        let state = Arc::new(restoring.commit(log, self.committer(), about).await?);
        let restoration = Restoration { state, added: add.len(), removed: remove.len(), has_ledger };
        Ok(Restored::Committed(Box::new(restoration)))
    }
}

/// A restore whose parts are known.
struct Restoring<'a> {
    old: &'a TableState,
    newest: &'a TableState,
    ledger: &'a Ledger,
    name: LedgerName,
    add: &'a [DataFile],
    remove: &'a [DataFile],
}

impl Restoring<'_> {
    async fn commit(
        &self,
        log: &TableLog,
        committer: &Committer,
        about: &CommitInfo,
    ) -> Result<TableState, StoreError> {
        let rows = self.old.files.iter().filter_map(|file| file.rows).sum();
        let draft = CommitDraft {
            about,
            base: Some(self.newest),
            table_id: &self.newest.id,
            schema: &self.old.schema,
            partition_columns: &self.old.partition_columns,
            remove: self.remove,
            add: self.add,
            ledger: self.name,
            operation: CommitOperation::Restore { version: self.old.version, rows },
        };
        let bytes = draft.to_bytes(log, &committer.log_settings());
        let fixed = FixedCommit {
            version: self.ledger.version,
            bytes: bytes.clone(),
            token: &about.token,
            single_writer: committer.single_writer,
        };
        match slot::put(log, &fixed, committer.retry, &committer.random).await? {
            Slot::Ours => self.committed(log, &bytes),
            Slot::Theirs => {
                let reason = "what it holds now was not looked at, so it is not replaced".to_owned();
                Err(StoreError::Conflict { table: log.name.clone(), version: self.ledger.version, reason })
            }
        }
    }

    /// The table as it is after the commit.
    fn committed(&self, log: &TableLog, bytes: &Bytes) -> Result<TableState, StoreError> {
        let actions = LogActions::parse(&log.name, bytes)
            .map_err(|reason| StoreError::Corrupt { path: log.folder.to_string(), reason })?;
        let state = self.newest.after(&[(self.ledger.version, actions)]);
        let ledger = LedgerFound::Known(Arc::new(self.ledger.clone()));
        Ok(TableState { ledger, since: SinceLedger::Nothing, ..state })
    }
}

/// The ledger of a version, if all of its rows are karat's. What something else has written was never computed, and a
/// restore does not make it so.
fn ledger_that_holds(old: &TableState) -> Option<Ledger> {
    let is_ours = match &old.since {
        SinceLedger::Nothing => true,
        SinceLedger::Commits(touched) => touched.is_empty(),
        SinceLedger::Unreadable => false,
    };
    old.known_ledger().filter(|_| is_ours).map(|ledger| ledger.as_ref().clone())
}

/// What was recorded of the old version holds for the new one. If nothing is known, nothing is up to date.
fn restored_ledger(known: Option<Ledger>, newest: &TableState) -> Ledger {
    let table = newest.id.clone();
    let version = newest.version.next();
    match known {
        // Which slices are other ones now was not looked at.
        Some(old) => Ledger { table, version, history_starts_at: version, backfill: None, ..old },
        None => Ledger::empty(table, version),
    }
}

fn is_being_cleaned(log: &TableLog, objects: &[ObjectMeta], now: i64) -> bool {
    let fresh = i64::try_from(FRESH.as_millis()).unwrap_or(i64::MAX);
    objects.iter().any(|meta| {
        let is_fresh = meta.last_modified.timestamp_millis() > now.saturating_sub(fresh);
        is_fresh && log.name_of(&meta.location).is_some_and(|name| Mark::parse(&name) == Some(Mark::Removal))
    })
}

fn names(log: &TableLog, objects: &[ObjectMeta]) -> Vec<String> {
    objects.iter().filter_map(|meta| log.name_of(&meta.location)).collect()
}

/// The files that the others do not have.
fn without(files: &[DataFile], others: &[DataFile]) -> Vec<DataFile> {
    let others: BTreeSet<&str> = others.iter().map(|file| file.path.as_str()).collect();
    files.iter().filter(|file| !others.contains(file.path.as_str())).cloned().collect()
}
