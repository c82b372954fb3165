//! `karat run`: build what is not up to date.

use std::time::Instant;

use clap::builder::RangedU64ValueParser;
use serde_json::json;

use crate::check::Guards;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::{Exit, done};
use crate::cli::progress::Progress;
use crate::diag::Diagnostic;
use crate::failure::Failure;
use crate::figures::{counted, seconds};
use crate::name::{ModelName, NodeKind};
use crate::pipeline::{
    BuildRequest, Compiled, Done, Outcome, Planned, Refresh, RunPace, StoppedModels, Workable, Writers,
};
use crate::plan::announcement;

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
    pub range: RangeArgs,
    /// Rebuild every selected model in full, even if it is up to date
    #[arg(long, short = 'f', conflicts_with = "start", help_heading = "Slices")]
    pub full_refresh: bool,
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
        done(
            app.load_and_compile(&self.what.project)
                .and_then(|compiled| self.what.build(app, &compiled, &[NodeKind::Model], Guards::new())),
        )
    }
}

/// A number of things that are done at the same time.
pub(crate) fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl BuildArgs {
    /// Plans and runs what is selected of these kinds; the guards are data tests without which nothing is committed.
    pub fn build(&self, app: &App<'_>, compiled: &Compiled, kinds: &[NodeKind], guards: Guards) -> Result<Exit, Exit> {
        let started = Instant::now();
        let args = RequestArgs { select: &self.select, range: &self.range, full_refresh: self.full_refresh };
        let (request, stopped) = build_request(app, compiled, args, kinds)?;
        if self.fail_fast && !stopped.is_none() {
            return Err(Exit::Failed);
        }
        let writers = if self.single_writer { Writers::Single } else { Writers::Many };
        let lake = app.lake(&compiled.loaded, writers)?;
        let planned = app.look(&compiled.loaded, &lake, Planned::new(compiled, &lake, request, &guards))?;
        planned.changed_seeds().iter().for_each(|seed| tell_changed(app, seed));
        announcement(&planned.plan).iter().for_each(|line| app.console.chat(line));
        let progress = Progress::new(app.console);
        stopped.tell(&progress);
        let engine = app.engine(&compiled.loaded, &lake, &self.engine)?;
        let run = planned.ready(compiled, engine, &progress).guarded(guards, self.reruns_tests);
        let done =
            app.wait(&lake, run.run(RunPace { at_once: self.threads.unwrap_or(2), fail_fast: self.fail_fast }))?;
        tracing::info!(requests = %lake.requests(), "the store was asked");
        let done = done.map_err(|error| app.report(&compiled.loaded, &Failure::from(error)))?;
        let exit = summarize(app, compiled, RunSummary { done: &done, stopped: &stopped, started });
        // A model with errors may make a table elsewhere than it seems.
        if let Some(first) = done.orphans.first().filter(|_| compiled.faults.is_empty()) {
            let (more, them) = match done.orphans.len() - 1 {
                0 => (String::new(), "it"),
                more => (format!(" and {more} more"), "them"),
            };
            app.console
                .chat(&format!("no model makes `{first}`{more} any longer: `karat gc --orphans` removes {them}"));
        }
        Ok(exit)
    }
}

/// The options of a building command that say what is built.
pub(super) struct RequestArgs<'a> {
    pub select: &'a SelectArgs,
    pub range: &'a RangeArgs,
    pub full_refresh: bool,
}

/// What the options of a building command ask for.
pub(super) fn build_request(
    app: &App<'_>,
    compiled: &Compiled,
    args: RequestArgs<'_>,
    kinds: &[NodeKind],
) -> Result<(BuildRequest, StoppedModels), Exit> {
    let range = args.range.range().map_err(|wrong| app.fail(wrong, &compiled.loaded.files, Exit::Usage))?;
    let Workable { order, stopped } = app.workable(compiled, args.select, kinds)?;
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
    let Done { report, released, .. } = done;
    let count = |wanted: fn(&Outcome) -> bool| report.steps.iter().filter(|step| wanted(&step.outcome)).count();
    let built = count(|outcome| matches!(outcome, Outcome::Built(_)));
    let unchanged = count(|outcome| matches!(outcome, Outcome::Unchanged));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_))) + stopped.broken();
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped { .. })) + stopped.skipped();
    let failures = report.steps.iter().filter_map(|step| match &step.outcome {
        Outcome::Failed(failure) => Some((&step.model, failure)),
        Outcome::Built(_) | Outcome::Unchanged | Outcome::Skipped { .. } => None,
    });
    for (model, failure) in failures {
        app.report(&compiled.loaded, &at_model(compiled, model, failure));
    }
    let checks: Vec<_> = report.steps.iter().flat_map(|step| &step.checks).collect();
    let warnings = checks.iter().filter(|check| check.warns()).count();
    let tests = match (checks.len(), warnings) {
        (0, _) => String::new(),
        (all, 0) => format!(", {} passed", counted(all, "test")),
        (all, warned) => format!(", {} passed, {warned} warned", counted(all - warned, "test")),
    };
    let same_tests: usize = report.steps.iter().map(|step| step.unchanged_tests).sum();
    let same = if same_tests == 0 { String::new() } else { format!(", {} unchanged", counted(same_tests, "test")) };
    let parts = [(built, "built"), (unchanged, "unchanged"), (failed, "failed"), (skipped, "skipped")];
    let told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let is_wrong = failed > 0 || !stopped.is_none();
    let tone = if is_wrong { Tone::Bad } else { Tone::Good };
    let word = app.console.paint(tone, if is_wrong { "failed" } else { "done" });
    let told = if told.is_empty() { "nothing to build".to_owned() } else { told.join(", ") };
    let text = format!("{word}: {told}{tests}{same} in {}", seconds(started.elapsed()));
    let facts = json!({
        "built": built, "unchanged": unchanged, "failed": failed, "skipped": skipped,
        "tests": checks.len(), "test_warnings": warnings, "tests_unchanged": same_tests, "release": released,
        "milliseconds": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    app.console.say("summary", &text, facts);
    // What trying again cannot help decides over what it can.
    match (report.has_project_failure() || !stopped.is_none(), report.has_world_failure()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Unavailable,
        (false, false) => Exit::Done,
    }
}

/// A failure without a place of its own points at the model's file.
fn at_model(compiled: &Compiled, model: &ModelName, failure: &Failure) -> Failure {
    let place = |diagnostic: &Diagnostic| match compiled.loaded.project.models.get(model) {
        Some(found) if diagnostic.labels.is_empty() && found.snapshot.is_some() => diagnostic.clone().at(found.place()),
        Some(found) if diagnostic.labels.is_empty() => {
            let end = compiled.loaded.files.text(found.file).lines().next().map_or(0, str::len);
            diagnostic.clone().at(crate::span::Span::new(found.file, 0..end))
        }
        _ => diagnostic.clone(),
    };
    match failure {
        Failure::Project(diagnostic) => Failure::Project(place(diagnostic)),
        Failure::World(diagnostic) => Failure::World(place(diagnostic)),
    }
}
