//! `karat run`: build what is not up to date.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::builder::RangedU64ValueParser;
use serde_json::json;

use crate::check::Guards;
use crate::cli::app::{App, Compiled};
use crate::cli::args::{EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::lake::Writers;
use crate::cli::observed::workshop;
use crate::cli::planned::{Asked, Planned};
use crate::cli::progress::Progress;
use crate::cli::table_findings;
use crate::diag::Diagnostic;
use crate::figures::{bytes, counted, grouped, seconds};
use crate::name::{ModelName, TableName};
use crate::plan::announcement;
use crate::run::{self, Event, Failure, Outcome, RunReport, Workshop};
use crate::store::StoreError;

/// Builds the selected models that are not up to date, in the order of their dependencies. With --start, rebuilds
/// those slices of incremental models instead.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
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
    #[arg(long, conflicts_with = "start", help_heading = "Slices")]
    pub full_refresh: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Models to build in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    pub single_writer: bool,
}

impl Run {
    pub fn run(self, app: &App<'_>) -> Exit {
        let done = app.load_and_compile(&self.what.project);
        match done {
            Ok(mut compiled) => build(app, &mut compiled, &self.what, BTreeMap::new()),
            Err(exit) => exit,
        }
    }
}

/// A number of things that are done at the same time.
pub(crate) fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Plans and runs; the checks guard the commits.
pub(crate) fn build(app: &App<'_>, compiled: &mut Compiled, args: &BuildArgs, checks: Guards) -> Exit {
    if args.single_writer {
        compiled.loaded.writers = Writers::Single;
    }
    match try_build(app, compiled, args, checks) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn try_build(app: &App<'_>, compiled: &Compiled, args: &BuildArgs, checks: Guards) -> Result<Exit, Exit> {
    let started = Instant::now();
    let asked = Asked { select: &args.select, range: &args.range, full_refresh: args.full_refresh };
    let Planned { order, seen, windows, refresh, plan, .. } = Planned::of(app, compiled, asked, &checks)?;
    announcement(&plan).iter().for_each(|line| app.console.chat(line));
    let progress = Progress::new(app.console);
    let mut shop = workshop(app, compiled, seen, (&args.engine, refresh, &progress), checks)?;
    shop.windows = windows;
    let host = compiled.loaded.host.clone();
    let builds = plan.steps.iter().any(|step| step.decision.may_build());
    if builds {
        shop.git = host.git_revision();
    }
    let work = async {
        if builds {
            shop.lake.prove_once(&move || host.now()).await?;
        }
        let report = run::run(&plan, &shop, args.threads.unwrap_or(2)).await;
        let released = release(&shop, &order, &report).await;
        let orphans = if released.is_some() { orphans(&shop, compiled).await } else { Vec::new() };
        Ok((released, report, orphans))
    };
    let done: Result<_, StoreError> = app.wait(&shop.lake, work)?;
    tracing::info!(requests = %shop.lake.requests(), "the store was asked");
    let (released, report, orphans) = done.map_err(|error| app.report_failure(compiled, &Failure::from(error)))?;
    let exit = summarize(app, compiled, (&report, released), started);
    if let Some(first) = orphans.first() {
        let (more, them) = match orphans.len() - 1 {
            0 => (String::new(), "it"),
            more => (format!(" and {more} more"), "them"),
        };
        app.console.chat(&format!("no model makes `{first}`{more} any longer: `karat gc --orphans` removes {them}"));
    }
    Ok(exit)
}

/// Tables that this project has released and that no model makes any more. Only a run that releases something looks.
async fn orphans(shop: &Workshop<'_>, compiled: &Compiled) -> Vec<TableName> {
    let made = table_findings::written(compiled);
    let found = shop.lake.released_orphans(&made, &compiled.loaded.maker()).await;
    found.unwrap_or_else(|error| {
        tracing::info!(%error, "tables that no model makes any longer were not looked for");
        Vec::new()
    })
}

/// A run that did all of its work makes it visible at once.
pub(super) async fn release(shop: &Workshop<'_>, order: &[ModelName], report: &RunReport) -> Option<u64> {
    if !report.is_complete() {
        return None;
    }
    match run::publish_release(shop, order).await {
        Ok(number) => {
            if let Some(number) = number {
                tidy_up(shop, number).await;
            }
            number
        }
        Err(error) => {
            let text = format!("the tables are built, but not released: {error}; the next run will do it");
            shop.observer.event(&Event::Warning { text: &text });
            None
        }
    }
}

/// Best effort: what is left over costs only room.
async fn tidy_up(shop: &Workshop<'_>, release: u64) {
    match run::tidy_up(shop, release).await {
        Ok(tidied) if tidied.objects > 0 => {
            let (objects, size) = (counted(tidied.objects, "object"), bytes(tidied.bytes));
            tracing::info!("{objects} that no kept version needs were removed: {size}");
        }
        Ok(_) => {}
        Err(error) => tracing::info!(%error, "what no kept version needs was not removed: a later run will do it"),
    }
}

/// Says every failure and what was done.
pub(super) fn summarize(
    app: &App<'_>,
    compiled: &Compiled,
    (report, released): (&RunReport, Option<u64>),
    started: Instant,
) -> Exit {
    let count = |wanted: fn(&Outcome) -> bool| report.steps.iter().filter(|step| wanted(&step.outcome)).count();
    let built = count(|outcome| matches!(outcome, Outcome::Built));
    let unchanged = count(|outcome| matches!(outcome, Outcome::Unchanged));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped { .. }));
    let failures = report.steps.iter().filter_map(|step| match &step.outcome {
        Outcome::Failed(failure) => Some((&step.model, failure)),
        Outcome::Built | Outcome::Unchanged | Outcome::Skipped { .. } => None,
    });
    for (model, failure) in failures {
        app.report_failure(compiled, &of_model(compiled, model, failure));
    }
    let checks: Vec<_> = report.steps.iter().flat_map(|step| &step.checks).collect();
    let warnings = checks.iter().filter(|check| check.warns()).count();
    let tests = match (checks.len(), warnings) {
        (0, _) => String::new(),
        (all, 0) => format!(", {} tests passed", grouped(all as u64)),
        (all, warned) => format!(", {} tests passed, {warned} warned", grouped((all - warned) as u64)),
    };
    let parts = [(built, "built"), (unchanged, "unchanged"), (failed, "failed"), (skipped, "skipped")];
    let told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let tone = if failed > 0 { Tone::Bad } else { Tone::Good };
    let word = app.console.paint(tone, if failed > 0 { "failed" } else { "done" });
    let told = if told.is_empty() { "nothing to build".to_owned() } else { told.join(", ") };
    let text = format!("{word}: {told}{tests} in {}", seconds(started.elapsed()));
    let facts = json!({
        "built": built, "unchanged": unchanged, "failed": failed, "skipped": skipped,
        "tests": checks.len(), "test_warnings": warnings, "release": released,
        "milliseconds": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    app.console.say("summary", &text, facts);
    match (report.has_project_failure(), report.has_world_failure()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Unavailable,
        (false, false) => Exit::Done,
    }
}

/// A failure without a place of its own points at the model's file.
fn of_model(compiled: &Compiled, model: &ModelName, failure: &Failure) -> Failure {
    let place = |diagnostic: &Diagnostic| match compiled.loaded.project.models.get(model) {
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
