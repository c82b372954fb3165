//! Templates in the values of YAML: rendered after parsing, so that every value keeps its place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{Node, YamlEntry, YamlKind};
use super::scalar::{Scalar, Typed};
use crate::diag::{Diagnostic, Sink};
use crate::span::{SourceFiles, Spanned};

/// Renders texts of YAML.
pub trait YamlTemplates {
    /// What the text stands for: an expression alone keeps its type, everything else is a text.
    ///
    /// # Errors
    ///
    /// Returns what is wrong, without a place.
    fn render(&self, text: &str, scope: &YamlScope) -> Result<Value, Box<Diagnostic>>;
}

/// Leaves every text as it is.
#[derive(Debug, Clone, Copy)]
pub struct PlainTexts;

impl YamlTemplates for PlainTexts {
    fn render(&self, text: &str, _scope: &YamlScope) -> Result<Value, Box<Diagnostic>> {
        Ok(Value::from(text))
    }
}

/// What a template in YAML may know.
#[derive(Debug, Clone, Default)]
pub struct YamlScope {
    pub vars: BTreeMap<String, Value>,
    pub target: String,
    /// The environment variables that the target lists for templates.
    pub env_vars: std::collections::BTreeSet<String>,
    /// Blocks of documentation by name, those of packages with the package in front: `dbt_utils.star`.
    pub docs: BTreeMap<String, String>,
}

/// What the values of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum YamlFile {
    Project,
    Properties,
}

/// Keys whose values are no templates, or templates for later: hooks are SQL, and variables stand as they are.
const RAW_IN_PROJECT: [&str; 6] = ["on-run-end", "on-run-start", "query-comment", "targets", "target", "vars"];
const HOOKS: [&str; 4] = ["post-hook", "post_hook", "pre-hook", "pre_hook"];
const TESTS: [&str; 2] = ["data_tests", "tests"];
/// What belongs to the config of a test and not to its arguments, which are rendered where the test is.
const OF_TESTS: [&str; 8] =
    ["config", "enabled", "error_if", "fail_calc", "limit", "severity", "store_failures", "warn_if"];

/// Renders the nodes of one file.
pub(super) struct YamlRendering<'a> {
    pub(super) templates: &'a dyn YamlTemplates,
    pub(super) scope: &'a YamlScope,
    pub(super) file: YamlFile,
}

impl YamlRendering<'_> {
    /// The node with every template rendered. One that cannot be is reported, and null in its place.
    pub(super) fn render<'n>(&self, node: &'n Node, sink: &mut Sink) -> Cow<'n, Node> {
        if has_template(node) { Cow::Owned(self.node(node, false, sink)) } else { Cow::Borrowed(node) }
    }

    fn node(&self, node: &Node, in_test: bool, sink: &mut Sink) -> Node {
        let kind = match &node.kind {
            YamlKind::Scalar(scalar) if !in_test && is_template(&scalar.text) => {
                return self.scalar(node, scalar, sink);
            }
            YamlKind::Scalar(scalar) => YamlKind::Scalar(scalar.clone()),
            YamlKind::Sequence(items) => {
                YamlKind::Sequence(items.iter().map(|item| self.node(item, in_test, sink)).collect())
            }
            YamlKind::Mapping(entries) => {
                YamlKind::Mapping(entries.iter().map(|entry| self.entry(entry, in_test, sink)).collect())
            }
        };
        Node { span: node.span, kind }
    }

    fn entry(&self, entry: &YamlEntry, in_test: bool, sink: &mut Sink) -> YamlEntry {
        let (key, value) = entry;
        let word = key.value.trim_start_matches('+');
        let is_raw = match self.file {
            YamlFile::Project => RAW_IN_PROJECT.contains(&word),
            YamlFile::Properties => in_test && word == "description",
        };
        let rendered = if is_raw || HOOKS.contains(&word) {
            value.clone()
        } else if self.file == YamlFile::Properties && TESTS.contains(&word) {
            self.node(value, true, sink)
        } else {
            self.node(value, in_test && !OF_TESTS.contains(&word), sink)
        };
        (key.clone(), rendered)
    }

    fn scalar(&self, node: &Node, scalar: &Scalar, sink: &mut Sink) -> Node {
        match self.templates.render(&scalar.text, self.scope) {
            Ok(value) => from_json(node, value),
            Err(diagnostic) => {
                sink.error(diagnostic.at(node.span));
                from_json(node, Value::Null)
            }
        }
    }
}

