//! `karat doctor`: is everything here that a run needs?

use std::path::Path;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::machine;
use crate::figures::bytes;
use crate::host::OsHost;
use crate::pipeline::{self, Compiled, Finding, Verdict, Writers};
use crate::project::LakeLocation;

/// Checks versions, machine, project, sources and the lake, and says what to do about what is wrong. In the lake it
/// lets many writers race for the same names, because commits rely on that only one of them wins.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

/// Less free disk than this is worth a word.
const LITTLE_SPACE: u64 = 1 << 30;

impl DoctorCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let mut findings = vec![versions(), the_machine()];
        let compiled = app.load_and_compile(&self.project);
        let exit = match &compiled {
            Ok(compiled) => {
                findings.push(the_project(compiled));
                findings.extend(pipeline::source_findings(compiled));
                match the_lake(app, compiled) {
                    Ok(found) => {
                        findings.extend(found);
                        Exit::Done
                    }
                    Err(exit) => {
                        let text = format!("{}: it cannot be opened, as shown above", compiled.loaded.place());
                        findings.push(Finding::bad("lake", text));
                        exit
                    }
                }
            }
            Err(exit) => {
                findings.push(Finding::bad("project", "it has errors: they are shown above"));
                *exit
            }
        };
        findings.iter().for_each(|finding| tell(app, finding));
        match (exit, findings.iter().any(|finding| finding.verdict == Verdict::Bad)) {
            (Exit::Done, true) => Exit::Failed,
            (exit, _) => exit,
        }
    }
}

fn tell(app: &App<'_>, finding: &Finding) {
    let (tone, word) = match finding.verdict {
        Verdict::Good => (Tone::Good, "ok"),
        Verdict::Warning => (Tone::Warn, "warn"),
        Verdict::Bad => (Tone::Bad, "wrong"),
    };
    let pad = " ".repeat(6_usize.saturating_sub(word.len()));
    let text = app.console.without_secrets(&finding.text);
    app.console.show(&format!("{}{pad}{:9} {text}\n", app.console.paint_data(tone, word), finding.about));
}

fn versions() -> Finding {
    let text = format!("karat {}, DataFusion {}", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION);
    Finding::good("versions", text)
}

fn the_machine() -> Finding {
    let memory = machine::memory().map_or_else(|| "memory unknown".to_owned(), |total| bytes(total as u64));
    Finding::good("machine", format!("{} cores, {memory}", machine::cores()))
}

fn the_project(compiled: &Compiled) -> Finding {
    let project = &compiled.loaded.project;
    let models = compiled.typed.len();
    let sources = project.sources.len();
    let text = format!("`{}`: {models} models, {sources} sources, all of them type-checked", project.name.value);
    Finding::good("project", text)
}

/// What the store and the tables show, and for a folder the room on its disk.
fn the_lake(app: &App<'_>, compiled: &Compiled) -> Result<Vec<Finding>, Exit> {
    let loaded = &compiled.loaded;
    let lake = app.lake(loaded, Writers::Many)?;
    let mut findings = vec![Finding::good("lake", loaded.place())];
    if let LakeLocation::Folder(folder) = &loaded.project.target.lake {
        findings.push(the_disk(&loaded.workspace.root.join(folder.trim_start_matches("./"))));
    }
    findings.extend(app.wait(&lake, pipeline::lake_findings(compiled, &lake))?);
    Ok(findings)
}

fn the_disk(folder: &Path) -> Finding {
    match OsHost::free_bytes(folder) {
        Some(free) if free < LITTLE_SPACE => Finding::warning("disk", format!("only {} are free", bytes(free))),
        Some(free) => Finding::good("disk", format!("{} are free", bytes(free))),
        None => Finding::warning("disk", "the free space is unknown"),
    }
}
