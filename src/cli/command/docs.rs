//! `karat docs`: what is known of a project, for those who read it.

use serde_json::json;

use crate::check::StoredByDefault;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{SeenLake, Writers};

/// Writes what is known of the project, for people and for other tools.
#[derive(Debug, clap::Args)]
pub(crate) struct DocsCommand {
    #[command(subcommand)]
    what: DocsTask,
}

#[derive(Debug, clap::Subcommand)]
enum DocsTask {
    /// Write manifest.json and catalog.json, and docs.html: a page of all nodes, their columns, lineage and freshness
    Generate(GenerateArgs),
}

#[derive(Debug, clap::Args)]
struct GenerateArgs {
    /// Do not look at the lake: the catalog has no tables
    #[arg(long)]
    empty_catalog: bool,
    #[command(flatten)]
    project: ProjectArgs,
}

impl DocsCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let DocsTask::Generate(args) = self.what;
        done(args.try_run(app))
    }
}

impl GenerateArgs {
    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let (compiled, guards) = app.checks(app.load_and_compile(&self.project)?, StoredByDefault::default())?;
        let loaded = &compiled.loaded;
        let stopped = app.divided(&compiled, &SelectArgs::default(), loaded.dag.models().cloned())?.stopped;
        let seen = match self.empty_catalog {
            true => SeenLake::Unseen,
            false => {
                let lake = app.lake(loaded, Writers::Nobody)?;
                let engine = app.engine(loaded, &lake, &EngineArgs::default())?;
                app.look(loaded, &lake, SeenLake::look(&compiled, &lake, &engine))?
            }
        };
        app.write(loaded, |artifacts| {
            artifacts.write_manifest(&compiled, Some(&guards))?;
            artifacts.write_catalog(&compiled, seen.catalog())?;
            artifacts.write_page(&seen.payload(&compiled, &guards))
        })?;
        let folder = app.artifacts.folder_of(loaded);
        app.console.say(
            "generated",
            &format!("manifest.json, catalog.json and the page docs.html are in {folder}"),
            json!({"folder": folder}),
        );
        Ok(stopped.exit())
    }
}
