//! The artifacts of a command, written into the project's target folder.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::freshness::FreshnessAnswer;
use super::load::{Compiled, Loaded};
use super::run_results::RecordedRun;
use crate::artifacts::{
    CatalogInputs, Invocation, ManifestInputs, ResourceIndex, RunResults, SourceResult, TestFact, TestFacts,
    write_manifest, write_sources,
};
use crate::catalog::Catalog;
use crate::check::Guards;
use crate::diag::{Code, Diagnostic, Sink};
use crate::project::TestKey;
use crate::site::{self, PageData};
use crate::store::LocalBackend;
use crate::template::invocation_id;

/// Every artifact.
const NAMES: [&str; 5] = ["manifest.json", "run_results.json", "catalog.json", "sources.json", PAGE];

/// The documentation page.
pub(crate) const PAGE: &str = "docs.html";

/// The folder of artifacts if nobody names another.
pub(super) const TARGET_PATH: &str = "target";

/// Where artifacts go.
#[derive(Debug, Clone, Default)]
pub(crate) struct ArtifactRequest {
    /// `--target-path`; what the project file says if it is not given.
    pub target_path: Option<String>,
    /// `--no-write-json`
    pub write_nothing: bool,
    /// `--no-partial-parse`: what an earlier command has kept of types is not looked at, and nothing is kept.
    pub types_anew: bool,
    /// The command that was typed: `build`.
    pub command: String,
    /// Everything behind the name of the program.
    pub words: Vec<String>,
}

impl ArtifactRequest {
    /// The folder of artifacts and compiled SQL, as it was named.
    pub fn folder_of<'a>(&'a self, loaded: &'a Loaded) -> &'a str {
        self.target_path.as_deref().or(loaded.project.target_path.as_deref()).unwrap_or(TARGET_PATH)
    }

    /// The command as artifacts have it.
    fn arguments(&self, now: DateTime<Utc>) -> Map<String, Value> {
        let line = std::iter::once("karat").chain(self.words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let mut arguments = Map::new();
        arguments.insert("which".to_owned(), Value::from(self.command.as_str()));
        arguments.insert("invocation_command".to_owned(), Value::from(line));
        arguments.insert("words".to_owned(), json!(self.words));
        // What is tried again is the same run.
        arguments.insert("now".to_owned(), Value::from(now.to_rfc3339()));
        arguments
    }
}

/// The artifacts of one command.
pub(crate) struct Artifacts<'a> {
    folder: LocalBackend,
    target_path: String,
    request: &'a ArtifactRequest,
    invocation: Invocation,
    /// A text without what nobody may see.
    hide: &'a dyn Fn(&str) -> String,
}

impl<'a> Artifacts<'a> {
    pub fn new(loaded: &Loaded, request: &'a ArtifactRequest, hide: &'a dyn Fn(&str) -> String) -> Self {
        let target_path = request.folder_of(loaded).to_owned();
        let host = loaded.host();
        let now = host.now();
        let id = invocation_id(&loaded.project.name.value, host.logical_time());
        Self {
            folder: LocalBackend::new(loaded.workspace.root.join(&target_path)),
            target_path,
            request,
            invocation: Invocation::new(id, now, now, host.variables()).of_target(&loaded.project.target.name),
            hide,
        }
    }

    /// Writes `manifest.json`. The queries of data tests are in it if they were planned.
    ///
    /// # Errors
    ///
    /// Returns what to say if the file cannot be written.
    pub fn write_manifest(&self, compiled: &Compiled, guards: Option<&Guards>) -> Result<(), Diagnostic> {
        if self.request.write_nothing {
            return Ok(());
        }
        let tests = match guards {
            Some(guards) => facts_of_planned(guards),
            None => facts_of_rendered(compiled),
        };
        let inputs = ManifestInputs {
            project: &compiled.loaded.project,
            rendered: &compiled.loaded.rendered,
            files: &compiled.loaded.files,
            typed: &compiled.typed,
            tests: &tests,
            resources: ResourceIndex::new(&compiled.loaded.project.resources),
            invocation: &self.invocation,
            target_path: &self.target_path,
        };
        self.write("manifest.json", |out| write_manifest(&inputs, out))
    }

