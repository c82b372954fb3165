//! `karat doctor`: is everything here that a run needs?

use std::path::Path;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::Exit;
use crate::figures::{bytes, counted};
use crate::host::OsHost;
use crate::memory;
use crate::parallel::cores;
use crate::pipeline::{self, Compiled, Health, HealthFinding, Writers};
use crate::project::LakeLocation;
use crate::terminal::Tone;

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
                findings.push(the_project(app, compiled));
                findings.extend(pipeline::source_findings(compiled));
                match the_lake(app, compiled) {
                    Ok(found) => {
                        findings.extend(found);
                        Exit::Done
                    }
                    Err(exit) => {
                        let text = format!("{}: it cannot be opened, as shown above", compiled.loaded.place());
                        findings.push(HealthFinding::bad("lake", text));
                        exit
                    }
                }
            }
            Err(exit) => {
                findings.push(HealthFinding::bad("project", "it has errors: they are shown above"));
                *exit
            }
        };
        findings.iter().for_each(|finding| tell(app, finding));
        match (exit, findings.iter().any(|finding| finding.verdict == Health::Bad)) {
            (Exit::Done, true) => Exit::Failed,
            (exit, _) => exit,
        }
    }
}

fn tell(app: &App<'_>, finding: &HealthFinding) {
    let (tone, word) = match finding.verdict {
        Health::Good => (Tone::Good, "ok"),
        Health::Warning => (Tone::Warn, "warn"),
        Health::Bad => (Tone::Bad, "wrong"),
    };
    let pad = " ".repeat(6_usize.saturating_sub(word.len()));
    let text = app.console.without_secrets(&finding.text);
    app.console.show(&format!("{}{pad}{:9} {text}\n", app.console.paint_data(tone, word), finding.about));
}

fn versions() -> HealthFinding {
    let text = format!("karat {}, DataFusion {}", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION);
    HealthFinding::good("versions", text)
}

fn the_machine() -> HealthFinding {
    let memory = memory::memory().map_or_else(|| "memory unknown".to_owned(), |total| bytes(total as u64));
    HealthFinding::good("machine", format!("{} cores, {memory}", cores()))
}

fn the_project(app: &App<'_>, compiled: &Compiled) -> HealthFinding {
    let project = &compiled.loaded.project;
    let models = compiled.typed.len();
    let sources = project.sources.len();
    let broken = compiled.faults.models().count();
    if broken > 0 {
        app.console.diagnostics(&compiled.faults.all(), &compiled.loaded.files);
        let text = format!("`{}`: {}: they are shown above", project.name.value, have_errors(broken));
        return HealthFinding::bad("project", text);
    }
    let text = format!("`{}`: {models} models, {sources} sources, all of them type-checked", project.name.value);
    HealthFinding::good("project", text)
}

fn have_errors(models: usize) -> String {
    let verb = if models == 1 { "has" } else { "have" };
    format!("{} {verb} errors", counted(models, "model"))
}

/// What the store and the tables show, and for a folder the room on its disk.
fn the_lake(app: &App<'_>, compiled: &Compiled) -> Result<Vec<HealthFinding>, Exit> {
    let loaded = &compiled.loaded;
    let lake = app.lake(loaded, Writers::Many)?;
    let mut findings = vec![HealthFinding::good("lake", loaded.place())];
    if let LakeLocation::Folder(folder) = &loaded.project.target.lake {
        findings.push(the_disk(&loaded.workspace.root.join(folder.trim_start_matches("./"))));
    }
    findings.extend(app.wait(&lake, pipeline::lake_findings(compiled, &lake))?);
    Ok(findings)
}

fn the_disk(folder: &Path) -> HealthFinding {
    match OsHost::free_bytes(folder) {
        Some(free) if free < LITTLE_SPACE => HealthFinding::warning("disk", format!("only {} are free", bytes(free))),
        Some(free) => HealthFinding::good("disk", format!("{} are free", bytes(free))),
        None => HealthFinding::warning("disk", "the free space is unknown"),
    }
}
