//! `karat query` and `karat show`: rows of the tables as they are.

use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::Sink;
use crate::figures::counted;
use crate::pipeline::{self, Compiled, Rows, Shown, StoppedModels, Writers};
use crate::shown::{RowFormat, write_rows};

/// Runs one SELECT over the tables. They are named as in models, `{{ ref('daily_active_users') }}`, or plainly,
/// `gold.daily_active_users`.
#[derive(Debug, clap::Args)]
pub(crate) struct QueryCommand {
    /// The SELECT to run
    sql: String,
    #[command(flatten)]
    shown: ShownArgs,
}

/// Shows rows of a model.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowCommand {
    /// The model
    #[arg(required_unless_present_any = ["inline", "select"])]
    model: Option<String>,
    /// The model, as dbt names it
    #[arg(long, short, value_name = "MODEL", conflicts_with_all = ["model", "inline"])]
    select: Option<String>,
    /// Show the rows of this SELECT instead, as `karat query` does
    #[arg(long, value_name = "SQL", conflicts_with = "model")]
    inline: Option<String>,
    #[command(flatten)]
    shown: ShownArgs,
}

/// A number of rows; dbt's -1 is all of them.
fn rows_shown(text: &str) -> Result<usize, String> {
    match text {
        "-1" => Ok(0),
        other => other.parse().map_err(|_| "write a number of rows, or -1 for all".to_owned()),
    }
}

/// How rows are shown.
#[derive(Debug, clap::Args)]
struct ShownArgs {
    /// Maximum number of rows; 0 or -1 shows all
    #[arg(long, default_value = "20", value_name = "ROWS", value_parser = rows_shown, allow_negative_numbers = true)]
    limit: usize,
    /// Read the newest version of every table, failed runs included, instead of the newest release
    #[arg(long)]
    live: bool,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    defer: DeferArgs,
    /// The folder of a stored manifest: --defer reads the tables of its target
    #[arg(long, value_name = "DIR", help_heading = "Defer")]
    state: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl QueryCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let compiled = app.compile_for(&self.shown.project, &self.sql);
        done(compiled.and_then(|compiled| self.shown.write(app, compiled, &self.sql)))
    }
}

impl ShowCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        if let Some(sql) = self.inline {
            return QueryCommand { sql, shown: self.shown }.run(app);
        }
        done(app.load_and_compile(&self.shown.project).and_then(|compiled| {
            let sql = self.sql(app, &compiled)?;
            app.warn_of_others(&compiled.loaded, &compiled.faults, &StoppedModels::default())?;
            self.shown.write(app, compiled, &sql)
        }))
    }

    /// The whole model; the newest rows first where it has an event time.
    fn sql(&self, app: &App<'_>, compiled: &Compiled) -> Result<String, Exit> {
        let model = app.model(compiled, self.model.as_deref().or(self.select.as_deref()).unwrap_or_default())?;
        let order =
            model.event_time().map(|column| format!(" order by \"{column}\" desc nulls last")).unwrap_or_default();
        Ok(format!("select * from {{{{ ref('{}') }}}}{order}", model.name))
    }
}

impl ShownArgs {
    /// Runs a SELECT and writes its rows.
    fn write(&self, app: &App<'_>, mut compiled: Compiled, sql: &str) -> Result<Exit, Exit> {
        compiled.add_failing_rows(sql);
        let compiled = app.defer(compiled, &self.project, self.defer.request(self.state.as_ref()))?;
        let shown = if self.live { Shown::Live } else { Shown::Released };
        let rows = query(app, &compiled, QueryRequest { sql, limit: self.limit, shown }, &self.engine)?;
        app.console.with_out(|out| write_rows(self.output, &rows.schema, &rows.batches, out));
        if rows.more {
            app.console.chat(&format!("the first {}; `--limit 0` shows all", counted(self.limit, "row")));
        }
        Ok(Exit::Done)
    }
}

/// One SELECT.
pub(crate) struct QueryRequest<'r> {
    pub sql: &'r str,
    /// At most so many rows; 0: all.
    pub limit: usize,
    pub shown: Shown,
}

/// Runs one SELECT.
pub(crate) fn query(
    app: &App<'_>,
    compiled: &Compiled,
    request: QueryRequest<'_>,
    engine: &EngineArgs,
) -> Result<Rows, Exit> {
    let loaded = &compiled.loaded;
    // The text joins the project's files, so that an error can show it beside a model that it reads.
    let mut files = loaded.files.clone();
    let mut sink = Sink::default();
    let query = pipeline::Query::new(compiled, request.sql, &mut files, &mut sink);
    app.console.diagnostics(&sink.take(), &files);
    let query = query.map_err(|_reported| Exit::Failed)?;
    let lake = app.lake(loaded, Writers::Nobody)?;
    let catalog = app.observe(compiled, &lake, &query.scope(compiled, request.shown))?;
    let engine = app.engine(loaded, &lake, engine)?;
    let rows = app.wait(&lake, query.rows(&catalog, &engine, request.limit))?;
    rows.map_err(|failure| app.report(loaded, &failure))
}
