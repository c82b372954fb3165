//! `karat snapshot-plans`: are the plans those that were reviewed?

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::command::compile::not_planned;
use crate::cli::console::Tone;
use crate::cli::exit::{Exit, done};
use crate::compile::{Explained, explain};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::name::ModelName;
use crate::pipeline::{Compiled, LocalBackend};
use crate::shown::{DiffLine, hunks};

/// Compares what every model compiles to, its rendered SQL and its plans, with the files of the folder `plans`, and ends
/// with exit code 1 if anything differs. Kept in version control, these files show a reviewer what an edit does to
/// the plans. Reads no data.
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotPlansCommand {
    /// Write the differences into the folder, and remove the plans of deleted models
    #[arg(long)]
    accept: bool,
    /// Show the differences, line by line
    #[arg(long, conflicts_with = "accept")]
    review: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    project: ProjectArgs,
}

/// The project's folder of plans.
const FOLDER: &str = "plans";
const ENDING: &str = ".snap";

/// A file is ours if its first line has these ends.
const FIRST_LINE: (&str, &str) = ("-- the plan of ", ", kept by `karat snapshot-plans`");

/// How a plan stands to the one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PlanStanding {
    Same,
    Changed,
    New,
    /// There is no such model any more.
    Gone,
}

/// A model's plan beside the one that is kept. The text of what is not there is empty.
#[derive(Debug)]
struct Compared {
    model: String,
    kept: String,
    now: String,
    standing: PlanStanding,
}

impl SnapshotPlansCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let compiled = app.load_and_compile(&self.project)?;
        let selection = app.select(&compiled.loaded, &self.select)?;
        let stopped = app.divided(&compiled, &self.select, selection.iter().cloned())?.stopped;
        if !stopped.is_none() {
            return Err(Exit::Failed);
        }
        let explained = explain(&compiled.loaded.rendered.models, &compiled.loaded.files, &compiled.typed, |name| {
            selection.contains(name)
        })
        .map_err(|error| not_planned(app, &compiled, &error))?;
        let now: Vec<(String, String)> = selection
            .iter()
            .filter_map(|name| Some((name.to_string(), snapshot(&compiled, name, explained.get(name)?)?)))
            .collect();
        let folder = LocalBackend::new(compiled.loaded.workspace.root.clone());
        let kept = kept(&folder).map_err(|error| {
            let message = format!("the plans in `{FOLDER}` cannot be read: {error}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, message);
            let help = format!("`{FOLDER}` is a folder that you may read, with one file per model");
            app.fail(diagnostic.help(help), &compiled.loaded.files, Exit::Failed)
        })?;
        // A model that is gone cannot be selected, so only a look at all models tells it.
        let is_whole = self.select.select.is_empty() && self.select.exclude.is_empty();
        let mut compared = compare(now, kept);
        compared.retain(|plan| is_whole || plan.standing != PlanStanding::Gone);
        for plan in &compared {
            tell(app, plan);
            if self.review {
                app.console.show(&review(app, plan));
            }
        }
        if self.accept {
            accept(app, &compiled, &folder, &compared)?;
        }
        Ok(self.summarize(app, &compiled, &compared))
    }

    fn summarize(&self, app: &App<'_>, compiled: &Compiled, compared: &[Compared]) -> Exit {
        let count = |standing: PlanStanding| compared.iter().filter(|plan| plan.standing == standing).count();
        let changed = count(PlanStanding::Changed);
        let new = count(PlanStanding::New);
        let gone = count(PlanStanding::Gone);
        let parts = [(changed, "changed"), (new, "new"), (gone, "gone")];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        let differ = changed + new + gone;
        if differ > 0 && !self.accept {
            let message = format!("{} not the same as in `{FOLDER}`: {parts}", plans_are(differ));
            let accept = "if that is intended, run `karat snapshot-plans --accept`";
            let help = if self.review { accept.to_owned() } else { format!("{accept}; `--review` shows what differs") };
            let diagnostic = Diagnostic::error(Code::PlanChanged, message).help(help);
            return app.fail(diagnostic, &compiled.loaded.files, Exit::Failed);
        }
        let text = match differ {
            0 => format!("{} the same as in `{FOLDER}`", plans_are(compared.len())),
            _ => format!("{}: {parts}", app.console.paint(Tone::Good, "accepted")),
        };
        let facts = json!({"same": count(PlanStanding::Same), "changed": changed, "new": new, "gone": gone});
        app.console.say("summary", &text, facts);
        Exit::Done
    }
}

fn plans_are(count: usize) -> String {
    format!("{} {}", counted(count, "plan"), if count == 1 { "is" } else { "are" })
}

/// What is kept of a model: all that is known of how it compiles, under two lines that say whose it is.
fn snapshot(compiled: &Compiled, name: &ModelName, explained: &Explained) -> Option<String> {
    let model = compiled.typed.get(name)?;
    let kind = model.config.materialized.label(&model.table);
    let (before, after) = FIRST_LINE;
    Some(format!("{before}{name}{after}\n-- {kind}\n\n{}\n", explained.text().trim_end()))
}

