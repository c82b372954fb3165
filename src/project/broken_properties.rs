//! Properties files with errors: which models they stop.
//!
//! A file that is no YAML may say anything of the models that it names, also that they have tests. So every model whose name stands
//! in it as a word is stopped, and so is one that is called nearly like something that the file gives a name to. In a file that
//! is YAML, an error within the entry of a model stops that model. All other errors stop the whole project: nobody can tell whom
//! they are about.

use std::collections::{BTreeMap, BTreeSet};

use super::Model;
use super::found_models::PropertiesFile;
use super::node::{Node, YamlFields};
use crate::diag::{Diagnostic, Severity, Sink, nearest};
use crate::name::{ModelName, NodeKind};
use crate::span::{FileId, SourceFiles, Span};

/// The properties files of a project, as far as they could be read.
pub(super) struct ReadProperties<'a> {
    pub parsed: Vec<PropertiesFile<'a>>,
    /// Those that are no YAML.
    pub unparsed: Vec<FileId>,
}

/// An entry of a model in a properties file.
struct ModelEntry {
    span: Span,
    name: String,
}

/// What is wrong with properties, by whom it stops.
pub(super) struct PropertyFaults {
    entries: Vec<ModelEntry>,
    unparsed: Vec<FileId>,
}

impl PropertyFaults {
    pub fn of(properties: &ReadProperties<'_>) -> PropertyFaults {
        let entries = properties.parsed.iter().flat_map(|file| entries(&file.node)).collect();
        PropertyFaults { entries, unparsed: properties.unparsed.clone() }
    }

    /// Takes the errors out of `said` that are about certain models.
    pub fn take_from(
        &self,
        said: &mut Sink,
        models: &BTreeMap<ModelName, Model>,
        files: &SourceFiles,
    ) -> BTreeMap<ModelName, Vec<Diagnostic>> {
        let mut faults: BTreeMap<ModelName, Vec<Diagnostic>> = BTreeMap::new();
        for diagnostic in said.take() {
            let stopped = match diagnostic.severity {
                Severity::Error => self.stopped_by(&diagnostic, models, files),
                Severity::Warning => BTreeSet::new(),
            };
            if stopped.is_empty() {
                said.add(diagnostic);
                continue;
            }
            for name in stopped {
                faults.entry(name).or_default().push(diagnostic.clone());
            }
        }
        faults
    }

    /// The models that an error is about; empty if that cannot be told.
    fn stopped_by(
        &self,
        diagnostic: &Diagnostic,
        models: &BTreeMap<ModelName, Model>,
        files: &SourceFiles,
    ) -> BTreeSet<ModelName> {
        let Some(label) = diagnostic.labels.first() else { return BTreeSet::new() };
        if self.unparsed.contains(&label.span.file) {
            return named_in(files.text(label.span.file), models);
        }
        let within = |entry: &&ModelEntry| {
            entry.span.file == label.span.file
                && entry.span.start <= label.span.start
                && label.span.end <= entry.span.end
        };
        match self.entries.iter().find(within) {
            Some(entry) => models.keys().filter(|model| is_of(model, &entry.name)).cloned().collect(),
            None => BTreeSet::new(),
        }
    }
}

/// What one file says of models, seeds and snapshots.
fn entries(node: &Node) -> Vec<ModelEntry> {
    // What is wrong with the file is said where it is read.
    let unsaid = &mut Sink::default();
    let Ok(fields) = YamlFields::of(node, "a properties file", unsaid) else { return Vec::new() };
    let kinds = [NodeKind::Model, NodeKind::Seed, NodeKind::Snapshot];
    let items = kinds.iter().flat_map(|kind| fields.list(&format!("{kind}s"), &mut Sink::default()));
    let entry = |item: &Node| {
        let name =
            YamlFields::of(item, "an entry", &mut Sink::default()).ok()?.name("it", &mut Sink::default()).ok()?;
        Some(ModelEntry { span: item.span, name: name.value })
    };
    items.filter_map(entry).collect()
}

/// Whether a model is what the name means: itself, or one of its versions.
fn is_of(model: &ModelName, name: &str) -> bool {
    let version = model.as_str().strip_prefix(name);
    version
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix("_v").is_some_and(|rest| rest.parse::<u64>().is_ok()))
}

/// The models that a text may be about.
fn named_in(text: &str, models: &BTreeMap<ModelName, Model>) -> BTreeSet<ModelName> {
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_owned).collect()
    };
    // Escapes and templates may write any name.
    let is_computed = |line: &str| line.contains("name:") && (line.contains("{{") || line.contains('\\'));
    if text.lines().any(is_computed) {
        return models.keys().cloned().collect();
    }
    let typed = words(text);
    let mut named: BTreeSet<ModelName> =
        models.keys().filter(|model| typed.iter().any(|word| is_of(model, word))).cloned().collect();
    let after_name = text.lines().filter_map(|line| line.split_once("name:")).flat_map(|(_, rest)| words(rest));
    for word in after_name.filter(|word| word.len() > 3) {
        let near = nearest(&word, models.keys().map(ModelName::as_str)).map(ModelName::parse);
        named.extend(near.and_then(Result::ok));
    }
    named
}

#[cfg(test)]
mod tests {
    use crate::project::testing::faults_by_model;

    /// What is wrong with which models, or what stops the project.
    fn said(properties: &str) -> String {
        let files = [
            ("models/orders.sql", "select 1 as id"),
            ("models/people_v2.sql", "select 1 as id"),
            ("models/p.yml", properties),
        ];
        faults_by_model("name: shop", &files)
    }

    #[test]
    fn an_error_stops_the_models_that_it_may_be_about() {
        assert_eq!(said("models:\n  - name: orders\n    columns: [\n"), "orders: the bracket `[` is never closed");
        assert_eq!(said("models:\n  - name: ordrs\n    columns: [\n"), "orders: the bracket `[` is never closed");
        assert_eq!(said("models:\n  - name: people\n    columns: [\n"), "people_v2: the bracket `[` is never closed");
        let all = "orders: the bracket `[` is never closed; people_v2: the bracket `[` is never closed";
        assert_eq!(said("models:\n  - name: \"{{ x }}\"\n    columns: [\n"), all);
        assert_eq!(said("sources:\n  - name: raw\n    tables: [\n"), "stops: the bracket `[` is never closed");
        assert_eq!(
            said("models:\n  - name: orders\n    descripton: x\n"),
            "orders: `descripton` is not a key of a model"
        );
        assert_eq!(
            said("models:\n  - name: orders\nsource: []\n"),
            "stops: `source` is not a key of a properties file"
        );
    }
}
