//! Staged files become a version of a table, or give way to what another writer has committed first.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::commit_bytes::{CommitDraft, CommitInfo, CommitOperation, LogSettings, Maker};
use super::error::StoreError;
use super::observe::ledger_of;
use super::random::StoreRandom;
use super::retry_policy::RetryPolicy;
use super::slot::{self, FixedCommit, Slot};
use super::table_log::TableLog;
use crate::delta::{DataFile, TableSchema, Version};
use crate::table::{
    Ledger, LedgerFound, LogActions, NextVersion, Resolution, SinceLedger, TableState, Work, resolve_conflict,
};

/// What shall change in one table, as data.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The state that the change was computed against; `None` for a table that does not exist.
    pub base: Option<Arc<TableState>>,
    pub work: Work,
    /// The files that go, of the base.
    pub remove: Vec<DataFile>,
    pub add: Vec<DataFile>,
    /// Those of the removed files whose rows stay, in added files: that is only true while the base has them.
    pub together: Vec<DataFile>,
    pub schema: TableSchema,
    pub partition_columns: Vec<String>,
    pub about: CommitInfo,
}

/// What became of a change. A failure that leaves it open is an error.
#[derive(Debug)]
pub(crate) enum CommitOutcome {
    /// It is a version of the table, which is now as told.
    Committed(Arc<TableState>),
    /// Other writers have brought all of it as far or further.
    Superseded(Arc<TableState>),
    /// Some of it is left, in files that hold other slices too: their rows must be merged into the others' files.
    Merge { remaining: Work, winner: Arc<TableState> },
    /// What to build must be decided anew.
    Replan { winner: Arc<TableState>, reason: String },
}

/// How commits are made.
#[derive(Debug)]
pub(crate) struct Committer {
    pub retry: RetryPolicy,
    pub random: StoreRandom,
    /// The one process that writes to this lake says so: the store need not know conditions.
    pub single_writer: bool,
    pub checkpoint_every: u32,
    /// Whose tables these are; None in tests of one table.
    pub maker: Option<Maker>,
    /// A rule that a test breaks on purpose.
    #[cfg(test)]
    pub sabotage: Option<Sabotage>,
}

/// Rules without which tables go wrong: the simulation must notice each that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    NextSlotOnAmbiguity,
    NoFence,
}

/// How often a writer that loses again and again tries the next slot.
const MOST_LOSSES: u32 = 1000;

impl Committer {
    pub fn new(retry: RetryPolicy, checkpoint_every: u32, single_writer: bool) -> Committer {
        Committer {
            retry,
            random: StoreRandom::Machine,
            single_writer,
            checkpoint_every,
            maker: None,
            #[cfg(test)]
            sabotage: None,
        }
    }

    /// Commits a change.
    ///
    /// # Errors
    ///
    /// After `Unknown` the commit may stand, or may come to stand later: the staged files must not be removed. After every other
    /// error nothing of it is or will become visible.
    pub async fn commit(&self, log: &TableLog, mut change: Change) -> Result<CommitOutcome, StoreError> {
        // Optimistic concurrency: prepare against the state that is known, try its slot, and if somebody else has it,
        // catch up, resolve the conflict and try the next one.
        for _ in 0..MOST_LOSSES {
            let version = change.base.as_ref().map_or(Version::FIRST, |base| base.version.next());
            let (bytes, ledger) = self.prepared(log, &change, version).await?;
            let token = &change.about.token;
            let fixed = FixedCommit { version, bytes: bytes.clone(), token, single_writer: self.single_writer };
            match self.decided(log, &fixed).await? {
                Slot::Ours => return Ok(CommitOutcome::Committed(committed(log, &change, &bytes, ledger))),
                Slot::Theirs => {}
            }
            // The version in the slot is not all: others may have come after it.
            let winner = Arc::new(caught_up(log, change.base.as_deref()).await?);
            if let Some(what) = winner.unsupported() {
                return Err(StoreError::Unsupported { table: log.folder.to_string(), what });
            }
            let resolution = if self.is_sabotaged(Sabotage::NoFence) {
                Resolution::Rebase(change.work.clone())
            } else {
                resolve_conflict(&change.work, change.base.as_deref(), &winner)
            };
            match resolved(change, resolution, winner) {
                Ok(rebased) => change = rebased,
                Err(outcome) => return Ok(*outcome),
            }
        }
        let version = change.base.map_or(Version::FIRST, |base| base.version.next());
        let reason = "other writers kept committing first".to_owned();
        Err(StoreError::Conflict { table: log.name.clone(), version, reason })
    }

