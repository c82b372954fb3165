//! Properties files with errors: what they stop.
//!
//! A file that is no YAML may say anything of the models that it names, also that they have tests. So every model whose name stands
//! in it as a word is stopped, and so is one that is called nearly like something that the file gives a name to. In a file that
//! is YAML, an error within the entry of a model stops that model, and one within a source the models that read it. Exposures,
//! metrics and their like stop nothing. All other errors stop the whole project: nobody can tell whom they are about.

use std::collections::{BTreeMap, BTreeSet};

use super::Model;
use super::found_models::PropertiesFile;
use super::node::{Node, YamlFields};
use super::resource::ResourceKind;
use super::resources::list_key;
use crate::diag::{Diagnostic, Severity, Sink, nearest};
use crate::name::{ModelName, NodeKind};
use crate::span::{FileId, SourceFiles, Span};

/// The properties files of a project, as far as they could be read.
pub(super) struct ReadProperties<'a> {
    pub parsed: Vec<PropertiesFile<'a>>,
    /// Those that are no YAML.
    pub unparsed: Vec<FileId>,
}

/// What is wrong with properties, by what it stops.
#[derive(Debug, Clone, Default)]
pub struct PropertyFaults {
    /// The models that cannot be built.
    pub models: BTreeMap<ModelName, Vec<Diagnostic>>,
    /// Sources that nothing can read.
    sources: Vec<SourceFault>,
    /// Of exposures, metrics and their like.
    resources: Vec<Diagnostic>,
}

/// What is wrong with a source, or with one of its tables.
#[derive(Debug, Clone)]
struct SourceFault {
    source: String,
    table: Option<String>,
    fault: Diagnostic,
}

impl PropertyFaults {
    /// What is known to be wrong with these models, and nothing else.
    pub(super) fn of_models(models: BTreeMap<ModelName, Vec<Diagnostic>>) -> PropertyFaults {
        PropertyFaults { models, ..PropertyFaults::default() }
    }

    /// What is wrong with a table that `source()` names, as far as it is known to be declared.
    pub fn of_source(&self, source: &str, table: &str) -> Vec<&Diagnostic> {
        let is_about =
            |one: &&SourceFault| one.source == source && one.table.as_deref().is_none_or(|of_table| of_table == table);
        self.sources.iter().filter(is_about).map(|one| &one.fault).collect()
    }

    /// What is wrong with sources, whoever reads them.
    pub fn of_sources(&self) -> impl Iterator<Item = &Diagnostic> {
        self.sources.iter().map(|one| &one.fault)
    }

    /// What is wrong beside models.
    pub fn elsewhere(&self) -> Vec<Diagnostic> {
        self.of_sources().chain(&self.resources).cloned().collect()
    }

    /// Everything that is wrong.
    pub fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.models.values().flatten().chain(self.of_sources()).chain(&self.resources)
    }
}

/// What an entry of a properties file is about.
#[derive(Debug, Clone)]
enum FaultSubject {
    /// A model, a seed or a snapshot.
    Model(String),
    Source {
        source: String,
        table: Option<String>,
    },
    Resource,
}

/// An entry of a properties file.
#[derive(Debug)]
struct Entry {
    span: Span,
    subject: FaultSubject,
}

/// What the places of properties files are about.
#[derive(Default)]
pub(super) struct FaultZones {
    /// Those of tables are before those of their sources.
    entries: Vec<Entry>,
    unparsed: Vec<FileId>,
}

impl FaultZones {
    /// The places that `said` may name: none of them matters where nothing is wrong.
    pub fn of(properties: &ReadProperties<'_>, said: &Sink) -> FaultZones {
        if !said.has_errors() {
            return FaultZones::default();
        }
        let entries = properties.parsed.iter().flat_map(|file| entries(&file.node)).collect();
        FaultZones { entries, unparsed: properties.unparsed.clone() }
    }

