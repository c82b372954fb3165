//! `karat plan`: what a run would build, and why, without building it.

use super::run::{RequestArgs, build_request};
use crate::check::Guards;
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::name::NodeKind;
use crate::pipeline::{Compiled, Planned, WantedSlice, Writers};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum PlanFormat {
    /// Text for people
    #[default]
    Text,
    /// One JSON object, for programs
    Json,
}

/// Shows what `karat run` with the same options would build, why, and how much there is to read. Changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    defer: DeferArgs,
    #[command(flatten)]
    range: RangeArgs,
    /// Plan a full refresh of every selected model
    #[arg(long, conflicts_with = "start", help_heading = "Slices")]
    full_refresh: bool,
    /// Show how the slices of each model read each of its inputs
    #[arg(long)]
    windows: bool,
    /// Explain one slice in full, down to its files; leave out DAY for a table without slices, or give `null` for
    /// the rows without a time
    #[arg(long, num_args = 1..=2, value_names = ["MODEL", "DAY"], conflicts_with = "windows")]
    why: Vec<String>,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    output: PlanFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

impl PlanCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_deferring(&self.project, self.defer.request(self.select.state.as_ref()))?;
        let loaded = &compiled.loaded;
        let wanted = match self.why.as_slice() {
            [] => None,
            [model, day @ ..] => Some(slice(app, &compiled, model, day.first())?),
        };
        let PlanCommand { select, range, full_refresh, .. } = &self;
        let selection = &app.select(loaded, select)?;
        let kinds = &NodeKind::BUILT;
        let what = RequestArgs { select, selection, kinds, range, full_refresh: *full_refresh };
        let (request, stopped) = build_request(app, &compiled, what)?;
        // A plan of a lake that does not exist yet makes no folder.
        let lake = app.lake(loaded, Writers::Nobody)?;
        let planned = app.look(loaded, &lake, Planned::new(&compiled, &lake, request, &Guards::new()))?;
        let planned = if planned.loads_files() {
            let engine = app.engine(loaded, &lake, &EngineArgs::default())?;
            app.wait(&lake, planned.with_arrivals(&engine))?.map_err(|failure| app.report(loaded, &failure))?
        } else {
            planned
        };
        let shown = match &wanted {
            Some(wanted) => {
                self.refuse_unselected(app, &compiled, &planned, wanted)?;
                let report = app.wait(&lake, planned.slice_report(&compiled, wanted))?;
                let report = report.map_err(|failure| app.report(loaded, &failure))?;
                self.formatted(|| report.to_text(), || report.to_json())
            }
            None => {
                let preview = app.wait(&lake, planned.preview(&compiled, self.windows))?;
                self.formatted(|| preview.to_text(self.windows), || preview.to_json())
            }
        };
        match self.output {
            PlanFormat::Text => app.console.show(&shown),
            PlanFormat::Json => app.console.data(&shown),
        }
        Ok(Exit::worst([stopped.exit(), app.report_all(loaded, &planned.blocks())]))
    }

    fn formatted(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> String) -> String {
        match self.output {
            PlanFormat::Text => text(),
            PlanFormat::Json => json(),
        }
    }

    /// Only what the plan is about can be explained.
    fn refuse_unselected(
        &self,
        app: &App<'_>,
        compiled: &Compiled,
        planned: &Planned<'_>,
        wanted: &WantedSlice,
    ) -> Result<(), Exit> {
        if planned.plan.steps.iter().any(|step| step.model == wanted.model) {
            return Ok(());
        }
        let message = format!("`{}` is not among the selected models", wanted.model);
        let diagnostic = Diagnostic::error(Code::EmptySelection, message).help("leave `--select` and `--exclude` out");
        Err(app.fail(diagnostic, &compiled.loaded.files, Exit::Failed))
    }
}

/// The slice that somebody names.
fn slice(app: &App<'_>, compiled: &Compiled, model: &str, day: Option<&String>) -> Result<WantedSlice, Exit> {
    let model = app.model(compiled, model)?;
    WantedSlice::named(model, day.map(String::as_str)).map_err(|wrong| {
        let exit = if wrong.code == Code::InvalidRange { Exit::Usage } else { Exit::Failed };
        app.fail(*wrong, &compiled.loaded.files, exit)
    })
}
