//! `karat clone`: the tables of another target as tables of this one.

use std::cell::Cell;
use std::time::Instant;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::execute::Unheard;
use crate::name::NodeKind;
use crate::pipeline::{
    CloneOutcome, CloneRequest, CloneTotals, DeferRequest, RecordedRun, RunEnd, RunIdentity, Workable, Writers,
    clone_tables,
};
use crate::terminal::Progress;

/// Copies the selected tables of another target, as it has released them, into this one, together with what is known of how they
/// were built: the next run builds only what was edited. Tables that are there stay as they are. After an interruption the same
/// command goes on with the others.
#[derive(Debug, clap::Args)]
pub(crate) struct CloneCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// The target whose tables are cloned [default: the `defer` of the target, else that of the manifest in --state]
    #[arg(long, value_name = "TARGET")]
    from: Option<String>,
    /// Replace tables that are there
    #[arg(long, short = 'f')]
    full_refresh: bool,
    /// Clone the newest version of every table, instead of the newest release
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl CloneCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let from = DeferRequest {
            is_asked: Some(true),
            to: self.from.as_deref(),
            state: self.select.state.as_deref(),
            is_favored: true,
            is_live: self.live,
            ..DeferRequest::default()
        };
        let compiled = app.load_deferring(&self.project, from)?;
        let loaded = &compiled.loaded;
        let Some(other) = &loaded.other else {
            let diagnostic = Diagnostic::error(Code::InvalidConfig, "a target cannot be cloned into itself");
            return Err(app.fail(diagnostic.help("`--from` names another one"), &loaded.files, Exit::Usage));
        };
        let Workable { order, stopped } = app.workable(&compiled, &self.select, &NodeKind::BUILT)?;
        let lake = app.lake(loaded, Writers::promised(self.single_writer))?;
        let progress = Progress::new(app.console);
        let totals = CloneTotals::default();
        let last = Cell::new(Instant::now());
        let identity = RunIdentity::new(loaded.workspace.host.clone(), true);
        let recorder = app.recorder(&compiled, &Unheard);
        let request = CloneRequest { identity: &identity, order, full_refresh: self.full_refresh };
        let tell = |model: &_, outcome: &CloneOutcome| {
            totals.add(outcome);
            outcome.record(&recorder, model);
            let before = last.replace(Instant::now());
            progress.cloned(model, outcome, &other.name, before.elapsed());
        };
        let released = app.look(loaded, &lake, clone_tables(&compiled, &lake, other, &request, &tell));
        let run = RecordedRun::without_tests(&compiled, &recorder, &request.order);
        app.keep_record(&lake, &run, Some(RunEnd::of_clone(&identity, released.as_ref().ok().copied())));
        let released = released?;
        let text = totals.to_text(&other.name, started.elapsed());
        app.console.say("summary", &text, json!({"totals": totals.to_json(), "release": released}));
        Ok(stopped.exit())
    }
}
