//! `karat test`: run the data tests on the tables as they are.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use crate::analyze::Input;
use crate::check::CheckBatch;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::progress::Progress;
use crate::execute::{Tester, failed};
use crate::failure::Failure;
use crate::figures::{counted, seconds};
use crate::pipeline::{self, ObservationScope, Shown, TestReport, TestedSelection, Writers};

/// Runs the data tests of the selected models on the tables as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct TestCommand {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    tests: TestArgs,
    /// Stop at the first test that fails
    #[arg(long, short = 'x')]
    fail_fast: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl TestCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let (compiled, planned) = app.checks(app.load_and_compile(&self.project)?)?;
        let loaded = &compiled.loaded;
        let TestedSelection { selection, guards } = app.select_tests(&compiled, &self.select, self.tests, &planned)?;
        let stopped = app.divided(&compiled, &self.select, selection.iter().cloned())?.stopped;
        let batches: Vec<CheckBatch> = guards.into_values().flatten().collect();
        let inputs: BTreeSet<Input> = batches.iter().flat_map(CheckBatch::inputs).collect();
        let lake = app.lake(loaded, Writers::Nobody)?;
        let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
        let catalog = app.observe(&compiled, &lake, &scope)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        let tester = Tester { catalog: &catalog, engine: &engine, observer: &progress };
        let TestReport { results, failures } = app.wait(&lake, pipeline::test(&tester, &batches, self.fail_fast))?;
        let all: usize = batches.iter().map(|batch| batch.checks.len()).sum();
        if let Some(failed) = failed(&results) {
            app.report(loaded, &Failure::Project(failed));
        }
        let mut told = BTreeSet::new();
        let new = failures.iter().filter(|failure| told.insert(&failure.diagnostic().message));
        let not_run = Exit::worst(new.map(|failure| app.report(loaded, failure)));
        let failed = results.iter().filter(|result| result.stops()).count();
        let warned = results.iter().filter(|result| result.warns()).count();
        let passed = results.len() - failed - warned;
        let not_run_too =
            if all == results.len() { String::new() } else { format!(", {} not run", all - results.len()) };
        let text = format!(
            "{} passed, {failed} failed, {warned} warned{not_run_too} in {}",
            counted(passed, "test"),
            seconds(started.elapsed())
        );
        app.console.say("summary", &text, json!({"passed": passed, "failed": failed, "warned": warned}));
        Ok(if failed > 0 { Exit::Failed } else { Exit::worst([stopped.exit(), not_run]) })
    }
}
