//! The objects of one table: its log, its ledgers and its data files, by their names in the table's folder.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::error::StoreError;
use crate::delta::Version;
use crate::name::TableName;
use crate::table::LogActions;

/// A folder of a lake that holds a table. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TableLog {
    pub store: Arc<dyn ObjectStore>,
    /// `schema/table`.
    pub folder: Path,
    /// `schema.table`, as people call it and as it stands in the log.
    pub name: String,
}

impl TableLog {
    /// The folder of a table in a lake.
    pub fn of(store: Arc<dyn ObjectStore>, table: &TableName) -> Result<TableLog, StoreError> {
        let folder = format!("{}/{}", table.schema, table.table);
        let parsed = Path::parse(&folder).map_err(|error| StoreError::unavailable(&folder, error.into()))?;
        Ok(TableLog { store, folder: parsed, name: table.to_string() })
    }

    /// The path of an object by its name in the table's folder, which may have escapes of its own.
    pub fn path(&self, name: &str) -> Result<Path, Error> {
        Ok(Path::parse(format!("{}/{name}", self.folder))?)
    }

    /// The whole of an object. Returns `None` if there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let read = async { self.store.get(&self.path(name)?).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::unavailable(format!("{}/{name}", self.folder), error)),
        }
    }

    /// Puts an object whose name is made of its content. It may overwrite itself: a condition would be a request that
    /// clients do not repeat, and that a store may refuse although nothing is there.
    pub async fn put_content(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let put = async { self.store.put(&self.path(name)?, PutPayload::from(bytes)).await };
        put.await.map(drop).map_err(|error| StoreError::unavailable(format!("{}/{name}", self.folder), error))
    }

    pub(super) async fn create(&self, name: &str, bytes: Bytes) -> Result<object_store::PutResult, Error> {
        let options = PutOptions::from(PutMode::Create);
        self.store.put_opts(&self.path(name)?, PutPayload::from(bytes), options).await
    }

    /// The objects below a folder of the table, sorted by path.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let below = if folder.is_empty() { Ok(self.folder.clone()) } else { self.path(folder) };
        let listed = async { self.store.list(Some(&below?)).try_collect::<Vec<_>>().await };
        let mut found =
            listed.await.map_err(|error| StoreError::unavailable(format!("{}/{folder}", self.folder), error))?;
        found.sort_by(|left, right| left.location.cmp(&right.location));
        Ok(found)
    }

    /// Whether there is a log at all.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        let failed = |error| StoreError::unavailable(format!("{}/_delta_log", self.folder), error);
        let below = self.path("_delta_log").map_err(failed)?;
        Ok(self.store.list(Some(&below)).next().await.transpose().map_err(failed)?.is_some())
    }

    /// The name that an object has in the table's folder.
    pub fn name_of(&self, path: &Path) -> Option<String> {
        path.as_ref().strip_prefix(self.folder.as_ref())?.strip_prefix('/').map(str::to_owned)
    }

    /// Reads one commit. Returns `None` if the version is not there.
    pub async fn commit(&self, version: Version) -> Result<Option<LogActions>, StoreError> {
        let slot = commit_name(version);
        let Some(bytes) = self.get(&slot).await? else { return Ok(None) };
        let actions = LogActions::parse(&self.name, &bytes);
        actions.map(Some).map_err(|reason| StoreError::Corrupt { path: format!("{}/{slot}", self.folder), reason })
    }

    /// All commits after this version, as many as there are.
    pub async fn commits_after(&self, version: Option<Version>) -> Result<Vec<(Version, LogActions)>, StoreError> {
        let mut found = Vec::new();
        let mut next = version.map_or(Version::FIRST, Version::next);
        while let Some(actions) = self.commit(next).await? {
            found.push((next, actions));
            next = next.next();
        }
        Ok(found)
    }
}

/// The object of a version in the log.
pub(crate) fn commit_name(version: Version) -> String {
    format!("_delta_log/{version:020}.json")
}
