//! `karat docs`: what is known of a project, for those who read it.

use serde_json::json;

use crate::check::{Guards, StoredByDefault};
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{Compiled, SeenLake, SiteAddress, SiteServer, StoppedModels, Writers};

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
    /// Serve the page on this machine; it follows the tables while runs build them
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// The name or number of this machine by which the page is reached
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port; 0 takes one that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    #[command(flatten)]
    project: ProjectArgs,
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
        done(match self.what {
            DocsTask::Generate(args) => args.try_run(app),
            DocsTask::Serve(args) => args.try_run(app),
        })
    }
}

/// The project with its data tests; says what is wrong with it.
fn described(app: &App<'_>, project: &ProjectArgs) -> Result<(Compiled, Guards, StoppedModels), Exit> {
    let (compiled, guards) = app.checks(app.load_and_compile(project)?, StoredByDefault::default())?;
    let models = compiled.loaded.dag.models().cloned();
    let stopped = app.divided(&compiled, &SelectArgs::default(), models)?.stopped;
    Ok((compiled, guards, stopped))
}

impl ServeArgs {
    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let (compiled, guards, _) = described(app, &self.project)?;
        let loaded = &compiled.loaded;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let engine = app.engine(loaded, &lake, &EngineArgs::default())?;
        let refuse = |wrong| app.fail(wrong, &loaded.files, Exit::Unavailable);
        let at = app.wait(&lake, SiteAddress::bind(&self.host, self.port))?.map_err(refuse)?;
        let reach = if at.is_loopback() { "" } else { "; whoever reaches this machine can read it" };
        let text = format!("the page is at {}, until Ctrl-C{reach}", at.url());
        app.console.say("serving", &text, json!({"url": at.url()}));
        let hide = |text: &str| app.console.without_secrets(text);
        let server = SiteServer { compiled: &compiled, guards: &guards, lake: &lake, engine: &engine, hide: &hide };
        // To be stopped is how a server ends.
        app.wait(&lake, server.serve(&at)).or(Ok(Ok(())))?.map_err(refuse).map(|()| Exit::Done)
    }
}

impl GenerateArgs {
    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let (compiled, guards, stopped) = described(app, &self.project)?;
        let loaded = &compiled.loaded;
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
