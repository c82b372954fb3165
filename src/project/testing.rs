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

/// The project on a host, if nothing is wrong with it, and what was said.
pub(super) fn load_from(host: &dyn Host, request: &LoadRequest) -> (Option<Project>, String) {
    let mut texts = SourceFiles::default();
    let mut sink = Sink::default();
    let loaded = load_partly(host, &mut texts, request, &mut sink);
    let faults = loaded.iter().flat_map(|project| project.faults.all().cloned());
    faults.collect::<Vec<_>>().into_iter().for_each(|fault| sink.add(fault));
    let is_well = !sink.has_errors();
    (loaded.filter(|_| is_well), render_all(&sink.take(), &texts, Style::Plain))
}

/// The project on a host, if it can be loaded, whatever is wrong with single models.
fn load_partly(host: &dyn Host, texts: &mut SourceFiles, request: &LoadRequest, sink: &mut Sink) -> Option<Project> {
    read(host, texts, sink).and_then(|files| load_files(&files, texts, request, sink)).ok()
}

/// What is wrong with which models of these files, or what stops the project.
pub(super) fn faults_by_model(project: &str, files: &[(&str, &str)]) -> String {
    let mut sink = Sink::default();
    let loaded = load_partly(&host(project, files), &mut SourceFiles::default(), &LoadRequest::default(), &mut sink);
    let Some(loaded) = loaded else {
        let said: Vec<String> = sink.take().into_iter().map(|diagnostic| diagnostic.message).collect();
        return format!("stops: {}", said.join("; "));
    };
    let of_models = &loaded.faults.models;
    let of_models = of_models.iter().flat_map(|(name, faults)| faults.iter().map(move |fault| (name.as_str(), fault)));
    let elsewhere = loaded.faults.elsewhere();
    let all = of_models.chain(elsewhere.iter().map(|fault| ("elsewhere", fault)));
    all.map(|(name, fault)| format!("{name}: {}", fault.message)).collect::<Vec<_>>().join("; ")
}

fn host(project: &str, files: &[(&str, &str)]) -> MemoryHost {
    MemoryHost::with_files(files.iter().copied().chain([("project.yml", project)]))
}
