//! `karat build`: like run, but tests guard every commit.

use serde_json::json;

use super::run::BuildArgs;
use crate::check::Guards;
use crate::cli::app::App;
use crate::cli::args::TestArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::name::NodeKind;
use crate::pipeline::Compiled;
use crate::select::IndirectSelection;
use crate::span::SourceFiles;

/// Builds the selected seeds, models and snapshots that are not up to date, after the unit tests of the models, and runs their data
/// tests on the new rows before anybody can see them. A table whose test fails stays as it was, and what depends on it is skipped.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildCommand {
    #[command(flatten)]
    what: BuildArgs,
    #[command(flatten)]
    tests: TestArgs,
    /// Run the data tests of tables that are up to date, also those that have passed on what is there
    #[arg(long)]
    no_skip_tests: bool,
    /// Build only these kinds; without `test`, no data test guards a table
    #[arg(long, value_name = "TYPE", num_args = 1.., help_heading = "Selection")]
    resource_type: Vec<BuiltType>,
    /// Build everything but these kinds
    #[arg(long, value_name = "TYPE", num_args = 1.., help_heading = "Selection")]
    exclude_resource_type: Vec<BuiltType>,
}

/// What `build` builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BuiltType {
    Model,
    Seed,
    Snapshot,
    /// The data tests that guard them
    Test,
    /// The unit tests that are run before them
    #[value(name = "unit_test")]
    UnitTest,
}

impl BuildCommand {
    pub fn run(mut self, app: &App<'_>) -> Exit {
        self.what.reruns_tests = self.no_skip_tests;
        let is_wanted = |one: BuiltType| {
            (self.resource_type.is_empty() || self.resource_type.contains(&one))
                && !self.exclude_resource_type.contains(&one)
        };
        let built = [
            (BuiltType::Seed, NodeKind::Seed),
            (BuiltType::Model, NodeKind::Model),
            (BuiltType::Snapshot, NodeKind::Snapshot),
        ];
        let kinds: Vec<NodeKind> = built.into_iter().filter(|(one, _)| is_wanted(*one)).map(|(_, kind)| kind).collect();
        if kinds.is_empty() {
            let message = "neither models, seeds nor snapshots are left to build";
            let diagnostic = Diagnostic::error(Code::EmptySelection, message);
            let diagnostic = diagnostic.help("`karat test` runs data tests on the tables as they are");
            return app.fail(diagnostic, &SourceFiles::default(), Exit::Usage);
        }
        done(app.load_and_compile(&self.what.project).and_then(|compiled| {
            let has_units = is_wanted(BuiltType::UnitTest) && is_wanted(BuiltType::Model);
            let compiled = if has_units { self.unit_tested(app, compiled)? } else { compiled };
            if !is_wanted(BuiltType::Test) {
                return self.what.build(app, &compiled, &kinds, Guards::new());
            }
            let (compiled, guards) = app.checks(compiled)?;
            let guards = self.selected(app, &compiled, guards)?;
            self.what.build(app, &compiled, &kinds, guards)
        }))
    }
}

impl BuildCommand {
    /// Runs the unit tests. A model is not built if one of its own fails.
    fn unit_tested(&self, app: &App<'_>, compiled: Compiled) -> Result<Compiled, Exit> {
        let selection = app.select(&compiled.loaded, &self.what.select)?;
        let results = app.unit_tests(&compiled, &selection, self.tests.indirect_selection)?;
        if !results.is_empty() {
            let passed = results.iter().filter(|result| result.passed()).count();
            let failed = results.len() - passed;
            let text = format!("{} passed, {failed} failed", counted(passed, "unit test"));
            app.console.say("unit_tests", &text, json!({"passed": passed, "failed": failed}));
        }
        let faults = compiled.faults.with_unit_tests(&results);
        Ok(Compiled { faults, ..compiled })
    }

    /// The tests that guard what is built. By `eager` all of them do.
    fn selected(&self, app: &App<'_>, compiled: &Compiled, guards: Guards) -> Result<Guards, Exit> {
        let mode = self.tests.indirect_selection;
        if mode == IndirectSelection::Eager {
            return Ok(guards);
        }
        let loaded = &compiled.loaded;
        let selection = app.select(loaded, &self.what.select)?;
        let tables = mode.tables(&selection, &loaded.dag);
        let mut selected = Guards::new();
        for (model, batches) in guards {
            let kept = batches.into_iter().filter(|batch| loaded.selects_test(&tables, batch, &model));
            selected.insert(model.clone(), kept.collect());
        }
        Ok(selected)
    }
}

/// Loads, compiles, and builds with tests.
pub(crate) fn build_tested(app: &App<'_>, args: &BuildArgs) -> Exit {
    done(app.load_and_compile(&args.project).and_then(|compiled| {
        let (compiled, guards) = app.checks(compiled)?;
        args.build(app, &compiled, &[NodeKind::Seed, NodeKind::Model, NodeKind::Snapshot], guards)
    }))
}
