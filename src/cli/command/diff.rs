//! `karat diff`: how two states of a table differ.

use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::tables;
use crate::pipeline::{ComparedFacts, DiffRequest, DiffSide, Loaded, TablePlace, Writers};
use crate::shown::ReportOutput;

/// Compares two states of a table: its columns, its rows by slice, and its values by key. A state is a target (`prod`:
/// what it has released), `live`, `released`, `version=N`, `release=N` or `git=REVISION`, or both: `prod:live`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffCommand {
    /// The model, or its table: `schema.table`
    model: String,
    /// The state before: `prod`, `released`, `version=12`, `release=3`, `prod:live`
    #[arg(long, value_name = "STATE", value_parser = TablePlace::parse)]
    from: TablePlace,
    /// The state now [default: the newest version in the target]
    #[arg(long, value_name = "STATE", value_parser = TablePlace::parse)]
    to: Option<TablePlace>,
    /// The columns that tell rows apart [default: `unique_key`, or those of a test that they are unique]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// How many rows of each kind are shown; 0 shows all
    #[arg(long, default_value_t = 10, value_name = "ROWS")]
    limit: usize,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: ReportOutput,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl DiffCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let place = self.to.clone().unwrap_or(TablePlace::LIVE);
        let now = self.load(app, &place)?;
        let before = self.load(app, &self.from)?;
        let lake = app.lake(&now, Writers::Nobody)?;
        let other = app.lake(&before, Writers::Nobody)?;
        let to = tables::named(app, &now, &self.model)?;
        let request = DiffRequest {
            from: DiffSide {
                lake: &other,
                target: &before.project.target.name,
                table: tables::named(app, &before, &self.model)?,
                moment: self.from.moment.clone(),
                root: &before.workspace.root,
            },
            facts: ComparedFacts::new(&now, &to),
            to: DiffSide {
                lake: &lake,
                target: &now.project.target.name,
                table: to,
                moment: place.moment,
                root: &now.workspace.root,
            },
            key: self.key.clone(),
            most: (self.limit > 0).then_some(self.limit),
        };
        let engine = app.engine(&now, &lake, &self.engine)?;
        let found = app.wait(&lake, request.compare(&engine))?;
        let found = found.map_err(|failure| app.report(&now, &failure))?;
        app.console.with_out(|out| found.write(self.output, out));
        Ok(Exit::Done)
    }

    /// The project as the target of this state has it.
    fn load(&self, app: &App<'_>, place: &TablePlace) -> Result<Loaded, Exit> {
        let target = place.target.clone().or_else(|| self.project.target.clone());
        app.load(&ProjectArgs { target, ..self.project.clone() })
    }
}
