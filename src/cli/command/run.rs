//! `karat run`: build what is not up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Instant;

use clap::builder::RangedU64ValueParser;
use serde_json::json;

use crate::analyze::{Input, quarantine_table};
use crate::check::{CheckBatch, Guards};
use crate::cli::app::{App, Compiled};
use crate::cli::args::{EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::machine;
use crate::cli::progress::{Progress, counted, grouped, seconds};
use crate::diag::{Code, Diagnostic};
use crate::host::Host;
use crate::incremental::{Observed, Refresh};
use crate::name::{ModelName, TableName};
use crate::plan::{self, RunPlan};
use crate::run::{self, Failure, Observer, Outcome, RunReport, Session, SourceListing, Workshop, list_sources};
use crate::store::{Lake, LocalBackend};
use crate::table::Tables;

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
    /// Build every selected model whole, also those that are up to date
    #[arg(long, conflicts_with = "start", help_heading = "Slices")]
    pub full_refresh: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Models that are built at the same time [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArgs,
}

impl Run {
    pub fn run(self, app: &App<'_>) -> Exit {
        let done = app.load(&self.what.project).and_then(|loaded| app.compile(loaded));
        match done {
            Ok(compiled) => build(app, &compiled, &self.what, BTreeMap::new()),
            Err(exit) => exit,
        }
    }
}

/// A number of things that are done at the same time.
pub(crate) fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Everything that was looked at before a plan is made.
pub(crate) struct Seen {
    pub tables: Tables,
    pub sources: BTreeMap<TableName, SourceListing>,
}

/// Plans and runs; the checks guard the commits.
pub(crate) fn build(app: &App<'_>, compiled: &Compiled, args: &BuildArgs, checks: Guards) -> Exit {
    match try_build(app, compiled, args, checks) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn try_build(app: &App<'_>, compiled: &Compiled, args: &BuildArgs, checks: Guards) -> Result<Exit, Exit> {
    let started = Instant::now();
    let range = args.range.range(app)?;
    let selection = app.select(&compiled.loaded, &args.select.select, &args.select.exclude)?;
    let order: Vec<ModelName> = compiled.loaded.dag.models().filter(|name| selection.contains(name)).cloned().collect();
    let seen = observe(app, compiled, &order, &checks)?;
    let refresh = match (range, args.full_refresh) {
        (Some(range), _) => Refresh::Range(range),
        (None, true) => Refresh::Full,
        (None, false) => Refresh::Stale,
    };
    let digests = seen.sources.iter().map(|(name, listing)| (name.clone(), listing.digest.clone())).collect();
    let observed = Observed { typed: &compiled.typed, tables: &seen.tables, sources: &digests };
    let plan = plan::plan(&order, &observed, refresh, &tested_with(&checks));
    announce(app, &plan);
    let progress = Progress::new(app.console);
    let shop = workshop(app, compiled, seen, (args, &progress), checks)?;
    let report = drive(app, run::run(&plan, &shop, args.threads.unwrap_or(2)))?;
    Ok(summarize(app, compiled, &report, started))
}

/// The models that the tests of a model read.
fn tested_with(checks: &Guards) -> BTreeMap<ModelName, BTreeSet<ModelName>> {
    let read = |checks: &Vec<CheckBatch>| checks.iter().flat_map(CheckBatch::models).collect();
    checks.iter().map(|(model, checks)| (model.clone(), read(checks))).collect()
}

fn announce(app: &App<'_>, plan: &RunPlan) {
    let building = plan.steps.iter().filter(|step| step.build.is_some()).count();
    if building == 0 {
        return;
    }
    let reasons: BTreeMap<&str, usize> =
        plan.steps.iter().filter(|step| step.build.is_some()).fold(BTreeMap::new(), |mut counted, step| {
            *counted.entry(step.why.as_str()).or_default() += 1;
            counted
        });
    app.console.chat(&format!("{} of {} to build:", grouped(building as u64), counted(plan.steps.len(), "model")));
    for (why, count) in reasons {
        app.console.chat(&format!("  {count:>3}  {why}"));
    }
}

/// Lists the files of sources and reads the state of all tables that the models write or read.
pub(crate) fn observe(app: &App<'_>, compiled: &Compiled, order: &[ModelName], checks: &Guards) -> Result<Seen, Exit> {
    let mut wanted: BTreeSet<TableName> = BTreeSet::new();
    let mut sources = BTreeMap::new();
    let folder = LocalBackend::new(compiled.loaded.root.clone());
    let mut failed = None;
    for model in order.iter().filter_map(|name| compiled.typed.get(name)) {
        wanted.insert(model.table.clone());
        let tested = checks.get(&model.name).into_iter().flatten().flat_map(CheckBatch::models);
        wanted.extend(tested.filter_map(|name| compiled.typed.get(&name)).map(|model| model.table.clone()));
        for input in model.inputs() {
            match input {
                Input::Model(name) => wanted.extend(compiled.typed.get(&name).map(|model| model.table.clone())),
                Input::Quarantine(name) => {
                    wanted.extend(compiled.typed.get(&name).map(|model| quarantine_table(&model.table)))
                }
                Input::This => {}
                Input::Source(name) => {
                    wanted.insert(quarantine_table(&model.table));
                    let Some(source) = compiled.loaded.project.sources.get(&name) else {
                        continue;
                    };
                    if sources.contains_key(&name) {
                        continue;
                    }
                    match list_sources(&folder, source) {
                        Ok(listing) => {
                            sources.insert(name, listing);
                        }
                        Err(failure) => failed = Some(report_failure(app, compiled, &failure)),
                    }
                }
            }
        }
    }
    match failed {
        Some(exit) => Err(exit),
        None => Ok(Seen { tables: states(app, compiled, &wanted)?, sources }),
    }
}

/// A table's log names files by URL, in which a `%` means something else.
fn check_lake_path(app: &App<'_>, compiled: &Compiled) -> Result<(), Exit> {
    let root = compiled.loaded.lake_root();
    if !root.to_string_lossy().contains('%') {
        return Ok(());
    }
    let message = format!("the path of the lake has a `%`: {}", root.display());
    let diagnostic = Diagnostic::error(Code::Storage, message).help("give the folder another name");
    Err(app.fail(diagnostic, &compiled.loaded.files, Exit::Failed))
}

/// Reads tables, a few at a time.
pub(crate) fn states(app: &App<'_>, compiled: &Compiled, wanted: &BTreeSet<TableName>) -> Result<Tables, Exit> {
    app.check_lake(&compiled.loaded)?;
    check_lake_path(app, compiled)?;
    let lake = compiled.loaded.lake();
    let waiting = Mutex::new(wanted.iter());
    let found = Mutex::new(Vec::new());
    let work = |lake: &Lake| loop {
        let next = waiting.lock().expect("no thread panics while it holds this lock").next();
        let Some(name) = next else { break };
        let state = lake.observe(name);
        found.lock().expect("no thread panics while it holds this lock").push((name.clone(), state));
    };
    std::thread::scope(|scope| {
        for _ in 0..machine::cores().min(wanted.len()) {
            scope.spawn(|| work(&lake));
        }
    });
    let found = found.into_inner().expect("no thread panics while it holds this lock");
    let mut tables = Tables::new();
    for (name, state) in found {
        match state {
            Ok(state) => {
                tables.insert(name, state);
            }
            Err(error) => return Err(report_failure(app, compiled, &Failure::from(error))),
        }
    }
    Ok(tables)
}

/// A workshop over what was seen.
pub(crate) fn workshop<'a>(
    app: &App<'_>,
    compiled: &'a Compiled,
    seen: Seen,
    (args, observer): (&BuildArgs, &'a dyn Observer),
    checks: Guards,
) -> Result<Workshop<'a>, Exit> {
    let loaded = &compiled.loaded;
    let settings = loaded.engine(&args.engine);
    let now = loaded.host.now();
    if let Err(error) = loaded.lake().prepare() {
        let message = format!("the lake `{}` cannot be made: {error}", loaded.project.target.lake);
        let diagnostic =
            Diagnostic::error(Code::Storage, message).help("make the folder writable, or change the target");
        return Err(app.fail(diagnostic, &loaded.files, Exit::Unavailable));
    }
    let session = Session::open(settings).map_err(|error| {
        let diagnostic = Diagnostic::error(Code::RunFailed, error.strip_backtrace());
        app.fail(diagnostic, &loaded.files, Exit::Failed)
    })?;
    Ok(Workshop {
        project: &loaded.project,
        typed: &compiled.typed,
        lake: loaded.lake(),
        folder: LocalBackend::new(loaded.root.clone()),
        session,
        tables: Mutex::new(seen.tables),
        sources: seen.sources,
        checks,
        run_id: format!("{}", now.format("%Y%m%dT%H%M%S%.6f")),
        now,
        observer,
    })
}

/// Waits for the work, or for Ctrl-C: then the work is dropped, which cancels it and removes what was staged.
pub(crate) fn drive<T>(app: &App<'_>, work: impl Future<Output = T>) -> Result<T, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(machine::cores()).enable_all().build();
    let runtime = runtime.map_err(|error| {
        let diagnostic = Diagnostic::error(Code::RunFailed, format!("no threads could be started: {error}"));
        app.fail(diagnostic, &crate::span::SourceFiles::default(), Exit::Unavailable)
    })?;
    let done = runtime.block_on(async {
        tokio::select! {
            // The signal is listened for before the work begins.
            biased;
            _ = tokio::signal::ctrl_c() => None,
            done = work => Some(done),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    done.ok_or_else(|| {
        app.console.say("interrupted", "stopped; nothing half-built is visible", json!({}));
        Exit::Interrupted
    })
}

fn summarize(app: &App<'_>, compiled: &Compiled, report: &RunReport, started: Instant) -> Exit {
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
        report_failure(app, compiled, &of_model(compiled, model, failure));
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
        "tests": checks.len(), "test_warnings": warnings,
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

/// Says a failure, and gives its exit code.
pub(crate) fn report_failure(app: &App<'_>, compiled: &Compiled, failure: &Failure) -> Exit {
    let exit = match failure {
        Failure::Project(_) => Exit::Failed,
        Failure::World(_) => Exit::Unavailable,
    };
    app.fail(failure.diagnostic().clone(), &compiled.loaded.files, exit)
}
