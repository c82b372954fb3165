//! `karat doctor`: is everything here that a run needs?

use serde_json::json;

use crate::cli::app::{App, Compiled};
use crate::cli::args::ProjectArgs;
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::machine;
use crate::cli::progress::{bytes, grouped};
use crate::run::list_sources;
use crate::store::{LocalBackend, Put};

/// Checks versions, machine, project, sources and the lake, and says what to do about what is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    project: ProjectArgs,
}

/// What one look found.
struct Finding {
    about: &'static str,
    good: bool,
    text: String,
}

impl Doctor {
    pub fn run(self, app: &App<'_>) -> Exit {
        let mut findings = vec![versions(), the_machine()];
        let compiled = app.load(&self.project).and_then(|loaded| app.compile(loaded));
        match &compiled {
            Ok(compiled) => {
                findings.push(the_project(compiled));
                findings.extend(the_sources(compiled));
                findings.push(match app.check_lake(&compiled.loaded) {
                    Ok(()) => the_lake(compiled),
                    Err(_) => {
                        let text = format!("{}: it cannot be opened, as shown above", place(compiled));
                        Finding { about: "lake", good: false, text }
                    }
                });
            }
            Err(_) => findings.push(Finding {
                about: "project",
                good: false,
                text: "it has errors: they are shown above".to_owned(),
            }),
        }
        for finding in &findings {
            let tone = if finding.good { Tone::Good } else { Tone::Bad };
            let word = app.console.paint(tone, if finding.good { "ok" } else { "wrong" });
            let pad = " ".repeat(if finding.good { 4 } else { 1 });
            let text = app.console.without_secrets(&finding.text);
            app.console.data(&format!("{word}{pad}{:9} {text}\n", finding.about));
        }
        if findings.iter().all(|finding| finding.good) { Exit::Done } else { Exit::Failed }
    }
}

fn versions() -> Finding {
    let text = format!("karat {}, DataFusion {}", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION);
    Finding { about: "versions", good: true, text }
}

fn the_machine() -> Finding {
    let memory = machine::memory().map_or_else(|| "memory unknown".to_owned(), |total| bytes(total as u64));
    Finding { about: "machine", good: true, text: format!("{} cores, {memory}", machine::cores()) }
}

fn the_project(compiled: &Compiled) -> Finding {
    let project = &compiled.loaded.project;
    let (models, sources) = (compiled.typed.len(), project.sources.len());
    let text = format!("`{}`: {models} models, {sources} sources, all of them type-checked", project.name.value);
    Finding { about: "project", good: true, text }
}

fn the_sources(compiled: &Compiled) -> Vec<Finding> {
    let folder = LocalBackend::new(compiled.loaded.root.clone());
    let look = |source: &crate::project::Source| match list_sources(&folder, source) {
        Ok(listing) => {
            let total: u64 = listing.entries.iter().map(|entry| entry.size).sum();
            let text =
                format!("`{}`: {} files, {}", source.name(), grouped(listing.entries.len() as u64), bytes(total));
            Finding { about: "source", good: true, text }
        }
        Err(failure) => Finding { about: "source", good: false, text: failure.diagnostic().message.clone() },
    };
    compiled.loaded.project.sources.values().map(look).collect()
}

/// The target and its lake.
fn place(compiled: &Compiled) -> String {
    let target = &compiled.loaded.project.target;
    format!("target `{}`, {}", target.name, json!(target.lake.to_string()))
}

/// Writes, refuses to overwrite, and removes again.
fn the_lake(compiled: &Compiled) -> Finding {
    let backend = LocalBackend::new(compiled.loaded.lake_root());
    let probe = format!("_karat/doctor-{}", std::process::id());
    let twice = backend
        .put_if_absent(&probe, b"probe", "first")
        .and_then(|first| Ok((first, backend.put_if_absent(&probe, b"again", "second")?)));
    backend.remove([probe]);
    let place = place(compiled);
    match twice {
        Ok((Put::Created, Put::Exists)) => {
            Finding { about: "lake", good: true, text: format!("{place}: writable, and nothing is overwritten") }
        }
        Ok(_) => Finding { about: "lake", good: false, text: format!("{place}: overwrites files that exist") },
        Err(error) => Finding { about: "lake", good: false, text: format!("{place}: {error}") },
    }
}
