//! Why a step did not end well: the project is wrong, or the world is.

use std::io;

use datafusion::common::DataFusionError;
use parquet::errors::ParquetError;

use super::keys::AmbiguousKey;
use super::read::{NotBuilt, UnreadableTable};
use super::storage_fault::{help_for_open_files, storage};
use crate::analyze::{ArithmeticFault, TooLarge, without_catalogs};
use crate::diag::{Code, Diagnostic};
use crate::engine::{DamagedFile, OtherColumns};
use crate::name::TableName;
use crate::partition_writer::EmptyPartitionText;
use crate::raw::RawError;
use crate::store::{StoreError, io_error as io_of_store};

#[derive(Debug)]
pub(crate) enum Failure {
    /// Trying again changes nothing.
    Project(Diagnostic),
    /// The same command may work later.
    World(Diagnostic),
}

impl Failure {
    /// What the engine ran into, in karat's words.
    pub fn from_engine(error: &DataFusionError) -> Failure {
        from_engine(error)
    }

    /// A table exists, and no run that came to its end has left it.
    pub fn not_released(table: &TableName) -> Failure {
        let message = format!("`{table}` is built, but no complete run has released it");
        let diagnostic = Diagnostic::error(Code::NotBuilt, message);
        Failure::Project(diagnostic.help("`--live` shows it as it is; a `karat run` without failures releases it"))
    }

