//! `karat run`: build what is not up to date.

use std::time::Instant;

use clap::builder::RangedU64ValueParser;
use serde_json::json;

use crate::check::Guards;
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::failure::Failure;
use crate::figures::{counted, seconds};
use crate::name::{ModelName, NodeKind};
use crate::pipeline::{
    BuildRequest, Compiled, Done, Planned, RecordedRun, Refresh, RunCounts, RunEnd, RunMoment, RunPace, StoppedModels,
    TestedSelection, Workable, Writers,
};
use crate::select::Selection;
use crate::terminal::Progress;
use crate::terminal::Tone;

/// Builds the selected models that are not up to date, in the order of their dependencies. With --start, rebuilds
/// those slices of incremental models instead.
#[derive(Debug, clap::Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    pub what: BuildArgs,
}

/// What `run` and `build` are told.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub defer: DeferArgs,
    #[command(flatten)]
    pub range: RangeArgs,
    /// Rebuild every selected model in full, even if it is up to date
    #[arg(long, short = 'f', conflicts_with = "start", help_heading = "Slices")]
    pub full_refresh: bool,
    /// Check the models with empty inputs, types included: no row is read, nothing is built, and no table changes
    #[arg(long)]
    pub empty: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Models to build in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Begin nothing more once a model has failed
    #[arg(long, short = 'x')]
    pub fail_fast: bool,
    /// `build` has an option for it.
    #[arg(skip)]
    pub reruns_tests: bool,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    pub single_writer: bool,
}

impl RunCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.what.compile(app).and_then(|compiled| self.what.build_untested(app, &compiled, &[NodeKind::Model])))
    }
}

/// A number of things that are done at the same time.
pub(crate) fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl BuildArgs {
    /// The project with all that its tables are built from.
    pub fn compile(&self, app: &App<'_>) -> Result<Compiled, Exit> {
        app.load_deferring(&self.project, self.defer.request(self.select.state.as_ref()))
    }

    /// Plans and runs what is selected of these kinds.
    pub fn build_untested(&self, app: &App<'_>, compiled: &Compiled, kinds: &[NodeKind]) -> Result<Exit, Exit> {
        let selection = app.select(&compiled.loaded, &self.select)?;
        self.build(app, compiled, kinds, TestedSelection { selection, guards: Guards::new(), units: Vec::new() })
    }

    /// The same, with data tests without which nothing is committed.
    pub fn build(
        &self,
        app: &App<'_>,
        compiled: &Compiled,
        kinds: &[NodeKind],
        selected: TestedSelection,
    ) -> Result<Exit, Exit> {
        let started = Instant::now();
        let TestedSelection { selection, guards, units } = selected;
        let BuildArgs { select, range, full_refresh, .. } = self;
        let args = RequestArgs { select, selection: &selection, kinds, range, full_refresh: *full_refresh };
        let (request, stopped) = build_request(app, compiled, args)?;
        if self.empty {
            let text =
                format!("{} checked with empty inputs; nothing was built", counted(request.order.len(), "model"));
            app.console.say("checked", &text, json!({"models": request.order.len()}));
            return Ok(stopped.exit());
        }
        if self.fail_fast && !stopped.is_none() {
            return Err(Exit::Failed);
        }
        let writers = Writers::promised(self.single_writer);
        let _warned = app.write(&compiled.loaded, |artifacts| {
            artifacts.write_manifest(compiled, Some(&guards).filter(|_| !guards.is_empty()))
        });
        let lake = app.lake(&compiled.loaded, writers)?;
        let planned = app.look(&compiled.loaded, &lake, Planned::new(compiled, &lake, request, &guards))?;
        planned.changed_seeds().iter().for_each(|seed| tell_changed(app, seed));
        planned.announcement().iter().for_each(|line| app.console.chat(line));
        let progress = Progress::new(app.console);
        let recorder = app.recorder(compiled, &progress);
        stopped.tell(&recorder);
        let engine = app.engine(&compiled.loaded, &lake, &self.engine)?;
        app.hooks(compiled, &lake, &self.engine, RunMoment::Start)?;
        let selected = compiled.loaded.in_order(planned.request.order.iter().chain(stopped.models()));
        let run = planned.ready(compiled, engine, &recorder).guarded(guards, self.reruns_tests);
        let pace = RunPace { at_once: self.threads.unwrap_or(2), fail_fast: self.fail_fast };
        let done = app.wait(&lake, run.run(pace));
        let recorded =
            RecordedRun { compiled, recorder: &recorder, selected: &selected, tests: run.guards(), units: &units };
        let _warned = app.write(&compiled.loaded, |artifacts| artifacts.write_run_results(&recorded));
        app.keep_record(&lake, &recorded, RunEnd::new(run.identity(), done.as_ref().ok(), &stopped));
        let done = done?;
        tracing::info!(requests = %lake.requests(), "the store was asked");
        let done = done.map_err(|error| app.report(&compiled.loaded, &Failure::from(error)))?;
        let ended = app.hooks(compiled, &lake, &self.engine, RunMoment::End(&recorded));
        let exit = summarize(app, compiled, RunSummary { done: &done, stopped: &stopped, started });
        let exit = Exit::worst([exit, ended.err().unwrap_or(Exit::Done)]);
        // A model with errors may make a table elsewhere than it seems.
        if let Some(text) = done.orphan_notice().filter(|_| compiled.faults.is_empty()) {
            app.console.chat(&text);
        }
        Ok(exit)
    }
}

