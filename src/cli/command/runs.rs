//! `karat runs`: what runs have done.

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::pipeline::{self, KeptRuns, Writers, rows_of_runs, run_text};
use crate::shown::{RowFormat, write_rows};
use crate::terminal::Tone;

/// Lists what runs have done, the newest first. Times are UTC. `karat query` reads the same from `karat.runs`,
/// `karat.steps`, `karat.slices` and `karat.tests`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunsCommand {
    #[command(subcommand)]
    one: Option<OneRun>,
    /// Maximum number of runs; 0 shows all
    #[arg(long, default_value_t = 20, value_name = "RUNS")]
    limit: usize,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

#[derive(Debug, clap::Subcommand)]
enum OneRun {
    /// Show what a run has done: each model, when and why, and the models that the run had to wait for
    Show {
        /// The beginning of its id, or `latest`
        #[arg(default_value = "latest")]
        id: String,
        /// Its record as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

impl RunsCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(match &self.one {
            None => self.list(app),
            Some(OneRun::Show { id, json, project }) => show(app, id, *json, project),
        })
    }

    fn list(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let lake = app.lake(&loaded, Writers::Nobody)?;
        let most = if self.limit == 0 { usize::MAX } else { self.limit };
        let found = app.look(&loaded, &lake, pipeline::runs(&lake, most))?;
        warn_of_unreadable(app, &found);
        app.console.with_out(|out| {
            let batch = rows_of_runs(&found.records, self.output == RowFormat::Table).map_err(std::io::Error::other)?;
            write_rows(self.output, &batch.schema(), std::slice::from_ref(&batch), out)
        });
        if found.more {
            app.console.chat(&format!("the newest {}; `--limit 0` shows all", counted(most, "run")));
        }
        Ok(Exit::Done)
    }
}

fn show(app: &App<'_>, id: &str, json: bool, project: &ProjectArgs) -> Result<Exit, Exit> {
    let loaded = app.load(project)?;
    let lake = app.lake(&loaded, Writers::Nobody)?;
    let found = app.look(&loaded, &lake, pipeline::runs_named(&lake, id))?;
    warn_of_unreadable(app, &found);
    let wrong = |message: String| {
        let diagnostic = Diagnostic::error(Code::UnknownRun, message).help("`karat runs` lists the runs");
        app.fail(diagnostic, &loaded.files, Exit::Failed)
    };
    match found.records.as_slice() {
        [] if id == "latest" => Err(wrong("nothing has been run yet".to_owned())),
        [] => Err(wrong(format!("no run has an id that begins with `{id}`"))),
        [one] if json => {
            app.console.data(&format!("{}\n", String::from_utf8_lossy(&one.to_bytes())));
            Ok(Exit::Done)
        }
        [one] => {
            app.console.show(&run_text(one));
            Ok(Exit::Done)
        }
        many => Err(wrong(format!("the ids of {} runs begin with `{id}`", many.len()))),
    }
}

fn warn_of_unreadable(app: &App<'_>, found: &KeptRuns) {
    for wrong in &found.unreadable {
        let word = app.console.paint(Tone::Warn, "warning");
        let text = format!("  {word}    a record of a run cannot be read: {wrong}");
        app.console.say("warning", &text, serde_json::json!({"text": wrong}));
    }
}
