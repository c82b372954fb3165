//! What properties files declare of exposures, metrics, semantic models, saved queries and groups, and the files that are analyses.

use std::collections::BTreeMap;

use super::files::FoundFile;
use super::nested_keys;
use super::node::{Node, YamlFields, YamlKind};
use super::resource::{Dependency, NodeGroup, Resource, ResourceKind};
use super::schema::{self, Keys};
use super::text_call::TextCall;
use crate::diag::{Checked, Code, Diagnostic, Sink, any_of};
use crate::span::{Span, Spanned};

/// What was declared so far.
#[derive(Debug, Default)]
pub(super) struct DeclaredResources {
    pub resources: Vec<Resource>,
    /// Those that are switched off.
    pub disabled: Vec<Resource>,
    pub groups: BTreeMap<String, NodeGroup>,
    /// Whether a metric was written as in dbt before 1.6.
    has_old_metrics: bool,
}

/// The file that something is declared in.
#[derive(Clone, Copy)]
pub(super) struct DeclaringFile<'a> {
    pub package: &'a str,
    pub found: &'a FoundFile,
}

impl DeclaringFile<'_> {
    /// The package, the folders of the file, and the name.
    pub fn fqn(&self, name: &str) -> Vec<String> {
        let folders = self.found.below.rsplit_once('/').map_or("", |(folders, _)| folders);
        let names = [self.package].into_iter().chain(folders.split('/').filter(|folder| !folder.is_empty()));
        names.chain([name]).map(str::to_owned).collect()
    }
}

/// The words of `type` for an exposure, and those of `maturity`.
const EXPOSURE_TYPES: [&str; 5] = ["dashboard", "notebook", "analysis", "ml", "application"];
const MATURITIES: [&str; 3] = ["low", "medium", "high"];
const METRIC_TYPES: [&str; 5] = ["simple", "ratio", "cumulative", "derived", "conversion"];

fn keys(kind: ResourceKind) -> &'static Keys {
    match kind {
        ResourceKind::Analysis => &schema::ANALYSIS,
        ResourceKind::SemanticModel => &schema::SEMANTIC_MODEL,
        ResourceKind::Metric => &schema::METRIC,
        ResourceKind::SavedQuery => &schema::SAVED_QUERY,
        ResourceKind::Exposure => &schema::EXPOSURE,
    }
}

/// The key below which a properties file lists them.
pub(super) fn list_key(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Analysis => "analyses",
        ResourceKind::SemanticModel => "semantic_models",
        ResourceKind::Metric => "metrics",
        ResourceKind::SavedQuery => "saved_queries",
        ResourceKind::Exposure => "exposures",
    }
}

/// `an exposure`, `a metric`.
fn with_article(kind: ResourceKind) -> String {
    match kind {
        ResourceKind::Analysis | ResourceKind::Exposure => format!("an {}", kind.spoken()),
        ResourceKind::SemanticModel | ResourceKind::Metric | ResourceKind::SavedQuery => format!("a {}", kind.spoken()),
    }
}

/// One item of a list, with what all kinds have.
struct WrittenResource<'a> {
    kind: ResourceKind,
    node: &'a Node,
    fields: YamlFields<'a>,
    name: Spanned<String>,
    tags: Vec<String>,
    group: Option<Spanned<String>>,
    is_enabled: bool,
}

impl<'a> WrittenResource<'a> {
    fn read(kind: ResourceKind, node: &'a Node, sink: &mut Sink) -> Checked<WrittenResource<'a>> {
        let fields = YamlFields::of(node, &format!("an item of `{}`", list_key(kind)), sink)?;
        keys(kind).check(&fields, sink);
        nested_keys::check_resource(kind, &fields, sink);
        let name = fields.name(&with_article(kind), sink)?;
        let mut item = WrittenResource { kind, node, fields, name, tags: Vec::new(), group: None, is_enabled: true };
        item.tags.extend(texts(&fields, "tags", sink));
        if let Some(config) = fields.get("config") {
            let config = YamlFields::of(config, "`config`", sink)?;
            schema::RESOURCE_CONFIG.check(&config, sink);
            item.is_enabled = config.read("enabled", Node::expect_bool, sink).unwrap_or(true);
            item.group = config.text("group", sink);
            item.tags.extend(texts(&config, "tags", sink));
        }
        item.group = fields.text("group", sink).or(item.group);
        Ok(item)
    }

    fn required(&self, key: &str, sink: &mut Sink) -> Checked<&'a Node> {
        self.fields.get(key).ok_or_else(|| {
            let message = format!("{} `{}` has no `{key}`", the(self.kind), self.name.value);
            sink.error(Diagnostic::error(Code::InvalidYaml, message).at(self.name.span))
        })
    }

