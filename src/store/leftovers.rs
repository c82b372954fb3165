//! What runs that were killed have left and that no list of objects shows: files that have not got their names yet, and
//! uploads that were not completed.

use std::fmt;

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::Result;

use super::error::StoreError;
use super::gc::{ListedObject, Removal};
use super::{Lake, READ_AT_ONCE};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// The object that it was to become, or the file as it is called.
    pub name: String,
    /// What tells it from others of this name.
    pub id: String,
    pub bytes: u64,
    /// By the store's clock, milliseconds since 1970.
    pub modified: i64,
}

/// Finds and removes them.
#[async_trait]
pub(crate) trait Leftovers: fmt::Debug + Send + Sync {
    async fn list(&self) -> Result<Vec<Leftover>>;
    /// That it is gone already is fine.
    async fn remove(&self, leftover: &Leftover) -> Result<()>;
}

impl Lake {
    /// Removes what is older than the horizon: a run that is at work may still complete what is younger.
    pub(super) async fn collect_leftovers(&self, horizon: i64, removes: bool) -> Result<Removal, StoreError> {
        let Some(leftovers) = &self.shared.leftovers else { return Ok(Removal::default()) };
        let failed = |error| StoreError::unavailable("unfinished files", error);
        let mut old = leftovers.list().await.map_err(failed)?;
        old.retain(|leftover| leftover.modified < horizon);
        if removes {
            let removing = stream::iter(&old)
                .map(|leftover| {
                    let leftover = leftover.clone();
                    async move { leftovers.remove(&leftover).await }
                })
                .buffer_unordered(READ_AT_ONCE);
            removing.try_collect::<Vec<()>>().await.map_err(failed)?;
        }
        Ok(Removal::of_unfinished(old.iter().map(|leftover| ListedObject {
            name: leftover.name.clone(),
            bytes: leftover.bytes,
            modified: leftover.modified,
        })))
    }
}
