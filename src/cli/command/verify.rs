//! `karat verify`: show on the tables as they are that incremental equals full refresh.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use super::run::at_least_one;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::failure::Failure;
use crate::figures::{counted, seconds};
use crate::name::NodeKind;
use crate::pipeline::{self, Compiled, StoppedModels, Verification, Workable, Writers};
use crate::terminal::Progress;
use crate::terminal::Tone;
use crate::verify::{Request, Sample, Verified};

/// Shows on the tables as they are that incremental equals full refresh: computes slices of the selected models again,
/// from those versions of their inputs that they were made of, and compares the rows. Writes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// Maximum number of slices per model, or `all`: the first, the newest, the largest, and some in between
    #[arg(long, value_name = "SLICES", default_value = "20", help_heading = "Slices")]
    sample: Sample,
    /// Also compare with the whole model: finds a declared lookback or lookahead that is too short
    #[arg(long, help_heading = "Slices")]
    windows: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// Models to verify in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    threads: Option<usize>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl VerifyCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let compiled = app.load_and_compile(&self.project)?;
        let loaded = &compiled.loaded;
        let Workable { order, stopped } =
            app.workable(&compiled, &self.select, &[NodeKind::Seed, NodeKind::Model, NodeKind::Snapshot])?;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        stopped.tell(&progress);
        let request = Request { sample: self.sample, windows: self.windows, threads: self.threads.unwrap_or(2) };
        let verification = Verification { order: &order, request };
        let reports = app.look(loaded, &lake, pipeline::verify(&compiled, &lake, verification, &engine, &progress))?;
        Ok(summarize(app, &compiled, VerifySummary { reports: &reports, stopped: &stopped, started }))
    }
}

/// What verification ends with.
struct VerifySummary<'s> {
    reports: &'s [Verified],
    /// What could not be begun.
    stopped: &'s StoppedModels,
    started: Instant,
}

/// Says what was found. A difference is an error; what could not be compared is none, and is counted apart.
fn summarize(app: &App<'_>, compiled: &Compiled, summary: VerifySummary<'_>) -> Exit {
    let VerifySummary { reports, stopped, started } = summary;
    let failures: Vec<&Failure> = reports.iter().filter_map(|report| report.failure.as_ref()).collect();
    for report in reports {
        let diagnostics = pipeline::verification_diagnostics(compiled, report);
        app.console.diagnostics(&diagnostics, &compiled.loaded.files);
    }
    let unavailable = failures.iter().filter(|failure| app.report(&compiled.loaded, failure) != Exit::Failed).count();
    let different: usize = reports.iter().map(Verified::different).sum();
    let is_wrong = different > 0 || failures.len() > unavailable || !stopped.is_none();
    let trusted = reports.iter().filter(|report| report.trusted).count();
    if trusted > 0 {
        let text =
            format!("the windows of {} are trusted as declared; `--windows` checks them", counted(trusted, "model"));
        app.console.chat(&text);
    }
    let equal: usize = reports.iter().map(|report| report.equal).sum();
    let unverified: usize = reports.iter().flat_map(|report| report.unverified.values()).sum();
    let (word, tone) = match (is_wrong || unavailable > 0, equal) {
        (true, _) => ("failed", Tone::Bad),
        (false, 0) => ("nothing verified", Tone::Warn),
        (false, _) => ("verified", Tone::Good),
    };
    let text =
        format!("{}: {} in {}", app.console.paint(tone, word), told(reports, stopped), seconds(started.elapsed()));
    let facts = json!({
        "equal": equal, "different": different, "unverified": unverified, "failed": failures.len(),
        "rounded": reports.iter().map(|report| report.rounded).sum::<usize>(),
        "models": reports.iter().filter(|report| report.equal > 0).count(),
        "models_not_verified": reports.iter().filter(|report| report.not_at_all.is_some()).count(),
        "windows_trusted": trusted,
        "milliseconds": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    app.console.say("summary", &text, facts);
    match (is_wrong, unavailable) {
        (true, _) => Exit::Failed,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Unavailable,
    }
}

/// `57 slices of 12 models equal a full refresh, 1 does not; 3 cannot be verified (the files of `raw.users` changed)`.
fn told(reports: &[Verified], stopped: &StoppedModels) -> String {
    let equal: usize = reports.iter().map(|report| report.equal).sum();
    let models = reports.iter().filter(|report| report.equal > 0).count();
    let verb = if equal == 1 { "equals" } else { "equal" };
    let equals = format!("{} of {} {verb} a full refresh", counted(equal, "slice"), counted(models, "model"));
    let mut parts = if equal > 0 { vec![equals] } else { Vec::new() };
    match reports.iter().map(Verified::different).sum::<usize>() {
        0 => {}
        1 if equal > 0 => parts.push("1 does not".to_owned()),
        more if equal > 0 => parts.push(format!("{more} do not")),
        more => parts.push(format!("{} not what a full refresh produces", counted(more, "slice"))),
    }
    let compared = Some(parts.join(", ")).filter(|told| !told.is_empty());
    let slices: usize = reports.iter().flat_map(|report| report.unverified.values()).sum();
    let whole = reports.iter().filter(|report| report.not_at_all.is_some()).count();
    let failed = reports.iter().filter(|report| report.failure.is_some()).count();
    let reasons: BTreeSet<&String> = reports.iter().flat_map(|report| report.unverified.keys()).collect();
    let reason = match reasons.first() {
        Some(only) if reasons.len() == 1 => format!(" ({only})"),
        _ => String::new(),
    };
    let parts = [
        (slices, format!("{} cannot be verified{reason}", counted(slices, "slice"))),
        (whole, format!("{} not verified", counted(whole, "model"))),
        (failed, format!("{} failed", counted(failed, "model"))),
        (stopped.broken(), format!("{} with errors", counted(stopped.broken(), "model"))),
        (stopped.skipped(), format!("{} skipped", counted(stopped.skipped(), "model"))),
    ];
    let more = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text);
    let all: Vec<String> = compared.into_iter().chain(more).collect();
    if all.is_empty() { "no stored model is selected".to_owned() } else { all.join("; ") }
}
