//! `karat restore`: an old version of a table becomes its newest.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::cli::tables;
use crate::figures::counted;
use crate::name::TableName;
use crate::pipeline::{self, Restoration, RestoreReport, Restored, Version, Writers};
use crate::terminal::Tone;

/// Publishes an old version of a table as a new one: its rows, its columns, and what is known of how they were made.
/// The versions in between stay in the table's history. The next `karat run` builds what is then not up to date.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The next `karat run` rebuilds whatever is then out of date: fix the model first, or that run undoes \
    the restore."
)]
pub(crate) struct RestoreCommand {
    /// The model, or its table: `schema.table`
    model: String,
    /// The version to restore; `karat history` lists them
    #[arg(long, value_name = "VERSION")]
    version: Version,
    #[command(flatten)]
    project: ProjectArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in the table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl RestoreCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let table = tables::named(app, &loaded, &self.model)?;
        let lake = app.lake(&loaded, Writers::promised(self.single_writer))?;
        let done = app.wait(&lake, pipeline::restore(&loaded, &lake, &table, self.version))?;
        let done = done.map_err(|failure| app.report(&loaded, &failure))?;
        let version = self.version;
        match &done.restored {
            Restored::NoTable => Err(tables::not_built(app, &loaded, &table)),
            Restored::NoVersion { .. } | Restored::FilesGone { .. } => {
                let refused = pipeline::refused_restore(&done.restored, &table, version, &self.model);
                Err(app.refuse(refused.as_slice(), &loaded))
            }
            Restored::Same(state) => {
                let what = if state.version == version { "is its newest version" } else { "is what it holds already" };
                let text = format!("nothing to do: version {version} of {table} {what}");
                app.console.say("unchanged", &text, json!({"table": table.to_string(), "version": state.version}));
                warn(app, &done);
                Ok(Exit::Done)
            }
            Restored::Committed(restoration) => {
                self.tell(app, &table, restoration, &done);
                Ok(Exit::Done)
            }
        }
    }

    fn tell(&self, app: &App<'_>, table: &TableName, restoration: &Restoration, done: &RestoreReport) {
        let Restoration { state, added, removed, has_ledger } = restoration;
        let word = app.console.paint(Tone::Good, "restored");
        let text = format!(
            "{word}: {table} is at version {} now, which is version {} again ({} came back, {removed} went)",
            state.version,
            self.version,
            counted(*added, "file"),
        );
        let facts = json!({
            "table": table.to_string(), "version": state.version, "restored": self.version,
            "added": added, "removed": removed, "known": has_ledger,
            "release": done.released.as_ref().ok().copied().flatten(),
        });
        app.console.say("restored", &text, facts);
        warn(app, done);
        if !has_ledger {
            app.console.chat("it is not known any more what it was made of, so the next run builds all of it");
        }
        app.console.chat("the next `karat run` builds again what is not up to date");
    }
}

/// What failed after the commit, which stands.
fn warn(app: &App<'_>, done: &RestoreReport) {
    let failures = [
        ("readers are not shown it", done.released.as_ref().err()),
        ("no checkpoint was written", done.checkpoint.as_ref().err()),
    ];
    for (what, error) in failures.iter().filter_map(|(what, error)| Some((what, (*error)?))) {
        let word = app.console.paint(Tone::Warn, "warning");
        app.console.say("warning", &format!("{word}: {what}: {error}"), json!({"text": error.to_string()}));
    }
}
