//! `karat history`: the versions of a table.

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::Exit;
use crate::cli::tables;
use crate::figures::{counted, grouped};
use crate::pipeline::{self, TableHistory, Version, Writers};
use crate::shown::{RowFormat, write_rows};

/// Lists the versions of a table, the newest first: when and why each was made, by which run, and of what revision of
/// the project. Times are UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryCommand {
    /// The model, or its table: `schema.table`
    model: String,
    /// Maximum number of versions; 0 shows all
    #[arg(long, default_value_t = 20, value_name = "VERSIONS")]
    limit: usize,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

impl HistoryCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let table = tables::named(app, &loaded, &self.model)?;
        let lake = app.lake(&loaded, Writers::Nobody)?;
        let most = if self.limit == 0 { usize::MAX } else { self.limit };
        let found = app.wait(&lake, pipeline::history(&lake, &table, most))?;
        let found = found.map_err(|failure| app.report(&loaded, &failure))?;
        let Some(found) = found else { return Err(tables::not_built(app, &loaded, &table)) };
        self.write(app, &found);
        let history = &found.history;
        let last = history.versions.last().map_or(history.newest, |oldest| oldest.version);
        if last > history.first {
            let shown = counted(history.versions.len(), "version");
            app.console.chat(&format!("the newest {shown}; `--limit 0` shows all"));
        } else if history.first > Version::FIRST {
            let first = grouped(history.first.number());
            app.console.chat(&format!("versions before {first} were removed and are no longer known"));
        }
        Ok(Exit::Done)
    }

    fn write(&self, app: &App<'_>, found: &TableHistory) {
        app.console.with_out(|out| {
            let batch = found.rows(self.output == RowFormat::Table).map_err(std::io::Error::other)?;
            write_rows(self.output, &batch.schema(), std::slice::from_ref(&batch), out)
        });
    }
}