    /// The ledger is in its place, and the bytes of the commit are fixed.
    async fn prepared(&self, log: &TableLog, change: &Change, version: Version) -> Result<(Bytes, Ledger), StoreError> {
        let id = change.base.as_ref().map_or_else(|| table_id(&change.about.token), |base| base.id.clone());
        let kept = kept(change.base.as_deref(), &change.remove);
        let ledger = change.work.ledger(
            change.base.as_deref(),
            NextVersion { table: &id, version },
            kept.iter().copied().chain(&change.add),
        );
        let (ledger, object) =
            ledger.stored_on(change.base.as_deref().and_then(TableState::known_ledger).map(Arc::as_ref));
        let draft = CommitDraft {
            about: &change.about,
            base: change.base.as_deref(),
            table_id: &id,
            schema: &change.schema,
            partition_columns: &change.partition_columns,
            remove: &change.remove,
            add: &change.add,
            ledger: object.name,
            operation: CommitOperation::Write(&change.work),
        };
        let bytes = draft.to_bytes(log, &self.log_settings());
        // The ledger is named by its content and lies there before the log names it. If the commit fails, it is an
        // object that nobody names.
        log.put_content(&object.name.path(), object.bytes).await?;
        Ok((bytes, ledger))
    }

    async fn decided(&self, log: &TableLog, commit: &FixedCommit<'_>) -> Result<Slot, StoreError> {
        if self.is_sabotaged(Sabotage::NextSlotOnAmbiguity) {
            let retry = RetryPolicy { tries: 1, ..self.retry };
            return match slot::put(log, commit, retry, &self.random).await {
                Err(StoreError::Unknown { .. }) => Ok(Slot::Theirs),
                other => other,
            };
        }
        slot::put(log, commit, self.retry, &self.random).await
    }

    pub(super) fn log_settings(&self) -> LogSettings<'_> {
        LogSettings {
            checkpoint_every: self.checkpoint_every,
            single_writer: self.single_writer,
            maker: self.maker.as_ref(),
        }
    }

    #[cfg(test)]
    fn is_sabotaged(&self, rule: Sabotage) -> bool {
        self.sabotage == Some(rule)
    }

    #[cfg(not(test))]
    fn is_sabotaged(&self, _rule: Sabotage) -> bool {
        false
    }
}

/// The files of a table without those that go.
pub(crate) fn kept<'f>(base: Option<&'f TableState>, removed: &[DataFile]) -> Vec<&'f DataFile> {
    let gone: BTreeSet<&str> = removed.iter().map(|file| file.path.as_str()).collect();
    let files = base.map_or(&[][..], |base| &base.files);
    files.iter().filter(|file| !gone.contains(file.path.as_str())).collect()
}

/// The change on top of a newer state that is known before anything is tried; else what became of it.
pub(crate) fn onto(change: Change, winner: Arc<TableState>) -> Result<Change, Box<CommitOutcome>> {
    let resolution = resolve_conflict(&change.work, change.base.as_deref(), &winner);
    resolved(change, resolution, winner)
}

