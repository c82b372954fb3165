//! Why a step did not end well: the project is wrong, or the world is.

mod storage_fault;

pub(crate) use storage_fault::{help_for_open_files, source_storage, storage};

use crate::diag::{Code, Diagnostic};
use crate::name::TableName;
use crate::span::Span;
use crate::store::StoreError;

#[derive(Debug)]
pub(crate) enum Failure {
    /// Trying again changes nothing.
    Project(Diagnostic),
    /// The same command may work later.
    World(Diagnostic),
}

impl Failure {
    /// A table exists, and no run that came to its end has left it.
    pub fn not_released(table: &TableName) -> Failure {
        let message = format!("`{table}` is built, but no complete run has released it");
        let diagnostic = Diagnostic::error(Code::NotBuilt, message);
        Failure::Project(diagnostic.help("`--live` shows it as it is; a `karat run` without failures releases it"))
    }

    /// A table of another target that no complete run has released there.
    pub fn not_released_in(table: &TableName, target: &str, help: String) -> Failure {
        let message = format!("`{table}` is built in target `{target}`, but no complete run has released it");
        Failure::Project(Diagnostic::error(Code::NotBuilt, message).help(help))
    }

    /// The same with one more fact.
    pub fn noted(self, note: String) -> Failure {
        match self {
            Failure::Project(diagnostic) => Failure::Project(diagnostic.note(note)),
            Failure::World(diagnostic) => Failure::World(diagnostic.note(note)),
        }
    }

    /// The same with its place.
    pub fn at(self, span: Span) -> Failure {
        match self {
            Failure::Project(diagnostic) => Failure::Project(diagnostic.at(span)),
            Failure::World(diagnostic) => Failure::World(diagnostic.at(span)),
        }
    }

    pub fn diagnostic(&self) -> &Diagnostic {
        match self {
            Failure::Project(diagnostic) | Failure::World(diagnostic) => diagnostic,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::from(&error)
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Failure {
        let message = error.to_string();
        match error {
            StoreError::Conflict { .. } => Failure::World(
                Diagnostic::error(Code::CommitLost, message)
                    .help("run the same command again: it starts from the table as it is now"),
            ),
            StoreError::Unknown { .. } => Failure::World(
                Diagnostic::error(Code::CommitUnknown, message)
                    .help("run the same command again: it reads what really happened"),
            ),
            StoreError::Unavailable { source, .. } => storage(message, source),
            StoreError::Unsafe { .. } => Failure::Project(
                Diagnostic::error(Code::UnsafeStore, message)
                    .help("use a store that keeps `If-None-Match: *`; `karat doctor` shows what it found")
                    .help("where no two runs ever write at the same time, `--single-writer` does without"),
            ),
            StoreError::Unsupported { .. } => Failure::Project(
                Diagnostic::error(Code::UnsupportedTableFeature, message)
                    .help("remove it from the table with the program that set it (`ALTER TABLE … DROP FEATURE`)")
                    .help("or remove the table's folder, and build the table again"),
            ),
            StoreError::Corrupt { path, .. } => Failure::Project(corrupt(message, path)),
        }
    }
}

fn corrupt(message: String, path: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::CorruptTable, message);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        [schema, table, ..] if !schema.starts_with('_') => diagnostic.help(format!(
            "restore the folder `{schema}/{table}` of the lake, or remove it and run the same command again"
        )),
        _ => diagnostic.help("restore it from a copy of the lake"),
    }
}
