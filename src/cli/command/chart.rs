//! `karat chart`: the charts of a model, in the terminal or as SVG.

use std::path::PathBuf;

use crate::chart::{TerminalStyle, in_terminal};
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{ChartDrawer, ChartFiles, Shown, Writers, charts_of, scope_of_charts};

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
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl ChartCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_and_compile(&self.project)?;
        let loaded = &compiled.loaded;
        let refuse = |diagnostic| app.fail(diagnostic, &loaded.files, Exit::Failed);
        app.refuse_broken(&compiled, &self.model)?;
        let model = app.model(&compiled, &self.model)?;
        let charts = charts_of(&compiled, &model.name, self.chart.as_deref()).map_err(refuse)?;
        let out = self.out.as_ref().map(|out| ChartFiles::new(&app.world.folder, out, &charts));
        let out = out.transpose().map_err(refuse)?;
        let lake = app.lake(loaded, Writers::Nobody)?;
        let shown = if self.live { Shown::Live } else { Shown::Released };
        let catalog = app.observe(&compiled, &lake, &scope_of_charts(&compiled, &charts, shown))?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let drawer = ChartDrawer { compiled: &compiled, catalog: &catalog, engine: &engine };
        let mut drawn = Vec::new();
        for chart in &charts {
            drawn.push(app.wait(&lake, drawer.draw(chart))?.map_err(|failure| app.report(loaded, &failure))?);
        }
        match out {
            Some(files) => {
                files.write(&drawn).map_err(|failure| app.fail(failure, &loaded.files, Exit::Unavailable))?;
                drawn.iter().for_each(|chart| app.console.chat(&format!("wrote {}", files.path(chart).display())));
            }
            None => {
                let manners = app.console.manners;
                let style = TerminalStyle { width: manners.width, has_colours: manners.data_colour };
                let texts: Vec<String> = drawn.iter().map(|chart| in_terminal(chart, style)).collect();
                app.console.show(&texts.join("\n"));
            }
        }
        Ok(Exit::Done)
    }
}
