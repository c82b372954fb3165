//! Removes what no version or release that is kept needs: old files, ledgers and log entries.
//!
//! Objects are listed first, then the log is read: what was committed in between is known to be needed. Objects that
//! are younger than the retention are never removed, because a build that has not committed yet may have written them.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt};

pub(crate) use plan::Removal;

use super::error::StoreError;
use super::log_names::LogVersions;
use super::marks::{LONGEST_REMOVAL, Mark};
use super::observe::{LayerFound, ledger_layer, ledger_of};
use super::release::Release;
use super::table_log::TableLog;
use super::{Lake, READ_AT_ONCE};
use crate::delta::Version;
use crate::name::{TableKey, TableName};
use crate::table::{FactsName, LedgerFound, LedgerName, LogActions, TableState};
pub(super) use plan::ListedObject;
use plan::{Kept, Needed, ObjectKind, is_worth_it, kept_releases, oldest_kept, plan_gc, plan_lake};

/// How many tables are looked at side by side.
const TABLES_AT_ONCE: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collection {
    /// Milliseconds since 1970: what was the newest then, or came later, is kept.
    pub horizon: i64,
    /// Else it is only told what would be removed.
    pub removes: bool,
}

/// What was removed, or would be.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Releases and the like, of no table.
    pub lake: Removal,
    /// Or why nothing is removed of a table.
    pub tables: BTreeMap<TableName, Result<Removal, StoreError>>,
}

/// By `schema.table` the versions that kept releases show.
type ReleasedVersions = BTreeMap<TableKey, BTreeSet<Version>>;

impl Lake {
    /// Whether enough releases have grown old for a clean-up to be small beside the runs that made them.
    pub async fn is_collection_worth_it(&self, horizon: i64) -> Result<bool, StoreError> {
        Ok(is_worth_it(&self.own_objects().await?, horizon))
    }

    /// The lake's own objects: those of no table.
    async fn own_objects(&self) -> Result<Vec<ListedObject>, StoreError> {
        let listed = self.objects().list(Some(&Path::from("_karat"))).try_collect::<Vec<ObjectMeta>>().await;
        let listed = listed.map_err(|error| StoreError::unavailable("_karat", error))?;
        Ok(listed.iter().map(|meta| listed_as(meta.location.as_ref(), meta)).collect())
    }

