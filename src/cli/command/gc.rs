//! `karat gc`: remove what no version or release needs any more.

use serde_json::{Map, Value, json};

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::console::Tone;
use crate::cli::exit::Exit;
use crate::cli::tables;
use crate::day::Length;
use crate::figures::{bytes, counted, grouped};
use crate::host::Host;
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
    /// How long old versions can still be read and restored; longer than the longest run
    #[arg(long, value_name = "DURATION", default_value = "7 days", value_parser = parse_retention)]
    retention: Length,
    /// Remove it
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    project: ProjectArgs,
}

/// A run that takes longer than the retention could lose the files that it has not committed yet.
fn parse_retention(text: &str) -> Result<Length, String> {
    let length = Length::parse(text).ok_or("write it as `7 days`, `12 hours` or `2 weeks`")?;
    let epoch = chrono::DateTime::UNIX_EPOCH.naive_utc();
    let hour = Length::parse("1 hour").ok_or("an hour is a length")?;
    if length.after(epoch) < hour.after(epoch) {
        return Err("the shortest retention is `1 hour`: a run that is at work may need what is younger".to_owned());
    }
    Ok(length)
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
        let horizon = self.retention.before(loaded.host.now().naive_utc()).and_utc().timestamp_millis();
        let lake = loaded.lake(app)?;
        let how = Collection { horizon, removes: self.yes };
        let collected = app.wait(lake, lake.collect(&tables, how))?;
        let collected = collected.map_err(|error| tables::failed(app, &loaded, error))?;
        let mut total = Sum::default();
        let mut wrong = Vec::new();
        for (table, removal) in collected.tables {
            match removal {
                Ok(removal) => self.tell(app, &table.to_string(), &removal, &mut total),
                Err(error) => wrong.push(error),
            }
        }
        self.tell(app, "the lake", &collected.lake, &mut total);
        let exit = Exit::worst(wrong.into_iter().map(|error| tables::failed(app, &loaded, error)));
        self.summarize(app, total);
        Ok(exit)
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

    fn summarize(&self, app: &App<'_>, total: Sum) {
        let (kept, size) = (self.retention, bytes(total.bytes));
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
