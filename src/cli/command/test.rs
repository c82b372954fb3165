//! `karat test`: run the data tests on the tables as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::run::{BuildArgs, Seen, drive, report_failure, states, workshop};
use crate::analyze::Input;
use crate::check::PlannedCheck;
use crate::cli::app::{App, Compiled};
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::cli::progress::{Progress, seconds};
use crate::name::ModelName;
use crate::project::TestSeverity;
use crate::run::{Failure, run_checks};

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
        let mut compiled = app.compile(app.load(&self.project)?)?;
        let selection = app.select(&compiled.loaded, &self.select.select, &self.select.exclude)?;
        let planned = app.checks(&mut compiled)?;
        let checks: Vec<PlannedCheck> = planned
            .into_iter()
            .filter(|(model, _)| selection.contains(model))
            .flat_map(|(_, checks)| checks)
            .collect();
        let seen = observe_for(app, &compiled, &checks)?;
        let progress = Progress::new(app.console);
        let args = BuildArgs {
            engine: self.engine,
            ..BuildArgs::default()
        };
        let shop = workshop(app, &compiled, seen, (&args, &progress), BTreeMap::new())?;
        let outcome = drive(app, run_checks(&shop, &checks, None))?;
        let outcome = outcome.map_err(|failure| report_failure(app, &compiled, &failure))?;
        if let Some(failed) = outcome.failed() {
            report_failure(app, &compiled, &Failure::Project(failed));
        }
        let count = |severity: TestSeverity| {
            outcome
                .results
                .iter()
                .filter(|result| result.failures > 0 && result.severity == severity)
                .count()
        };
        let (failed, warned) = (count(TestSeverity::Error), count(TestSeverity::Warn));
        let passed = outcome.results.len() - failed - warned;
        let text = format!(
            "{passed} tests passed, {failed} failed, {warned} warned in {}",
            seconds(started.elapsed())
        );
        app.console.say(
            "summary",
            &text,
            json!({"passed": passed, "failed": failed, "warned": warned}),
        );
        Ok(if failed > 0 { Exit::Failed } else { Exit::Done })
    }
}

/// Reads the state of the tables that the tests look at.
fn observe_for(app: &App<'_>, compiled: &Compiled, checks: &[PlannedCheck]) -> Result<Seen, Exit> {
    let inputs = checks.iter().flat_map(|check| crate::analyze::inputs_of(&check.plan));
    let tables = inputs.filter_map(|input| match input {
        Input::Model(name) => compiled.typed.get::<ModelName>(&name).map(|model| model.table.clone()),
        Input::Source(_) | Input::This | Input::Quarantine(_) => None,
    });
    Ok(Seen {
        tables: states(app, compiled, &tables.collect())?,
        sources: BTreeMap::new(),
    })
}
