//! `karat restore`: an old version of a table becomes its newest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::cli::app::{App, Loaded};
use crate::cli::args::ProjectArgs;
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::lake::Writers;
use crate::cli::tables;
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::name::TableName;
use crate::store::{About, Lake, Release, Released, Restoration, Restored, StoreError};
use crate::table::TableState;

/// Publishes an old version of a table as a new one: its rows, its columns, and what is known of how they were made.
/// The versions in between stay in the table's history. The next `karat run` builds what is then not up to date.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The next `karat run` rebuilds whatever is then out of date: fix the model first, or that run undoes \
    the restore."
)]
pub(crate) struct Restore {
    /// The model, or its table: `schema.table`
    model: String,
    /// The version to restore; `karat history` lists them
    #[arg(long, value_name = "VERSION")]
    version: u64,
    #[command(flatten)]
    project: ProjectArgs,
    /// For stores without conditional writes: you promise to be the only writer, ever. Recorded in the table
    #[arg(long, help_heading = "Project")]
    single_writer: bool,
}

/// What was done.
struct Done {
    restored: Restored,
    /// The number of the release, or why there is none.
    released: Result<Option<u64>, StoreError>,
    /// Why there is no checkpoint.
    checkpoint: Result<(), StoreError>,
}

impl Restore {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let mut loaded = app.load(&self.project)?;
        if self.single_writer {
            loaded.writers = Writers::Single;
        }
        let table = tables::named(app, &loaded, &self.model)?;
        let lake = loaded.lake(app)?;
        let now = loaded.host.now();
        let about = self.about(&loaded, (&table, now), lake);
        let host = loaded.host.clone();
        let work = async {
            let about = about?;
            lake.prove_once(&move || host.now()).await?;
            restore(lake, &table, self.version, &about).await
        };
        let done = app.wait(lake, work)?.map_err(|error| tables::failed(app, &loaded, error))?;
        let (version, text) = (self.version, table.to_string());
        match &done.restored {
            Restored::NoTable => Err(tables::not_built(app, &loaded, &table)),
            Restored::NoVersion { oldest, newest } => {
                let message = format!("`{table}` has no version {version} that can be restored");
                let help = format!("there are {oldest} to {newest}: `karat history {}`", self.model);
                let diagnostic = Diagnostic::error(Code::UnknownVersion, message).help(help);
                Err(app.fail(diagnostic, &loaded.files, Exit::Failed))
            }
            Restored::FilesGone { gone, of } => {
                let message = format!("version {version} of `{table}` has lost {gone} of its {}", counted(*of, "file"));
                let diagnostic = Diagnostic::error(Code::UnknownVersion, message)
                    .note("`karat gc` removes the files of versions that are older than its retention")
                    .help(format!("choose a newer version: `karat history {}`", self.model));
                Err(app.fail(diagnostic, &loaded.files, Exit::Failed))
            }
            Restored::Same(state) => {
                let what = if state.version == version { "is its newest version" } else { "is what it holds already" };
                let text = format!("nothing to do: version {version} of {text} {what}");
                app.console.say("unchanged", &text, json!({"table": table.to_string(), "version": state.version}));
                warn(app, &done);
                Ok(Exit::Done)
            }
            Restored::Committed(restoration) => {
                self.tell(app, &table, restoration, &done);
                Ok(Exit::Done)
            }
        }
    }

    fn about(
        &self,
        loaded: &Loaded,
        (table, now): (&TableName, DateTime<Utc>),
        lake: &Lake,
    ) -> Result<About, StoreError> {
        let random = lake.committer().random.token();
        let token = random.map_err(|source| StoreError::Unavailable { path: table.to_string(), source })?;
        Ok(About {
            token,
            model: table.table.clone(),
            run: now.format("%Y%m%dT%H%M%S%.6f").to_string(),
            why: format!("version {} was restored", self.version),
            git: loaded.host.git_revision(),
            made_as: None,
            now: now.timestamp_millis(),
        })
    }

    fn tell(&self, app: &App<'_>, table: &TableName, restoration: &Restoration, done: &Done) {
        let Restoration { state, added, removed, has_ledger } = restoration;
        let word = app.console.paint(Tone::Good, "restored");
        let text = format!(
            "{word}: {table} is at version {} now, which is version {} again ({} came back, {removed} went)",
            state.version,
            self.version,
            counted(*added, "file"),
        );
        let facts = json!({
            "table": table.to_string(), "version": state.version, "restored": self.version,
            "added": added, "removed": removed, "known": has_ledger,
            "release": done.released.as_ref().ok().copied().flatten(),
        });
        app.console.say("restored", &text, facts);
        warn(app, done);
        if !has_ledger {
            app.console.chat("it is not known any more what it was made of, so the next run builds all of it");
        }
        app.console.chat("the next `karat run` builds again what is not up to date");
    }
}

/// What failed after the commit, which stands.
fn warn(app: &App<'_>, done: &Done) {
    let failures = [
        ("readers are not shown it", done.released.as_ref().err()),
        ("no checkpoint was written", done.checkpoint.as_ref().err()),
    ];
    for (what, error) in failures.iter().filter_map(|(what, error)| Some((what, (*error)?))) {
        let word = app.console.paint(Tone::Warn, "warning");
        app.console.say("warning", &format!("{word}: {what}: {error}"), json!({"text": error.to_string()}));
    }
}

async fn restore(lake: &Lake, table: &TableName, version: u64, about: &About) -> Result<Done, StoreError> {
    let restored = lake.restore(table, version, about).await?;
    let (mut released, mut checkpoint) = (Ok(None), Ok(()));
    match &restored {
        Restored::Committed(restoration) => {
            checkpoint = lake.checkpoint(table, &restoration.state).await.map(drop);
            released = release(lake, table, &restoration.state, about).await;
        }
        // What was committed before may not have been released.
        Restored::Same(state) if state.version != version => released = release(lake, table, state, about).await,
        Restored::Same(_) | Restored::NoTable | Restored::NoVersion { .. } | Restored::FilesGone { .. } => {}
    }
    Ok(Done { restored, released, checkpoint })
}

/// Shows readers the table as it is now. Where nothing was ever released, they see the newest state of everything, and
/// a release of one table would hide the others.
async fn release(lake: &Lake, table: &TableName, state: &TableState, about: &About) -> Result<Option<u64>, StoreError> {
    if lake.newest_release().await?.is_none() {
        return Ok(None);
    }
    let released = Released { id: state.id.clone(), version: state.version, by: None };
    let tables = BTreeMap::from([(table.to_string(), released)]);
    lake.release(&Release { run: about.run.clone(), released: about.now, git: about.git.clone(), tables }).await
}
