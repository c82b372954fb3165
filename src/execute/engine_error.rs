//! What the engine ran into, as a failure that tells a person what to do.

use std::io;

use datafusion::common::DataFusionError;
use parquet::errors::ParquetError;

use super::keys::AmbiguousKey;
use super::missing::{NotBuilt, UnreadableTable};
use super::versions::SnapshotFault;
use crate::analyze::{ArithmeticFault, CastFault, TooLarge, fact_and_remedy, without_catalogs};
#[cfg(feature = "cluster")]
use crate::cluster::{ClusterFault, TaskFailure};
use crate::diag::{Code, Diagnostic};
use crate::engine::{DamagedFile, OtherColumns};
use crate::failure::{Failure, help_for_open_files, source_storage, storage};
use crate::partition_writer::EmptyPartitionText;
use crate::raw::RawError;
use crate::store::{ObjectFault, io_error as io_of_store};

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Failure {
        Failure::from(&error)
    }
}

impl From<&DataFusionError> for Failure {
    fn from(error: &DataFusionError) -> Failure {
        described(error)
    }
}

/// What to say of rows that cannot be in a table.
fn wrong_rows(error: &DataFusionError) -> Option<Diagnostic> {
    let key = found_below::<AmbiguousKey>(error).map(AmbiguousKey::diagnostic);
    key.or_else(|| found_below::<SnapshotFault>(error).map(SnapshotFault::diagnostic))
}

/// Says what the engine ran into, in karat's words where it can be recognised.
fn described(error: &DataFusionError) -> Failure {
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
        return raw_file(raw);
    }
    if let DataFusionError::External(external) = root
        && let Some(missing) = external.downcast_ref::<NotBuilt>()
    {
        let diagnostic = Diagnostic::error(Code::NotBuilt, missing.to_string());
        return Failure::Project(diagnostic.help(missing.help()));
    }
    if let DataFusionError::External(external) = root
        && let Some(unreadable) = external.downcast_ref::<UnreadableTable>()
    {
        return Failure::from(&*unreadable.0);
    }
    #[cfg(feature = "cluster")]
    if let Some(failure) = of_cluster(error) {
        return failure;
    }
    if let DataFusionError::External(external) = root
        && let Some(other) = external.downcast_ref::<OtherColumns>()
    {
        return Failure::Project(other_columns(other));
    }
    if let Some(diagnostic) = wrong_rows(error) {
        return Failure::Project(diagnostic);
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
        other => Failure::Project(plain(&first_line(&other.strip_backtrace()))),
    }
}

/// What is wrong with a cluster, or what one of its tasks says of itself.
#[cfg(feature = "cluster")]
fn of_cluster(error: &DataFusionError) -> Option<Failure> {
    if let Some(fault) = found_below::<ClusterFault>(error) {
        let diagnostic = Diagnostic::error(Code::RunFailed, fault.to_string()).help(fault.help());
        return Some(if fault.may_pass() { Failure::World(diagnostic) } else { Failure::Project(diagnostic) });
    }
    let failure = found_below::<TaskFailure>(error)?;
    let code = Code::parse(&failure.code).unwrap_or(Code::RunFailed);
    let diagnostic = Diagnostic::error(code, failure.message.clone());
    let diagnostic = failure.notes.iter().fold(diagnostic, |diagnostic, note| diagnostic.note(note.clone()));
    let diagnostic = failure.helps.iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help.clone()));
    Some(if failure.may_pass { Failure::World(diagnostic) } else { Failure::Project(diagnostic) })
}

/// The engine's own message; karat's say after a colon what to write.
fn plain(message: &str) -> Diagnostic {
    if let Some(fault) = CastFault::of_engine(message) {
        return Diagnostic::error(Code::RunFailed, fault.message).help(fault.help);
    }
    match fact_and_remedy(message) {
        Some((fact, remedy)) => Diagnostic::error(Code::RunFailed, fact).help(remedy),
        None => Diagnostic::error(Code::RunFailed, message),
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

fn raw_file(error: &RawError) -> Failure {
    if let RawError::Unreadable { error: source, .. } = error
        && let Some(fault) = source.get_ref().and_then(|inner| inner.downcast_ref::<ObjectFault>())
    {
        return match fault.has_changed {
            true => Failure::World(
                Diagnostic::error(Code::InvalidSourceFile, error.to_string())
                    .help("run the same command again: it lists the objects anew"),
            ),
            false => source_storage(error.to_string(), source),
        };
    }
    Failure::Project(wrong_file(error))
}

fn wrong_file(error: &RawError) -> Diagnostic {
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
        RawError::Columns { delimiter: Some(mark), .. } => {
            Diagnostic::error(Code::InvalidSourceFile, error.to_string())
                .help(format!("say how the file is divided: `options: {{ delimiter: {:?} }}` at the source", mark.to_string()))
        }
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
