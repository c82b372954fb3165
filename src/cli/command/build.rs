//! `karat build`: like run, but tests guard every commit.

use serde_json::json;

use super::run::BuildArgs;
use crate::check::{Guards, StoredByDefault};
use crate::cli::app::App;
use crate::cli::args::{StoreArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::name::NodeKind;
use crate::span::SourceFiles;
use crate::unit_test::UnitTestResult;

/// Builds the selected seeds, models and snapshots that are not up to date, after the unit tests of the models, and runs their data
/// tests on the new rows before anybody can see them. A table whose test fails stays as it was, and what depends on it is skipped.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildCommand {
    #[command(flatten)]
    pub what: BuildArgs,
    #[command(flatten)]
    tests: TestArgs,
    #[command(flatten)]
    store: StoreArgs,
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
        let tested = TestedKinds {
            data: is_wanted(BuiltType::Test),
            unit: is_wanted(BuiltType::UnitTest) && is_wanted(BuiltType::Model),
            stored: self.store.by_default(),
        };
        done(build_with_tests(app, &self.what, self.tests, tested, &kinds))
    }
}

/// Which tests a build runs.
#[derive(Clone, Copy)]
struct TestedKinds {
    data: bool,
    unit: bool,
    stored: StoredByDefault,
}

fn build_with_tests(
    app: &App<'_>,
    what: &BuildArgs,
    tests: TestArgs,
    tested: TestedKinds,
    kinds: &[NodeKind],
) -> Result<Exit, Exit> {
    let mut compiled = what.compile(app)?;
    let mut guards = Guards::new();
    if tested.data {
        (compiled, guards) = app.checks(compiled, tested.stored)?;
    }
    let mut selected = app.select_tests(&compiled, &what.select, tests, &guards)?;
    if tested.unit {
        selected.units = app.unit_tests(&compiled, &selected.selection)?;
        say_unit_tests(app, &selected.units);
        // A model is not built if one of its own fails.
        compiled.faults = compiled.faults.with_unit_tests(&selected.units);
    }
    what.build(app, &compiled, kinds, selected)
}

fn say_unit_tests(app: &App<'_>, results: &[UnitTestResult]) {
    if results.is_empty() {
        return;
    }
    let passed = results.iter().filter(|result| result.passed()).count();
    let failed = results.len() - passed;
    let text = format!("{} passed, {failed} failed", counted(passed, "unit test"));
    app.console.say("unit_tests", &text, json!({"passed": passed, "failed": failed}));
}

/// Loads, compiles, and builds with tests.
pub(crate) fn build_tested(app: &App<'_>, args: &BuildArgs) -> Exit {
    let kinds = NodeKind::BUILT;
    let tested = TestedKinds { data: true, unit: true, stored: StoredByDefault::default() };
    done(build_with_tests(app, args, TestArgs::default(), tested, &kinds))
}
