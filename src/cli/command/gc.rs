//! `karat gc`: remove what no version or release needs any more.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::tables;
use crate::failure::Failure;
use crate::pipeline::{GarbageCollection, RemovedObjects, Writers};
use crate::project::Retention;
use crate::terminal::Tone;

/// Removes what no version or release that is kept needs any more: data files, ledgers, log entries, old releases, and
/// what runs that were killed have left. Kept are the versions and releases that were the newest at any time within
/// the retention, and everything that is younger. Without --yes it only says what it would remove.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Kept are all versions and releases that were the newest at any time within the retention, the \
    versions that kept releases show, and everything younger than the retention."
)]
pub(crate) struct GcCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// How long replaced versions can still be read and restored; must exceed the longest run [default: the
    /// target's, else 7 days]
    #[arg(long, value_name = "DURATION", value_parser = Retention::parse)]
    retention: Option<Retention>,
    /// Also remove tables of this project and target that no model makes any longer, if nobody has written to them
    /// within the retention
    #[arg(long, conflicts_with_all = ["select", "exclude"])]
    orphans: bool,
    /// Remove the files; without this, only report them
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    project: ProjectArgs,
}

impl GcCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let mut loaded = if self.orphans { app.load_quietly(&self.project)? } else { app.load(&self.project)? };
        let retention = self.retention.unwrap_or(loaded.project.target.retention);
        let Some(horizon) = retention.horizon(loaded.host().now().naive_utc()) else {
            let facts = json!({"objects": 0, "bytes": 0});
            app.console.say("summary", "nothing to remove: everything is kept forever", facts);
            return Ok(Exit::Done);
        };
        let lake = app.lake(&loaded, Writers::Many)?;
        let horizon = horizon.and_utc().timestamp_millis();
        let word = app.console.paint(Tone::Quiet, if self.yes { "removed" } else { "to remove" });
        let say = |text: &str, facts| app.console.say("gc", text, facts);
        let total = RemovedObjects::new(self.yes);
        let mut collection = GarbageCollection { lake: &lake, horizon, removes: self.yes, word, say: &say, total };
        let mut written = None;
        if self.orphans {
            // A project with errors does not say which tables it makes.
            let compiled = app.whole(app.compile(loaded)?)?;
            written = Some(compiled.written_tables().map_err(|faults| app.refuse(&faults, &compiled.loaded))?);
            loaded = compiled.loaded;
        }
        let report = |failures: Vec<Failure>| app.report_all(&loaded, &failures);
        let tables = tables::of_models(&loaded, &app.select(&loaded, &self.select)?);
        let exit = report(app.wait(&lake, collection.collect(&tables))?.map_err(report)?);
        if let Some(written) = written {
            app.wait(&lake, collection.collect_orphans(&written, &loaded.maker(), retention))?.map_err(report)?;
        }
        let total = collection.total;
        let removed = app.console.paint(Tone::Good, "removed");
        app.console.say("summary", &total.to_text(&removed, self.orphans, retention), total.to_json());
        Ok(exit)
    }
}