    /// One of these words. Returns `None` if the key is not there.
    fn word(&self, key: &str, words: &[&str], sink: &mut Sink) -> Option<String> {
        let written = self.fields.text(key, sink)?;
        if !words.contains(&written.value.as_str()) {
            let message = format!("`{key}` of {} `{}` cannot be `{}`", the(self.kind), self.name.value, written.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(written.span);
            let help = format!("it can be {}", any_of(words.iter().copied()));
            sink.error(diagnostic.suggest(&written.value, words.iter().copied()).help(help));
        }
        Some(written.value)
    }

    fn resource(self, file: DeclaringFile<'_>, depends_on: Vec<Spanned<Dependency>>, sink: &mut Sink) -> Resource {
        Resource {
            kind: self.kind,
            package: file.package.to_owned(),
            path: file.found.path.clone(),
            fqn: file.fqn(&self.name.value),
            description: self.fields.description(sink),
            tags: self.tags,
            group: self.group,
            depends_on,
            file: None,
            described_at: None,
            properties: self.node.to_json(),
            name: self.name,
        }
    }
}

/// `the exposure`.
fn the(kind: ResourceKind) -> String {
    format!("the {}", kind.spoken())
}

fn texts(fields: &YamlFields<'_>, key: &str, sink: &mut Sink) -> Vec<String> {
    let read = fields.read(key, Node::expect_texts, sink).unwrap_or_default();
    read.into_iter().map(|text| text.value).collect()
}

impl DeclaredResources {
    /// Adds what one properties file declares.
    pub fn declare(&mut self, fields: &YamlFields<'_>, file: DeclaringFile<'_>, sink: &mut Sink) {
        for node in fields.list("groups", sink) {
            self.add_group(node, file.package, sink);
        }
        for kind in ResourceKind::ALL {
            for node in fields.list(list_key(kind), sink) {
                if kind == ResourceKind::Metric && self.is_old_metric(node, sink) {
                    continue;
                }
                match WrittenResource::read(kind, node, sink) {
                    Ok(item) if item.is_enabled => self.add_item(item, file, sink),
                    Ok(item) => self.switch_off(item, file, sink),
                    Err(_reported) => {}
                }
            }
        }
    }

    /// Whether a metric is written as in dbt before 1.6, with a model and a calculation in the place of measures. Nothing reads those any
    /// more, dbt neither: that is said once.
    fn is_old_metric(&mut self, node: &Node, sink: &mut Sink) -> bool {
        let Ok(fields) = YamlFields::of(node, "a metric", &mut Sink::default()) else { return false };
        let is_old = ["calculation_method", "expression", "sql", "timestamp", "time_grains"];
        if fields.get("type_params").is_some() || is_old.iter().all(|key| fields.get(key).is_none()) {
            return false;
        }
        if !self.has_old_metrics {
            let message = "metrics in the form of dbt before 1.6 do nothing here";
            let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(fields.place());
            sink.warn(
                diagnostic.help("write them with `type` and `type_params` over the measures of a semantic model"),
            );
        }
        self.has_old_metrics = true;
        true
    }

