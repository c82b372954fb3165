//! `karat seed`: load the project's CSV files into tables.

use super::query::{QueryRequest, query};
use super::run::{BuildArgs, at_least_one};
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::name::NodeKind;
use crate::pipeline::{Compiled, Shown};
use crate::shown::{RowFormat, write_rows};

/// So many rows of each seed are shown.
const SHOWN_ROWS: usize = 10;

/// Loads the selected seeds, the CSV files of the project, into their tables if they changed. Their tests are run by
/// `karat build` and `karat test`.
#[derive(Debug, clap::Args)]
pub(crate) struct SeedCommand {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Load every selected seed, even if it did not change
    #[arg(long, short = 'f')]
    full_refresh: bool,
    /// Begin nothing more once a seed has failed
    #[arg(long, short = 'x')]
    fail_fast: bool,
    /// Show the first rows of each selected seed
    #[arg(long, help_heading = "Output")]
    show: bool,
    #[command(flatten)]
    project: ProjectArgs,
    /// Seeds to load in parallel [default: 2]
    #[arg(long, value_name = "N", help_heading = "Machine", value_parser = at_least_one())]
    threads: Option<usize>,
    #[command(flatten)]
    engine: EngineArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in every table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

impl SeedCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(app.load_and_compile(&self.project).and_then(|compiled| {
            let loaded = self.load(app, &compiled)?;
            if self.show && loaded == Exit::Done {
                self.show(app, &compiled)?;
            }
            Ok(loaded)
        }))
    }

    fn load(&self, app: &App<'_>, compiled: &Compiled) -> Result<Exit, Exit> {
        let what = BuildArgs {
            select: self.select.clone(),
            defer: DeferArgs::default(),
            range: RangeArgs::default(),
            empty: false,
            full_refresh: self.full_refresh,
            project: self.project.clone(),
            threads: self.threads,
            engine: self.engine.clone(),
            fail_fast: self.fail_fast,
            reruns_tests: false,
            single_writer: self.single_writer,
        };
        what.build_untested(app, compiled, &[NodeKind::Seed])
    }

    /// The tables as they are now, whatever has been released of them.
    fn show(&self, app: &App<'_>, compiled: &Compiled) -> Result<(), Exit> {
        for name in app.workable(compiled, &self.select, &[NodeKind::Seed])?.order {
            let sql = format!("select * from {{{{ ref('{name}') }}}}");
            let request = QueryRequest { sql: &sql, limit: SHOWN_ROWS, shown: Shown::Live };
            let found = query(app, compiled, request, &self.engine)?;
            app.console.show(&format!("{name}\n"));
            app.console.with_out(|out| write_rows(RowFormat::Table, &found.schema, &found.batches, out));
            if found.more {
                app.console.chat(&format!("the first {SHOWN_ROWS} rows; `karat show {name}` shows more"));
            }
        }
        Ok(())
    }
}
