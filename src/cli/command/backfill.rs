//! `karat backfill`: rebuild a range of slices in batches that commit alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::run::{at_least_one, release, summarize};
use crate::check::Guards;
use crate::cli::app::{App, Compiled, invalid_range};
use crate::cli::args::{EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::backfill_progress::BackfillProgress;
use crate::cli::exit::Exit;
use crate::cli::lake::Writers;
use crate::cli::observed::{observe, workshop};
use crate::day::TimeRange;
use crate::incremental::{Observed, Refresh, Windows};
use crate::name::ModelName;
use crate::plan::{BackfillPlan, Cutting};
use crate::run::{self, Failure};
use crate::span::SourceFiles;
use crate::store::{Released, StoreError};

/// Rebuilds the slices from --start to --end of the selected incremental models, whether they are up to date or not, in
/// batches of slices. Each batch is a commit of its own. After an interruption or a failure the same command goes on
/// where it stopped. Models that are built whole are built if they are not up to date.
#[derive(Debug, clap::Args)]
pub(crate) struct Backfill {
    #[command(flatten)]
    select: SelectArgs,
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

impl Backfill {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let Some(range) = self.range.range(app)? else {
            let diagnostic = invalid_range("no range was given", "say which days to rebuild: `--start` and `--end`");
            return Err(app.fail(diagnostic, &SourceFiles::default(), Exit::Usage));
        };
        let mut compiled = app.load_and_compile(&self.project)?;
        if self.single_writer {
            compiled.loaded.writers = Writers::Single;
        }
        let done = self.backfill(app, &compiled, range);
        if matches!(done, Ok(Exit::Failed | Exit::Unavailable) | Err(Exit::Interrupted)) {
            app.console.chat("finished batches are committed: the same command resumes with the others");
        }
        done
    }

    fn backfill(&self, app: &App<'_>, compiled: &Compiled, range: TimeRange) -> Result<Exit, Exit> {
        let started = Instant::now();
        let selection = app.select(&compiled.loaded, &self.select.select, &self.select.exclude)?;
        let models = compiled.loaded.dag.models().filter(|name| selection.contains(name));
        let order: Vec<ModelName> = models.cloned().collect();
        let seen = observe(app, compiled, &order, &Guards::new())?;
        let released = released(app, compiled)?;
        let cutting = Cutting { threads: self.threads.unwrap_or(2), batch_slices: self.batch_slices };
        let digests = run::digests(&seen.sources);
        let windows = Arc::new(Windows::new(&compiled.typed));
        let files = seen.files();
        let unreadable = seen.unreadable.clone();
        let observed = Observed {
            typed: &compiled.typed,
            windows: &windows,
            tables: &seen.tables,
            unreadable: &unreadable,
            sources: &digests,
            files: &files,
        };
        let plan = BackfillPlan::new(&order, (&observed, &released), (range, cutting));
        let progress = BackfillProgress::new(app.console);
        let settings = (&self.engine, Refresh::Stale, &progress as &dyn run::Observer);
        let mut shop = workshop(app, compiled, seen, settings, Guards::new())?;
        shop.windows = windows;
        let host = compiled.loaded.host.clone();
        shop.git = host.git_revision();
        let work = async {
            shop.lake.prove_once(&move || host.now()).await?;
            let report = run::backfill(&plan, &shop).await;
            Ok((release(&shop, &order, &report).await, report))
        };
        let done: Result<_, StoreError> = app.wait(&shop.lake, work)?;
        let (released, report) = done.map_err(|error| app.report_failure(compiled, &Failure::from(error)))?;
        drop(shop);
        drop(progress);
        Ok(summarize(app, compiled, (&report, released), started))
    }
}

/// The tables of the newest release: what is in it came to its end.
fn released(app: &App<'_>, compiled: &Compiled) -> Result<BTreeMap<String, Released>, Exit> {
    let lake = compiled.loaded.lake(app)?;
    let newest = app.wait(lake, lake.newest_release())?;
    let newest = newest.map_err(|error| app.report_failure(compiled, &Failure::from(error)))?;
    Ok(newest.map(|newest| newest.release.tables).unwrap_or_default())
}