    /// Removes what is not needed any more from these tables and from the lake's releases.
    pub async fn collect(&self, tables: &BTreeSet<TableName>, how: Collection) -> Result<Collected, StoreError> {
        // A release goes before the files that only it needs.
        let (lake, shown) = self.collect_releases(how).await?;
        let lake = lake.and(self.collect_leftovers(how.horizon, how.removes).await?);
        let none = BTreeSet::new();
        let tables = stream::iter(tables)
            .map(|name| {
                let name = name.clone();
                let shown = shown.get(&name.key()).unwrap_or(&none);
                async move {
                    match self.collect_table(&name, shown, how).await {
                        Err(error) if !error.is_of_one_table() => Err(error),
                        collected => Ok((name, collected)),
                    }
                }
            })
            .buffer_unordered(TABLES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(Collected { lake, tables })
    }

    async fn collect_releases(&self, how: Collection) -> Result<(Removal, ReleasedVersions), StoreError> {
        let objects = self.own_objects().await?;
        let mut shown = ReleasedVersions::new();
        for name in kept_releases(&objects, how.horizon) {
            let path = Path::from(name);
            let read = async { self.objects().get(&path).await?.bytes().await };
            let bytes = read.await.map_err(|error| StoreError::unavailable("_karat", error))?;
            let release =
                Release::read(&bytes).map_err(|reason| StoreError::Corrupt { path: name.to_owned(), reason })?;
            for (table, released) in release.tables {
                shown.entry(table).or_default().insert(released.version);
            }
        }
        let removal = plan_lake(&objects, how.horizon);
        if how.removes {
            self.remove(removal.names().map(|name| Ok(Path::from(name))).collect(), "_karat").await?;
        }
        Ok((removal, shown))
    }

    async fn collect_table(
        &self,
        name: &TableName,
        shown: &BTreeSet<Version>,
        how: Collection,
    ) -> Result<Removal, StoreError> {
        let log = self.log(name)?;
        let planned = self.plan_table(&log, shown, how.horizon).await?;
        if planned.is_empty() {
            return Ok(planned);
        }
        // Files that only an unknown feature of the table needs would look like leftovers.
        self.snapshot(&log, None).await?;
        if !how.removes {
            return Ok(planned);
        }
        let mark = Mark::Removal.put(&log, &self.committer().random).await?;
        let removed = async {
            // Only what is decided after the mark was put is safe from a restore.
            let planned = self.plan_table(&log, shown, how.horizon).await?;
            let paths = planned.names().map(|name| log.path(name)).collect();
            self.remove(paths, log.folder.as_ref()).await.map(|()| planned)
        };
        let removed = removed.await;
        if let Ok(mark) = log.path(&mark)
            && let Err(error) = log.store.delete(&mark).await
        {
            tracing::info!(%error, "a mark was not removed; it means nothing after an hour");
        }
        removed
    }

    async fn plan_table(&self, log: &TableLog, shown: &BTreeSet<Version>, horizon: i64) -> Result<Removal, StoreError> {
        let found = log.list("").await?;
        let mut objects: Vec<ListedObject> =
            found.iter().filter_map(|meta| Some(listed_as(&log.name_of(&meta.location)?, meta))).collect();
        let kept = self.kept(log, &objects, shown, horizon).await?;
        // A damaged checkpoint stands for no commit: those before it are all that is left of the table.
        let reader = self.reader().await?;
        objects.retain(|object| !reader.is_passed_over(log, &object.name));
        Ok(plan_gc(&objects, &kept, horizon))
    }

    /// What of a table must stay readable.
    async fn kept(
        &self,
        log: &TableLog,
        objects: &[ListedObject],
        shown: &BTreeSet<Version>,
        horizon: i64,
    ) -> Result<Kept, StoreError> {
        let corrupt = |reason: String| StoreError::Corrupt { path: log.folder.to_string(), reason };
        let versions = LogVersions::of(objects.iter().map(|object| object.name.as_str()));
        let (oldest, commits) = match versions.newest() {
            None => (TableState::empty(), log.commits_after(None).await?),
            Some(listed) => {
                let readable = versions.readable().ok_or_else(|| corrupt("its log has gaps".to_owned()))?;
                let oldest = oldest_kept(objects, readable, shown, horizon);
                let state = self.snapshot(log, Some(oldest)).await?;
                let state = state.ok_or_else(|| corrupt("its log was removed meanwhile".to_owned()))?;
                let mut commits = commits_of(log, oldest.next()..=listed).await?;
                check_files(&state.after(&commits), objects).map_err(corrupt)?;
                commits.extend(log.commits_after(Some(listed)).await?);
                (state, commits)
            }
        };
        let newest = oldest.after(&commits);
        let ledger_version = match ledger_of(log, &newest).await? {
            LedgerFound::Known(ledger) => Some(ledger.version),
            LedgerFound::Unknown(_) => None,
        };
        let mut kept = Kept { oldest, commits, ledger_version, needed: Needed::default() };
        if objects.iter().any(|object| {
            object.modified < horizon
                && matches!(ObjectKind::of(&object.name), Some(ObjectKind::Ledger | ObjectKind::SourceFacts))
        }) {
            kept.needed = needed(log, &kept.named_ledgers()).await?;
        }
        Ok(kept)
    }

    /// Removes objects in bulk. That one is gone already is fine.
    pub(super) async fn remove(&self, paths: Vec<Result<Path, Error>>, folder: &str) -> Result<(), StoreError> {
        let removed = self.objects().delete_stream(stream::iter(paths).boxed());
        let wrong = removed
            .filter_map(|removed| async { removed.err().filter(|error| !matches!(error, Error::NotFound { .. })) });
        let removing = async {
            // All are asked for, whatever becomes of one of them.
            let wrong: Vec<Error> = wrong.collect().await;
            wrong.into_iter().next().map_or(Ok(()), Err)
        };
        match tokio::time::timeout(LONGEST_REMOVAL, removing).await {
            Ok(removed) => removed.map_err(|error| StoreError::unavailable(folder, error)),
            Err(_elapsed) => {
                let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "removing takes too long");
                Err(StoreError::Unavailable { path: folder.to_owned(), source })
            }
        }
    }
}

/// Whether an object in a table's folder is one that karat, or another writer of the table, has put there.
pub(super) fn is_of_a_table(name: &str) -> bool {
    name.starts_with("_delta_log/") || name.starts_with("_karat/") || ObjectKind::of(name).is_some()
}

fn listed_as(name: &str, meta: &ObjectMeta) -> ListedObject {
    ListedObject { name: name.to_owned(), bytes: meta.size, modified: meta.last_modified.timestamp_millis() }
}

/// These commits, all of which must be there.
async fn commits_of(
    log: &TableLog,
    versions: RangeInclusive<Version>,
) -> Result<Vec<(Version, LogActions)>, StoreError> {
    stream::iter(Version::each(versions))
        .map(|version| async move {
            let missing =
                || StoreError::Corrupt { path: log.folder.to_string(), reason: format!("version {version} is gone") };
            Ok((version, log.commit(version).await?.ok_or_else(missing)?))
        })
        .buffered(READ_AT_ONCE)
        .try_collect()
        .await
}

/// If the files of the newest version do not have the names that were listed, then nothing is understood of this
/// folder, and nothing of it may be removed.
fn check_files(newest: &TableState, objects: &[ListedObject]) -> Result<(), String> {
    let listed: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    // A path with a scheme lies in another place: a shallow clone names files so.
    let missing = newest.files.iter().find(|file| !listed.contains(file.path.as_str()) && !file.path.contains("://"));
    match missing {
        Some(file) => Err(format!("version {} has the file `{}`, which does not exist", newest.version, file.path)),
        None => Ok(()),
    }
}

/// What the ledgers of kept versions lie on, and what they name. A ledger that is lost needs nothing more.
async fn needed(log: &TableLog, ledgers: &BTreeSet<LedgerName>) -> Result<Needed, StoreError> {
    let layers = stream::iter(ledgers.clone()).map(|name| ledger_layer(log, name)).buffered(READ_AT_ONCE);
    let layers: Vec<LayerFound> = layers.try_collect().await?;
    let mut needed = Needed::default();
    for found in layers {
        let LayerFound::Known(ledger) = found else { continue };
        needed.ledgers.extend(ledger.below());
        needed.source_files.extend(ledger.source_files().into_iter().flat_map(FactsName::paths));
    }
    Ok(needed)
}
