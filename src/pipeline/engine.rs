//! What computes over a target's lake.

use super::load::Loaded;
use crate::diag::{Code, Diagnostic};
use crate::execute::{Engine, EngineSettings};
use crate::store::Lake;

/// What a command may take of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineLimits {
    /// Bytes for sorting, grouping and joining, all models together.
    pub memory: usize,
    /// Threads of one model.
    pub partitions: usize,
    /// Rows of input that are computed at once, where a table can be built in parts.
    pub part_rows: u64,
}

/// Opens what computes over a lake: this machine, and for builds the target's cluster, if it has one.
///
/// # Errors
///
/// Returns an error if the machine has no place for temporary files.
pub(crate) fn open_engine(loaded: &Loaded, lake: &Lake, limits: EngineLimits) -> Result<Engine, Diagnostic> {
    let EngineLimits { memory, partitions, part_rows } = limits;
    let engine = Engine::open(EngineSettings { memory, partitions, part_rows, lake: lake.objects().clone() });
    #[cfg(feature = "cluster")]
    let engine = engine.and_then(|engine| engine.on_cluster_of(&loaded.project.target));
    let engine = engine.map_err(|error| Diagnostic::error(Code::RunFailed, error.strip_backtrace()))?;
    if let Some(other) = &loaded.other {
        engine.add_other_lake(other.lake.objects().clone());
    }
    Ok(engine)
}
