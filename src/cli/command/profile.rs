//! `karat profile`: statistics of the columns of a model.

use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs, RangeArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{ProfileRequest, Profiler, Shown, Writers};
use crate::shown::ReportOutput;

/// Shows the statistics of a model's columns: nulls, smallest and largest values. What the metadata of the table's files tells
/// exactly is taken from there; one scan finds the rest. Each figure says where it comes from.
#[derive(Debug, clap::Args)]
#[command(mut_arg("start", |start| start.help("First day of the rows: `2023-05-01`; without --end, the only one")))]
#[command(mut_arg("end", |end| end.help("Last day of the rows, inclusive")))]
pub(crate) struct ProfileCommand {
    /// The model
    model: String,
    /// Only these columns
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// Count the different values of each column
    #[arg(long)]
    distinct: bool,
    /// Show how numbers, dates and timestamps are distributed
    #[arg(long)]
    histogram: bool,
    /// Show the N most frequent values of each column
    #[arg(long, value_name = "N", value_parser = super::run::at_least_one())]
    top: Option<usize>,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: ReportOutput,
    /// Read the newest version of the table, failed runs included, instead of the newest release
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    defer: DeferArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl ProfileCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_deferring(&self.project, self.defer.request(None))?;
        let loaded = &compiled.loaded;
        let model = app.model(&compiled, &self.model)?;
        let range = self.range.range().map_err(|wrong| app.fail(wrong, &loaded.files, Exit::Usage))?;
        let Self { columns, distinct, histogram, top, .. } = self;
        let request = &ProfileRequest { columns, range, distinct, histogram, top };
        let lake = app.lake(loaded, Writers::Nobody)?;
        let shown = if self.live { Shown::Live } else { Shown::Released };
        let catalog = &app.observe(&compiled, &lake, &ProfileRequest::scope(&compiled, model, shown))?;
        let engine = &app.engine(loaded, &lake, &self.engine)?;
        let profiler = Profiler { compiled: &compiled, catalog, engine, model, request };
        let found = app.wait(&lake, profiler.profile())?.map_err(|failure| app.report(loaded, &failure))?;
        app.console.with_out(|out| found.write(self.output, out));
        Ok(Exit::Done)
    }
}
