//! Files of a table give way to others with the same rows: a commit that changes no data, or nothing at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Lake;
use super::commit::{caught_up, kept};
use super::commit_bytes::{CommitDraft, CommitInfo, CommitOperation};
use super::error::StoreError;
use super::slot::{self, FixedCommit, Slot};
use super::table_log::TableLog;
use crate::delta::DataFile;
use crate::figures::counted;
use crate::name::TableName;
use crate::table::{Ledger, LedgerFound, LogActions, SinceLedger, SliceLayout, TableState};

/// Files that go, and files with the same rows that come.
#[derive(Debug, Clone)]
pub(crate) struct RewrittenFiles {
    pub remove: Vec<DataFile>,
    pub add: Vec<DataFile>,
}

/// What is to change in one table.
#[derive(Debug)]
pub(crate) struct Rearrangement<'r> {
    /// The state whose files were read.
    pub base: Arc<TableState>,
    pub layout: &'r SliceLayout,
    pub rewritten: Vec<RewrittenFiles>,
    pub about: CommitInfo,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Rearranged {
    /// The table as it is now, and what of the files is in it.
    Committed { state: Arc<TableState>, rewritten: Vec<RewrittenFiles> },
    /// Other writers have replaced the same files, or the table means something else by now.
    Overtaken(Arc<TableState>),
}

/// How often other writers may come first.
const MOST_LOSSES: u32 = 100;

impl Lake {
    /// Commits files in the place of others with the same rows.
    ///
    /// Rows lie in exactly one of the two, whoever commits in between: files go only if the newest version still has all of
    /// them, and then they hold what was read, because no file is ever written twice. Of what another writer has replaced
    /// nothing is committed.
    ///
    /// # Errors
    ///
    /// `Unknown` if the commit may stand or not: then the files that were written must not be removed.
    pub async fn commit_rearranged(
        &self,
        name: &TableName,
        change: Rearrangement<'_>,
    ) -> Result<Rearranged, StoreError> {
        let log = self.log(name)?;
        let mut base = Arc::clone(&change.base);
        let mut rewritten = change.rewritten;
        // Optimistic concurrency, as for builds, but without an order of provenances: nothing was computed, so there is nothing
        // to compare. What counts is whether the files that were read are still those of the table.
        for _ in 0..MOST_LOSSES {
            let Some(ledger) = base.rearranged_ledger(change.layout, files_after(&base, &rewritten)) else {
                return Ok(Rearranged::Overtaken(base));
            };
            let attempt =
                CommitAttempt { lake: self, log: &log, base: &base, rewritten: &rewritten, about: &change.about };
            if let Some(state) = attempt.commit(ledger).await? {
                return Ok(Rearranged::Committed { state: Arc::new(state), rewritten });
            }
            let newer = Arc::new(caught_up(&log, Some(&*base)).await?);
            if let Some(what) = newer.unsupported() {
                return Err(StoreError::Unsupported { table: log.folder.to_string(), what });
            }
            // All or nothing of a group: its new file holds the rows of all its old ones.
            let names: BTreeSet<&str> = newer.files.iter().map(|file| file.path.as_str()).collect();
            rewritten.retain(|files| files.remove.iter().all(|file| names.contains(file.path.as_str())));
            if rewritten.is_empty() || !is_written_alike(&change.base, &newer) {
                return Ok(Rearranged::Overtaken(newer));
            }
            base = newer;
        }
        let reason = "other writers kept committing first".to_owned();
        Err(StoreError::Conflict { table: log.name.clone(), version: base.version.next(), reason })
    }
}

fn files_after<'f>(base: &'f TableState, rewritten: &'f [RewrittenFiles]) -> Vec<&'f DataFile> {
    let removed: Vec<DataFile> = rewritten.iter().flat_map(|files| files.remove.iter().cloned()).collect();
    kept(Some(base), &removed).into_iter().chain(rewritten.iter().flat_map(|files| &files.add)).collect()
}

/// Whether files that were written for the one state are files of the other.
fn is_written_alike(before: &TableState, now: &TableState) -> bool {
    before.id == now.id
        && before.schema == now.schema
        && before.partition_columns == now.partition_columns
        && before.properties == now.properties
}

/// One try, at the slot after the base.
struct CommitAttempt<'a> {
    lake: &'a Lake,
    log: &'a TableLog,
    base: &'a TableState,
    rewritten: &'a [RewrittenFiles],
    about: &'a CommitInfo,
}

impl CommitAttempt<'_> {
    /// Returns the table after the commit, or `None` if another writer has the slot.
    async fn commit(&self, ledger: Ledger) -> Result<Option<TableState>, StoreError> {
        let CommitAttempt { log, base, .. } = self;
        let committer = self.lake.committer();
        let (ledger, object) = ledger.stored_on(base.known_ledger().map(Arc::as_ref));
        // Before the log names it. If the commit fails, it is an object that nobody names.
        log.put_content(&object.name.path(), object.bytes).await?;
        let remove: Vec<DataFile> = self.rewritten.iter().flat_map(|files| files.remove.iter().cloned()).collect();
        let add: Vec<DataFile> = self.rewritten.iter().flat_map(|files| files.add.iter().cloned()).collect();
        // What another writer has replaced is no longer among them.
        let why = format!("{} put together as {}", counted(remove.len(), "file"), counted(add.len(), "file"));
        let about = CommitInfo { why, ..self.about.clone() };
        let draft = CommitDraft {
            about: &about,
            base: Some(base),
            table_id: &base.id,
            schema: &base.schema,
            partition_columns: &base.partition_columns,
            remove: &remove,
            add: &add,
            ledger: object.name,
            operation: CommitOperation::Optimize { rows: add.iter().filter_map(|file| file.rows).sum() },
        };
        let bytes = draft.to_bytes(log, &committer.log_settings());
        let fixed = FixedCommit {
            version: ledger.version,
            bytes: bytes.clone(),
            token: &self.about.token,
            single_writer: committer.single_writer,
        };
        match slot::put(log, &fixed, committer.retry, &committer.random).await? {
            Slot::Theirs => Ok(None),
            Slot::Ours => {
                // It is there: an error from here on would be taken for a commit that failed.
                let actions = LogActions::parse(&log.name, &bytes).expect("a commit that karat wrote is well-formed");
                let state = base.after(&[(ledger.version, actions)]);
                let ledger = LedgerFound::Known(Arc::new(ledger));
                Ok(Some(TableState { ledger, since: SinceLedger::Nothing, ..state }))
            }
        }
    }
}