    /// The same with one more fact.
    pub fn noted(self, note: String) -> Failure {
        match self {
            Failure::Project(diagnostic) => Failure::Project(diagnostic.note(note)),
            Failure::World(diagnostic) => Failure::World(diagnostic.note(note)),
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

/// Says what the engine ran into, in karat's words where it can be recognised.
pub(crate) fn from_engine(error: &DataFusionError) -> Failure {
    let root = error.find_root();
    if let Some(damaged) = found_below::<DamagedFile>(error) {
        return damaged_file(damaged);
    }
    if let Some(source) = io_error(root) {
        return storage(first_line(&root.strip_backtrace()), source);
    }
    if let Some(error) = store_error(root) {
        return storage(error.to_string(), &error);
    }
    if let DataFusionError::External(external) = root
        && let Some(raw) = external.downcast_ref::<RawError>()
    {
        return Failure::Project(raw_file(raw));
    }
    if let DataFusionError::External(external) = root
        && let Some(missing) = external.downcast_ref::<NotBuilt>()
    {
        let diagnostic = Diagnostic::error(Code::NotBuilt, missing.to_string());
        return Failure::Project(diagnostic.help("build it first, or select its parents too: `--select +model`"));
    }
    if let DataFusionError::External(external) = root
        && let Some(unreadable) = external.downcast_ref::<UnreadableTable>()
    {
        return Failure::from(&*unreadable.0);
    }
    if let DataFusionError::External(external) = root
        && let Some(other) = external.downcast_ref::<OtherColumns>()
    {
        return Failure::Project(other_columns(other));
    }
    if let DataFusionError::External(external) = root
        && let Some(key) = external.downcast_ref::<AmbiguousKey>()
    {
        return Failure::Project(key.diagnostic());
    }
    if let Some(empty) = found_below::<EmptyPartitionText>(error) {
        return Failure::Project(
            Diagnostic::error(Code::RunFailed, empty.to_string())
                .help(format!("use `nullif({0}, '')`, or partition the table by another column", empty.column)),
        );
    }
    if let Some(large) = found_below::<TooLarge>(error) {
        let diagnostic = Diagnostic::error(Code::RunFailed, large.to_string());
        return Failure::Project(diagnostic.help(large.help()));
    }
    if let Some(fault) = found_below::<ArithmeticFault>(error) {
        let diagnostic = Diagnostic::error(Code::RunFailed, fault.to_string());
        return Failure::Project(diagnostic.help(fault.help()));
    }
    match root {
        DataFusionError::ResourcesExhausted(message) => Failure::Project(
            Diagnostic::error(Code::OutOfMemory, "the memory limit is too low")
                .note(first_line(message))
                .help("raise `--memory`, or build fewer models at once with `--threads 1`"),
        ),
        other => Failure::Project(Diagnostic::error(Code::RunFailed, first_line(&other.strip_backtrace()))),
    }
}

/// Files of sources are read by karat itself, so it is one of the lake's.
fn damaged_file(damaged: &DamagedFile) -> Failure {
    let diagnostic = Diagnostic::error(Code::CorruptTable, damaged.to_string());
    Failure::Project(diagnostic.help(match damaged.path.split('/').collect::<Vec<_>>().as_slice() {
        [schema, table, ..] => format!(
            "build `{schema}.{table}` again, with `--full-refresh`, or restore the file from a copy of the lake"
        ),
        _ => "restore the file from a copy of the lake".to_owned(),
    }))
}

fn other_columns(other: &OtherColumns) -> Diagnostic {
    let missing: Vec<String> = other.columns.iter().map(|column| format!("`{column}`")).collect();
    Diagnostic::error(Code::NotBuilt, other.to_string())
        .note(format!("it does not have {} as the model outputs it", missing.join(", ")))
        .help(
            "build it again: `karat run` does, if it is selected; with `on_schema_change: ignore` add `--full-refresh`",
        )
}

fn raw_file(error: &RawError) -> Diagnostic {
    match error {
        RawError::Unreadable { error: source, .. } => {
            let diagnostic = Diagnostic::error(Code::InvalidSourceFile, error.to_string());
            match help_for_open_files(source) {
                Some(help) => diagnostic.help(help),
                None => diagnostic.help(format!(
                    "make the file readable or remove it from the source's location ({})",
                    source.kind()
                )),
            }
        }
        RawError::Disguised { disguise, .. } => {
            Diagnostic::error(Code::InvalidSourceFile, error.to_string()).help(disguise.remedy)
        }
        RawError::Header { .. } => Diagnostic::error(Code::InvalidSourceFile, error.to_string())
            .help("the header line must have the columns that the source declares in YAML"),
        RawError::Array { .. } => Diagnostic::error(Code::InvalidSourceFile, error.to_string())
            .help("a JSON file holds one array of objects, or one object per line"),
        RawError::Columns { .. } => Diagnostic::error(Code::InvalidSourceFile, error.to_string())
            .help("declare the columns that the files have, as they are written there")
            .help(
                "where they change with the years: `missing_columns: allow` takes a column that a file lacks for null, \
                 `unknown_columns: rescue` keeps those that are not declared in `_rescued`, and `ignore` passes over them",
            ),
        RawError::Format { .. } => Diagnostic::error(Code::InvalidSourceFile, error.to_string()),
    }
}

/// The error of this type among the causes, if there is one.
fn found_below<E: std::error::Error + 'static>(error: &DataFusionError) -> Option<&E> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// The input or output error at the bottom, if there is one.
fn io_error(error: &DataFusionError) -> Option<&io::Error> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        if let Some(ParquetError::External(external)) = error.downcast_ref::<ParquetError>()
            && let Some(found) = external.downcast_ref::<io::Error>()
        {
            return Some(found);
        }
        if error.downcast_ref::<RawError>().is_some() {
            return None;
        }
        source = error.source();
    }
    None
}

/// The store's error at the bottom, if there is one.
fn store_error(error: &DataFusionError) -> Option<io::Error> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<object_store::Error>() {
            return Some(io_of_store(found));
        }
        if let Some(ParquetError::External(external)) = error.downcast_ref::<ParquetError>()
            && let Some(found) = external.downcast_ref::<object_store::Error>()
        {
            return Some(io_of_store(found));
        }
        source = error.source();
    }
    None
}

/// The first line without the words that name the engine's parts.
fn first_line(message: &str) -> String {
    const PARTS: [&str; 8] = [
        "Parquet error: ",
        "External: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
        "Io error: ",
        "Error during planning: ",
        "Resources exhausted: ",
    ];
    let mut text = message.lines().next().unwrap_or(message).trim();
    while let Some(rest) = PARTS.iter().find_map(|part| text.strip_prefix(part)) {
        text = rest;
    }
    let text = text.split(" with top memory consumers").next().unwrap_or(text);
    let text = text.trim_end_matches(['.', ':']);
    without_catalogs(text.strip_suffix(" error").unwrap_or(text)).into_owned()
}
