//! How a plan differs from the one that was reviewed.

use super::console::{Console, Tone};
use crate::pipeline::{ComparedPlan, PlanStanding, path_of_plan};
use crate::shown::{DiffLine, hunks};

/// The difference as a unified diff; nothing if there is none.
pub(crate) fn plan_difference(console: &Console<'_>, plan: &ComparedPlan) -> String {
    if plan.standing == PlanStanding::Same {
        return String::new();
    }
    let paint = |tone, text: &str| format!("{}\n", console.paint_data(tone, text));
    let side = |standing, text: String| if plan.standing == standing { "/dev/null".to_owned() } else { text };
    let path = path_of_plan(&plan.model);
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
