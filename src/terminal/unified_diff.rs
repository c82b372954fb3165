//! How a text differs from what it was.

use super::console::{Console, Tone};
use crate::pipeline::{ComparedPlan, EditedProperties, PlanStanding, path_of_plan};
use crate::shown::{DiffLine, hunks};

/// A text before and after, each under its name.
pub(crate) struct ChangedText<'t> {
    old_name: String,
    new_name: String,
    old: &'t str,
    new: &'t str,
}

/// What stands in the place of the name of a text that is not there.
const NO_TEXT: &str = "/dev/null";

impl<'t> ChangedText<'t> {
    /// A plan beside the one that was reviewed. Returns `None` if they are the same.
    pub fn of_plan(plan: &'t ComparedPlan) -> Option<Self> {
        let path = path_of_plan(&plan.model);
        let name = |absent, side: char| match plan.standing == absent {
            true => NO_TEXT.to_owned(),
            false => format!("{side}/{path}"),
        };
        (plan.standing != PlanStanding::Same).then(|| Self {
            old_name: name(PlanStanding::New, 'a'),
            new_name: name(PlanStanding::Gone, 'b'),
            old: &plan.kept,
            new: &plan.now,
        })
    }

    /// A properties file that was edited.
    pub fn of_properties(file: &'t EditedProperties) -> Self {
        let EditedProperties { path, original, text, .. } = file;
        Self { old_name: format!("a/{path}"), new_name: format!("b/{path}"), old: original, new: text }
    }

    /// The difference as a unified diff, painted as data.
    pub fn difference(&self, console: &Console<'_>) -> String {
        let paint = |tone, text: &str| format!("{}\n", console.paint_data(tone, text));
        let mut text = paint(Tone::Strong, &format!("--- {}", self.old_name));
        text += &paint(Tone::Strong, &format!("+++ {}", self.new_name));
        for hunk in hunks(self.old, self.new) {
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
}