/// The change that a resolution leaves to commit; else what became of it.
fn resolved(change: Change, resolution: Resolution, winner: Arc<TableState>) -> Result<Change, Box<CommitOutcome>> {
    let remaining = match resolution {
        Resolution::Superseded => return Err(Box::new(CommitOutcome::Superseded(winner))),
        Resolution::Replan(reason) => return Err(Box::new(CommitOutcome::Replan { winner, reason })),
        Resolution::Rebase(remaining) => remaining,
    };
    if is_mergeable(&remaining, &winner) {
        return Err(Box::new(CommitOutcome::Merge { remaining, winner }));
    }
    if !has_together(&change, &remaining, &winner) {
        let reason = "files that were to be compacted no longer exist".to_owned();
        return Err(Box::new(CommitOutcome::Replan { winner, reason }));
    }
    Ok(rebased(change, remaining, winner))
}

/// Whether rows must be merged: slices share files, and not all of them are replaced.
fn is_mergeable(remaining: &Work, winner: &TableState) -> bool {
    let is_all = remaining.sets_default
        && winner.known_ledger().is_none_or(|ledger| ledger.slices.keys().all(|s| remaining.covers(*s)));
    remaining.layout.shares_files() && !is_all && !remaining.keeps_all_files()
}

/// The same change on top of the others' version.
fn rebased(change: Change, remaining: Work, winner: Arc<TableState>) -> Change {
    let together: Vec<DataFile> = change.together.iter().filter(|file| remaining.wants(file)).cloned().collect();
    let rows_stay: BTreeSet<&str> = together.iter().map(|file| &*file.path).collect();
    let remove = winner
        .files
        .iter()
        .filter(|file| remaining.replaces(file) || rows_stay.contains(&*file.path))
        .cloned()
        .collect();
    let add = change.add.iter().filter(|file| remaining.wants(file)).cloned().collect();
    Change { base: Some(winner), work: remaining, remove, add, together, ..change }
}

/// Whether the winner still has all files whose rows the change has put together in others.
fn has_together(change: &Change, remaining: &Work, winner: &TableState) -> bool {
    change
        .together
        .iter()
        .filter(|file| remaining.wants(file))
        .all(|file| winner.files.binary_search_by(|known| known.path.cmp(&file.path)).is_ok())
}

/// The table as it is after one's own commit.
fn committed(log: &TableLog, change: &Change, bytes: &Bytes, ledger: Ledger) -> Arc<TableState> {
    // It is there: an error from here on would be taken for a commit that failed.
    let actions = LogActions::parse(&log.name, bytes).expect("a commit that karat wrote is well-formed");
    let empty = TableState::empty();
    let state = change.base.as_deref().unwrap_or(&empty).after(&[(ledger.version, actions)]);
    let ledger = LedgerFound::Known(Arc::new(ledger));
    Arc::new(TableState { ledger, since: SinceLedger::Nothing, ..state })
}

/// The table as the others have made it since this state.
pub(super) async fn caught_up(log: &TableLog, base: Option<&TableState>) -> Result<TableState, StoreError> {
    let commits = log.commits_after(base.map(|base| base.version)).await?;
    let empty = TableState::empty();
    let base = base.unwrap_or(&empty);
    let state = base.after(&commits);
    // A commit of karat brings a ledger that covers all before it: only what others did after the newest one counts.
    let since = match commits.iter().rposition(|(_, actions)| actions.ledger.is_some()) {
        Some(newest) => foreign(commits.iter().skip(newest + 1).map(|(_, actions)| actions), SinceLedger::Nothing),
        None => foreign(commits.iter().map(|(_, actions)| actions), base.since.clone()),
    };
    let ledger = ledger_of(log, &state).await?;
    Ok(TableState { ledger, since, ..state })
}

fn foreign<'a>(commits: impl Iterator<Item = &'a LogActions>, before: SinceLedger) -> SinceLedger {
    commits.fold(before, |since, actions| since.and(actions))
}

/// A new table's id: a UUID's form around the random token.
pub(super) fn table_id(token: &str) -> String {
    let hex = blake3::hash(token.as_bytes()).to_hex().to_string();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or("").to_owned();
    format!("{}-{}-4{}-8{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

#[cfg(test)]
mod tests;
