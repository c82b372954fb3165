//! Files of one name, as packages have them for several engines: the one that leaves itself switched on is the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Engine, Library, ModelDraft, Stage, facts};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::Host;
use crate::name::ModelName;
use crate::project::{Model, Project};
use crate::span::SourceFiles;

/// Renders the files that share a name, and leaves of each name the one that `config(enabled=…)` does not switch off.
///
/// # Errors
///
/// Returns an error if two of one name are switched on, or if the macros cannot be read.
pub fn settle_rivals(project: Project, files: &SourceFiles, host: &dyn Host, sink: &mut Sink) -> Checked<Project> {
    if project.models.values().all(|model| model.rivals.is_empty()) {
        return Ok(project);
    }
    let winners = winners(&project, files, host, sink)?;
    let models = project.models.into_iter().map(|(name, model)| match winners.get(&name) {
        Some(rival) => (name, model.giving_way_to(*rival)),
        None => (name, model),
    });
    Ok(Project { models: models.collect(), ..project })
}

/// The models that are not the first of their name, and which of the others they are.
fn winners(
    project: &Project,
    files: &SourceFiles,
    host: &dyn Host,
    sink: &mut Sink,
) -> Checked<BTreeMap<ModelName, usize>> {
    let library = Arc::new(Library::read(project, files, sink)?);
    let engine = Engine::new(&library, files);
    let mut stage = Stage::new(project, files, host, engine, facts(project, BTreeMap::new(), &library, host));
    stage.assume_tables(project, sink)?;
    let contested = project.models.values().filter(|model| !model.rivals.is_empty());
    let candidates: Vec<&Model> = contested.flat_map(|model| std::iter::once(model).chain(&model.rivals)).collect();
    let drafts = stage.drafts(candidates);
    let mut winners = BTreeMap::new();
    let mut refused = Ok(());
    for of_name in drafts.chunk_by(|one, next| one.model.name == next.model.name) {
        // One with an error counts: what is wrong with it is said when it is rendered as the model.
        let mut enabled = of_name.iter().enumerate().filter(|(_, draft)| !draft.is_disabled());
        let Some((place, winner)) = enabled.next() else { continue };
        if let Some((_, second)) = enabled.next() {
            refused = Err(sink.error(both_enabled(winner, second)));
        } else if let Some(rival) = place.checked_sub(1) {
            winners.insert(winner.model.name.clone(), rival);
        }
    }
    refused.map(|()| winners)
}

fn both_enabled(first: &ModelDraft<'_>, second: &ModelDraft<'_>) -> Diagnostic {
    let message = format!("two models are called `{}`", second.model.name);
    let diagnostic = Diagnostic::error(Code::DuplicateName, message)
        .labelled(second.model.place(), "the second one")
        .labelled(first.model.place(), "the first one");
    let help =
        "a name is unique in the whole project, but for models that switch themselves off by `config(enabled=…)`";
    diagnostic.help(format!("rename `{}`: {help}", second.model.path))
}
