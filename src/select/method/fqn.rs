//! `fqn:`: a model or seed by its name, its folder, or both: `fct_notes`, `gold`, `notes.gold.*`.
//! The project's name alone selects nothing, because a model may have the same name.

use super::{Method, Node, Pattern, model_name};

pub(super) struct Fqn;

impl Method for Fqn {
    fn name(&self) -> &'static str {
        "fqn"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Node<'_>) -> bool {
        let Node::Model { model, .. } = node else { return false };
        let parts: Vec<&str> = pattern.text().split('.').collect();
        let own: Vec<&str> = model.fqn.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [_] => own.iter().any(|part| pattern.matches(part)),
            _ => {
                let with_project: Vec<&str> = std::iter::once(node.project()).chain(own.iter().copied()).collect();
                begins(&own, &parts, pattern) || begins(&with_project, &parts, pattern)
            }
        }
    }

    fn values(&self, node: Node<'_>) -> Vec<String> {
        match node {
            Node::Model { model, .. } => {
                model.fqn.iter().cloned().chain([model_name(&model.name), model.fqn.join(".")]).collect()
            }
            Node::Source { .. } => Vec::new(),
        }
    }
}

/// Whether the names begin with what the parts describe.
fn begins(names: &[&str], parts: &[&str], pattern: &Pattern) -> bool {
    let fits = |(name, part): (&&str, &&str)| pattern.part(part).is_some_and(|part| part.matches(name));
    names.len() >= parts.len() && names.iter().zip(parts).all(fits)
}
