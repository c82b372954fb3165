//! `karat history`: the versions of a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampSecondArray, UInt64Array};
use arrow::error::ArrowError;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::Exit;
use crate::cli::tables;
use crate::figures::{counted, grouped};
use crate::pipeline::{self, CommitNote, PastVersion, TableHistory, Version, Writers};
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
            let batch = batch(found, self.output == RowFormat::Table).map_err(std::io::Error::other)?;
            write_rows(self.output, &batch.schema(), std::slice::from_ref(&batch), out)
        });
    }
}

/// The versions as rows. For people, what other writers say of themselves stands where karat tells why.
fn batch(found: &TableHistory, for_people: bool) -> Result<RecordBatch, ArrowError> {
    let versions = &found.history.versions;
    let note = |get: fn(&CommitNote) -> Option<String>| -> ArrayRef {
        Arc::new(versions.iter().map(|version| get(version.note.as_ref()?)).collect::<StringArray>())
    };
    let seconds = |version: &PastVersion| Some(version.timestamp?.div_euclid(1000));
    let times = versions.iter().map(seconds).collect::<TimestampSecondArray>().with_timezone("UTC");
    let numbers: ArrayRef =
        Arc::new(versions.iter().map(|version| Some(version.version.number())).collect::<UInt64Array>());
    let rows = versions.iter().map(|version| Some(version.note.as_ref()?.rows)).collect::<UInt64Array>();
    let states = versions.iter().map(|version| state(found, version)).collect::<StringArray>();
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("version", numbers, false),
        ("time", Arc::new(times), true),
        ("state", Arc::new(states), true),
        ("run", note(|note| Some(note.run.clone())), true),
        ("git", note(|note| Some(note.git.as_ref()?.chars().take(12).collect())), true),
        ("slices", note(|note| Some(note.slices.clone())), true),
        ("rows", Arc::new(rows), true),
    ];
    if for_people {
        let why = versions.iter().map(|version| Some(why(version))).collect::<StringArray>();
        columns.push(("why", Arc::new(why), true));
    } else {
        let text = |get: fn(&PastVersion) -> Option<&str>| -> ArrayRef {
            Arc::new(versions.iter().map(get).collect::<StringArray>())
        };
        columns.push(("why", note(|note| Some(note.why.clone())), true));
        columns.push(("operation", text(|version| version.operation.as_deref()), true));
        columns.push(("engine", text(|version| version.engine.as_deref()), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns)
}

/// Who sees the version: readers, the next run, or nobody any more.
fn state(found: &TableHistory, version: &PastVersion) -> Option<&'static str> {
    let newest = version.version == found.history.newest;
    let released = found.released == Some(version.version);
    match (newest, released, version.has_lost_files) {
        (true, true, false) => Some("newest, released"),
        (true, true, true) => Some("newest, released, files removed"),
        (true, false, false) => Some("newest"),
        (true, false, true) => Some("newest, files removed"),
        (false, true, false) => Some("released"),
        (false, true, true) => Some("released, files removed"),
        (false, false, true) => Some("files removed"),
        (false, false, false) => None,
    }
}

fn why(version: &PastVersion) -> String {
    if let Some(note) = &version.note {
        return note.why.clone();
    }
    let operation = version.operation.as_deref().unwrap_or("a change");
    format!("{operation} by {}", version.engine.as_deref().unwrap_or("another writer"))
}