    /// Writes `run_results.json`.
    ///
    /// # Errors
    ///
    /// As [`Artifacts::write_manifest`].
    pub fn write_run_results(&self, run: &RecordedRun<'_>) -> Result<(), Diagnostic> {
        if self.request.write_nothing {
            return Ok(());
        }
        let started = run.recorder.started;
        let invocation = Invocation { started, ..self.invocation.clone() };
        let elapsed = (self.invocation.now - started).to_std().unwrap_or_default().as_secs_f64();
        let results = run.results();
        let arguments = self.request.arguments(run.compiled.loaded.host().logical_time());
        let results = RunResults { invocation: &invocation, results: &results, elapsed, arguments };
        self.write("run_results.json", |out| results.write(out))
    }

    /// Writes `catalog.json`; without tables if the lake was not looked at.
    ///
    /// # Errors
    ///
    /// As [`Artifacts::write_manifest`].
    pub fn write_catalog(&self, compiled: &Compiled, catalog: Option<&Catalog<'_>>) -> Result<(), Diagnostic> {
        let inputs = CatalogInputs {
            project: &compiled.loaded.project,
            typed: &compiled.typed,
            invocation: &self.invocation,
            state_of: &|table| catalog.and_then(|catalog| catalog.state_of(table)),
        };
        self.write("catalog.json", |out| inputs.write(out))
    }

    /// Writes `sources.json`.
    ///
    /// # Errors
    ///
    /// As [`Artifacts::write_manifest`].
    pub fn write_sources(&self, answers: &[FreshnessAnswer<'_>], elapsed: Duration) -> Result<(), Diagnostic> {
        let results: Vec<SourceResult<'_>> = answers.iter().map(|answer| answer.result.clone()).collect();
        self.write("sources.json", |out| write_sources(&self.invocation, &results, elapsed.as_secs_f64(), out))
    }

    /// Writes the documentation page.
    ///
    /// # Errors
    ///
    /// As [`Artifacts::write_manifest`].
    pub fn write_page(&self, data: &PageData) -> Result<(), Diagnostic> {
        // The page holds its data packed, where no secret would be found.
        let data = PageData { json: (self.hide)(&data.json), has_charts: data.has_charts };
        self.write(PAGE, |out| out.write_all(site::page(&data)?.as_bytes()))
    }

    /// Writes one artifact, without secrets. Writes nothing if that was asked for.
    ///
    /// # Errors
    ///
    /// Returns what to say if the file cannot be written.
    fn write(&self, name: &str, make: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), Diagnostic> {
        if self.request.write_nothing {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let written = make(&mut bytes).and_then(|()| {
            // All at once: a secret must be found even where a buffer would end.
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            self.folder.write_at_once(name, (self.hide)(&text).as_bytes())
        });
        written.map_err(|error| {
            let message = format!("`{}/{name}` cannot be written: {error}", self.target_path);
            Diagnostic::warning(Code::Storage, message)
        })
    }
}

/// Removes artifacts and compiled files from a folder; whatever else is in it stays.
///
/// # Errors
///
/// Returns an error if something cannot be removed.
pub(crate) fn remove_artifacts(folder: &Path) -> io::Result<()> {
    LocalBackend::new(folder.join("compiled")).remove_all()?;
    let folder = LocalBackend::new(folder.to_path_buf());
    NAMES.iter().try_for_each(|name| folder.remove(name))
}

/// What is known of tests that were planned.
fn facts_of_planned(guards: &Guards) -> TestFacts {
    let mut facts = BTreeMap::new();
    for batch in guards.values().flatten() {
        for check in &batch.checks {
            let key = TestKey { span: check.span, declared_on: check.declared_on.clone() };
            let targets = batch.tables.iter().cloned().collect();
            facts.insert(key, TestFact { targets, sql: Some(check.sql.clone()) });
        }
    }
    facts
}

/// What is known of tests that are texts, which are rendered for it. Those with errors are reported by whoever runs tests.
fn facts_of_rendered(compiled: &Compiled) -> TestFacts {
    let unsaid = &mut Sink::default();
    // Planning would tell the SQL too, but costs more than all of the rest, and these commands run no test.
    let Ok(found) = compiled.test_texts(unsaid) else { return TestFacts::new() };
    let facts = found.texts.into_iter().map(|text| {
        let key = text.key();
        let targets = text.rendered.references.into_iter().map(|reference| reference.target).collect();
        (key, TestFact { targets, sql: None })
    });
    facts.collect()
}
