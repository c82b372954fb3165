//! The files of a source, as they are when a run begins.

use std::collections::BTreeMap;
use std::io;

use futures::stream::StreamExt;
use globset::{GlobBuilder, GlobMatcher};

use crate::diag::{Code, Diagnostic, all_of};
use crate::failure::{Failure, source_storage};
use crate::name::TableName;
use crate::project::{OnMissing, Source, SourceFormat, UnknownColumn};
use crate::store::{BucketRefused, DeltaSource, LeadsOut, ObjectFault, SourceFolder, StoreError, read_delta_source};
use crate::table::{SourceEntry, SourceListing};

/// Folders that are listed at the same time.
const LISTED_AT_ONCE: usize = 8;

/// Lists the files of sources, some at a time, in their order.
pub(super) async fn list_all<'s>(
    folder: &SourceFolder,
    sources: impl Iterator<Item = &'s Source>,
) -> Vec<(TableName, Result<SourceListing, Failure>)> {
    let listed = sources.map(|source| {
        let folder = folder.clone();
        let source = source.clone();
        async move {
            let name = source.name();
            let work = tokio::task::spawn_blocking(move || list_sources(&folder, &source));
            (name, work.await.expect("listing files does not panic"))
        }
    });
    futures::stream::iter(listed).buffered(LISTED_AT_ONCE).collect().await
}

/// Lists the files of a source. Blocks. None at all is an error, except where files that are gone leave their rows.
pub(crate) fn list_sources(project: &SourceFolder, source: &Source) -> Result<SourceListing, Failure> {
    if source.format == SourceFormat::Delta {
        return list_table(project, source);
    }
    let location = source.location.value.as_str();
    let entries = matching(project, location).map_err(|error| unreadable(source, &error))?;
    let keeps_missing = source.on_missing == OnMissing::Keep;
    if entries.is_empty() && !keeps_missing {
        return Err(no_file(source));
    }
    let mut hasher = blake3::Hasher::new();
    for entry in &entries {
        hasher.update(entry.identity().as_bytes());
        hasher.update(b"\n");
    }
    let digest = hasher.finalize().to_hex().chars().take(32).collect();
    Ok(SourceListing { entries, digest, keeps_missing, partitions: BTreeMap::new() })
}

/// Lists the files that the log of a Delta table says are current, and holds its columns against the declared ones. A run reads
/// these files whatever its writer commits meanwhile.
fn list_table(project: &SourceFolder, source: &Source) -> Result<SourceListing, Failure> {
    let location = source.location.value.as_str();
    let read = read_delta_source(project.local(), location).map_err(|error| unreadable_table(source, error))?;
    let Some(DeltaSource { entries, partitions, columns }) = read else {
        let message = format!("`{location}` is not a Delta table: it has no folder `_delta_log`");
        let diagnostic = Diagnostic::error(Code::NoSourceFile, message).at(source.location.span);
        return Err(Failure::Project(
            diagnostic.help("correct `location`, or let the program that writes the table run first"),
        ));
    };
    check_columns(source, &columns)?;
    let mut hasher = blake3::Hasher::new();
    for entry in &entries {
        let partition = partitions.get(&entry.path).map(|values| serde_json::json!(values).to_string());
        hasher.update(format!("{}\0{}\n", entry.identity(), partition.unwrap_or_default()).as_bytes());
    }
    let digest = hasher.finalize().to_hex().chars().take(32).collect();
    Ok(SourceListing { entries, digest, keeps_missing: false, partitions })
}

/// The log says which columns the table has, also while it has no file.
fn check_columns(source: &Source, columns: &[String]) -> Result<(), Failure> {
    let known = || columns.iter().map(String::as_str);
    let is_declared = |name: &str| source.columns.iter().any(|column| column.name.value == name);
    if let Some(column) = source.columns.iter().find(|column| !columns.contains(&column.name.value)) {
        let message = format!("the Delta table `{}` has no column `{}`", source.location.value, column.name.value);
        let diagnostic = Diagnostic::error(Code::InvalidSourceFile, message).at(column.name.span);
        let diagnostic = diagnostic.suggest(&column.name.value, known());
        return Err(Failure::Project(diagnostic.help(format!("it has {}", all_of(known())))));
    }
    let unknown: Vec<&str> = known().filter(|name| !is_declared(name)).collect();
    if source.unknown_columns == UnknownColumn::Fail && !unknown.is_empty() {
        let names = all_of(unknown.iter().copied());
        let message = format!("the Delta table `{}` has columns that are not declared: {names}", source.location.value);
        let diagnostic = Diagnostic::error(Code::InvalidSourceFile, message).at(source.span);
        return Err(Failure::Project(diagnostic.help("declare them, or write `unknown_columns: ignore`")));
    }
    Ok(())
}