/// The options of a building command that say what is built.
pub(super) struct RequestArgs<'a> {
    pub select: &'a SelectArgs,
    /// What that selects.
    pub selection: &'a Selection,
    /// What of it may be built.
    pub kinds: &'a [NodeKind],
    pub range: &'a RangeArgs,
    pub full_refresh: bool,
}

/// What the options of a building command ask for.
pub(super) fn build_request(
    app: &App<'_>,
    compiled: &Compiled,
    args: RequestArgs<'_>,
) -> Result<(BuildRequest, StoppedModels), Exit> {
    let range = args.range.range().map_err(|wrong| app.fail(wrong, &compiled.loaded.files, Exit::Usage))?;
    let Workable { order, stopped } = app.workable_of(compiled, args.select, args.selection, args.kinds)?;
    let refresh = match (range, args.full_refresh) {
        (Some(range), _) => Refresh::Range(range),
        (None, true) => Refresh::Full,
        (None, false) => Refresh::Stale,
    };
    Ok((BuildRequest { order, refresh }, stopped))
}

/// A seed was edited and not loaded, and models are built of its table as it is.
fn tell_changed(app: &App<'_>, seed: &ModelName) {
    let word = app.console.paint(Tone::Warn, "warning");
    let text = format!("the seed `{seed}` has changed since it was loaded: `karat seed` loads it");
    app.console.say("warning", &format!("  {word}    {text}"), json!({"text": text, "seed": seed.as_str()}));
}

/// What a building command ends with.
pub(super) struct RunSummary<'s> {
    pub done: &'s Done,
    /// What could not be begun.
    pub stopped: &'s StoppedModels,
    pub started: Instant,
}

/// Says every failure and what was done.
pub(super) fn summarize(app: &App<'_>, compiled: &Compiled, summary: RunSummary<'_>) -> Exit {
    let RunSummary { done, stopped, started } = summary;
    for failure in compiled.failures_of(done) {
        app.report(&compiled.loaded, &failure);
    }
    let counts = RunCounts::new(done, stopped);
    let is_wrong = counts.is_wrong(stopped);
    let tone = if is_wrong { Tone::Bad } else { Tone::Good };
    let word = app.console.paint(tone, if is_wrong { "failed" } else { "done" });
    let text = format!("{word}: {} in {}", counts.text(), seconds(started.elapsed()));
    app.console.say("summary", &text, counts.facts(done.released, started.elapsed()));
    // What trying again cannot help decides over what it can.
    match (done.report.has_project_failure() || !stopped.is_none(), done.report.has_world_failure()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Unavailable,
        (false, false) => Exit::Done,
    }
}
