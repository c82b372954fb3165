//! Copies of tables: the data files of another lake's table under names of this one, and one commit that makes them a table.
//!
//! Files are copied and never shared. A log that names files of another table is what Delta calls a shallow clone: whoever cleans up
//! the original does not know of it, and removes what it reads. Hard links have the same rows only as long as nobody writes
//! into them, and not every file system and no bucket has them.

use std::io::Write;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use tokio::runtime::Handle;

use super::commit::table_id;
use super::commit_bytes::{CommitDraft, CommitInfo, CommitOperation};
use super::error::{StoreError, io_error};
use super::slot::{self, FixedCommit, Slot};
use super::staging::Staging;
use super::table_log::TableLog;
use super::{Lake, READ_AT_ONCE};
use crate::name::TableName;
use crate::partition_writer::Destination;
use crate::table::{DataFile, FactsName, InputVersion, Ledger, TableState};

/// A table before it is copied.
pub(crate) struct CopiedTable<'a> {
    pub lake: &'a Lake,
    pub name: &'a TableName,
    pub state: &'a TableState,
}

/// A copy before it is committed.
pub(crate) struct TableCopy<'a> {
    pub of: &'a CopiedTable<'a>,
    /// The table that it takes the place of.
    pub base: Option<&'a TableState>,
    pub files: Vec<DataFile>,
    pub ledger: Ledger,
    /// What was copied, as a commit names it.
    pub origin: InputVersion,
}

impl Lake {
    /// The id of a table that begins with the commit of this token.
    pub fn new_table_id(token: &str) -> String {
        table_id(token)
    }

    /// Copies the data files of a table, some at a time, and what its ledger says of source files. Nobody sees them yet.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is gone, has another size than its log says, or cannot be read or written.
    pub async fn copy_files(
        &self,
        name: &TableName,
        of: &CopiedTable<'_>,
        staging: &Staging,
        token: &str,
    ) -> Result<Vec<DataFile>, StoreError> {
        let there = of.lake.log(of.name)?;
        let copies = of.state.files.iter().enumerate().map(|(index, file)| {
            let folder = file.path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
            let path = format!("{folder}part-{token}-{index}.parquet");
            DataFile { path: path.as_str().into(), ..file.clone() }
        });
        let copies: Vec<DataFile> = copies.collect();
        let both = of.state.files.iter().zip(&copies);
        let copying = both.map(|(from, to)| copy_file(&there, from, to, staging));
        futures::stream::iter(copying).buffer_unordered(READ_AT_ONCE).try_collect::<Vec<()>>().await?;
        let settling = staging.clone();
        let settled = tokio::task::spawn_blocking(move || settling.settle()).await.expect("settling does not panic");
        settled.map_err(|source| StoreError::Unavailable { path: name.to_string(), source })?;
        Ok(copies)
    }

    /// Copies what is known of source files, under the same names, which are made of the content.
    ///
    /// # Errors
    ///
    /// Returns an error if an object cannot be read or written. One that is gone is not copied: then nothing is known.
    pub async fn copy_source_facts(
        &self,
        name: &TableName,
        of: &CopiedTable<'_>,
        facts: &FactsName,
    ) -> Result<(), StoreError> {
        let there = of.lake.log(of.name)?;
        let here = self.log(name)?;
        for path in facts.paths() {
            if let Some(bytes) = there.get(&path).await? {
                here.put_content(&path, bytes.to_vec()).await?;
            }
        }
        Ok(())
    }

    /// Makes a copy a table, or the newest version of one.
    ///
    /// # Errors
    ///
    /// `Conflict` if another writer commits in between; `Unknown` if the commit may stand or not.
    pub async fn commit_copy(
        &self,
        name: &TableName,
        copy: TableCopy<'_>,
        about: &CommitInfo,
    ) -> Result<(), StoreError> {
        let log = self.log(name)?;
        let version = copy.ledger.version;
        let table_id = copy.ledger.table.clone();
        let (_, object) = copy.ledger.stored_on(copy.base.and_then(TableState::known_ledger).map(Arc::as_ref));
        log.put_content(&object.name.path(), object.bytes).await?;
        let replaced = copy.base.map(|base| base.files.as_slice()).unwrap_or_default();
        let rows = copy.files.iter().filter_map(|file| file.rows).sum();
        let draft = CommitDraft {
            about,
            base: copy.base,
            table_id: &table_id,
            schema: &copy.of.state.schema,
            partition_columns: &copy.of.state.partition_columns,
            remove: replaced,
            add: &copy.files,
            ledger: object.name,
            operation: CommitOperation::Clone { table: copy.of.name, origin: &copy.origin, rows },
        };
        let committer = self.committer();
        let fixed = FixedCommit {
            version,
            bytes: draft.to_bytes(&log, &committer.log_settings()),
            token: &about.token,
            single_writer: committer.single_writer,
        };
        match slot::put(&log, &fixed, committer.retry, &committer.random).await? {
            Slot::Ours => Ok(()),
            Slot::Theirs => {
                let reason = "what it holds now was not looked at, so it is not replaced".to_owned();
                Err(StoreError::Conflict { table: log.name.clone(), version, reason })
            }
        }
    }

    /// What the newest version of a table is a copy of. Returns `None` if it is none.
    pub async fn copied_from(&self, name: &TableName, state: &TableState) -> Result<Option<InputVersion>, StoreError> {
        let Some(actions) = self.log(name)?.commit(state.version).await? else { return Ok(None) };
        let mut inputs = actions.note.into_iter().flat_map(|note| note.inputs.into_values());
        Ok(inputs.find(InputVersion::is_of_a_copy))
    }
}

/// Copies one file through this machine: the two lakes may be different stores with different credentials.
async fn copy_file(there: &TableLog, from: &DataFile, to: &DataFile, staging: &Staging) -> Result<(), StoreError> {
    let name = format!("{}/{}", there.folder, from.path);
    let failed = |error| StoreError::unavailable(&name, error);
    let path = there.path(from.path.as_str()).map_err(failed)?;
    let found = there.store.get(&path).await;
    let found = found.map_err(|error| match error {
        object_store::Error::NotFound { .. } => lost(&name),
        error => failed(error),
    })?;
    let mut chunks = found.into_stream();
    let target = to.path.to_string();
    let staging = staging.clone();
    let runtime = Handle::current();
    // Files are written by threads that may wait.
    let copied = tokio::task::spawn_blocking(move || {
        let mut file = staging.create(&target)?;
        let mut bytes = 0;
        while let Some(chunk) = runtime.block_on(chunks.next()) {
            let chunk = chunk.map_err(|error| io_error(&error))?;
            bytes += chunk.len() as u64;
            file.write_all(&chunk)?;
        }
        file.finish()?;
        Ok(bytes)
    });
    let copied = copied.await.expect("copying does not panic");
    let bytes = copied.map_err(|source| StoreError::Unavailable { path: name.clone(), source })?;
    if bytes != from.bytes {
        let reason = format!("it has {bytes} bytes, and its table says {}", from.bytes);
        return Err(StoreError::Corrupt { path: name, reason });
    }
    Ok(())
}

fn lost(path: &str) -> StoreError {
    StoreError::Corrupt {
        path: path.to_owned(),
        reason: "the file was removed while its table still names it".to_owned(),
    }
}
