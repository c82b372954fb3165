//! Named selectors of `selectors.yml`: unions, intersections and exclusions of terms.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::parse::{Selector, SelectorError, Term, parse};
use super::{IndirectSelection, StoredArtifact};
use crate::diag::{all_of, any_of};

/// What a named selector selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Definition {
    /// A text, as it is typed after `--select`, and which tests go with what it selects, if it says so.
    Text(Selector, Option<IndirectSelection>),
    /// What any of them selects.
    Union(Vec<Definition>),
    /// What all of them select.
    Intersection(Vec<Definition>),
    /// What the first selects, without what the second one does.
    Without(Box<Definition>, Box<Definition>),
}

/// A named selector, as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSelector {
    pub name: String,
    pub is_default: bool,
    pub(super) definition: Definition,
}

impl NamedSelector {
    /// The artifacts of an earlier command that it asks for. `known` are all selectors of its file: each names only those above
    /// it, so this comes to an end.
    pub fn artifacts(&self, known: &[NamedSelector]) -> BTreeSet<StoredArtifact> {
        self.definition.artifacts(known)
    }
}

impl Selector {
    /// The artifacts of an earlier command that it asks for, by itself or by a selector that it names.
    pub(super) fn artifacts(&self, known: &[NamedSelector]) -> BTreeSet<StoredArtifact> {
        let mut found: BTreeSet<StoredArtifact> = self.terms().filter_map(|term| term.method().artifact()).collect();
        for name in self.terms().filter_map(Term::names_selector) {
            found.extend(known.iter().filter(|one| one.name == name).flat_map(|one| one.artifacts(known)));
        }
        found
    }
}

impl Definition {
    fn artifacts(&self, known: &[NamedSelector]) -> BTreeSet<StoredArtifact> {
        match self {
            Definition::Text(selector, _) => selector.artifacts(known),
            Definition::Union(parts) | Definition::Intersection(parts) => {
                parts.iter().flat_map(|part| part.artifacts(known)).collect()
            }
            Definition::Without(included, excluded) => {
                included.artifacts(known).union(&excluded.artifacts(known)).copied().collect()
            }
        }
    }
}

/// Reads the `selectors:` of a file.
///
/// # Errors
///
/// Returns what is wrong with the first one that cannot be read.
pub fn named_selectors(file: &Value) -> Result<Vec<NamedSelector>, String> {
    let listed = file.get("selectors").and_then(Value::as_array).ok_or("`selectors` must be a list")?;
    let mut found: Vec<NamedSelector> = Vec::new();
    for item in listed {
        let name = item.get("name").and_then(Value::as_str).ok_or("a selector has no `name`")?.to_owned();
        let written = item.get("definition").ok_or_else(|| format!("the selector `{name}` has no `definition`"))?;
        let definition = read(written, &found).map_err(|wrong| format!("the selector `{name}`: {wrong}"))?;
        let is_default = item.get("default").and_then(Value::as_bool).unwrap_or(false);
        found.push(NamedSelector { name, is_default, definition });
    }
    Ok(found)
}

/// `known` are the selectors above this one, which it may name.
fn read(written: &Value, known: &[NamedSelector]) -> Result<Definition, String> {
    match written {
        Value::String(text) => text_definition(text, known),
        Value::Object(fields) => read_fields(fields, known),
        _ => Err("a definition is a text or a mapping".to_owned()),
    }
}

fn read_fields(fields: &Map<String, Value>, known: &[NamedSelector]) -> Result<Definition, String> {
    if let Some(items) = fields.get("union") {
        return combined(items, known, Definition::Union);
    }
    if let Some(items) = fields.get("intersection") {
        return combined(items, known, Definition::Intersection);
    }
    let is_short = fields.get("value").is_none() && fields.len() == 1;
    if let Some(unknown) = fields.keys().find(|key| !is_short && !KEYS.contains(&key.as_str())) {
        return Err(format!("`{unknown}` is not a key of a definition: its keys are {}", all_of(KEYS)));
    }
    let Some(value) = fields.get("value") else {
        // `tag: nightly` is short for a method with its value.
        return match fields.iter().next() {
            Some((method, Value::String(value))) if fields.len() == 1 => {
                text_definition(&format!("{method}:{value}"), known)
            }
            _ => Err("a definition has a `method` with a `value`, a `union` or an `intersection`".to_owned()),
        };
    };
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let method = fields.get("method").and_then(Value::as_str).unwrap_or("fqn");
    let is_set = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or(false);
    let found = match method {
        "selector" => {
            let other = known.iter().find(|other| other.name == value);
            other.ok_or_else(|| unknown_above(&value, known))?.definition.clone()
        }
        _ => {
            let depth = |key: &str| fields.get(key).map(Value::to_string).unwrap_or_default();
            let before = if is_set("parents") { format!("{}+", depth("parents_depth")) } else { String::new() };
            let after = if is_set("children") { format!("+{}", depth("children_depth")) } else { String::new() };
            let needs = if is_set("childrens_parents") { "@" } else { "" };
            let found = text_definition(&format!("{needs}{before}{method}:{value}{after}"), known)?;
            match (found, mode(fields)?) {
                (Definition::Text(selector, _), mode) => Definition::Text(selector, mode),
                (other, _) => other,
            }
        }
    };
    match fields.get("exclude") {
        None => Ok(found),
        Some(items) => {
            let excluded = combined(items, known, Definition::Union)?;
            Ok(Definition::Without(Box::new(found), Box::new(excluded)))
        }
    }
}

