//! `fqn:`: a node by its name, its folder, or both: `fct_notes`, `gold`, `notes.gold.*`.
//! The project's name alone selects nothing, because a model may have the same name; that of a package in it selects its models.

use super::{Candidate, Method, Pattern};

pub(super) struct Fqn;

impl Method for Fqn {
    fn name(&self) -> &'static str {
        "fqn"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let parts: Vec<&str> = pattern.text().split('.').collect();
        // A unit test's folders hold its model, whose name alone means the model.
        if let Candidate::UnitTest { test, .. } = node
            && parts.len() == 1
        {
            return pattern.matches(&test.id.test);
        }
        let Some(own) = names(node) else { return false };
        if versioned_name(node).is_some_and(|name| pattern.matches(&name)) {
            return true;
        }
        // The first part is the package, which may be left out.
        let unscoped = own.get(1..).unwrap_or_default();
        match parts.as_slice() {
            // One part names any part of the path: a folder, or the model itself.
            [_] if node.package() == node.project() => unscoped.iter().any(|part| pattern.matches(part)),
            [_] => own.iter().any(|part| pattern.matches(part)),
            _ => {
                begins(&own, &parts, pattern)
                    || begins(unscoped, &parts, pattern)
                    || ends_in_version(node, &own, &parts)
            }
        }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        let Some(own) = names(node) else { return Vec::new() };
        let whole = own.join(".");
        own.into_iter().chain([node.name()]).map(str::to_owned).chain([whole]).collect()
    }
}

/// The package, the folders and the name. A version of a model has its name and the version, as in dbt.
fn names<'a>(node: Candidate<'a>) -> Option<Vec<&'a str>> {
    let mut names: Vec<&str> = node.fqn()?.iter().map(String::as_str).collect();
    if let Candidate::Model { model, .. } = node
        && let Some(version) = &model.version
    {
        names.pop();
        names.push(&version.of);
    }
    Some(names)
}

/// `orders_v2`, whatever the file is called.
fn versioned_name(node: Candidate<'_>) -> Option<String> {
    let Candidate::Model { model, .. } = node else { return None };
    model.version.as_ref().map(|version| format!("{}_v{}", version.of, version.version))
}

/// `orders.v2`
fn ends_in_version(node: Candidate<'_>, own: &[&str], parts: &[&str]) -> bool {
    let Candidate::Model { model, .. } = node else { return false };
    let Some(version) = &model.version else { return false };
    let [before @ .., last] = parts else { return false };
    last.strip_prefix('v') == Some(version.version.as_str()) && own.ends_with(before)
}

/// Whether the names begin with what the parts describe.
fn begins(names: &[&str], parts: &[&str], pattern: &Pattern) -> bool {
    names.len() >= parts.len()
        && names.iter().zip(parts).all(|(name, part)| pattern.part(part).is_some_and(|part| part.matches(name)))
}
