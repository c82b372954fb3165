//! Where a lake keeps what its runs have done: `_karat/runs/2026-11/<run>-<random>.json`.
//!
//! Folders by month let the newest be found without listing all.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Lake, READ_AT_ONCE, StoreError};
use crate::run_record::RunRecord;

const FOLDER: &str = "_karat/runs";

/// Records as they were found, the newest first.
#[derive(Debug, Default)]
pub(crate) struct KeptRuns {
    pub records: Vec<RunRecord>,
    /// Objects that are no records, with what is wrong with them.
    pub unreadable: Vec<String>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Lake {
    /// Keeps the record of a run.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub async fn keep_run(&self, run: &RunRecord) -> Result<(), StoreError> {
        let random = self.committer().random.token();
        let random = random.map_err(|source| StoreError::Unavailable { path: FOLDER.to_owned(), source })?;
        let random: String = random.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let path = Path::from(format!("{FOLDER}/{}/{}-{random}.json", month(&run.id), run.id));
        // The name is new: no condition is needed, which some stores do not have.
        let written = self.objects().put(&path, run.to_bytes().into()).await;
        written.map(drop).map_err(|error| StoreError::unavailable(FOLDER, error))
    }

    /// So many of the newest records.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be listed or read.
    pub async fn runs(&self, most: usize) -> Result<KeptRuns, StoreError> {
        let mut names = Vec::new();
        // The newest month first: few folders are listed, however old the lake is.
        for month in self.run_months().await?.into_iter().rev() {
            names.extend(self.run_names(&month).await?.into_iter().rev());
            if names.len() > most {
                break;
            }
        }
        let more = names.len() > most;
        // The last month that was listed may hold more than was asked for.
        names.truncate(most);
        Ok(KeptRuns { more, ..self.read_runs(names).await? })
    }

    /// The records whose ids begin so.
    ///
    /// # Errors
    ///
    /// As [`Lake::runs`].
    pub async fn runs_named(&self, beginning: &str) -> Result<KeptRuns, StoreError> {
        let months = self.run_months().await?;
        // `2026` may lie in any month of that year, `20261128` in one alone.
        let may_hold = |folder: &String| {
            let digits = folder.replace('-', "");
            digits.starts_with(beginning) || beginning.starts_with(&digits)
        };
        let mut names = Vec::new();
        for month in months.iter().rev().filter(|month| may_hold(month)) {
            let found = self.run_names(month).await?;
            names.extend(
                found.into_iter().rev().filter(|path| path.filename().is_some_and(|name| name.starts_with(beginning))),
            );
        }
        self.read_runs(names).await
    }

    /// The months in which there were runs.
    async fn run_months(&self) -> Result<BTreeSet<String>, StoreError> {
        let listed = self.objects().list_with_delimiter(Some(&Path::from(FOLDER))).await;
        let listed = listed.map_err(|error| StoreError::unavailable(FOLDER, error))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    async fn run_names(&self, month: &str) -> Result<BTreeSet<Path>, StoreError> {
        let listed = self.objects().list_with_delimiter(Some(&Path::from(format!("{FOLDER}/{month}")))).await;
        let listed = listed.map_err(|error| StoreError::unavailable(FOLDER, error))?;
        Ok(listed.objects.into_iter().map(|object| object.location).collect())
    }

    async fn read_runs(&self, names: Vec<Path>) -> Result<KeptRuns, StoreError> {
        let read = stream::iter(names).map(|path| async move {
            let found = match self.objects().get(&path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            match found {
                Ok(bytes) => Ok(Some((path, RunRecord::read(&bytes)))),
                // It was removed since it was listed.
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(StoreError::unavailable(path.as_ref(), error)),
            }
        });
        // In the order of the names, which is that of time.
        let read: Vec<_> = read.buffered(READ_AT_ONCE).try_collect().await?;
        let mut kept = KeptRuns::default();
        for (path, record) in read.into_iter().flatten() {
            match record {
                Ok(record) => kept.records.push(record),
                Err(reason) => kept.unreadable.push(format!("{path}: {reason}")),
            }
        }
        Ok(kept)
    }
}

/// `20261128T…` lies in `2026-11`.
fn month(id: &str) -> String {
    let part = |range: std::ops::Range<usize>| id.get(range).unwrap_or_default();
    format!("{}-{}", part(0..4), part(4..6))
}
