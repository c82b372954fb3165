//! `karat build`: like run, but tests guard every commit.

use super::run::BuildArgs;
use crate::cli::app::App;
use crate::cli::exit::{Exit, done};
use crate::name::NodeKind;

/// Builds the selected seeds and models that are not up to date and runs their data tests on the new rows before anybody can
/// see them. A table whose test fails stays as it was, and what depends on it is skipped.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildCommand {
    #[command(flatten)]
    what: BuildArgs,
}

impl BuildCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        build_tested(app, &self.what)
    }
}

/// Loads, compiles, and builds with tests.
pub(crate) fn build_tested(app: &App<'_>, args: &BuildArgs) -> Exit {
    done(app.load_and_compile(&args.project).and_then(|compiled| {
        let guards = app.checks(&compiled)?;
        args.build(app, &compiled, &[NodeKind::Seed, NodeKind::Model], guards)
    }))
}
