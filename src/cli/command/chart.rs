//! `karat chart`: the charts of a model, in the terminal or as SVG.

use std::path::PathBuf;

use crate::chart::{Chart, TerminalStyle, in_terminal};
use crate::cli::app::App;
use crate::cli::args::{DeferArgs, EngineArgs, ProjectArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{ChartDrawer, ChartFiles, Compiled, PlannedChart, Shown, Writers, charts_of, scope_of_charts};

/// Draws the charts that a model declares.
#[derive(Debug, clap::Args)]
pub(crate) struct ChartCommand {
    /// The model
    model: String,
    /// Draw this chart of the model only
    #[arg(long, value_name = "NAME")]
    chart: Option<String>,
    /// Write SVG instead: FILE.svg for one chart, or a folder
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Read the newest version of every table, failed runs included, instead of the newest release
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    defer: DeferArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl ChartCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_deferring(&self.project, self.defer.request(None))?;
        let loaded = &compiled.loaded;
        let refuse = |diagnostic| app.fail(diagnostic, &loaded.files, Exit::Failed);
        app.refuse_broken(&compiled, &self.model)?;
        let model = app.model(&compiled, &self.model)?;
        let charts = charts_of(&compiled, &model.name, self.chart.as_deref()).map_err(refuse)?;
        let out = self.out.as_ref().map(|out| ChartFiles::new(&app.world.folder, out, &charts));
        let out = out.transpose().map_err(refuse)?;
        let shown = if self.live { Shown::Live } else { Shown::Released };
        let drawn = draw(app, &compiled, &charts, shown, &self.engine)?;
        match out {
            Some(files) => {
                files.write(&drawn).map_err(|failure| app.fail(failure, &loaded.files, Exit::Unavailable))?;
                drawn.iter().for_each(|chart| app.console.chat(&format!("wrote {}", files.path(chart).display())));
            }
            None => show(app, &drawn),
        }
        Ok(Exit::Done)
    }
}

/// Draws charts of the tables as they are.
pub(super) fn draw(
    app: &App<'_>,
    compiled: &Compiled,
    charts: &[PlannedChart<'_>],
    shown: Shown,
    engine: &EngineArgs,
) -> Result<Vec<Chart>, Exit> {
    let loaded = &compiled.loaded;
    let lake = app.lake(loaded, Writers::Nobody)?;
    let catalog = app.observe(compiled, &lake, &scope_of_charts(compiled, charts, shown))?;
    let engine = app.engine(loaded, &lake, engine)?;
    let drawer = ChartDrawer { compiled, catalog: &catalog, engine: &engine };
    let mut drawn = Vec::new();
    for chart in charts {
        drawn.push(app.wait(&lake, drawer.draw(chart))?.map_err(|failure| app.report(loaded, &failure))?);
    }
    Ok(drawn)
}

/// Shows charts in the terminal.
pub(super) fn show(app: &App<'_>, charts: &[Chart]) {
    let manners = app.console.manners;
    let style = TerminalStyle { width: manners.width, has_colours: manners.data_colour };
    let texts: Vec<String> = charts.iter().map(|chart| in_terminal(chart, style)).collect();
    app.console.show(&texts.join("\n"));
}
