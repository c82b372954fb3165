//! `karat gc`: remove what no version or release needs any more.

use std::collections::BTreeSet;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::tables;
use crate::name::TableName;
use crate::pipeline::{
    Collection, Lake, Loaded, Orphan, Removal, RemovedObjects, Writers, kept_orphan, removed_orphan,
};
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
        let loaded = if self.orphans { app.load_quietly(&self.project)? } else { app.load(&self.project)? };
        let retention = self.retention(&loaded);
        let Some(horizon) = retention.horizon(loaded.host().now().naive_utc()) else {
            let facts = json!({"objects": 0, "bytes": 0});
            app.console.say("summary", "nothing to remove: everything is kept forever", facts);
            return Ok(Exit::Done);
        };
        let lake = app.lake(&loaded, Writers::Many)?;
        let horizon = horizon.and_utc().timestamp_millis();
        let mut collector = GarbageCollection { gc: &self, app, lake, horizon, total: RemovedObjects::new(self.yes) };
        let exit = if self.orphans {
            // A project with errors does not say which tables it makes.
            let compiled = app.whole(app.compile(loaded)?)?;
            let written = compiled.written_tables().map_err(|faults| app.refuse(&faults, &compiled.loaded))?;
            let exit = collector.collect(&compiled.loaded)?;
            collector.collect_orphans(&compiled.loaded, &written)?;
            exit
        } else {
            collector.collect(&loaded)?
        };
        let total = collector.total;
        let removed = app.console.paint(Tone::Good, "removed");
        app.console.say("summary", &total.to_text(&removed, self.orphans, retention), total.to_json());
        Ok(exit)
    }

    fn retention(&self, loaded: &Loaded) -> Retention {
        self.retention.unwrap_or(loaded.project.target.retention)
    }
}

/// A collection at work.
struct GarbageCollection<'c, 'a> {
    gc: &'c GcCommand,
    app: &'c App<'a>,
    lake: Lake,
    /// What is younger stays, in milliseconds since 1970.
    horizon: i64,
    total: RemovedObjects,
}

impl GarbageCollection<'_, '_> {
    /// What the tables of models and the lake itself do not need.
    fn collect(&mut self, loaded: &Loaded) -> Result<Exit, Exit> {
        let app = self.app;
        let selection = app.select(loaded, &self.gc.select)?;
        let tables = tables::of_models(loaded, &selection);
        let how = Collection { horizon: self.horizon, removes: self.gc.yes };
        let collected = app.wait(&self.lake, self.lake.collect(&tables, how))?;
        let collected = collected.map_err(|error| app.report(loaded, &error.into()))?;
        let mut wrong = Vec::new();
        for (table, removal) in collected.tables {
            match removal {
                Ok(removal) => self.tell(&table.to_string(), &removal),
                Err(error) => wrong.push(error),
            }
        }
        self.tell("the lake", &collected.lake);
        Ok(Exit::worst(wrong.into_iter().map(|error| app.report(loaded, &error.into()))))
    }

    fn collect_orphans(&mut self, loaded: &Loaded, written: &BTreeSet<TableName>) -> Result<(), Exit> {
        let app = self.app;
        let retention = self.gc.retention(loaded);
        let found = app.wait(&self.lake, self.lake.orphans(written, &loaded.maker()))?;
        let found = found.map_err(|error| app.report(loaded, &error.into()))?;
        for (table, reason) in found.unclear {
            let text = format!("  kept  {table}: no model makes it, and its origin is unknown: {reason}");
            app.console.say("gc", &text, json!({"of": table.to_string(), "removed": false, "kept": reason}));
        }
        // The store decides once more when it removes: somebody may have written to the table since it was listed.
        for orphan in found.tables {
            let mut kept = orphan.written >= self.horizon;
            if self.gc.yes && !kept {
                let removed =
                    app.wait(&self.lake, self.lake.remove_orphan(&orphan.table, &loaded.maker(), self.horizon))?;
                kept = removed.map_err(|error| app.report(loaded, &error.into()))?.is_none();
            }
            self.tell_orphan(&orphan, kept.then_some(retention));
        }
        Ok(())
    }

    fn tell_orphan(&mut self, orphan: &Orphan, kept: Option<Retention>) {
        let console = self.app.console;
        let text = match kept {
            Some(retention) => kept_orphan(orphan, retention),
            None => {
                self.total.add(orphan.objects, orphan.bytes);
                removed_orphan(orphan, &self.word())
            }
        };
        console.say("gc", &text, self.total.orphan(orphan, kept.is_none()));
    }

    /// What was found in one table.
    fn tell(&mut self, of: &str, removal: &Removal) {
        if !removal.is_empty() {
            let word = self.word();
            let (text, facts) = self.total.removal(of, removal, &word);
            self.app.console.say("gc", &text, facts);
        }
    }

    fn word(&self) -> String {
        self.app.console.paint(Tone::Quiet, if self.gc.yes { "removed" } else { "to remove" })
    }
}
