//! Tables of the lake that no model makes any more, and how they are removed.
//!
//! Nobody writes to such a table, and whoever reads it goes on without noticing. It is removed only if it says itself that
//! this project and this target have made it: others may keep tables in the same lake. The log goes first, because a
//! table without a log is nobody's; a mark tells the next removal what an interrupted one has left.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::commit_bytes::Maker;
use super::error::StoreError;
use super::gc::is_of_a_table;
use super::table_log::TableLog;
use super::{Lake, READ_AT_ONCE};
use crate::name::{SchemaName, TableName};
use crate::table::TableState;

/// Put before the first object of a table is removed.
const GOING: &str = "_karat/going";

/// A table of this project that no model makes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphan {
    pub table: TableName,
    /// What is removed with it. Objects that are no table's stay.
    pub objects: usize,
    pub bytes: u64,
    /// When it was last written to, by the store's clock, in milliseconds since 1970.
    pub written: i64,
    names: Vec<String>,
}

/// What was found in a lake beside the tables of the models.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    pub tables: Vec<Orphan>,
    /// Tables of which it cannot be said who has made them, with the reason.
    pub unclear: Vec<(TableName, String)>,
}

impl Lake {
    /// The tables of `maker` that are not among these.
    pub async fn orphans(&self, made: &BTreeSet<TableName>, maker: &Maker) -> Result<Orphans, StoreError> {
        let mut found = Orphans::default();
        let others = self.table_folders().await?.into_iter().filter(|table| !made.contains(table));
        let mut looked: Vec<_> = stream::iter(others)
            .map(|table| async move { (table.clone(), self.orphan(table, maker).await) })
            .buffer_unordered(READ_AT_ONCE)
            .collect()
            .await;
        looked.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (table, orphan) in looked {
            match orphan {
                Ok(orphan) => found.tables.extend(orphan),
                Err(error) if error.is_of_one_table() => found.unclear.push((table, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Removes a table that is still an orphan, and that nobody has written to since `horizon`, in milliseconds since
    /// 1970: a run may be at work on a younger one, perhaps of another copy of the project. Gives what was removed.
    pub async fn remove_orphan(
        &self,
        table: &TableName,
        maker: &Maker,
        horizon: i64,
    ) -> Result<Option<Orphan>, StoreError> {
        let Some(orphan) = self.orphan(table.clone(), maker).await?.filter(|orphan| orphan.written < horizon) else {
            return Ok(None);
        };
        let log = self.log(table)?;
        let put = async { log.store.put(&log.path(GOING)?, PutPayload::new()).await };
        put.await.map_err(|error| StoreError::unavailable(log.folder.as_ref(), error))?;
        let is_log = |name: &&String| name.starts_with("_delta_log/");
        let logged: Vec<&String> = orphan.names.iter().filter(is_log).collect();
        let rest: Vec<&String> = orphan.names.iter().filter(|name| !is_log(name)).collect();
        for names in [logged, rest, vec![&GOING.to_owned()]] {
            let paths = names.into_iter().map(|name| log.path(name)).collect();
            self.remove(paths, log.folder.as_ref()).await?;
        }
        Ok(Some(orphan))
    }

    /// The folders of the lake that may be tables.
    async fn table_folders(&self) -> Result<BTreeSet<TableName>, StoreError> {
        let below = |folder: Option<Path>| async move {
            let listed = self.objects().list_with_delimiter(folder.as_ref()).await;
            Ok::<_, StoreError>(listed.map_err(|error| StoreError::unavailable("the lake", error))?.common_prefixes)
        };
        let schemas = below(None).await?;
        let schemas = schemas.into_iter().filter(|path| path.filename().is_some_and(|name| !name.starts_with('_')));
        let found: Vec<Vec<TableName>> = stream::iter(schemas)
            .map(|path| async move {
                let Some(Ok(schema)) = path.filename().map(SchemaName::parse) else { return Ok(Vec::new()) };
                let folders = below(Some(path)).await?;
                let names = folders.iter().filter_map(|folder| folder.filename().map(str::to_owned));
                Ok::<_, StoreError>(names.map(|table| TableName { schema: schema.clone(), table }).collect())
            })
            .buffer_unordered(READ_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The table as an orphan of `maker`. Returns `None` if it is somebody else's, or none at all.
    async fn orphan(&self, table: TableName, maker: &Maker) -> Result<Option<Orphan>, StoreError> {
        let log = self.log(&table)?;
        let objects = log.list("").await?;
        let is_going = objects.iter().any(|meta| log.name_of(&meta.location).as_deref() == Some(GOING));
        match self.read_existing(&log, None).await {
            Ok(Some(state)) if is_made_by(&state, &log, maker) => {}
            // What an interrupted removal has left may have no log any more, or a part of it.
            Ok(None) | Err(StoreError::Corrupt { .. }) if is_going => {}
            Ok(_) => return Ok(None),
            Err(error) => return Err(error),
        }
        let own: Vec<_> = objects
            .iter()
            .filter_map(|meta| Some((log.name_of(&meta.location)?, meta.size, meta.last_modified)))
            .filter(|(name, _, _)| name != GOING && is_of_a_table(name))
            .collect();
        Ok(Some(Orphan {
            table,
            objects: own.len(),
            bytes: own.iter().map(|(_, size, _)| size).sum(),
            written: own.iter().map(|(_, _, time)| time.timestamp_millis()).max().unwrap_or(0),
            names: own.into_iter().map(|(name, _, _)| name).collect(),
        }))
    }
}

/// Whether the table says that this maker has written it, and under this name.
fn is_made_by(state: &TableState, log: &TableLog, maker: &Maker) -> bool {
    let says = |property: &str, value: &str| state.properties.get(property).is_some_and(|found| found == value);
    says("karat.modelId", &log.name) && maker.properties().iter().all(|(name, value)| says(name, value))
}
