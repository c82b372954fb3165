//! `karat query` and `karat show`: rows of the tables as they are.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use crate::analyze::{Planner, inputs_of, stored_schema};
use crate::cli::app::{App, Compiled};
use crate::cli::args::{EngineArgs, ProjectArgs};
use crate::cli::exit::Exit;
use crate::cli::observed::{Shown, observe_inputs, workshop};
use crate::cli::progress::Progress;
use crate::cli::rows::{self, RowFormat};
use crate::diag::{Code, Diagnostic, Sink};
use crate::figures::counted;
use crate::incremental::{Bound, Refresh, bind};
use crate::name::ModelName;
use crate::run::{Failure, Joins, Reader, Workshop, batches_of};
use crate::template::{self, TextInputs};

/// Runs one SELECT over the tables. They are named as in models, `{{ ref('daily_active_users') }}`, or plainly,
/// `gold.daily_active_users`.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// The SELECT to run
    sql: String,
    #[command(flatten)]
    shown: ShownArgs,
}

/// Shows rows of a model.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The model
    model: String,
    #[command(flatten)]
    shown: ShownArgs,
}

/// How rows are shown.
#[derive(Debug, clap::Args)]
struct ShownArgs {
    /// Maximum number of rows; 0 shows all
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    limit: usize,
    /// Read the newest version of every table, failed runs included, instead of the newest release
    #[arg(long)]
    live: bool,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Query {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(app.load_and_compile(&self.shown.project).and_then(|mut compiled| {
            let rows =
                query(app, &mut compiled, (&self.sql, self.shown.limit, self.shown.state()), &self.shown.engine)?;
            self.shown.write(app, &rows)
        }))
    }
}

impl Show {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(app.load_and_compile(&self.shown.project).and_then(|mut compiled| {
            let sql = self.sql(app, &compiled)?;
            let rows = query(app, &mut compiled, (&sql, self.shown.limit, self.shown.state()), &self.shown.engine)?;
            self.shown.write(app, &rows)
        }))
    }

    /// The whole model; the newest rows first where it has an event time.
    fn sql(&self, app: &App<'_>, compiled: &Compiled) -> Result<String, Exit> {
        let found = ModelName::parse(&self.model).ok().and_then(|name| compiled.typed.get(&name));
        let Some(model) = found else {
            let known = compiled.typed.keys().map(ModelName::as_str);
            let message = format!("no model is called `{}`", self.model);
            let diagnostic = Diagnostic::error(Code::UnknownRef, message).suggest(&self.model, known);
            return Err(app.fail(diagnostic.help("`karat ls` lists the models"), &compiled.loaded.files, Exit::Failed));
        };
        let order =
            model.event_time().map(|column| format!(" order by \"{column}\" desc nulls last")).unwrap_or_default();
        Ok(format!("select * from {{{{ ref('{}') }}}}{order}", model.name))
    }
}

fn done(result: Result<Exit, Exit>) -> Exit {
    match result {
        Ok(exit) | Err(exit) => exit,
    }
}

/// The rows of a query.
pub(crate) struct Rows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Whether there are more than were asked for.
    more: bool,
}

impl ShownArgs {
    fn state(&self) -> Shown {
        if self.live { Shown::Live } else { Shown::Released }
    }

    fn write(&self, app: &App<'_>, rows: &Rows) -> Result<Exit, Exit> {
        app.console.with_out(|out| rows::write(self.output, &rows.schema, &rows.batches, out));
        if rows.more {
            app.console.chat(&format!("the first {}; `--limit 0` shows all", counted(self.limit, "row")));
        }
        Ok(Exit::Done)
    }
}

/// Runs one SELECT.
pub(crate) fn query(
    app: &App<'_>,
    compiled: &mut Compiled,
    (sql, limit, shown): (&str, usize, Shown),
    engine: &EngineArgs,
) -> Result<Rows, Exit> {
    let plan = plan(app, compiled, sql)?;
    let seen = observe_inputs(app, compiled, &inputs_of(&plan), shown)?;
    let progress = Progress::new(app.console);
    let shop = workshop(app, compiled, seen, (engine, Refresh::Stale, &progress), BTreeMap::new())?;
    let rows = app.wait(&shop.lake, run(&shop, &plan, limit))?;
    rows.map_err(|error| app.report_failure(compiled, &Failure::from_engine(&error)))
}

fn plan(app: &App<'_>, compiled: &mut Compiled, sql: &str) -> Result<LogicalPlan, Exit> {
    let file = compiled.loaded.files.add("<query>", sql);
    let mut sink = Sink::default();
    let loaded = &compiled.loaded;
    let inputs =
        TextInputs { project: &loaded.project, rendered: &loaded.rendered, files: &loaded.files, host: &*loaded.host };
    let planned = template::render_text(inputs, file, &mut sink).and_then(|rendered| {
        Planner::new(&loaded.project, &loaded.rendered).query(&rendered, file, &compiled.typed, &mut sink)
    });
    app.console.diagnostics(&sink.take(), &loaded.files);
    planned.map_err(|_reported| Exit::Failed)
}

async fn run(shop: &Workshop<'_>, plan: &LogicalPlan, limit: usize) -> EngineResult<Rows> {
    let reader = Reader::new(shop, None).await;
    let mut plan = bind(plan, Bound::Whole, &mut |table| reader.provide(table))?;
    if limit > 0 {
        // One more than asked for, to know whether there are more.
        plan = LogicalPlanBuilder::from(plan).limit(0, Some(limit + 1))?.build()?;
    }
    let state = shop.session.state(Joins::Hash);
    let batches = batches_of(state, state.create_physical_plan(&plan).await?).await?;
    let schema = stored_schema(plan.schema().as_arrow());
    let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let more = limit > 0 && found > limit;
    let mut left = if limit > 0 { limit } else { found };
    let mut kept = Vec::new();
    for batch in batches {
        let rows = batch.num_rows().min(left);
        left -= rows;
        if rows > 0 {
            kept.push(batch.slice(0, rows));
        }
    }
    let schema = kept.first().map_or(schema, RecordBatch::schema);
    Ok(Rows { schema, batches: kept, more })
}