/// The files of the folder, by the name of their model.
fn kept(folder: &LocalBackend) -> io::Result<BTreeMap<String, String>> {
    if !folder.exists(FOLDER) {
        return Ok(BTreeMap::new());
    }
    let model = |path: &str| {
        let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(ENDING)?;
        ModelName::parse(name).ok()
    };
    let mut kept = BTreeMap::new();
    for entry in folder.list(FOLDER, &|path| model(path).is_some())? {
        let mut bytes = Vec::new();
        folder.open(&entry.path, entry.size)?.read_to_end(&mut bytes)?;
        // What is damaged differs, and is shown as well as it can be.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        kept.extend(model(&entry.path).map(|name| (name.to_string(), text)));
    }
    Ok(kept)
}

/// The plans in the order of the models, then those whose models are gone. Of these only what karat wrote is looked at.
fn compare(now: Vec<(String, String)>, mut kept: BTreeMap<String, String>) -> Vec<Compared> {
    let mut compared = Vec::new();
    for (model, now) in now {
        let (kept, standing) = match kept.remove(&model) {
            Some(kept) if hunks(&kept, &now).is_empty() => (kept, PlanStanding::Same),
            Some(kept) => (kept, PlanStanding::Changed),
            None => (String::new(), PlanStanding::New),
        };
        compared.push(Compared { model, kept, now, standing });
    }
    let (before, after) = FIRST_LINE;
    let is_ours =
        |text: &str| text.lines().next().is_some_and(|line| line.starts_with(before) && line.ends_with(after));
    let gone = kept.into_iter().filter(|(_, text)| is_ours(text));
    let gone = gone.map(|(model, kept)| Compared { model, kept, now: String::new(), standing: PlanStanding::Gone });
    compared.extend(gone);
    compared
}

fn path_of(model: &str) -> String {
    format!("{FOLDER}/{model}{ENDING}")
}

/// One line for each plan.
fn tell(app: &App<'_>, plan: &Compared) {
    let (tone, word) = match plan.standing {
        PlanStanding::Same => (Tone::Quiet, "same"),
        PlanStanding::Changed => (Tone::Warn, "changed"),
        PlanStanding::New => (Tone::Good, "new"),
        PlanStanding::Gone => (Tone::Bad, "gone"),
    };
    let pad = " ".repeat(9_usize.saturating_sub(word.len()));
    let model = &plan.model;
    let text = format!("  {}{pad}{model}", app.console.paint(tone, word));
    app.console.say(word, &text, json!({"model": model, "path": path_of(model)}));
}

/// The difference as a unified diff; nothing if there is none.
fn review(app: &App<'_>, plan: &Compared) -> String {
    if plan.standing == PlanStanding::Same {
        return String::new();
    }
    let paint = |tone, text: &str| format!("{}\n", app.console.paint_data(tone, text));
    let side = |standing, text: String| if plan.standing == standing { "/dev/null".to_owned() } else { text };
    let path = path_of(&plan.model);
    let mut text = paint(Tone::Strong, &format!("--- {}", side(PlanStanding::New, format!("a/{path}"))));
    text += &paint(Tone::Strong, &format!("+++ {}", side(PlanStanding::Gone, format!("b/{path}"))));
    for hunk in hunks(&plan.kept, &plan.now) {
        text += &paint(Tone::Quiet, &hunk.heading());
        for line in &hunk.lines {
            text += &match line {
                DiffLine::Same(line) => format!(" {line}\n"),
                DiffLine::Old(line) => paint(Tone::Bad, &format!("-{line}")),
                DiffLine::New(line) => paint(Tone::Good, &format!("+{line}")),
            };
        }
    }
    text
}

/// Makes the folder say what is now.
fn accept(app: &App<'_>, compiled: &Compiled, folder: &LocalBackend, compared: &[Compared]) -> Result<(), Exit> {
    for plan in compared {
        let path = path_of(&plan.model);
        let (done, deed) = match plan.standing {
            PlanStanding::Same => continue,
            PlanStanding::Changed | PlanStanding::New => (folder.write(&path, plan.now.as_bytes()), "written"),
            PlanStanding::Gone => (folder.remove(&path), "removed"),
        };
        done.map_err(|error| {
            let diagnostic = Diagnostic::error(Code::Storage, format!("`{path}` cannot be {deed}: {error}"));
            let diagnostic =
                diagnostic.help(format!("make sure that you may write to the folder `{FOLDER}`, and try again"));
            app.fail(diagnostic, &compiled.loaded.files, Exit::Unavailable)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<const N: usize>(texts: [(&str, &str); N]) -> Vec<(String, String)> {
        texts.into_iter().map(|(model, text)| (model.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn plans_are_told_in_the_order_of_the_models_and_what_is_gone_comes_last() {
        let ours = "-- the plan of b, kept by `karat snapshot-plans`\n";
        let now = texts([("z", "1\n"), ("a", "2\n"), ("c", "3\n")]);
        let kept = texts([("a", "2\r\n"), ("b", ours), ("c", "\u{fffd}"), ("d", "the user's own\n")]);
        let compared = compare(now, kept.into_iter().collect());
        let standings: Vec<_> = compared.iter().map(|plan| (plan.model.as_str(), plan.standing)).collect();
        let expected = [
            ("z", PlanStanding::New),
            ("a", PlanStanding::Same),
            ("c", PlanStanding::Changed),
            ("b", PlanStanding::Gone),
        ];
        assert_eq!(standings, expected);
    }
}
