//! `karat gc`: remove what no version or release needs any more.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::cli::tables;
use crate::figures::{bytes, counted, grouped};
use crate::name::TableName;
use crate::pipeline::{Collection, Lake, Loaded, Orphan, Removal, Writers};
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

/// How many objects, and how many bytes.
#[derive(Debug, Clone, Copy, Default)]
struct RemovedObjects {
    objects: usize,
    bytes: u64,
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
        let mut collector = GarbageCollection { gc: &self, app, lake, horizon, total: RemovedObjects::default() };
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
        self.summarize(app, retention, total);
        Ok(exit)
    }

    fn retention(&self, loaded: &Loaded) -> Retention {
        self.retention.unwrap_or(loaded.project.target.retention)
    }

    fn summarize(&self, app: &App<'_>, kept: Retention, total: RemovedObjects) {
        let size = bytes(total.bytes);
        let what = counted(total.objects, "object");
        let text = match (total.objects, self.yes) {
            (0, _) => format!("nothing to remove: all is needed, or younger than {kept}"),
            (_, true) => format!("{}: {what}, {size}", app.console.paint(Tone::Good, "removed")),
            (_, false) => {
                let option = if self.orphans { " --orphans" } else { "" };
                format!("{what}, {size}; nothing was removed: `karat gc{option} --yes` does that")
            }
        };
        let facts = json!({"objects": total.objects, "bytes": total.bytes, "removed": self.yes});
        app.console.say("summary", &text, facts);
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
        let table = orphan.table.to_string();
        let size = format!("{} ({})", counted(orphan.objects, "object"), bytes(orphan.bytes));
        if let Some(retention) = kept {
            let text = format!("  kept  {table}: no model makes it, and it is younger than {retention}: {size}");
            console.say("gc", &text, json!({"of": table, "removed": false, "orphan": true}));
            return;
        }
        self.total.objects += orphan.objects;
        self.total.bytes += orphan.bytes;
        let word = console.paint(Tone::Quiet, if self.gc.yes { "removed" } else { "to remove" });
        let facts = json!({
            "of": table, "removed": self.gc.yes, "orphan": true, "objects": orphan.objects, "bytes": orphan.bytes,
        });
        console.say("gc", &format!("  {word}  {table}, which no model makes: all of it, {size}"), facts);
    }

    /// What was found in one table.
    fn tell(&mut self, of: &str, removal: &Removal) {
        let console = self.app.console;
        if removal.is_empty() {
            return;
        }
        let mut facts = Map::from_iter([("of".to_owned(), json!(of)), ("removed".to_owned(), json!(self.gc.yes))]);
        let mut parts = Vec::new();
        for (kind, objects, size) in removal.sums() {
            let (one, many) = kind.nouns();
            let noun = if objects == 1 { one } else { many };
            parts.push(format!("{} {noun} ({})", grouped(objects as u64), bytes(size)));
            facts.insert(many.replace(' ', "_"), json!({"objects": objects, "bytes": size}));
            self.total.objects += objects;
            self.total.bytes += size;
        }
        let word = console.paint(Tone::Quiet, if self.gc.yes { "removed" } else { "to remove" });
        console.say("gc", &format!("  {word}  {of}: {}", parts.join(", ")), Value::Object(facts));
    }
}
