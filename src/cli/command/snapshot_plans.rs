//! `karat snapshot-plans`: are the plans those that were reviewed?

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::command::compile::not_planned;
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::pipeline::{
    ComparedPlan, Compiled, LocalBackend, PLANS_FOLDER, PlanStanding, accept_plans, compare_plans, explained,
    kept_plans, path_of_plan, text_of_plan,
};
use crate::terminal::{ChangedText, Tone};

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
        let explained = explained(&compiled, |name| selection.contains(name))
            .map_err(|error| not_planned(app, &compiled, &error))?;
        let now: Vec<(String, String)> = selection
            .iter()
            .filter_map(|name| Some((name.to_string(), text_of_plan(&compiled, name, explained.get(name)?)?)))
            .collect();
        let folder = LocalBackend::new(compiled.loaded.workspace.root.clone());
        let kept = kept_plans(&folder).map_err(|error| {
            let message = format!("the plans in `{PLANS_FOLDER}` cannot be read: {error}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, message);
            let help = format!("`{PLANS_FOLDER}` is a folder that you may read, with one file per model");
            app.fail(diagnostic.help(help), &compiled.loaded.files, Exit::Failed)
        })?;
        // A model that is gone cannot be selected, so only a look at all models tells it.
        let is_whole = self.select.select.is_empty() && self.select.exclude.is_empty();
        let mut compared = compare_plans(now, kept);
        compared.retain(|plan| is_whole || plan.standing != PlanStanding::Gone);
        for plan in &compared {
            tell(app, plan);
            if self.review {
                ChangedText::of_plan(plan).iter().for_each(|text| app.console.show(&text.difference(app.console)));
            }
        }
        if self.accept {
            let failed = |diagnostic| app.fail(diagnostic, &compiled.loaded.files, Exit::Unavailable);
            accept_plans(&folder, &compared).map_err(failed)?;
        }
        Ok(self.summarize(app, &compiled, &compared))
    }

    fn summarize(&self, app: &App<'_>, compiled: &Compiled, compared: &[ComparedPlan]) -> Exit {
        let count = |standing: PlanStanding| compared.iter().filter(|plan| plan.standing == standing).count();
        let changed = count(PlanStanding::Changed);
        let new = count(PlanStanding::New);
        let gone = count(PlanStanding::Gone);
        let parts = [(changed, "changed"), (new, "new"), (gone, "gone")];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        let differ = changed + new + gone;
        if differ > 0 && !self.accept {
            let message = format!("{} not the same as in `{PLANS_FOLDER}`: {parts}", plans_are(differ));
            let accept = "if that is intended, run `karat snapshot-plans --accept`";
            let help = if self.review { accept.to_owned() } else { format!("{accept}; `--review` shows what differs") };
            let diagnostic = Diagnostic::error(Code::PlanChanged, message).help(help);
            return app.fail(diagnostic, &compiled.loaded.files, Exit::Failed);
        }
        let text = match differ {
            0 => format!("{} the same as in `{PLANS_FOLDER}`", plans_are(compared.len())),
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

/// One line for each plan.
fn tell(app: &App<'_>, plan: &ComparedPlan) {
    let (tone, word) = match plan.standing {
        PlanStanding::Same => (Tone::Quiet, "same"),
        PlanStanding::Changed => (Tone::Warn, "changed"),
        PlanStanding::New => (Tone::Good, "new"),
        PlanStanding::Gone => (Tone::Bad, "gone"),
    };
    let pad = " ".repeat(9_usize.saturating_sub(word.len()));
    let model = &plan.model;
    let text = format!("  {}{pad}{model}", app.console.paint(tone, word));
    app.console.say(word, &text, json!({"model": model, "path": path_of_plan(model)}));
}