/// A list, of which an item `exclude:` takes away from the others.
fn combined(
    items: &Value,
    known: &[NamedSelector],
    combine: fn(Vec<Definition>) -> Definition,
) -> Result<Definition, String> {
    let items = items.as_array().ok_or("a `union`, an `intersection` and an `exclude` are lists")?;
    let mut included = Vec::new();
    let mut excluded = Vec::new();
    for item in items {
        match item.get("exclude").filter(|_| item.as_object().is_some_and(|fields| fields.len() == 1)) {
            Some(items) => excluded.push(combined(items, known, Definition::Union)?),
            None => included.push(read(item, known)?),
        }
    }
    let found = combine(included);
    if excluded.is_empty() {
        return Ok(found);
    }
    Ok(Definition::Without(Box::new(found), Box::new(Definition::Union(excluded))))
}

/// The keys of a definition that has a `value`.
const KEYS: [&str; 9] = [
    "method",
    "value",
    "parents",
    "parents_depth",
    "children",
    "children_depth",
    "childrens_parents",
    "indirect_selection",
    "exclude",
];

fn mode(fields: &Map<String, Value>) -> Result<Option<IndirectSelection>, String> {
    let Some(written) = fields.get("indirect_selection") else { return Ok(None) };
    let found = IndirectSelection::ALL.into_iter().find(|mode| written.as_str() == Some(mode.word()));
    let words = IndirectSelection::ALL.map(IndirectSelection::word);
    found.map(Some).ok_or_else(|| format!("`indirect_selection` can be {}, not {written}", any_of(words)))
}

/// A definition may name those above it alone, so that none is made of itself.
fn unknown_above(name: &str, known: &[NamedSelector]) -> String {
    match known {
        [] => format!("no selector above it is called `{name}`, because there is none"),
        _ => {
            format!("no selector above it is called `{name}`: there is {}", all_of(known.iter().map(|one| &*one.name)))
        }
    }
}

fn text_definition(text: &str, known: &[NamedSelector]) -> Result<Definition, String> {
    let selector = parse(text).map_err(|SelectorError { message, .. }| format!("`{text}`: {message}"))?;
    for name in selector.terms().filter_map(Term::names_selector) {
        if known.iter().all(|one| one.name != name) {
            return Err(unknown_above(name, known));
        }
    }
    Ok(Definition::Text(selector, None))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(definition: &Value) -> Result<Definition, String> {
        let found = named_selectors(&json!({"selectors": [{"name": "s", "definition": definition}]}))?;
        Ok(found.into_iter().next().unwrap().definition)
    }

    fn text(text: &str) -> Definition {
        Definition::Text(parse(text).unwrap(), None)
    }

    #[test]
    fn a_definition_is_a_text_a_method_or_a_combination() {
        assert_eq!(only(&json!("tag:nightly+")).unwrap(), text("tag:nightly+"));
        assert_eq!(only(&json!({"tag": "nightly"})).unwrap(), text("tag:nightly"));
        let method = json!({"method": "fqn", "value": "a", "parents": true, "parents_depth": 2, "children": true});
        assert_eq!(only(&method).unwrap(), text("2+fqn:a+"));
        let union = json!({"union": [{"tag": "x"}, "b", {"exclude": ["c"]}]});
        let expected = Definition::Without(
            Box::new(Definition::Union(vec![text("tag:x"), text("b")])),
            Box::new(Definition::Union(vec![Definition::Union(vec![text("c")])])),
        );
        assert_eq!(only(&union).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_selectors_name() {
        assert_eq!(only(&json!(7)).unwrap_err(), "the selector `s`: a definition is a text or a mapping");
        let unknown = json!({"method": "selector", "value": "t"});
        assert_eq!(
            only(&unknown).unwrap_err(),
            "the selector `s`: no selector above it is called `t`, because there is none"
        );
        assert!(only(&json!({"method": "stage", "value": "x"})).unwrap_err().contains("stage"));
    }
}
