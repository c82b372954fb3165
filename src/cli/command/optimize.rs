//! `karat optimize`: put the small files of tables together.

use std::time::Instant;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::memory;
use crate::name::NodeKind;
use crate::pipeline::{PlannedUpkeep, UpkeepOptions, Workable, Writers};
use crate::terminal::Progress;

/// Puts small files of the selected tables together, partition by partition, sorted by `sort_by`. Rows stay what they are: no
/// model becomes stale, and readers see the same.
#[derive(Debug, clap::Args)]
pub(crate) struct OptimizeCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// Only say what would be done, by table and partition, and why
    #[arg(long)]
    dry_run: bool,
    /// Files smaller than this are put together
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = memory::parse_size)]
    small: usize,
    /// The size up to which files are put together
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = memory::parse_size)]
    file_size: usize,
    /// Leave partitions with fewer small files alone
    #[arg(long, value_name = "FILES", default_value_t = 2)]
    min_files: usize,
    /// Write large files anew too: after `sort_by` has changed
    #[arg(long)]
    rewrite: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl OptimizeCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let compiled = app.load_and_compile(&self.project)?;
        let loaded = &compiled.loaded;
        let Workable { order, stopped } = app.workable(&compiled, &self.select, &NodeKind::BUILT)?;
        let writers = if self.dry_run { Writers::Nobody } else { Writers::promised(self.single_writer) };
        let lake = app.lake(loaded, writers)?;
        let options = UpkeepOptions {
            small_bytes: self.small as u64,
            file_bytes: self.file_size as u64,
            least_files: self.min_files,
            rewrites: self.rewrite,
        };
        let planned = app.look(loaded, &lake, PlannedUpkeep::new(&compiled, &lake, &order, options))?;
        for table in planned.tables.iter().filter(|table| self.dry_run || table.is_left()) {
            let text = table.to_text();
            if !text.is_empty() {
                app.console.say("planned", text.trim_end(), table.to_json());
            }
        }
        if self.dry_run {
            let text = planned.summary();
            app.console.say("summary", &text, json!({"tables": planned.tables.len(), "done": false}));
            return Ok(stopped.exit());
        }
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let progress = Progress::new(app.console);
        let tell = |model: &_, optimized: &_| progress.optimized(model, optimized);
        let totals = app.wait(&lake, planned.run(&compiled, engine, &progress, &tell))?;
        let totals = totals.map_err(|failure| app.report(loaded, &failure))?;
        app.console.say("summary", &totals.to_text(started.elapsed()), totals.to_json());
        Ok(stopped.exit())
    }
}
