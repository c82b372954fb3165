//! The versions of a table as its log tells them, the newest first.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::error::StoreError;
use super::log_names::LogVersions;
use super::{Lake, READ_AT_ONCE};
use crate::delta::Version;
use crate::name::TableName;
use crate::table::{CommitNote, LogActions};

/// What is still known of a table's past.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    /// The newest first, at most as many as were asked for.
    pub versions: Vec<PastVersion>,
    /// The oldest version whose commit is there: all older ones were removed.
    pub first: Version,
    pub newest: Version,
}

/// One version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PastVersion {
    pub version: Version,
    /// The writer's clock, milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// What kind of change the writer called it.
    pub operation: Option<String>,
    /// What the writer calls itself.
    pub engine: Option<String>,
    /// What karat wrote beside the data; `None` if another writer made the version.
    pub note: Option<CommitNote>,
    /// Whether some of its files were removed, so that it cannot be restored.
    pub has_lost_files: bool,
}

impl Lake {
    /// So many of the newest versions of a table. Returns `None` if there is no table.
    pub async fn history(&self, name: &TableName, most: usize) -> Result<Option<History>, StoreError> {
        let log = self.log(name)?;
        let names: BTreeSet<String> =
            log.list("").await?.iter().filter_map(|meta| log.name_of(&meta.location)).collect();
        let log_versions = LogVersions::of(names.iter().map(String::as_str));
        let (Some(first), Some(newest)) = (log_versions.first_commit(), log_versions.newest()) else {
            return Ok(None);
        };
        let wanted = log_versions.commits.range(first..=newest).rev().take(most);
        let found: Vec<_> = stream::iter(wanted)
            .map(|version| {
                let version = *version;
                let log = &log;
                async move { Ok::<_, StoreError>(log.commit(version).await?.map(|actions| (version, actions))) }
            })
            .buffered(READ_AT_ONCE)
            .try_collect()
            .await?;
        // Of the newest version all files are known; of those before it, what each commit removed.
        let state = self.snapshot(&log, Some(newest)).await?;
        let files = state.iter().flat_map(|state| state.files.iter());
        let own = files.map(|file| file.path.to_string()).filter(|path| !path.contains("://"));
        let mut lost: BTreeSet<String> = own.filter(|path| !names.contains(path)).collect();
        let mut versions = Vec::new();
        for (version, actions) in found.into_iter().flatten() {
            let has_lost_files = !lost.is_empty();
            // The version before has what this one removed, and not what it added.
            actions.add.iter().for_each(|file| {
                lost.remove(file.path.as_str());
            });
            let LogActions { timestamp, operation, engine, note, remove, .. } = actions;
            lost.extend(remove.into_iter().filter(|path| !names.contains(path)));
            versions.push(PastVersion { version, timestamp, operation, engine, note, has_lost_files });
        }
        Ok(Some(History { versions, first, newest }))
    }
}
