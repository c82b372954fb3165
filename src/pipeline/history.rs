//! The past of a table, and going back to it.

use std::collections::BTreeMap;

use super::load::Loaded;
use crate::delta::Version;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::figures::counted;
use crate::name::TableName;
use crate::run::RunIdentity;
use crate::store::{CommitInfo, History, Lake, Release, Released, Restored, StoreError};
use crate::table::TableState;

/// What is known of a table's past, and which version readers are shown.
#[derive(Debug)]
pub(crate) struct TableHistory {
    pub history: History,
    pub released: Option<Version>,
}

/// The newest versions of a table. Returns `None` if there is no such table.
///
/// # Errors
///
/// Returns an error if the table's log cannot be read.
pub(crate) async fn history(lake: &Lake, table: &TableName, most: usize) -> Result<Option<TableHistory>, Failure> {
    let Some(history) = lake.history(table, most).await? else { return Ok(None) };
    let release = lake.newest_release().await?;
    let released = release.and_then(|newest| Some(newest.release.tables.get(&table.key())?.version));
    Ok(Some(TableHistory { history, released }))
}

/// What a restore has done.
#[derive(Debug)]
pub(crate) struct RestoreReport {
    pub restored: Restored,
    /// The number of the release, or why there is none.
    pub released: Result<Option<u64>, StoreError>,
    /// Why there is no checkpoint.
    pub checkpoint: Result<(), StoreError>,
}

/// Publishes an old version of a table as its newest.
///
/// # Errors
///
/// Returns an error if nothing was committed. What fails after the commit, which stands, is in the report.
pub(crate) async fn restore(
    loaded: &Loaded,
    lake: &Lake,
    table: &TableName,
    version: Version,
) -> Result<RestoreReport, Failure> {
    let identity = RunIdentity::new(loaded.workspace.host.clone(), true);
    let token = lake.committer().random.token();
    let token = token.map_err(|source| StoreError::Unavailable { path: table.to_string(), source })?;
    let about = identity.commit_info(token, &table.table, &format!("version {version} was restored"));
    let host = loaded.workspace.host.clone();
    lake.prove_once(&move || host.now()).await?;
    let restored = lake.restore(table, version, &about).await?;
    let mut report = RestoreReport { restored, released: Ok(None), checkpoint: Ok(()) };
    match &report.restored {
        Restored::Committed(restoration) => {
            report.checkpoint = lake.checkpoint(table, &restoration.state).await.map(drop);
            report.released = release(lake, table, &restoration.state, &about).await;
        }
        // What was committed before may not have been released.
        Restored::Same(state) if state.version != version => {
            report.released = release(lake, table, state, &about).await;
        }
        Restored::Same(_) | Restored::NoTable | Restored::NoVersion { .. } | Restored::FilesGone { .. } => {}
    }
    Ok(report)
}

/// Why nothing was restored to a version of a table; `typed` is how a person calls the table. Returns `None` if that is not so.
pub(crate) fn refused_restore(
    restored: &Restored,
    table: &TableName,
    version: Version,
    typed: &str,
) -> Option<Diagnostic> {
    match restored {
        Restored::NoVersion { oldest, newest } => {
            let message = format!("`{table}` has no version {version} that can be restored");
            let help = format!("there are {oldest} to {newest}: `karat history {typed}`");
            Some(Diagnostic::error(Code::UnknownVersion, message).help(help))
        }
        Restored::FilesGone { gone, of } => {
            let message = format!("version {version} of `{table}` has lost {gone} of its {}", counted(*of, "file"));
            let diagnostic = Diagnostic::error(Code::UnknownVersion, message)
                .note("`karat gc` removes the files of versions that are older than its retention");
            Some(diagnostic.help(format!("choose a newer version: `karat history {typed}`")))
        }
        Restored::Committed(_) | Restored::Same(_) | Restored::NoTable => None,
    }
}

/// Shows readers the table as it is now. Where nothing was ever released, they see the newest state of everything, and
/// a release of one table would hide the others.
async fn release(
    lake: &Lake,
    table: &TableName,
    state: &TableState,
    about: &CommitInfo,
) -> Result<Option<u64>, StoreError> {
    if lake.newest_release().await?.is_none() {
        return Ok(None);
    }
    let released = Released { id: state.id.clone(), version: state.version, by: None };
    let tables = BTreeMap::from([(table.key(), released)]);
    lake.release(&Release { run: about.run.clone(), released: about.now, git: about.git.clone(), tables }).await
}