    /// Adds the files of the analysis paths.
    pub fn add_analyses(&mut self, package: &str, files: &[FoundFile], sink: &mut Sink) {
        for found in files {
            let stem = found.below.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql");
            let declared = DeclaringFile { package, found };
            let analysis = Resource {
                kind: ResourceKind::Analysis,
                name: Spanned::new(stem.to_owned(), Span::new(found.file, 0..0)),
                package: package.to_owned(),
                path: found.path.clone(),
                fqn: analysis_fqn(declared.fqn(stem)),
                description: String::new(),
                tags: Vec::new(),
                group: None,
                depends_on: Vec::new(),
                file: Some(found.file),
                described_at: None,
                properties: serde_json::Value::Null,
            };
            self.add(analysis, sink);
        }
    }

    fn add_item(&mut self, item: WrittenResource<'_>, file: DeclaringFile<'_>, sink: &mut Sink) {
        match item.kind {
            ResourceKind::Analysis => self.describe_analysis(item, sink),
            ResourceKind::SemanticModel => self.add_semantic_model(item, file, sink),
            ResourceKind::Metric => {
                if let Ok(depends_on) = metric_inputs(&item, sink) {
                    self.add(item.resource(file, depends_on, sink), sink);
                }
            }
            ResourceKind::SavedQuery => {
                if let Ok(depends_on) = queried_metrics(&item, sink) {
                    self.add(item.resource(file, depends_on, sink), sink);
                }
            }
            ResourceKind::Exposure => {
                let depends_on = exposed(&item, sink);
                self.add(item.resource(file, depends_on, sink), sink);
            }
        }
    }

    /// What it depends on need not be there.
    fn switch_off(&mut self, item: WrittenResource<'_>, file: DeclaringFile<'_>, sink: &mut Sink) {
        if item.kind != ResourceKind::Analysis {
            self.disabled.push(item.resource(file, Vec::new(), sink));
            return;
        }
        let name = item.name.value.clone();
        self.describe_analysis(item, sink);
        let is_it = |one: &mut Resource| one.kind == ResourceKind::Analysis && one.name.value == name;
        self.disabled.extend(self.resources.extract_if(.., is_it));
    }

    /// What a properties file says of an analysis, which is a file.
    fn describe_analysis(&mut self, item: WrittenResource<'_>, sink: &mut Sink) {
        let is_it = |one: &&mut Resource| one.kind == ResourceKind::Analysis && one.name.value == item.name.value;
        match self.resources.iter_mut().find(is_it) {
            Some(analysis) => {
                analysis.description = item.fields.description(sink);
                analysis.tags = item.tags;
                analysis.group = item.group;
                analysis.described_at = Some(item.name.span);
                analysis.properties = item.node.to_json();
            }
            None => {
                let known = self.resources.iter().filter(|one| one.kind == ResourceKind::Analysis);
                let known: Vec<&str> = known.map(|one| one.name.value.as_str()).collect();
                let message = format!("no analysis is called `{}`", item.name.value);
                let diagnostic = Diagnostic::warning(Code::UnknownModelInYaml, message).at(item.name.span);
                sink.warn(diagnostic.suggest(&item.name.value, known));
            }
        }
    }

    fn add_semantic_model(&mut self, item: WrittenResource<'_>, file: DeclaringFile<'_>, sink: &mut Sink) {
        let Ok(model) = item.required("model", sink) else { return };
        let Ok(depends_on) = dependency(model, "model", &["ref"], sink) else { return };
        for node in item.fields.list("measures", sink) {
            let Ok(measure) = YamlFields::of(node, "an item of `measures`", sink) else { continue };
            let Ok(name) = measure.name("a measure", sink) else { continue };
            // Such a measure is a metric too.
            if measure.read("create_metric", Node::expect_bool, sink) == Some(true) {
                let reads = Spanned::new(Dependency::Measure(name.value.clone()), name.span);
                self.add(
                    Resource {
                        kind: ResourceKind::Metric,
                        package: file.package.to_owned(),
                        path: file.found.path.clone(),
                        fqn: file.fqn(&name.value),
                        description: measure.description(sink),
                        tags: Vec::new(),
                        group: None,
                        depends_on: vec![reads],
                        file: None,
                        described_at: None,
                        properties: node.to_json(),
                        name,
                    },
                    sink,
                );
            }
        }
        self.add(item.resource(file, vec![depends_on], sink), sink);
    }