fn unreadable_table(source: &Source, error: StoreError) -> Failure {
    let location = &source.location;
    match error {
        StoreError::Unavailable { path, source: error } if error.kind() == io::ErrorKind::NotFound => {
            let message =
                format!("`{path}` is not there, but the log of the Delta table `{}` names it", location.value);
            let diagnostic = Diagnostic::error(Code::InvalidSourceFile, message).at(location.span);
            Failure::Project(
                diagnostic.help("restore the file; a vacuum or a program that deletes files has removed it"),
            )
        }
        StoreError::Unavailable { path: _, source: error } => unreadable(source, &error),
        StoreError::Unsupported { table, what } => {
            let message = format!("the Delta table `{table}` has {what}: karat does not read that");
            let diagnostic = Diagnostic::error(Code::UnsupportedTableFeature, message).at(location.span);
            let help = match what.split(' ').next() {
                Some("a") => "name the table that it was cloned from, or make a deep clone",
                Some("deletion") => "let the program that writes it rewrite the files: `REORG TABLE … APPLY (PURGE)`",
                _ => "let the program that writes it take the feature away: `ALTER TABLE … DROP FEATURE`",
            };
            Failure::Project(diagnostic.help(help))
        }
        other => {
            let message = format!("the Delta table `{}` cannot be read: {other}", location.value);
            Failure::Project(Diagnostic::error(Code::CorruptTable, message).at(location.span))
        }
    }
}

/// There is nothing to build from.
pub(crate) fn no_file(source: &Source) -> Failure {
    let location = source.location.value.as_str();
    let message = format!("no file matches `{location}`, the location of the source `{}`", source.name());
    let diagnostic = Diagnostic::error(Code::NoSourceFile, message).at(source.location.span).help(
        match location.starts_with("s3://") {
            true => "put the objects there, or correct `location`: the pattern matches whole names, with their folders",
            false => {
                "put the files there, or correct `location`; `karat sample-data` writes those of the sample project"
            }
        },
    );
    Failure::Project(diagnostic)
}

fn unreadable(source: &Source, error: &io::Error) -> Failure {
    let location = &source.location.value;
    if let Some(leads_out) = error.get_ref().and_then(|inner| inner.downcast_ref::<LeadsOut>()) {
        let diagnostic = Diagnostic::error(Code::UnreadableFile, leads_out.to_string()).at(source.location.span).note(
            "the author of a project could get at files that only its users may read: only the user's profile can allow such links",
        );
        let allow = format!("write `source_folders: [{}]` into your profile", leads_out.folder.display());
        return Failure::Project(diagnostic.help(allow));
    }
    let inner = error.get_ref();
    if let Some(BucketRefused(diagnostic)) = inner.and_then(|inner| inner.downcast_ref::<BucketRefused>()) {
        // What is wrong with the target has a place there; this is where the bucket is needed.
        return Failure::Project(match diagnostic.labels.is_empty() {
            true => diagnostic.as_ref().clone().at(source.location.span),
            false => diagnostic.as_ref().clone().labelled(source.location.span, "needed here"),
        });
    }
    if inner.is_some_and(|inner| inner.is::<ObjectFault>()) {
        return source_storage(format!("`{location}` cannot be listed: {error}"), error).at(source.location.span);
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let message = format!("`{location}` may not be read: {error}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, message).at(source.location.span);
            Failure::Project(diagnostic.help("give yourself permission to read it"))
        }
        _ => {
            let message = format!("`{location}` cannot be listed: {error}");
            Failure::Project(Diagnostic::error(Code::UnreadableFile, message).at(source.location.span))
        }
    }
}

fn matching(project: &SourceFolder, location: &str) -> io::Result<Vec<SourceEntry>> {
    let wild = |part: &str| part.contains(['*', '?', '[', '{']);
    let folder: Vec<&str> = location.split('/').take_while(|part| !wild(part)).collect();
    let folder = folder.join("/");
    if folder.len() == location.len() {
        return match project.entry(location) {
            Ok(entry) => Ok(vec![entry]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
    }
    if !project.exists(&folder) {
        return Ok(Vec::new());
    }
    let matcher = matcher(location)?;
    project.list(&folder, &|path| matcher.is_match(path))
}

fn matcher(location: &str) -> io::Result<GlobMatcher> {
    let glob = GlobBuilder::new(location).literal_separator(true).build();
    Ok(glob.map_err(io::Error::other)?.compile_matcher())
}

/// Whether a location, a path or a pattern, means this file.
pub(crate) fn is_at(location: &str, path: &str) -> bool {
    location == path || matcher(location).is_ok_and(|matcher| matcher.is_match(path))
}
