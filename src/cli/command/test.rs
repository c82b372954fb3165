//! `karat test`: run unit tests in memory, and data tests on the tables as they are.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::analyze::Input;
use crate::check::CheckBatch;
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::progress::Progress;
use crate::diag::Diagnostic;
use crate::execute::{Tester, failed};
use crate::failure::Failure;
use crate::pipeline::{self, Compiled, ObservationScope, Shown, TestReport, TestTotals, Writers};
use crate::unit_test::UnitTestResult;

/// Runs the unit tests of the selected models in memory, and their data tests on the tables as they are.
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
        let mode = self.tests.indirect_selection;
        let selection = app.select(loaded, &self.select)?;
        let tested = selection.unit_tests(mode).map(|test| test.model.clone());
        let stopped = app.divided(&compiled, &self.select, selection.iter().cloned().chain(tested))?.stopped;
        let units = app.unit_tests(&compiled, &selection, mode)?;
        let tables = mode.tables(&selection, &loaded.dag);
        let mut batches: Vec<CheckBatch> = Vec::new();
        for (model, guards) in planned {
            batches.extend(guards.into_iter().filter(|batch| loaded.selects_test(&tables, batch, &model)));
        }
        let is_over = self.fail_fast && units.iter().any(|result| !result.passed());
        // Unit tests alone touch no lake.
        let report = match batches.is_empty() || is_over {
            true => TestReport::default(),
            false => self.data_tests(app, &compiled, &batches)?,
        };
        let wrong: Vec<Diagnostic> = units.iter().flat_map(UnitTestResult::diagnostics).collect();
        app.console.diagnostics(&wrong, &loaded.files);
        if let Some(failed) = failed(&report.results) {
            app.report(loaded, &Failure::Project(failed));
        }
        let mut told = BTreeSet::new();
        let new = report.failures.iter().filter(|failure| told.insert(&failure.diagnostic().message));
        let not_run = Exit::worst(new.map(|failure| app.report(loaded, failure)));
        let totals = TestTotals::new(&report, &batches, &units);
        app.console.say("summary", &totals.to_text(started.elapsed()), totals.to_json());
        Ok(if totals.failed > 0 { Exit::Failed } else { Exit::worst([stopped.exit(), not_run]) })
    }

    fn data_tests(&self, app: &App<'_>, compiled: &Compiled, batches: &[CheckBatch]) -> Result<TestReport, Exit> {
        let loaded = &compiled.loaded;
        let inputs: BTreeSet<Input> = batches.iter().flat_map(CheckBatch::inputs).collect();
        let lake = app.lake(loaded, Writers::Nobody)?;
        let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
        let catalog = app.observe(compiled, &lake, &scope)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        let tester = Tester { catalog: &catalog, engine: &engine, observer: &progress };
        app.wait(&lake, pipeline::test(&tester, batches, self.fail_fast))
    }
}
