//! `karat test`: run unit tests in memory, and data tests on the tables as they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::run::at_least_one;
use crate::analyze::Input;
use crate::check::CheckBatch;
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, SelectArgs, StoreArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::Diagnostic;
use crate::execute::failed;
use crate::failure::Failure;
use crate::pipeline::{
    self, GeneratedTestRequest, Lake, ObservationScope, RecordedRun, Refresh, RunContext, RunEnd, RunIdentity,
    RunMoment, Shown, TestReport, TestTotals, TestedSelection, Writers,
};
use crate::terminal::Progress;
use crate::unit_test::UnitTestResult;

/// Runs the unit tests of the selected models in memory, and their data tests on the tables as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct TestCommand {
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    defer: DeferArgs,
    #[command(flatten)]
    tests: TestArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Write a unit test of this model from a few real rows of what it reads, and run nothing else
    #[arg(long, value_name = "MODEL", help_heading = "Generate", conflicts_with_all = ["select", "selector"])]
    generate: Option<String>,
    /// How many rows of each input the test is given
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Generate", value_parser = at_least_one())]
    rows: usize,
    /// Put the test into the properties file of its model
    #[arg(long, help_heading = "Generate", requires = "generate")]
    write: bool,
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
        if let Some(model) = &self.generate {
            return self.generate(app, model);
        }
        let started = Instant::now();
        let compiled = app.load_deferring(&self.project, self.defer.request(self.select.state.as_ref()))?;
        let (compiled, planned) = app.checks(compiled, self.store.by_default())?;
        let loaded = &compiled.loaded;
        let _warned = app.write(loaded, |artifacts| artifacts.write_manifest(&compiled, Some(&planned)));
        let mut tested = app.select_tests(&compiled, &self.select, self.tests, &planned)?;
        let models = tested.selection.unit_tests().map(|test| &test.model).chain(tested.selection.iter());
        let stopped = app.divided(&compiled, &self.select, models.cloned())?.stopped;
        let mut lake = None;
        if RunMoment::Start.has_hooks(loaded) {
            let opened = app.lake(loaded, Writers::Nobody)?;
            app.hooks(&compiled, &opened, &self.engine, RunMoment::Start)?;
            lake = Some(opened);
        }
        tested.units = app.unit_tests(&compiled, &tested.selection)?;
        let progress = Progress::new(app.console);
        let identity = RunIdentity::new(Arc::clone(&loaded.workspace.host), false);
        let recorder = app.recorder(&compiled, &progress);
        let is_over = self.fail_fast && tested.units.iter().any(|result| !result.passed());
        let TestedSelection { guards, units, .. } = &tested;
        let run = RecordedRun { compiled: &compiled, recorder: &recorder, selected: &[], tests: guards, units };
        // Unit tests alone touch no lake.
        let has_data_tests = !is_over && guards.values().any(|batches| !batches.is_empty());
        let stores = guards.values().flatten().any(|batch| batch.checks.iter().any(|check| check.stored.is_some()));
        if has_data_tests && (stores || lake.is_none()) {
            lake = Some(app.lake(loaded, if stores { Writers::Many } else { Writers::Nobody })?);
        }
        let report = match &lake {
            Some(lake) if has_data_tests => self.data_tests(app, lake, &run),
            Some(_) | None => Ok(TestReport::default()),
        };
        let _warned = app.write(loaded, |artifacts| artifacts.write_run_results(&run));
        // Unit tests alone leave no record: they look at no table.
        let end = RunEnd::of_tests(&identity, report.as_ref().ok(), units);
        match lake.as_ref().filter(|_| has_data_tests) {
            Some(lake) => app.keep_record(lake, &run, Some(end)),
            None => app.end_lineage(&run, Some(&end)),
        }
        let report = report?;
        let hooks = lake.map(|lake| app.hooks(&compiled, &lake, &self.engine, RunMoment::End(&run)));
        let hooks = hooks.and_then(Result::err).unwrap_or(Exit::Done);
        let wrong: Vec<Diagnostic> = units.iter().flat_map(UnitTestResult::diagnostics).collect();
        app.console.diagnostics(&wrong, &loaded.files);
        if let Some(failed) = failed(&report.results) {
            app.report(loaded, &Failure::Project(failed));
        }
        let mut told = BTreeSet::new();
        let new = report.failures.iter().filter(|failure| told.insert(&failure.diagnostic().message));
        let not_run = Exit::worst(new.map(|failure| app.report(loaded, failure)));
        let totals = TestTotals::new(&report, guards, units);
        app.console.say("summary", &totals.to_text(started.elapsed()), totals.to_json());
        Ok(if totals.failed > 0 { Exit::Failed } else { Exit::worst([stopped.exit(), not_run, hooks]) })
    }

    /// Writes a unit test of a model.
    fn generate(&self, app: &App<'_>, model: &str) -> Result<Exit, Exit> {
        let compiled = app.load_deferring(&self.project, self.defer.request(self.select.state.as_ref()))?;
        let loaded = &compiled.loaded;
        let model = app.model(&compiled, model)?;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let request = GeneratedTestRequest { rows: self.rows, writes: self.write };
        let test = pipeline::generate_test(&compiled, &lake, &engine, model, &request);
        let test = app.look(loaded, &lake, test)?;
        app.console.diagnostics(&test.warnings(), &loaded.files);
        if !self.write {
            app.console.show(&test.yaml);
            return Ok(Exit::Done);
        }
        test.write(&loaded.workspace).map_err(|fault| app.fail(fault, &loaded.files, Exit::Failed))?;
        app.console.say("edited", &test.written(), json!({"path": test.path, "unit_test": test.name}));
        Ok(Exit::Done)
    }

    fn data_tests(&self, app: &App<'_>, lake: &Lake, run: &RecordedRun<'_>) -> Result<TestReport, Exit> {
        let RecordedRun { compiled, recorder, tests, .. } = *run;
        let inputs: BTreeSet<Input> = tests.values().flatten().flat_map(CheckBatch::inputs).collect();
        let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
        let catalog = app.observe(compiled, lake, &scope)?;
        let engine = app.engine(&compiled.loaded, lake, &self.engine)?;
        let identity = RunIdentity::new(Arc::clone(&compiled.loaded.workspace.host), false);
        let context = RunContext::new(catalog, engine, Refresh::Stale, identity, recorder);
        app.wait(lake, pipeline::test(&context, tests, self.fail_fast))
    }
}