    /// Within a package, kind and name are unique.
    fn add(&mut self, resource: Resource, sink: &mut Sink) {
        let is_same = |one: &&Resource| {
            one.kind == resource.kind && one.package == resource.package && one.name.value == resource.name.value
        };
        if let Some(first) = self.resources.iter().find(is_same) {
            let message = format!("{} `{}` is declared twice", the(resource.kind), resource.name.value);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message);
            let diagnostic = diagnostic.labelled(resource.name.span, "the second one");
            sink.error(diagnostic.labelled(first.name.span, "the first one"));
            return;
        }
        self.resources.push(resource);
    }

    fn add_group(&mut self, node: &Node, package: &str, sink: &mut Sink) {
        let Ok(fields) = YamlFields::of(node, "an item of `groups`", sink) else { return };
        schema::GROUP.check(&fields, sink);
        nested_keys::check_group(&fields, sink);
        let Ok(name) = fields.name("a group", sink) else { return };
        check_owner(&fields, &format!("the group `{}`", name.value), name.span, sink);
        let description = fields.description(sink);
        let group = NodeGroup { description, package: package.to_owned(), properties: node.to_json(), name };
        if let Some(first) = self.groups.get(&group.name.value) {
            let message = format!("the group `{}` is declared twice", group.name.value);
            let diagnostic =
                Diagnostic::error(Code::DuplicateName, message).labelled(group.name.span, "the second one");
            sink.error(diagnostic.labelled(first.name.span, "the first one"));
            return;
        }
        self.groups.insert(group.name.value.clone(), group);
    }
}

/// As in dbt, where analyses are in a folder of that name.
fn analysis_fqn(mut fqn: Vec<String>) -> Vec<String> {
    fqn.insert(1, "analysis".to_owned());
    fqn
}

/// An owner has a name or an address.
fn check_owner(fields: &YamlFields<'_>, of: &str, place: Span, sink: &mut Sink) {
    let owner = fields.get("owner").map(|owner| (owner, YamlFields::of(owner, "`owner`", sink)));
    let (span, is_named) = match owner {
        Some((owner, Ok(owner_fields))) => {
            (owner.place(), ["name", "email"].iter().any(|key| owner_fields.get(key).is_some()))
        }
        // That it is no mapping was said.
        Some((_, Err(_))) => return,
        None => (place, false),
    };
    if !is_named {
        let diagnostic = Diagnostic::error(Code::InvalidYaml, format!("{of} has no owner")).at(span);
        sink.error(diagnostic.help("write `owner: { name: …, email: … }`, or one of the two"));
    }
}

/// What an exposure depends on.
fn exposed(item: &WrittenResource<'_>, sink: &mut Sink) -> Vec<Spanned<Dependency>> {
    check_owner(&item.fields, &format!("the exposure `{}`", item.name.value), item.name.span, sink);
    if item.required("type", sink).is_ok() {
        item.word("type", &EXPOSURE_TYPES, sink);
    }
    item.word("maturity", &MATURITIES, sink);
    let nodes = item.fields.list("depends_on", sink);
    let functions = ["ref", "source", "metric"];
    nodes.iter().filter_map(|node| dependency(node, "depends_on", &functions, sink).ok()).collect()
}

/// One call that names what is read.
pub(super) fn dependency(node: &Node, key: &str, functions: &[&str], sink: &mut Sink) -> Checked<Spanned<Dependency>> {
    let written = node.expect_text(&format!("`{key}`"), sink)?;
    let called = TextCall::parse(&written.value).filter(|call| functions.contains(&call.function.as_str()));
    let found = called.and_then(|call| {
        let version = call.argument(&["v", "version"]).map(str::to_owned);
        match (call.function.as_str(), call.positional.as_slice()) {
            ("ref", [name] | [_, name]) => Some(Dependency::Model { name: name.clone(), version }),
            ("source", [schema, table]) => Some(Dependency::Source { schema: schema.clone(), table: table.clone() }),
            ("metric", [name] | [_, name]) => Some(Dependency::Metric(name.clone())),
            _ => None,
        }
    });
    found.map(|found| Spanned::new(found, written.span)).ok_or_else(|| {
        let forms = functions.iter().map(|function| match *function {
            "source" => "source('schema', 'table')",
            "metric" => "metric('name')",
            _ => "ref('model')",
        });
        let message = format!("`{key}` names nothing that is known: `{}`", written.value);
        let help = format!("write {}", any_of(forms));
        sink.error(Diagnostic::error(Code::InvalidYaml, message).at(written.span).help(help))
    })
}

