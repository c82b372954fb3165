//! `karat status`: how every model stands.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::figures::counted;
use crate::pipeline::{self, ModelStatus, Writers, rows_of_status};
use crate::shown::{RowFormat, write_rows};

/// Shows for each model whether it is up to date, its newest slice and how old that is, whether that keeps the promise of
/// its `freshness`, how its tests ended, and when it was last built. Fails if a model is older than it may be, if its last
/// step or a test of it failed, or if it has errors. What is only out of date is no failure: `karat run` builds it.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

impl StatusCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_and_compile(&self.project)?;
        let loaded = &compiled.loaded;
        let selection = app.select(loaded, &self.select)?;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let order = selection.iter().cloned().collect();
        let found = app.look(loaded, &lake, pipeline::status(&compiled, &lake, order))?;
        app.console.with_out(|out| {
            let batch = rows_of_status(&found, self.output == RowFormat::Table).map_err(std::io::Error::other)?;
            write_rows(self.output, &batch.schema(), std::slice::from_ref(&batch), out)
        });
        let wrong = found.iter().filter(|one| one.is_wrong()).count();
        let late = found.iter().filter(|one| one.is_late()).count();
        let text = format!("{}, {wrong} to see to, {late} late", counted(found.len(), "model"));
        app.console.say("summary", &text, json!({"models": found.len(), "wrong": wrong, "late": late}));
        Ok(if found.iter().any(ModelStatus::is_wrong) { Exit::Failed } else { Exit::Done })
    }
}
