//! `karat build`: like run, but tests guard every commit.

use super::run::BuildArgs;
use crate::cli::app::App;
use crate::cli::args::TestArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::name::NodeKind;
use crate::pipeline::Compiled;
use crate::span::SourceFiles;

/// Builds the selected seeds, models and snapshots that are not up to date and runs their data tests on the new rows before anybody can
/// see them. A table whose test fails stays as it was, and what depends on it is skipped.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildCommand {
    #[command(flatten)]
    pub what: BuildArgs,
    #[command(flatten)]
    tests: TestArgs,
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
}

impl BuildCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
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
            if !is_wanted(BuiltType::Test) {
                return self.what.build_untested(app, &compiled, &kinds);
            }
            build_with_tests(app, &self.what, compiled, self.tests, &kinds)
        }))
    }
}

fn build_with_tests(
    app: &App<'_>,
    what: &BuildArgs,
    compiled: Compiled,
    tests: TestArgs,
    kinds: &[NodeKind],
) -> Result<Exit, Exit> {
    let (compiled, guards) = app.checks(compiled)?;
    let selected = app.select_tests(&compiled, &what.select, tests, &guards)?;
    what.build(app, &compiled, kinds, selected)
}

/// Loads, compiles, and builds with tests.
pub(crate) fn build_tested(app: &App<'_>, args: &BuildArgs) -> Exit {
    let kinds = [NodeKind::Seed, NodeKind::Model, NodeKind::Snapshot];
    let compiled = app.load_and_compile(&args.project);
    done(compiled.and_then(|compiled| build_with_tests(app, args, compiled, TestArgs::default(), &kinds)))
}
