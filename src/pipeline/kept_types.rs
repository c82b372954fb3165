//! The types of models from one command to the next: a file beside the artifacts, which is never needed and always checked.

use std::io::{self, Read};

use super::artifacts::ArtifactRequest;
use super::load::Loaded;
use crate::analyze::TypeCache;
use crate::store::LocalBackend;

/// The file. Its name begins with a dot: nobody reads it.
const FILE: &str = ".karat_types";
/// A larger file is none of ours.
const MOST_BYTES: u64 = 1 << 28;

/// What an earlier command has kept of the types, and where the next one looks.
pub(super) struct KeptTypes {
    folder: LocalBackend,
    pub cache: TypeCache,
    /// Which program types the models.
    pub program: String,
}

impl KeptTypes {
    /// Reads what an earlier command has kept. Returns `None` if nothing is to be kept.
    pub fn read(loaded: &Loaded, request: &ArtifactRequest) -> Option<KeptTypes> {
        if request.write_nothing || request.types_anew {
            return None;
        }
        let program = loaded.host().program()?;
        let folder = LocalBackend::new(loaded.workspace.root.join(request.folder_of(loaded)));
        let bytes = bytes_of(&folder).unwrap_or_else(|error| {
            // What is not there, or cannot be read, costs only time.
            tracing::debug!(%error, "no types are known");
            Vec::new()
        });
        Some(KeptTypes { folder, cache: TypeCache::from_bytes(&bytes), program })
    }

    /// Keeps what a command has found out.
    pub fn keep(&self, used: TypeCache) {
        let next = self.cache.after(used);
        if next == self.cache {
            return;
        }
        if let Err(error) = self.folder.write_at_once(FILE, &next.to_bytes()) {
            tracing::debug!(%error, "the types are not kept");
        }
    }
}

fn bytes_of(folder: &LocalBackend) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    folder.open(FILE, MOST_BYTES)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
