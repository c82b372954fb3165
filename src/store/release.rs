//! Releases: one object makes a whole run visible, all of its tables at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::Lake;
use super::commit_bytes::Maker;
use super::error::StoreError;
use crate::delta::{Version, commit_sum};
use crate::name::{TableKey, TableName};

/// The versions of all tables that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Release {
    pub run: String,
    /// Milliseconds since 1970.
    pub released: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
    /// By `schema.table`.
    pub tables: BTreeMap<TableKey, Released>,
}

/// One table of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Released {
    pub id: String,
    pub version: Version,
    /// Who has released it: the lake says so. None in releases of earlier versions of karat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Maker>,
}

/// A release as it is stored.
#[derive(Serialize)]
struct SealedRelease<'a> {
    #[serde(flatten)]
    release: &'a Release,
    #[serde(rename = "karatCrc32")]
    sum: &'a str,
}

/// A release with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub number: u64,
    pub release: Release,
}

const FOLDER: &str = "_karat/releases";
/// Says which release was the newest when somebody last looked: a place to begin the search, never its end.
const HINT: &str = "_karat/releases/_newest";
/// How often the number after the newest release is taken by somebody else before this gives up.
const MOST_LOSSES: u32 = 100;
const MOST_FAILURES: u32 = 3;

impl Release {
    /// As it is stored, with its checksum.
    fn to_bytes(&self) -> Vec<u8> {
        let sealed = SealedRelease { release: self, sum: commit_sum::UNKNOWN };
        let mut bytes = serde_json::to_vec_pretty(&sealed).expect("maps with text keys can be written as JSON");
        commit_sum::seal(&mut bytes);
        bytes
    }

    /// Reads it back; the error says what is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Release, String> {
        commit_sum::check(bytes)?;
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// This release on top of an older one, whose other tables stay as they are. A table never goes back.
    fn on_top_of(&self, before: &Release, by: Option<&Maker>) -> Release {
        let mut tables = before.tables.clone();
        for (name, mine) in &self.tables {
            let is_newer = tables.get(name).is_none_or(|theirs| theirs.id != mine.id || theirs.version < mine.version);
            if is_newer {
                tables.insert(name.clone(), Released { by: by.cloned(), ..mine.clone() });
            }
        }
        Release { tables, ..self.clone() }
    }
}

impl Lake {
    /// The newest release. Returns `None` if there never was one.
    pub async fn newest_release(&self) -> Result<Option<Numbered>, StoreError> {
        let failed = |error| StoreError::unavailable(FOLDER, error);
        let hint = self.read(HINT).await.map_err(failed)?;
        let hint = hint.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse::<u64>().ok()).unwrap_or(0);
        let mut found = self.newest_number(hint).await.map_err(failed)?;
        if found.is_none() && hint > 0 {
            found = self.newest_number(0).await.map_err(failed)?;
        }
        let Some(number) = found else { return Ok(None) };
        let bytes = self.read(&name(number)).await.map_err(failed)?;
        let corrupt = |reason: String| StoreError::Corrupt { path: name(number), reason };
        let bytes = bytes.ok_or_else(|| corrupt("it was listed but does not exist".to_owned()))?;
        let release = Release::read(&bytes).map_err(corrupt)?;
        Ok(Some(Numbered { number, release }))
    }

    /// A release by its number. Returns `None` if there is none, or none any more.
    pub async fn release_numbered(&self, number: u64) -> Result<Option<Numbered>, StoreError> {
        let found = self.read(&name(number)).await.map_err(|error| StoreError::unavailable(FOLDER, error))?;
        let Some(bytes) = found else { return Ok(None) };
        let release = Release::read(&bytes).map_err(|reason| StoreError::Corrupt { path: name(number), reason })?;
        Ok(Some(Numbered { number, release }))
    }

    /// The largest number of a release that is not smaller than this.
    async fn newest_number(&self, least: u64) -> Result<Option<u64>, Error> {
        let folder = Path::from(FOLDER);
        let offset = Path::from(name(least.saturating_sub(1)));
        let listed = self.objects().list_with_offset(Some(&folder), &offset);
        listed.try_fold(None, |found, meta| async move { Ok(found.max(number(&meta.location))) }).await
    }

    /// Releases these versions, on top of what was released before. Gives the number of the release. Returns `None` if
    /// the newest one says the same already.
    pub async fn release(&self, mine: &Release) -> Result<Option<u64>, StoreError> {
        let mut failures = 0;
        for _ in 0..MOST_LOSSES {
            let newest = self.newest_release().await?;
            let before = newest.as_ref().map(|newest| newest.release.clone()).unwrap_or_default();
            let next = mine.on_top_of(&before, self.committer().maker.as_ref());
            if next.tables == before.tables {
                return Ok(None);
            }
            let number = newest.map_or(1, |newest| newest.number + 1);
            let bytes = next.to_bytes();
            // The one process that writes to this lake says so: then the store need not know conditions.
            let mode = if self.committer().single_writer { PutMode::Overwrite } else { PutMode::Create };
            // Put if absent, as a commit: of two runs that release at the same time one gets the number, and the other
            // merges and takes the next.
            let place = Path::from(name(number));
            let options = PutOptions::from(mode);
            match self.objects().put_opts(&place, PutPayload::from(bytes), options).await {
                Ok(_) => {
                    self.hint(number).await;
                    return Ok(Some(number));
                }
                // Somebody else's, or one's own after a lost answer: then there is nothing left to say.
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
                Err(error) if failures == MOST_FAILURES => return Err(StoreError::unavailable(FOLDER, error)),
                Err(_without_answer) => failures += 1,
            }
        }
        let error = Error::Generic { store: "lake", source: "others kept committing first".into() };
        Err(StoreError::unavailable(FOLDER, error))
    }

    /// The tables that `maker` has released, that are not among these, and that are still there.
    pub async fn released_orphans(
        &self,
        made: &BTreeSet<TableName>,
        maker: &Maker,
    ) -> Result<Vec<TableName>, StoreError> {
        let Some(newest) = self.newest_release().await? else { return Ok(Vec::new()) };
        let by_maker = newest.release.tables.iter().filter(|(_, released)| released.by.as_ref() == Some(maker));
        let names = by_maker.filter_map(|(key, _)| key.name());
        let mut orphans = Vec::new();
        for name in names.filter(|name| !made.contains(name)) {
            if self.log(&name)?.is_there().await? {
                orphans.push(name);
            }
        }
        Ok(orphans)
    }

    /// Best effort: without it, the search for the newest release begins further back.
    async fn hint(&self, number: u64) {
        let text = PutPayload::from(number.to_string().into_bytes());
        if let Err(error) = self.objects().put(&Path::from(HINT), text).await {
            tracing::info!(%error, "the hint to the newest release was not written");
        }
    }

    async fn read(&self, name: &str) -> Result<Option<bytes::Bytes>, Error> {
        match self.objects().get(&Path::from(name)).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:020}.json")
}

fn number(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}
