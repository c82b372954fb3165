//! `karat gc`: remove what no version or release needs any more.

use serde_json::{Map, Value, json};

use crate::cli::app::{App, Compiled, Loaded};
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::{table_findings, tables};
use crate::figures::{bytes, counted, grouped};
use crate::project::Retention;
use crate::store::{Collection, Orphan, Removal};

/// Removes what no version or release that is kept needs any more: data files, ledgers, log entries, old releases, and
/// what runs that were killed have left. Kept are the versions and releases that were the newest at any time within
/// the retention, and everything that is younger. Without --yes it only says what it would remove.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Kept are all versions and releases that were the newest at any time within the retention, the \
    versions that kept releases show, and everything younger than the retention."
)]
pub(crate) struct Gc {
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
struct Sum {
    objects: usize,
    bytes: u64,
}

impl Gc {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load(&self.project)?;
        let retention = self.retention.unwrap_or(loaded.project.target.retention);
        let Some(horizon) = retention.horizon(loaded.host.now().naive_utc()) else {
            app.console.say(
                "summary",
                "nothing to remove: everything is kept forever",
                json!({"objects": 0, "bytes": 0}),
            );
            return Ok(Exit::Done);
        };
        let horizon = horizon.and_utc().timestamp_millis();
        let mut total = Sum::default();
        let exit = if self.orphans {
            // A project with errors does not say which tables it makes.
            let compiled = app.compile(loaded)?;
            let exit = self.collect(app, &compiled.loaded, horizon, &mut total)?;
            self.collect_orphans(app, &compiled, (retention, horizon), &mut total)?;
            exit
        } else {
            self.collect(app, &loaded, horizon, &mut total)?
        };
        self.summarize(app, retention, total);
        Ok(exit)
    }

    /// What the tables of models and the lake itself do not need.
    fn collect(&self, app: &App<'_>, loaded: &Loaded, horizon: i64, total: &mut Sum) -> Result<Exit, Exit> {
        let selection = app.select(loaded, &self.select.select, &self.select.exclude)?;
        let tables = tables::of_models(loaded, &selection);
        let lake = loaded.lake(app)?;
        let how = Collection { horizon, removes: self.yes };
        let collected = app.wait(lake, lake.collect(&tables, how))?;
        let collected = collected.map_err(|error| tables::failed(app, loaded, error))?;
        let mut wrong = Vec::new();
        for (table, removal) in collected.tables {
            match removal {
                Ok(removal) => self.tell(app, &table.to_string(), &removal, total),
                Err(error) => wrong.push(error),
            }
        }
        self.tell(app, "the lake", &collected.lake, total);
        Ok(Exit::worst(wrong.into_iter().map(|error| tables::failed(app, loaded, error))))
    }

    fn collect_orphans(
        &self,
        app: &App<'_>,
        compiled: &Compiled,
        (retention, horizon): (Retention, i64),
        total: &mut Sum,
    ) -> Result<(), Exit> {
        let loaded = &compiled.loaded;
        let lake = loaded.lake(app)?;
        let made = table_findings::written(compiled);
        let found = app.wait(lake, lake.orphans(&made, &loaded.maker()))?;
        let found = found.map_err(|error| tables::failed(app, loaded, error))?;
        for (table, reason) in found.unclear {
            let text = format!("  kept  {table}: no model makes it, and its origin is unknown: {reason}");
            app.console.say("gc", &text, json!({"of": table.to_string(), "removed": false, "kept": reason}));
        }
        for orphan in found.tables {
            let mut kept = orphan.written >= horizon;
            if self.yes && !kept {
                let removed = app.wait(lake, lake.remove_orphan(&orphan.table, &loaded.maker(), horizon))?;
                kept = removed.map_err(|error| tables::failed(app, loaded, error))?.is_none();
            }
            self.tell_orphan(app, &orphan, kept.then_some(retention), total);
        }
        Ok(())
    }

    fn tell_orphan(&self, app: &App<'_>, orphan: &Orphan, kept: Option<Retention>, total: &mut Sum) {
        let table = orphan.table.to_string();
        let size = format!("{} ({})", counted(orphan.objects, "object"), bytes(orphan.bytes));
        if let Some(retention) = kept {
            let text = format!("  kept  {table}: no model makes it, and it is younger than {retention}: {size}");
            app.console.say("gc", &text, json!({"of": table, "removed": false, "orphan": true}));
            return;
        }
        total.objects += orphan.objects;
        total.bytes += orphan.bytes;
        let word = app.console.paint(Tone::Quiet, if self.yes { "removed" } else { "to remove" });
        let facts = json!({
            "of": table, "removed": self.yes, "orphan": true, "objects": orphan.objects, "bytes": orphan.bytes,
        });
        app.console.say("gc", &format!("  {word}  {table}, which no model makes: all of it, {size}"), facts);
    }

    /// What was found in one table.
    fn tell(&self, app: &App<'_>, of: &str, removal: &Removal, total: &mut Sum) {
        if removal.is_empty() {
            return;
        }
        let mut facts = Map::from_iter([("of".to_owned(), json!(of)), ("removed".to_owned(), json!(self.yes))]);
        let mut parts = Vec::new();
        for (kind, objects, size) in removal.sums() {
            let (one, many) = kind.nouns();
            let noun = if objects == 1 { one } else { many };
            parts.push(format!("{} {noun} ({})", grouped(objects as u64), bytes(size)));
            facts.insert(many.replace(' ', "_"), json!({"objects": objects, "bytes": size}));
            total.objects += objects;
            total.bytes += size;
        }
        let word = app.console.paint(Tone::Quiet, if self.yes { "removed" } else { "to remove" });
        app.console.say("gc", &format!("  {word}  {of}: {}", parts.join(", ")), Value::Object(facts));
    }

    fn summarize(&self, app: &App<'_>, kept: Retention, total: Sum) {
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
