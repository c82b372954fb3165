//! `karat snapshot`: keep the versions of rows.

use super::run::{BuildArgs, at_least_one};
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::name::NodeKind;

/// Takes the selected snapshots: rows of their queries that are new or changed since the last time become versions, and those
/// before them end. Their tests are run by `karat build` and `karat test`.
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotCommand {
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    defer: DeferArgs,
    /// Begin nothing more once a snapshot has failed
    #[arg(long, short = 'x')]
    fail_fast: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// Snapshots to take in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    threads: Option<usize>,
    #[command(flatten)]
    engine: EngineArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl SnapshotCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let what = BuildArgs {
            select: self.select,
            defer: self.defer,
            range: RangeArgs::default(),
            empty: false,
            full_refresh: false,
            fail_fast: self.fail_fast,
            reruns_tests: false,
            project: self.project,
            threads: self.threads,
            engine: self.engine,
            single_writer: self.single_writer,
        };
        done(what.compile(app).and_then(|compiled| what.build_untested(app, &compiled, &[NodeKind::Snapshot])))
    }
}