/// What a metric is computed of.
fn metric_inputs(item: &WrittenResource<'_>, sink: &mut Sink) -> Checked<Vec<Spanned<Dependency>>> {
    let name = &item.name;
    let starts_well = name.value.starts_with(|first: char| first.is_ascii_alphabetic());
    if !starts_well || !name.value.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        let message = format!("`{}` is not a name for a metric", name.value);
        let diagnostic = Diagnostic::error(Code::InvalidName, message).at(name.span);
        return Err(sink.error(diagnostic.help("begin with a letter, and use letters, digits and `_`")));
    }
    item.required("type", sink)?;
    let kind = item.word("type", &METRIC_TYPES, sink).unwrap_or_default();
    let parameters = YamlFields::of(item.required("type_params", sink)?, "`type_params`", sink)?;
    let mut inputs = Vec::new();
    match kind.as_str() {
        "ratio" => {
            for key in ["numerator", "denominator"] {
                inputs.extend(parameters.get(key).and_then(|node| input(node, key, sink)).map(metric));
            }
        }
        "derived" => {
            let listed = parameters.list("metrics", sink).iter();
            inputs.extend(listed.filter_map(|node| input(node, "metrics", sink)).map(metric));
        }
        "conversion" => {
            if let Some(node) = parameters.get("conversion_type_params") {
                let conversion = YamlFields::of(node, "`conversion_type_params`", sink)?;
                for key in ["base_measure", "conversion_measure"] {
                    inputs.extend(conversion.get(key).and_then(|node| input(node, key, sink)).map(measure));
                }
            }
        }
        _ => inputs.extend(parameters.get("measure").and_then(|node| input(node, "measure", sink)).map(measure)),
    }
    if inputs.is_empty() && METRIC_TYPES.contains(&kind.as_str()) {
        let wanted = match kind.as_str() {
            "ratio" => "`numerator` and `denominator`",
            "derived" => "`metrics`",
            "conversion" => "`conversion_type_params` with `base_measure` and `conversion_measure`",
            _ => "`measure`",
        };
        let message = format!("the metric `{}` is computed of nothing", name.value);
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(parameters.place());
        return Err(sink.error(diagnostic.help(format!("a {kind} metric has {wanted} in its `type_params`"))));
    }
    Ok(inputs)
}

/// A name, or a mapping that has one. What is neither is reported.
fn input(node: &Node, key: &str, sink: &mut Sink) -> Option<Spanned<String>> {
    match &node.kind {
        YamlKind::Mapping(_) => YamlFields::of(node, key, sink).ok()?.name(&format!("`{key}`"), sink).ok(),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) => node.expect_text(&format!("`{key}`"), sink).ok(),
    }
}

fn metric(name: Spanned<String>) -> Spanned<Dependency> {
    Spanned::new(Dependency::Metric(name.value), name.span)
}

fn measure(name: Spanned<String>) -> Spanned<Dependency> {
    Spanned::new(Dependency::Measure(name.value), name.span)
}

/// The metrics of a saved query.
fn queried_metrics(item: &WrittenResource<'_>, sink: &mut Sink) -> Checked<Vec<Spanned<Dependency>>> {
    let parameters = YamlFields::of(item.required("query_params", sink)?, "`query_params`", sink)?;
    let listed = parameters.list("metrics", sink).iter();
    Ok(listed.filter_map(|node| input(node, "metrics", sink)).map(metric).collect())
}
