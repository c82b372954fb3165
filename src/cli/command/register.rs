//! `karat register` and `karat attach`: the tables as other engines see them.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::Diagnostic;
use crate::figures::counted;
use crate::pipeline::{self, Loaded, QueryEngine, RegisterRequest, Registration, TableMoment, Writers};

/// Prints statements that make the tables visible in another engine: SQL, or Python for Polars. Comments say what the
/// engine needs, and which columns it reads differently. They hold no credentials, and can be run again.
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterCommand {
    /// The engine
    #[arg(long = "for", value_name = "ENGINE")]
    engine: QueryEngine,
    /// Show the tables as a release has them, the newest one if none is named, instead of their newest versions
    #[arg(long, value_name = "NUMBER", num_args = 0..=1)]
    release: Option<Option<u64>>,
    /// The catalog of the engine [default: `delta` of Trino, `spark_catalog` of Spark, `main` of Unity]
    #[arg(long, value_name = "NAME")]
    catalog: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    project: ProjectArgs,
}

/// Writes a file of views that `duckdb -init FILE` opens: every table as the newest release shows it, file by file, without an
/// extension of DuckDB.
#[derive(Debug, clap::Args)]
#[command(after_help = "`duckdb lake.duckdb < FILE` makes a database of the views.")]
pub(crate) struct AttachCommand {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "attach.sql")]
    out: PathBuf,
    /// Show the tables as an older release has them
    #[arg(long, value_name = "NUMBER", conflicts_with = "live")]
    release: Option<u64>,
    /// Show the newest version of every table, failed runs included, instead of the newest release
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    project: ProjectArgs,
}

impl RegisterCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let selection = app.select(&loaded, &self.select)?;
        let moment = match self.release {
            None => TableMoment::Live,
            Some(None) => TableMoment::Released,
            Some(Some(number)) => TableMoment::Release(number),
        };
        let catalog = self.catalog.as_deref();
        let request = RegisterRequest { selection: &selection, moment, is_pinned: false, catalog };
        let registration = look(app, &loaded, &request)?;
        let statements = registration.statements(self.engine);
        let statements = statements.map_err(|refused| refuse(app, &loaded, refused.into()))?;
        app.console.data(&statements);
        Ok(Exit::Done)
    }
}

impl AttachCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let selection = app.select(&loaded, &self.select)?;
        let moment = match (self.live, self.release) {
            (true, _) => TableMoment::Live,
            (false, None) => TableMoment::Released,
            (false, Some(number)) => TableMoment::Release(number),
        };
        let request = RegisterRequest { selection: &selection, moment, is_pinned: true, catalog: None };
        let registration = look(app, &loaded, &request)?;
        let views = registration.views_of_files().map_err(|refused| refuse(app, &loaded, refused.into()))?;
        pipeline::write_statements(&app.world.folder.join(&self.out), &views)
            .map_err(|failure| app.fail(failure, &loaded.files, Exit::Unavailable))?;
        registration.left_out().iter().for_each(|line| app.console.chat(line.trim_end_matches('.')));
        let path = self.out.display();
        let tables = registration.tables.len();
        let text = format!("wrote {} as views to {path}: `duckdb -init {path}`", counted(tables, "table"));
        app.console.say("attached", &text, json!({"tables": tables, "path": path.to_string()}));
        Ok(Exit::Done)
    }
}

fn look<'r>(app: &App<'_>, loaded: &'r Loaded, request: &RegisterRequest<'r>) -> Result<Registration<'r>, Exit> {
    let lake = app.lake(loaded, Writers::Nobody)?;
    app.wait(&lake, pipeline::registration(loaded, &lake, request))?.map_err(|failure| app.report(loaded, &failure))
}

fn refuse(app: &App<'_>, loaded: &Loaded, refused: Diagnostic) -> Exit {
    app.fail(refused, &loaded.files, Exit::Failed)
}
