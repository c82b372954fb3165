//! `karat doctor`: is everything here that a run needs?

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::Exit;
use crate::figures::bytes;
use crate::memory;
use crate::parallel::cores;
use crate::pipeline::{self, Compiled, Health, HealthFinding, Writers};
use crate::terminal::Tone;

/// Checks versions, machine, project, sources and the lake, and says what to do about what is wrong. In the lake it
/// lets many writers race for the same names, because commits rely on that only one of them wins.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

impl DoctorCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let mut findings = vec![pipeline::version_finding(), the_machine()];
        let compiled = app.load_and_compile(&self.project);
        let exit = match &compiled {
            Ok(compiled) => {
                let project = pipeline::project_finding(compiled);
                if project.verdict == Health::Bad {
                    app.console.diagnostics(&compiled.faults.all(), &compiled.loaded.files);
                }
                findings.push(project);
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

fn the_machine() -> HealthFinding {
    let memory = memory::memory().map_or_else(|| "memory unknown".to_owned(), |total| bytes(total as u64));
    HealthFinding::good("machine", format!("{} cores, {memory}", cores()))
}

/// What the store and the tables show, and for a folder the room on its disk.
fn the_lake(app: &App<'_>, compiled: &Compiled) -> Result<Vec<HealthFinding>, Exit> {
    let loaded = &compiled.loaded;
    let lake = app.lake(loaded, Writers::Many)?;
    let mut findings = vec![HealthFinding::good("lake", loaded.place())];
    findings.extend(pipeline::disk_finding(loaded));
    findings.extend(app.wait(&lake, pipeline::lake_findings(compiled, &lake))?);
    Ok(findings)
}
