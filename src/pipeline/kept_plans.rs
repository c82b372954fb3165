//! The plans that were reviewed and are kept with the project, beside those that its models compile to now.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::load::Compiled;
use crate::compile::Explained;
use crate::diag::{Code, Diagnostic};
use crate::name::ModelName;
use crate::shown::hunks;
use crate::store::LocalBackend;

/// The project's folder of plans.
pub(crate) const PLANS_FOLDER: &str = "plans";
const ENDING: &str = ".snap";

/// A file is ours if its first line has these ends.
const FIRST_LINE: (&str, &str) = ("-- the plan of ", ", kept by `karat snapshot-plans`");

/// How a plan stands to the one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlanStanding {
    Same,
    Changed,
    New,
    /// There is no such model any more.
    Gone,
}

/// A model's plan beside the one that is kept. The text of what is not there is empty.
#[derive(Debug)]
pub(crate) struct ComparedPlan {
    pub model: String,
    pub kept: String,
    pub now: String,
    pub standing: PlanStanding,
}

/// What is kept of a model: all that is known of how it compiles, under two lines that say whose it is.
pub(crate) fn text_of_plan(compiled: &Compiled, name: &ModelName, explained: &Explained) -> Option<String> {
    let model = compiled.typed.get(name)?;
    let kind = model.config.materialized.label(&model.table);
    let (before, after) = FIRST_LINE;
    Some(format!("{before}{name}{after}\n-- {kind}\n\n{}\n", explained.text().trim_end()))
}

/// The files of the folder, by the name of their model.
pub(crate) fn kept_plans(folder: &LocalBackend) -> io::Result<BTreeMap<String, String>> {
    if !folder.exists(PLANS_FOLDER) {
        return Ok(BTreeMap::new());
    }
    let model = |path: &str| {
        let name = path.strip_prefix(PLANS_FOLDER)?.strip_prefix('/')?.strip_suffix(ENDING)?;
        ModelName::parse(name).ok()
    };
    let mut kept = BTreeMap::new();
    for entry in folder.list(PLANS_FOLDER, &|path| model(path).is_some())? {
        let mut bytes = Vec::new();
        folder.open(&entry.path, entry.size)?.read_to_end(&mut bytes)?;
        // What is damaged differs, and is shown as well as it can be.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        kept.extend(model(&entry.path).map(|name| (name.to_string(), text)));
    }
    Ok(kept)
}

/// The plans in the order of the models, then those whose models are gone. Of these only what karat wrote is looked at.
pub(crate) fn compare_plans(now: Vec<(String, String)>, mut kept: BTreeMap<String, String>) -> Vec<ComparedPlan> {
    let mut compared = Vec::new();
    for (model, now) in now {
        let (kept, standing) = match kept.remove(&model) {
            Some(kept) if hunks(&kept, &now).is_empty() => (kept, PlanStanding::Same),
            Some(kept) => (kept, PlanStanding::Changed),
            None => (String::new(), PlanStanding::New),
        };
        compared.push(ComparedPlan { model, kept, now, standing });
    }
    let (before, after) = FIRST_LINE;
    let is_ours =
        |text: &str| text.lines().next().is_some_and(|line| line.starts_with(before) && line.ends_with(after));
    let gone = kept.into_iter().filter(|(_, text)| is_ours(text));
    let gone = gone.map(|(model, kept)| ComparedPlan { model, kept, now: String::new(), standing: PlanStanding::Gone });
    compared.extend(gone);
    compared
}

pub(crate) fn path_of_plan(model: &str) -> String {
    format!("{PLANS_FOLDER}/{model}{ENDING}")
}

/// Makes the folder say what is now.
///
/// # Errors
///
/// Returns what to say if a file cannot be written or removed.
pub(crate) fn accept_plans(folder: &LocalBackend, compared: &[ComparedPlan]) -> Result<(), Diagnostic> {
    for plan in compared {
        let path = path_of_plan(&plan.model);
        let (done, deed) = match plan.standing {
            PlanStanding::Same => continue,
            PlanStanding::Changed | PlanStanding::New => (folder.write(&path, plan.now.as_bytes()), "written"),
            PlanStanding::Gone => (folder.remove(&path), "removed"),
        };
        done.map_err(|error| {
            let diagnostic = Diagnostic::error(Code::Storage, format!("`{path}` cannot be {deed}: {error}"));
            diagnostic.help(format!("make sure that you may write to the folder `{PLANS_FOLDER}`, and try again"))
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
        let compared = compare_plans(now, kept.into_iter().collect());
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
