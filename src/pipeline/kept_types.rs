//! The types of models from one command to the next: a file beside the artifacts, which is never needed and always checked.

use std::io::{self, Read};
use std::sync::Arc;

use super::artifacts::ArtifactRequest;
use super::load::{Compiled, Loaded, compile_models, compiled};
use crate::analyze::{KnownTypes, Planner, TypeCache};
use crate::diag::Sink;
use crate::store::LocalBackend;

/// The file. Its name begins with a dot: nobody reads it.
const FILE: &str = ".karat_types";
/// A larger file is none of ours.
const MOST_BYTES: u64 = 1 << 28;

/// What an earlier command has kept of the types, and where the next one looks.
struct KeptTypes {
    folder: LocalBackend,
    cache: TypeCache,
    /// Which program types the models.
    program: String,
}

/// Types every model. Of those that are as an earlier command has found them it is known what comes out, and they are planned only
/// if somebody needs their plans.
pub(crate) fn compile_known_models(loaded: Loaded, request: &ArtifactRequest, sink: &mut Sink) -> Compiled {
    let Some(kept) = KeptTypes::read(&loaded, request) else { return compile_models(loaded, sink) };
    let known = KnownTypes {
        cache: &kept.cache,
        program: &kept.program,
        project: Arc::clone(&loaded.project),
        rendered: Arc::clone(&loaded.rendered),
    };
    let planner = Planner::new(&loaded.project, &loaded.rendered.models);
    let mut typing = planner.models_known(&loaded.dag, &known, sink);
    // Tests run with this: every use of what was kept is held against what there is to know.
    debug_assert!(planner.gives(&loaded.dag, &typing), "what was kept of the types is not true");
    kept.keep(std::mem::take(&mut typing.worth_keeping));
    compiled(loaded, typing, sink)
}

impl KeptTypes {
    /// Reads what an earlier command has kept. Returns `None` if nothing is to be kept.
    fn read(loaded: &Loaded, request: &ArtifactRequest) -> Option<KeptTypes> {
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
    fn keep(&self, used: TypeCache) {
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
