//! A run as it is watched: bars for those that run and a line for each that ended (only user of indicatif).

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use super::console::{Console, LogFormat, Tone};
use crate::check::PlannedCheck;
use crate::execute::{Built, Event, Observer};
use crate::figures::{bytes, counted, grouped, seconds};
use crate::locked::Locked;
use crate::name::ModelName;
use crate::pipeline::{CloneOutcome, ClonedTable, Conversions, FileSum, Optimized, OptimizedFiles};
use crate::project::TestSeverity;
use crate::unit_test::UnitTestResult;

pub(crate) struct Progress<'a, 'c> {
    console: &'a Console<'c>,
    /// Only where a person watches.
    bars: Option<MultiProgress>,
    running: Locked<BTreeMap<ModelName, ProgressBar>>,
}

/// A bar with a text that somebody else moves; nothing where nobody watches.
pub(crate) struct Gauge(Option<ProgressBar>);

impl Gauge {
    pub fn show(&self, done: u64, all: u64, message: String) {
        if let Some(bar) = &self.0 {
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(message);
        }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl<'a, 'c> Progress<'a, 'c> {
    pub fn new(console: &'a Console<'c>) -> Progress<'a, 'c> {
        let manners = console.manners;
        let watched = manners.terminal && !manners.quiet && manners.format == LogFormat::Text;
        Progress { console, bars: watched.then(MultiProgress::new), running: Locked::default() }
    }

    /// Whether a person watches bars.
    pub fn is_watched(&self) -> bool {
        self.bars.is_some()
    }

    /// A bar below all others.
    pub fn gauge(&self, name: &str) -> Gauge {
        let gauge = |bars: &MultiProgress| {
            let bar = bars.add(ProgressBar::new(0));
            let style = ProgressStyle::with_template("  {spinner} {prefix:32} [{bar:24}] {msg}")
                .expect("the template of the bar is well-formed");
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        };
        Gauge(self.bars.as_ref().map(gauge))
    }

    pub fn line(&self, event: &str, text: &str, facts: serde_json::Value) {
        match &self.bars {
            // Bars are taken off the screen while a line is written: it would end up in the middle of them.
            Some(bars) => bars.suspend(|| self.console.say(event, text, facts)),
            None => self.console.say(event, text, facts),
        }
    }

    fn start(&self, model: &ModelName) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template(
            "  {spinner} {prefix:32} [{bar:24}] {bytes:>9}/{total_bytes:9} {msg} {elapsed}",
        )
        .expect("the template of the bar is well-formed");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(model.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        self.running.lock().insert(model.clone(), bar);
    }

    fn stop(&self, model: &ModelName) {
        if let Some(bar) = self.running.lock().remove(model) {
            bar.finish_and_clear();
        }
    }

    fn built(&self, model: &ModelName, built: &Built) {
        let figures = format!(
            "{:>11} {:4}  {:>3} {:5} {:>9} {:>7}",
            grouped(built.rows),
            if built.rows == 1 { "row" } else { "rows" },
            built.files,
            if built.files == 1 { "file" } else { "files" },
            bytes(built.bytes),
            seconds(built.elapsed),
        );
        let same = match built.same {
            0 => String::new(),
            count => format!("  {} unchanged", counted(count as usize, "slice")),
        };
        let aside = match built.quarantined {
            0 => same,
            count => same + &self.console.paint(Tone::Warn, &format!("  {} quarantined", grouped(count))),
        };
        let aside = match built.rescued.rescued_rows {
            0 => aside,
            _ => aside + &self.console.paint(Tone::Warn, &format!("  {}", built.rescued)),
        };
        let word = self.console.paint(Tone::Good, "built");
        let facts = json!({
            "model": model.as_str(), "version": built.version, "rows": built.rows, "partitions": built.partitions,
            "files": built.files, "bytes": built.bytes, "same": built.same, "quarantined": built.quarantined,
            "rescued": rescued_json(&built.rescued),
            "milliseconds": u64::try_from(built.elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        self.line("built", &format!("  {word}      {model:32} {figures}{aside}"), facts);
    }
}

/// Rows with values that did not convert, and how many values did and did not, by column.
pub(crate) fn rescued_json(conversions: &Conversions) -> serde_json::Value {
    let columns = conversions.rescued().map(|(column, count)| (column.to_owned(), json!(count)));
    json!({"rows": conversions.rescued_rows, "columns": columns.collect::<serde_json::Map<_, _>>()})
}

impl Observer for Progress<'_, '_> {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started { model, why } => {
                self.start(model);
                if self.console.manners.format == LogFormat::Json {
                    self.line("started", "", json!({"model": model.as_str(), "why": why}));
                }
            }
            Event::Progress { model, rows, bytes, total_bytes } => {
                if let Some(bar) = self.running.lock().get(*model) {
                    // A file can be read more than once, and a bar never runs backwards.
                    bar.set_length((*total_bytes).max(*bytes));
                    bar.set_position(*bytes);
                    bar.set_message(format!("{} rows", grouped(*rows)));
                }
            }
            Event::Built { model, built } => {
                self.stop(model);
                self.built(model, built);
            }
            Event::Unchanged { model, why } => {
                let word = self.console.paint(Tone::Quiet, "unchanged");
                let facts = json!({"model": model.as_str(), "why": why});
                self.line("unchanged", &format!("  {word}  {model:32} {why}"), facts);
            }
            Event::Verified { model, slices, aside } => {
                self.stop(model);
                self.verified(model, *slices, *aside);
            }
            Event::NotVerified { model, why } => {
                self.stop(model);
                let word = self.console.paint(Tone::Warn, "unverified");
                let facts = json!({"model": model.as_str(), "why": why});
                self.line("unverified", &format!("  {word} {model:32} {why}"), facts);
            }
            Event::Failed { model, message } => {
                self.stop(model);
                let word = self.console.paint(Tone::Bad, "failed");
                let facts = json!({"model": model.as_str(), "message": message});
                self.line("failed", &format!("  {word}     {model:32} {message}"), facts);
            }
            Event::Skipped { model, because } => {
                let word = self.console.paint(Tone::Warn, "skipped");
                let facts = json!({"model": model.as_str(), "because": because.as_str()});
                self.line("skipped", &format!("  {word}    {model:32} because `{because}` failed"), facts);
            }
            Event::Said { text } => self.line("said", text, json!({"text": text})),
            // A backfill shows these itself.
            Event::Backfill { .. } => {}
            Event::Warning { text } => {
                let word = self.console.paint(Tone::Warn, "warning");
                self.line("warning", &format!("  {word}    {text}"), json!({"text": text}));
            }
            Event::NotTested { check, missing } => self.not_tested(&check.name, missing),
            // The line of its model says so to people.
            Event::TestUnchanged { check, passed_at } => {
                if self.console.manners.format == LogFormat::Json {
                    let passed_at = passed_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                    self.line("test_unchanged", "", json!({"test": check.name, "passed_at": passed_at}));
                }
            }
            Event::Tested { check, failures, verdict } => self.tested(check, *failures, *verdict),
        }
    }
}

impl Progress<'_, '_> {
    /// What became of the files of a table.
    pub fn optimized(&self, model: &ModelName, optimized: &Optimized) {
        let OptimizedFiles { state, before, after } = match optimized {
            Optimized::Committed(files) => files,
            Optimized::Overtaken(version) => {
                let word = self.console.paint(Tone::Warn, "skipped");
                let text =
                    format!("  {word}    {model:32} another writer has changed it: it is at version {version} now");
                return self.line("skipped", &text, json!({"model": model.as_str(), "version": version}));
            }
            Optimized::NoFewer => {
                let word = self.console.paint(Tone::Quiet, "kept");
                let text = format!("  {word}       {model:32} its rows do not fit into fewer files");
                return self.line("kept", &text, json!({"model": model.as_str()}));
            }
        };
        let word = self.console.paint(Tone::Good, "optimized");
        let size = |sum: &FileSum| format!("{} ({})", counted(sum.files, "file"), bytes(sum.bytes));
        let text = format!("  {word}  {model:32} {} became {}", size(before), size(after));
        let facts = json!({
            "model": model.as_str(), "version": state.version, "rows": after.rows, "files_before": before.files,
            "files_after": after.files, "bytes_before": before.bytes, "bytes_after": after.bytes,
        });
        self.line("optimized", &text, facts);
    }

    /// What became of a table of another target.
    pub fn cloned(&self, model: &ModelName, outcome: &CloneOutcome, target: &str, elapsed: Duration) {
        let table = match outcome {
            CloneOutcome::Cloned(table) => table,
            CloneOutcome::Kept => {
                let word = self.console.paint(Tone::Quiet, "kept");
                let text = format!("  {word}       {model:32} it is there already");
                return self.line("kept", &text, json!({"model": model.as_str()}));
            }
            CloneOutcome::NotThere => {
                let word = self.console.paint(Tone::Warn, "skipped");
                let text = format!("  {word}    {model:32} target `{target}` does not have it");
                return self.line("skipped", &text, json!({"model": model.as_str(), "target": target}));
            }
            CloneOutcome::Inlined => return,
        };
        let ClonedTable { version, rows, files, bytes: size, is_fresh } = table;
        let figures = format!(
            "{:>11} {:4}  {files:>3} {:5} {:>9} {:>7}",
            grouped(*rows),
            if *rows == 1 { "row" } else { "rows" },
            if *files == 1 { "file" } else { "files" },
            bytes(*size),
            seconds(elapsed),
        );
        let aside = if *is_fresh { "" } else { "  not up to date" };
        let word = self.console.paint(Tone::Good, "cloned");
        let facts = json!({
            "model": model.as_str(), "version": version, "rows": rows, "files": files, "bytes": size, "fresh": is_fresh,
            "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        self.line("cloned", &format!("  {word}     {model:32} {figures}{aside}"), facts);
    }

    fn not_tested(&self, test: &str, missing: &str) {
        let word = self.console.paint(Tone::Warn, "not tested");
        let facts = json!({"test": test, "missing": missing});
        self.line("not_tested", &format!("  {word} {test}: `{missing}` has not been built yet"), facts);
    }

    fn verified(&self, model: &ModelName, slices: usize, aside: Option<&str>) {
        let word = self.console.paint(Tone::Good, "verified");
        let facts = json!({"model": model.as_str(), "slices": slices, "aside": aside});
        let aside = aside.map(|aside| format!("; {aside}")).unwrap_or_default();
        self.line("verified", &format!("  {word}   {model:32} {}{aside}", counted(slices, "slice")), facts);
    }

    /// How a unit test ended. The rows that differ are shown where the command ends.
    pub fn unit_tested(&self, result: &UnitTestResult) {
        let facts = result.to_json();
        if result.passed() {
            if self.console.manners.format == LogFormat::Json {
                self.line("unit_tested", "", facts);
            }
            return;
        }
        let word = self.console.paint(Tone::Bad, "test fails");
        self.line("unit_tested", &format!("  {word} {}: {}", result.test, result.summary()), facts);
    }

    /// A test that passes is counted in the summary; one that does not is worth a line.
    fn tested(&self, check: &PlannedCheck, failures: u64, verdict: Option<TestSeverity>) {
        let test = &check.name;
        let facts = json!({"test": test, "failures": failures});
        let (word, tone) = match verdict {
            None => {
                if self.console.manners.format == LogFormat::Json {
                    self.line("tested", "", facts);
                }
                return;
            }
            Some(TestSeverity::Error) => ("test fails", Tone::Bad),
            Some(TestSeverity::Warn) => ("test warns", Tone::Warn),
        };
        let word = self.console.paint(tone, word);
        self.line("tested", &format!("  {word} {test}: {}", counted(failures as usize, check.noun())), facts);
    }
}