    /// Takes the errors out of `said` whose subject is known.
    pub fn take_from(
        &self,
        said: &mut Sink,
        models: &BTreeMap<ModelName, Model>,
        files: &SourceFiles,
    ) -> PropertyFaults {
        let mut faults = PropertyFaults::default();
        for diagnostic in said.take() {
            let place = diagnostic.labels.first().map(|label| label.span);
            let Some(place) = place.filter(|_| diagnostic.severity == Severity::Error) else {
                said.add(diagnostic);
                continue;
            };
            let stopped = match self.subject_at(place) {
                _ if self.unparsed.contains(&place.file) => named_in(files.text(place.file), models),
                Some(FaultSubject::Model(name)) => models_called(name, models),
                Some(FaultSubject::Source { source, table }) => {
                    let fault = SourceFault { source: source.clone(), table: table.clone(), fault: diagnostic };
                    faults.sources.push(fault);
                    continue;
                }
                Some(FaultSubject::Resource) => {
                    faults.resources.push(diagnostic);
                    continue;
                }
                None => BTreeSet::new(),
            };
            if stopped.is_empty() {
                said.add(diagnostic);
                continue;
            }
            for name in stopped {
                faults.models.entry(name).or_default().push(diagnostic.clone());
            }
        }
        faults
    }

    fn subject_at(&self, place: Span) -> Option<&FaultSubject> {
        let is_around = |entry: &&Entry| {
            entry.span.file == place.file && entry.span.start <= place.start && place.end <= entry.span.end
        };
        self.entries.iter().find(is_around).map(|entry| &entry.subject)
    }
}

/// What one file has entries for.
fn entries(node: &Node) -> Vec<Entry> {
    // What is wrong with the file is said where it is read.
    let Ok(fields) = YamlFields::of(node, "a properties file", &mut Sink::default()) else { return Vec::new() };
    let mut found = Vec::new();
    for kind in [NodeKind::Model, NodeKind::Seed, NodeKind::Snapshot] {
        for item in items(&fields, &format!("{kind}s")) {
            found.extend(name_of(item).map(|name| Entry { span: item.span, subject: FaultSubject::Model(name) }));
        }
    }
    for source in items(&fields, "sources") {
        let Some(name) = name_of(source) else { continue };
        let tables = YamlFields::of(source, "an entry", &mut Sink::default()).map(|fields| items(&fields, "tables"));
        for table in tables.unwrap_or_default() {
            let subject = FaultSubject::Source { source: name.clone(), table: name_of(table) };
            found.push(Entry { span: table.span, subject });
        }
        found.push(Entry { span: source.span, subject: FaultSubject::Source { source: name, table: None } });
    }
    for kind in ResourceKind::ALL {
        let resources = items(&fields, list_key(kind)).iter();
        found.extend(resources.map(|item| Entry { span: item.span, subject: FaultSubject::Resource }));
    }
    found
}

fn items<'a>(fields: &YamlFields<'a>, key: &str) -> &'a [Node] {
    fields.list(key, &mut Sink::default())
}

fn name_of(item: &Node) -> Option<String> {
    let fields = YamlFields::of(item, "an entry", &mut Sink::default()).ok()?;
    fields.name("it", &mut Sink::default()).ok().map(|name| name.value)
}

/// The models that an entry may be about: those of its name, or else the one whose name is nearest.
fn models_called(name: &str, models: &BTreeMap<ModelName, Model>) -> BTreeSet<ModelName> {
    let called: BTreeSet<ModelName> = models.keys().filter(|model| is_of(model, name)).cloned().collect();
    if !called.is_empty() {
        return called;
    }
    let near = nearest(name, models.keys().map(ModelName::as_str));
    near.and_then(|near| models.keys().find(|model| model.as_str() == near)).cloned().into_iter().collect()
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
            said("models:\n  - name: ordrs\n    descripton: x\n"),
            "orders: no model is called `ordrs`; orders: `descripton` is not a key of a model"
        );
        assert_eq!(
            said("models:\n  - name: orders\nsource: []\n"),
            "stops: `source` is not a key of a properties file"
        );
    }

    #[test]
    fn an_error_in_a_source_or_a_metric_stops_neither_models_nor_the_project() {
        let table = "sources:\n  - name: app\n    tables:\n      - {name: events, columes: []}\n      - name: users\n";
        let whole = "sources:\n  - name: app\n    schema: \"{{ var('missing') }}\"\n    tables: [{name: events}]\n";
        let metric = "metrics: [{name: revenue, label: Revenue}]";
        assert_eq!(said(table), "elsewhere: `columes` is not a key of a source table");
        assert_eq!(said(whole), "elsewhere: the variable `missing` is not set");
        assert_eq!(said(metric), "elsewhere: the metric `revenue` has no `type`");
    }
}