/// A value in the place of the text that it was made of.
fn from_json(place: &Node, value: Value) -> Node {
    let scalar = |text: String, typed| YamlKind::Scalar(Scalar { text, typed });
    let kind = match value {
        Value::Null => scalar(String::new(), Typed::Null),
        Value::Bool(value) => scalar(value.to_string(), Typed::Bool(value)),
        Value::Number(number) => {
            let typed = match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Typed::Integer(integer),
                (None, Some(float)) => Typed::Float(float),
                (None, None) => Typed::Text,
            };
            scalar(number.to_string(), typed)
        }
        Value::String(text) => scalar(text, Typed::Text),
        Value::Array(items) => YamlKind::Sequence(items.into_iter().map(|item| from_json(place, item)).collect()),
        Value::Object(entries) => {
            let entry = |(key, value)| (Spanned::new(key, place.span), from_json(place, value));
            YamlKind::Mapping(entries.into_iter().map(entry).collect())
        }
    };
    Node { span: place.span, kind }
}

fn has_template(node: &Node) -> bool {
    match &node.kind {
        YamlKind::Scalar(scalar) => is_template(&scalar.text),
        YamlKind::Sequence(items) => items.iter().any(has_template),
        YamlKind::Mapping(entries) => entries.iter().any(|(_, value)| has_template(value)),
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag))
}

/// Adds the blocks `{% docs name %} … {% enddocs %}` of a text; `package` stands before their names if it is not the project.
pub(super) fn add_docs(text: &str, package: Option<&str>, docs: &mut BTreeMap<String, String>) {
    let mut rest = text;
    while let Some((name, after)) = next_tag(rest, "docs") {
        let end = next_tag_start(after, "enddocs").unwrap_or(after.len());
        let body = after.get(..end).unwrap_or_default().trim();
        let name = name.trim();
        if let Some(package) = package {
            docs.insert(format!("{package}.{name}"), body.to_owned());
        }
        // The project's own blocks come first, and stay.
        docs.entry(name.to_owned()).or_insert_with(|| body.to_owned());
        rest = after.get(end..).unwrap_or_default();
    }
}

/// The text inside the next tag that begins with a word, and what stands behind the tag.
fn next_tag<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let start = next_tag_start(text, word)?;
    let (inside, after) = text.get(start + 2..)?.split_once("%}")?;
    let name = inside.trim_matches(['-', ' ']).strip_prefix(word)?;
    Some((name, after))
}

fn next_tag_start(text: &str, word: &str) -> Option<usize> {
    text.match_indices("{%").map(|(start, _)| start).find(|start| {
        let inside = text.get(start + 2..).unwrap_or_default().trim_start_matches('-').trim_start();
        inside.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '-', '%']))
    })
}

/// The blocks of all files.
pub(super) fn all_docs(files: &super::ProjectFiles, project: &str, texts: &SourceFiles) -> BTreeMap<String, String> {
    let mut docs = BTreeMap::new();
    for found in files.docs() {
        add_docs(texts.text(found.file), Some(project), &mut docs);
    }
    for package in &files.packages {
        let name = package.name();
        for found in package.docs() {
            add_docs(texts.text(found.file), name.as_deref(), &mut docs);
        }
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_documentation_are_found_by_name() {
        let mut docs = BTreeMap::new();
        add_docs(
            "# Title\n{% docs a %}\nOne.\n{% enddocs %}\n{%- docs b -%} Two {%- enddocs -%}",
            Some("p"),
            &mut docs,
        );
        let found: Vec<(&str, &str)> = docs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found, [("a", "One."), ("b", "Two"), ("p.a", "One."), ("p.b", "Two")]);
    }
}
