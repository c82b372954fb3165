//! The files of a source, as they are when a run begins.

use std::io;

use futures::stream::StreamExt;
use globset::GlobBuilder;

use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::name::TableName;
use crate::project::{OnMissing, Source};
use crate::store::{LeadsOut, LocalBackend};
use crate::table::{SourceEntry, SourceListing};

/// Folders that are listed at the same time.
const LISTED_AT_ONCE: usize = 8;

/// Lists the files of sources, some at a time, in their order.
pub(super) async fn list_all<'s>(
    folder: &LocalBackend,
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
pub(crate) fn list_sources(project: &LocalBackend, source: &Source) -> Result<SourceListing, Failure> {
    let location = source.location.value.as_str();
    let entries = matching(project, location).map_err(|error| unreadable(source, &error))?;
    let keeps_missing = source.on_missing == OnMissing::Keep;
    if entries.is_empty() && !keeps_missing {
        return Err(no_file(source));
    }
    let mut hasher = blake3::Hasher::new();
    for entry in &entries {
        hasher.update(format!("{}\0{}\0{}\n", entry.path, entry.size, entry.modified).as_bytes());
    }
    let digest = hasher.finalize().to_hex().chars().take(32).collect();
    Ok(SourceListing { entries, digest, keeps_missing })
}

/// There is nothing to build from.
pub(crate) fn no_file(source: &Source) -> Failure {
    let location = source.location.value.as_str();
    let message = format!("no file matches `{location}`, the location of the source `{}`", source.name());
    let diagnostic = Diagnostic::error(Code::NoSourceFile, message)
        .at(source.location.span)
        .help("put the files there, or correct `location`; `karat sample-data` writes those of the sample project");
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

fn matching(project: &LocalBackend, location: &str) -> io::Result<Vec<SourceEntry>> {
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
    let glob = GlobBuilder::new(location).literal_separator(true).build();
    let matcher = glob.map_err(io::Error::other)?.compile_matcher();
    project.list(&folder, &|path| matcher.is_match(path))
}
