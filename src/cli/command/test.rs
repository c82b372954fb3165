//! `karat test`: run the data tests on the tables as they are.

use std::collections::BTreeSet;
use std::sync::Arc;
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
use crate::pipeline::{self, ObservationScope, RecordedRun, RunRecorder, Shown, TestReport, TestedSelection, Writers};

/// Runs the data tests of the selected models on the tables as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct TestCommand {
    #[command(flatten)]
    pub select: SelectArgs,
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
        let _warned = app.write(loaded, |artifacts| artifacts.write_manifest(&compiled, Some(&planned)));
        let TestedSelection { selection, guards: tests } =
            app.select_tests(&compiled, &self.select, self.tests, &planned)?;
        let stopped = app.divided(&compiled, &self.select, selection.iter().cloned())?.stopped;
        let inputs: BTreeSet<Input> = tests.values().flatten().flat_map(CheckBatch::inputs).collect();
        let lake = app.lake(loaded, Writers::Nobody)?;
        let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
        let catalog = app.observe(&compiled, &lake, &scope)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        let recorder = RunRecorder::new(&progress, Arc::clone(&loaded.workspace.host));
        let tester = Tester { catalog: &catalog, engine: &engine, observer: &recorder };
        let tested = app.wait(&lake, pipeline::test(&tester, &tests, self.fail_fast));
        let run = RecordedRun { compiled: &compiled, recorder: &recorder, selected: &[], tests: &tests };
        let _warned = app.write(loaded, |artifacts| artifacts.write_run_results(&run));
        let TestReport { results, failures } = tested?;
        let all: usize = tests.values().flatten().map(|batch| batch.checks.len()).sum();
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
