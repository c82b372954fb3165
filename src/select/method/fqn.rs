//! `fqn:`: a model, seed or unit test by its name, its folder, or both: `fct_notes`, `gold`, `notes.gold.*`.
//! The project's name alone selects nothing, because a model may have the same name; that of a package in it selects its models.

use super::{Candidate, Method, Pattern, model_name};

pub(super) struct Fqn;

impl Method for Fqn {
    fn name(&self) -> &'static str {
        "fqn"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let parts: Vec<&str> = pattern.text().split('.').collect();
        let (own, package) = match node {
            Candidate::Model { model, .. } => (&model.fqn, &model.package),
            // Its model's name alone means the model.
            Candidate::UnitTest { test, .. } if parts.len() == 1 => return pattern.matches(&test.id.test),
            Candidate::UnitTest { test, .. } => (&test.fqn, &test.package),
            Candidate::Source { .. } => return false,
        };
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        // The first part is the package, which may be left out.
        let unscoped = own.get(1..).unwrap_or_default();
        match parts.as_slice() {
            // One part names any part of the path: a folder, or the model itself.
            [_] if *package == node.project() => unscoped.iter().any(|part| pattern.matches(part)),
            [_] => own.iter().any(|part| pattern.matches(part)),
            _ => begins(&own, &parts, pattern) || begins(unscoped, &parts, pattern),
        }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        match node {
            Candidate::Model { model, .. } => {
                model.fqn.iter().cloned().chain([model_name(&model.name), model.fqn.join(".")]).collect()
            }
            Candidate::UnitTest { test, .. } => vec![test.id.test.clone(), test.fqn.join(".")],
            Candidate::Source { .. } => Vec::new(),
        }
    }
}

/// Whether the names begin with what the parts describe.
fn begins(names: &[&str], parts: &[&str], pattern: &Pattern) -> bool {
    names.len() >= parts.len()
        && names.iter().zip(parts).all(|(name, part)| pattern.part(part).is_some_and(|part| part.matches(name)))
}
