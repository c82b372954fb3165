//! `karat gc`: remove what no version or release needs any more.

use serde_json::{Map, Value, json};

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::tables;
use crate::figures::{bytes, counted, grouped};
use crate::host::Host;
use crate::project::Retention;
use crate::store::{Collection, Removal};

/// Removes what no version or release that is kept needs any more: data files, ledgers, log entries, old releases, and
/// what runs that were killed have left. Kept are the versions and releases that were the newest at any time within
/// the retention, and everything that is younger. Without --yes it only says what it would remove.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Kept are the versions and releases that were the newest at any time within the retention, the versions \
    that kept releases show, and everything that is younger."
)]
pub(crate) struct Gc {
    #[command(flatten)]
    select: SelectArgs,
    /// How long old versions can still be read and restored; longer than the longest run. As the target says, if it is not
    /// given
    #[arg(long, value_name = "DURATION", value_parser = Retention::parse)]
    retention: Option<Retention>,
    /// Remove it
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
        let selection = app.select(&loaded, &self.select.select, &self.select.exclude)?;
        let tables = tables::of_models(&loaded, &selection);
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
        let lake = loaded.lake(app)?;
        let how = Collection { horizon, removes: self.yes };
        let collected = app.wait(lake, lake.collect(&tables, how))?;
        let collected = collected.map_err(|error| tables::failed(app, &loaded, error))?;
        let mut total = Sum::default();
        for (table, removal) in &collected.tables {
            self.tell(app, &table.to_string(), removal, &mut total);
        }
        self.tell(app, "the lake", &collected.lake, &mut total);
        self.summarize(app, retention, total);
        Ok(Exit::Done)
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
            (_, false) => format!("{what}, {size}; nothing was removed: `karat gc --yes` does that"),
        };
        let facts = json!({"objects": total.objects, "bytes": total.bytes, "removed": self.yes});
        app.console.say("summary", &text, facts);
    }
}
