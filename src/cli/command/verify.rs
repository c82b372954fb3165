//! `karat verify`: show on the tables as they are that incremental equals full refresh.

use std::time::{Duration, Instant};

use super::run::at_least_one;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::figures::seconds;
use crate::name::NodeKind;
use crate::pipeline::{self, Compiled, Verification, VerificationSummary, Workable, Writers};
use crate::terminal::Progress;
use crate::terminal::Tone;
use crate::verify::{Request, Sample};

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
        let Workable { order, stopped } = app.workable(&compiled, &self.select, &NodeKind::BUILT)?;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        stopped.tell(&progress);
        let request = Request { sample: self.sample, windows: self.windows, threads: self.threads.unwrap_or(2) };
        let verification = Verification { order: &order, request };
        let reports = app.look(loaded, &lake, pipeline::verify(&compiled, &lake, verification, &engine, &progress))?;
        let summary = VerificationSummary { reports: &reports, stopped: &stopped };
        Ok(summarize(app, &compiled, &summary, started.elapsed()))
    }
}

/// Says what was found. A difference is an error; what could not be compared is none, and is counted apart.
fn summarize(app: &App<'_>, compiled: &Compiled, summary: &VerificationSummary<'_>, elapsed: Duration) -> Exit {
    for report in summary.reports {
        let diagnostics = pipeline::verification_diagnostics(compiled, report);
        app.console.diagnostics(&diagnostics, &compiled.loaded.files);
    }
    let unavailable =
        summary.failures().filter(|failure| app.report(&compiled.loaded, failure) != Exit::Failed).count();
    if let Some(text) = summary.trust() {
        app.console.chat(&text);
    }
    let is_wrong = summary.is_wrong(unavailable);
    let (word, tone) = match (is_wrong || unavailable > 0, summary.equal()) {
        (true, _) => ("failed", Tone::Bad),
        (false, 0) => ("nothing verified", Tone::Warn),
        (false, _) => ("verified", Tone::Good),
    };
    let text = format!("{}: {} in {}", app.console.paint(tone, word), summary.to_text(), seconds(elapsed));
    let facts = summary.to_json(elapsed);
    app.console.say("summary", &text, facts);
    match (is_wrong, unavailable) {
        (true, _) => Exit::Failed,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Unavailable,
    }
}
