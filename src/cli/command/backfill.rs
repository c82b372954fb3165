//! `karat backfill`: rebuild a range of slices in batches that commit alone.

use std::time::Instant;

use super::run::{RunSummary, at_least_one, summarize};
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs, SelectArgs, invalid_range};
use crate::cli::exit::{Exit, done};
use crate::day::TimeRange;
use crate::failure::Failure;
use crate::name::NodeKind;
use crate::pipeline::{Compiled, PlannedBackfill, RecordedRun, RunEnd, RunMoment, Workable, Writers};
use crate::plan::Cutting;
use crate::span::SourceFiles;
use crate::terminal::BackfillProgress;

/// Rebuilds the slices from --start to --end of the selected incremental models, whether they are up to date or not, in
/// batches of slices. Each batch is a commit of its own. After an interruption or a failure the same command goes on
/// where it stopped. Models that are built whole are built if they are not up to date.
#[derive(Debug, clap::Args)]
pub(crate) struct BackfillCommand {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    defer: DeferArgs,
    #[command(flatten)]
    range: RangeArgs,
    /// Slices per batch [default: depends on the number of slices, at most 31 days]
    #[arg(long, value_name = "N", help_heading = "Slices", value_parser = at_least_one())]
    batch_slices: Option<usize>,
    #[command(flatten)]
    project: ProjectArgs,
    /// Batches to build in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    threads: Option<usize>,
    #[command(flatten)]
    engine: EngineArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl BackfillCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let range = self.range.range().and_then(|range| {
            let help = "say which days to rebuild: `--start` and `--end`";
            range.ok_or_else(|| invalid_range("no range was given", help))
        });
        let range = range.map_err(|wrong| app.fail(wrong, &SourceFiles::default(), Exit::Usage))?;
        let compiled = app.load_deferring(&self.project, self.defer.request(self.select.state.as_ref()))?;
        let done = self.backfill(app, &compiled, range);
        if matches!(done, Ok(Exit::Failed | Exit::Unavailable) | Err(Exit::Interrupted)) {
            app.console.chat("finished batches are committed: the same command resumes with the others");
        }
        done
    }

    fn backfill(&self, app: &App<'_>, compiled: &Compiled, range: TimeRange) -> Result<Exit, Exit> {
        let started = Instant::now();
        let loaded = &compiled.loaded;
        let Workable { order, stopped } = app.workable(compiled, &self.select, &[NodeKind::Model])?;
        let lake = app.lake(loaded, Writers::promised(self.single_writer))?;
        let cutting = Cutting { threads: self.threads.unwrap_or(2), batch_slices: self.batch_slices };
        let planned = app.look(loaded, &lake, PlannedBackfill::new(compiled, &lake, order, range, cutting))?;
        let progress = BackfillProgress::new(app.console);
        let recorder = app.recorder(compiled, &progress);
        stopped.tell(&recorder);
        let engine = app.engine(loaded, &lake, &self.engine)?;
        app.hooks(compiled, &lake, &self.engine, RunMoment::Start)?;
        let selected = loaded.in_order(planned.order.iter().chain(stopped.models()));
        let run = planned.ready(compiled, engine, &recorder);
        let done = app.wait(&lake, run.run());
        let recorded = RecordedRun::without_tests(compiled, &recorder, &selected);
        app.keep_record(&lake, &recorded, RunEnd::new(run.identity(), done.as_ref().ok(), &stopped));
        drop(run);
        let done = done?;
        let done = done.map_err(|error| app.report(loaded, &Failure::from(error)))?;
        let hooks = app.hooks(compiled, &lake, &self.engine, RunMoment::End(&recorded)).err();
        drop(recorder);
        drop(progress);
        let exit = summarize(app, compiled, RunSummary { done: &done, stopped: &stopped, started });
        Ok(Exit::worst([exit, hooks.unwrap_or(Exit::Done)]))
    }
}
