//! The lake: observe tables, stage files, commit. Nothing else changes the world.

mod backend;
mod commit;
mod error;
#[cfg(test)]
mod faults;
mod metered;
mod proof;
mod snapshot;

pub(crate) use backend::{LocalBackend, LocalDestination, Put, SourceEntry};
pub(crate) use commit::{Commit, Committed};
pub(crate) use error::StoreError;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::name::TableName;
use crate::table::{SourceFileFacts, TableState};
use snapshot::SnapshotReader;

/// A lake: a folder with one folder a schema, one folder a table below it.
#[derive(Clone)]
pub(crate) struct Lake {
    backend: LocalBackend,
    /// Made when the first table is read: most commands read none.
    reader: Arc<OnceLock<SnapshotReader>>,
}

impl Lake {
    pub fn open(root: PathBuf) -> Lake {
        Lake { backend: LocalBackend::new(root), reader: Arc::default() }
    }

    /// Makes the lake's folder, if it is not there.
    pub fn prepare(&self) -> io::Result<()> {
        self.backend.prepare()
    }

    fn table(&self, name: &TableName) -> LocalBackend {
        self.backend.below(&format!("{}/{}", name.schema, name.table))
    }

    /// The newest state of a table; nothing if there is none. Blocks.
    pub fn observe(&self, name: &TableName) -> Result<Option<TableState>, StoreError> {
        let folder = self.table(name);
        if !folder.exists("_delta_log") {
            return Ok(None);
        }
        self.reader.get_or_init(SnapshotReader::new).read(name, &folder)
    }

    /// Where the new files of a table go. They are invisible until they are committed.
    pub fn stage(&self, name: &TableName) -> LocalDestination {
        LocalDestination::new(self.table(name))
    }

    /// Makes staged files visible. Blocks.
    pub fn commit(&self, name: &TableName, change: &Commit) -> Result<Committed, StoreError> {
        commit::commit(&self.table(name), &name.to_string(), change)
    }

    /// The facts about source files that a record names; nothing is known if they are gone. Blocks.
    pub fn source_files(&self, name: &TableName, digest: &str) -> BTreeMap<String, SourceFileFacts> {
        let bytes = self.table(name).get(&facts_path(digest)).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps facts about source files under the digest of their content, which it returns. Blocks.
    pub fn keep_source_files(
        &self,
        name: &TableName,
        facts: &BTreeMap<String, SourceFileFacts>,
        token: &str,
    ) -> Result<String, StoreError> {
        let bytes = serde_json::to_vec(facts).expect("maps with text keys can be written as JSON");
        let digest: String = blake3::hash(&bytes).to_hex().chars().take(32).collect();
        let path = facts_path(&digest);
        match self.table(name).put_if_absent(&path, &bytes, token) {
            Ok(Put::Created | Put::Exists) => Ok(digest),
            Err(error) => Err(StoreError::unavailable(path, error)),
        }
    }
}

fn facts_path(digest: &str) -> String {
    format!("_karat/files/{digest}.json")
}
