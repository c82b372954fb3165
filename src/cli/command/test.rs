//! `karat test`: run the data tests on the tables as they are.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use crate::analyze::Input;
use crate::check::{CheckBatch, CheckResult, Guards};
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::cli::observed::{Shown, observe_inputs, workshop};
use crate::cli::progress::Progress;
use crate::figures::{counted, seconds};
use crate::incremental::Refresh;
use crate::run::{Failure, Workshop, failed, run_checks};

/// Runs the data tests of the selected models on the tables as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Test {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let compiled = app.load_and_compile(&self.project)?;
        let selection = app.select(&compiled.loaded, &self.select.select, &self.select.exclude)?;
        let planned = app.checks(&compiled)?;
        let batches: Vec<CheckBatch> = planned
            .into_iter()
            .filter(|(model, _)| selection.contains(model))
            .flat_map(|(_, batches)| batches)
            .collect();
        let inputs: BTreeSet<Input> = batches.iter().flat_map(CheckBatch::inputs).collect();
        let seen = observe_inputs(app, &compiled, &inputs, Shown::Live)?;
        let progress = Progress::new(app.console);
        let shop = workshop(app, &compiled, seen, (&self.engine, Refresh::Stale, &progress), Guards::new())?;
        let (results, failures) = app.wait(&shop.lake, all(&shop, &batches))?;
        let all: usize = batches.iter().map(|batch| batch.checks.len()).sum();
        if let Some(failed) = failed(&results) {
            app.report_failure(&compiled, &Failure::Project(failed));
        }
        let mut told = BTreeSet::new();
        let new = failures.iter().filter(|failure| told.insert(&failure.diagnostic().message));
        let not_run = Exit::worst(new.map(|failure| app.report_failure(&compiled, failure)));
        let failed = results.iter().filter(|result| result.stops()).count();
        let warned = results.iter().filter(|result| result.warns()).count();
        let passed = results.len() - failed - warned;
        let not_run_too =
            if failures.is_empty() { String::new() } else { format!(", {} not run", all - results.len()) };
        let text = format!(
            "{} passed, {failed} failed, {warned} warned{not_run_too} in {}",
            counted(passed, "test"),
            seconds(started.elapsed())
        );
        app.console.say("summary", &text, json!({"passed": passed, "failed": failed, "warned": warned}));
        Ok(if failed > 0 { Exit::Failed } else { not_run })
    }
}

/// Runs every test: one whose table cannot be read says nothing about the others. A store that does not answer ends it.
async fn all(shop: &Workshop<'_>, batches: &[CheckBatch]) -> (Vec<CheckResult>, Vec<Failure>) {
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for batch in batches {
        match run_checks(shop, std::slice::from_ref(batch), None).await {
            Ok(found) => results.extend(found),
            Err(failure @ Failure::Project(_)) => failures.push(failure),
            Err(failure @ Failure::World(_)) => {
                failures.push(failure);
                break;
            }
        }
    }
    (results, failures)
}
