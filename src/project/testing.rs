//! A project from texts, for the unit tests of this module.

use super::{LoadRequest, Project, load as load_files, read};
use crate::diag::{Sink, Style, render_all};
use crate::host::{Host, MemoryHost};
use crate::span::SourceFiles;

/// The project that these files make, or what was said about them.
pub(super) fn load(project: &str, files: &[(&str, &str)]) -> Result<Project, String> {
    load_as(project, files, &LoadRequest::default())
}

/// Like [`load`], with options of the command line.
pub(super) fn load_as(project: &str, files: &[(&str, &str)], request: &LoadRequest) -> Result<Project, String> {
    let (loaded, said) = load_from(&host(project, files), request);
    loaded.ok_or(said)
}

/// Errors and warnings about these files.
pub(super) fn said(project: &str, files: &[(&str, &str)]) -> String {
    load_from(&host(project, files), &LoadRequest::default()).1
}

/// The project on a host, if it can be loaded, and what was said.
pub(super) fn load_from(host: &dyn Host, request: &LoadRequest) -> (Option<Project>, String) {
    let mut texts = SourceFiles::default();
    let mut sink = Sink::default();
    let loaded =
        read(host, &mut texts, &mut sink).and_then(|files| load_files(&files, &mut texts, request, &mut sink)).ok();
    (loaded, render_all(&sink.take(), &texts, Style::Plain))
}

fn host(project: &str, files: &[(&str, &str)]) -> MemoryHost {
    MemoryHost::with_files(files.iter().copied().chain([("project.yml", project)]))
}
