//! Models, seeds and snapshots as nodes of a manifest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::call_scan::KnownMacros;
use super::config_view::{ConfigView, ConfigsOf, Written};
use super::contract;
use super::described::filled;
use super::digest::sha256;
use super::manifest::ManifestInputs;
use super::node_id::{NodeIds, base_name, version};
use super::paths;
use super::qualified::{qualified, relation_name};
use crate::analyze::TypedModel;
use crate::name::{NodeKind, SchemaName, TableName};
use crate::project::{Column, DATABASE, Model, ModelVersion};
use crate::span::Span;
use crate::template::{Reference, ReferenceTarget, RenderedModel};

/// What every node has.
#[derive(Debug, Serialize)]
pub(super) struct NodeView<'a> {
    pub database: &'static str,
    pub schema: String,
    pub name: String,
    pub resource_type: &'static str,
    pub package_name: &'a str,
    pub path: String,
    pub original_file_path: String,
    pub unique_id: String,
    pub fqn: Vec<String>,
    pub alias: String,
    pub checksum: Checksum,
    pub config: ConfigView<'a>,
    pub tags: Vec<&'a str>,
    pub description: &'a str,
    pub columns: ColumnViews<'a>,
    pub meta: Map<String, Value>,
    pub group: Option<&'a str>,
    pub docs: Value,
    pub patch_path: Option<String>,
    pub build_path: Option<String>,
    pub unrendered_config: Map<String, Value>,
    pub created_at: f64,
    pub relation_name: Option<String>,
    pub raw_code: Cow<'a, str>,
    pub doc_blocks: [(); 0],
    #[serde(flatten)]
    pub code: Option<NodeCode<'a>>,
    #[serde(flatten)]
    pub more: NodeDetails<'a>,
}

/// What a node has that is made of a template.
#[derive(Debug, Serialize)]
pub(super) struct NodeCode<'a> {
    pub language: &'static str,
    pub refs: Vec<RefView>,
    pub sources: Vec<[String; 2]>,
    pub metrics: [(); 0],
    pub functions: [(); 0],
    pub depends_on: DependsOn,
    pub compiled_path: Option<String>,
    pub compiled: bool,
    pub compiled_code: Option<Cow<'a, str>>,
    pub extra_ctes_injected: bool,
    pub extra_ctes: [(); 0],
    pub contract: Value,
}

/// What only nodes of one kind have.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum NodeDetails<'a> {
    Model(Box<ModelDetails<'a>>),
    Seed(SeedDetails),
    GenericTest(Box<super::data_tests::GenericTestDetails>),
    None {},
}

#[derive(Debug, Serialize)]
pub(super) struct ModelDetails<'a> {
    access: &'a str,
    constraints: Value,
    version: Option<Value>,
    latest_version: Option<Value>,
    deprecation_date: Option<&'a Value>,
    primary_key: Vec<&'a str>,
    time_spine: Option<Value>,
}

#[derive(Debug, Serialize)]
pub(super) struct SeedDetails {
    root_path: Option<()>,
    depends_on: MacrosOnly,
}

#[derive(Debug, Serialize)]
struct MacrosOnly {
    macros: [(); 0],
}

#[derive(Debug, Serialize)]
pub(super) struct Checksum {
    pub name: &'static str,
    pub checksum: String,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub(super) struct RefView {
    pub name: String,
    pub package: Option<()>,
    pub version: Option<Value>,
}

#[derive(Debug, Serialize, Default)]
pub(super) struct DependsOn {
    pub macros: Vec<String>,
    pub nodes: Vec<String>,
}

/// Columns, which are written by name and in their order.
#[derive(Debug, Default)]
pub(super) struct ColumnViews<'a>(pub Vec<ColumnView<'a>>);

impl Serialize for ColumnViews<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|column| (column.name, column)))
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ColumnView<'a> {
    name: &'a str,
    description: &'a str,
    meta: Value,
    data_type: Option<String>,
    constraints: Value,
    quote: Option<&'a Value>,
    config: Value,
    tags: Value,
    granularity: Option<&'a Value>,
    doc_blocks: [(); 0],
}

impl Checksum {
    pub fn of_text(text: &str) -> Self {
        // dbt strips a file before anything else.
        Self { name: "sha256", checksum: sha256(text.trim()) }
    }

    pub fn none() -> Self {
        Self { name: "none", checksum: String::new() }
    }
}

impl DependsOn {
    /// Adds a node, once.
    pub fn add(&mut self, id: String) {
        if !self.nodes.contains(&id) {
            self.nodes.push(id);
        }
    }
}

impl<'a> ColumnView<'a> {
    pub fn new(
        name: &'a str,
        description: &'a str,
        data_type: Option<String>,
        written: &'a Map<String, Value>,
    ) -> Self {
        let config = written.get("config");
        let said = |key: &str| written.get(key).or_else(|| config?.get(key)).filter(|value| !value.is_null());
        let meta = said("meta").cloned().unwrap_or_else(|| json!({}));
        let tags = match said("tags") {
            Some(Value::String(tag)) => json!([tag]),
            Some(tags) => tags.clone(),
            None => json!([]),
        };
        Self {
            name,
            description,
            data_type,
            constraints: written.get("constraints").cloned().unwrap_or_else(|| json!([])),
            quote: written.get("quote"),
            config: json!({"meta": meta, "tags": tags}),
            meta,
            tags,
            granularity: written.get("granularity"),
            doc_blocks: [],
        }
    }
}

/// Where a properties file describes something, as dbt writes it: `shop://models/schema.yml`.
pub(super) fn patch_path(inputs: &ManifestInputs<'_>, package: &str, described_at: Span) -> String {
    let path = inputs.files.path(described_at.file);
    format!("{package}://{}", paths::in_package(inputs.project, package, path))
}

/// A model, a seed or a snapshot.
pub(super) fn node<'a>(
    inputs: &ManifestInputs<'a>,
    model: &'a Model,
    rendered: &'a RenderedModel,
    macros: &KnownMacros<'_>,
) -> NodeView<'a> {
    let settled = SettledModel {
        table: rendered.table.clone(),
        written: Written::Settings(&rendered.settings),
        materialized: rendered.config.materialized.word(),
        rendered: Some(rendered),
    };
    view(inputs, model, settled, macros)
}

/// One that is switched off.
pub(super) fn disabled<'a>(inputs: &ManifestInputs<'a>, model: &'a Model, macros: &KnownMacros<'_>) -> NodeView<'a> {
    let written = Written::Settings(&model.settings);
    let of_kind = match configs_of(model) {
        ConfigsOf::Seeds => "seed",
        ConfigsOf::Snapshots => "snapshot",
        ConfigsOf::Models | ConfigsOf::Analyses | ConfigsOf::Tests => "view",
    };
    let schema = written.get("schema").and_then(Value::as_str).and_then(|schema| SchemaName::parse(schema).ok());
    let settled = SettledModel {
        table: model.table(schema.as_ref(), written.get("alias").and_then(Value::as_str)),
        written,
        materialized: written.get("materialized").and_then(Value::as_str).unwrap_or(of_kind),
        rendered: None,
    };
    let mut node = view(inputs, model, settled, macros);
    node.config.fixed.push(("enabled", Value::Bool(false)));
    node
}

/// What is settled of a model.
struct SettledModel<'a> {
    table: TableName,
    written: Written<'a>,
    materialized: &'a str,
    /// `None` if it is switched off.
    rendered: Option<&'a RenderedModel>,
}

fn view<'a>(
    inputs: &ManifestInputs<'a>,
    model: &'a Model,
    settled: SettledModel<'a>,
    macros: &KnownMacros<'_>,
) -> NodeView<'a> {
    let SettledModel { table, written, materialized, rendered } = settled;
    let kind = model.kind();
    let typed = inputs.typed.get(&model.name);
    let original = paths::in_package(inputs.project, &model.package, &model.path);
    let text = inputs.files.text(model.file);
    let raw = if kind == NodeKind::Seed { "" } else { model.own_text(inputs.files).trim() };
    NodeView {
        database: DATABASE,
        schema: table.schema.to_string(),
        name: base_name(model).to_owned(),
        resource_type: kind.word(),
        package_name: &model.package,
        path: below_folder(model, original),
        original_file_path: original.to_owned(),
        unique_id: NodeIds::new(inputs.project).of_model(model),
        fqn: fqn(model),
        alias: table.table.clone(),
        checksum: Checksum::of_text(if model.snapshot.is_some() { raw } else { text }),
        config: ConfigView { of: configs_of(model), written, fixed: vec![("materialized", Value::from(materialized))] },
        tags: written.tags(),
        description: &model.description,
        columns: columns(inputs, &model.columns, typed),
        meta: written.meta(),
        group: said(model, written, "group").and_then(Value::as_str),
        docs: written.docs(),
        patch_path: model.described_at.map(|span| patch_path(inputs, &model.package, span)),
        build_path: None,
        unrendered_config: written.unrendered(inputs.files),
        created_at: inputs.created_at(),
        relation_name: (materialized != "ephemeral").then(|| relation_name(&table)),
        raw_code: Cow::Borrowed(raw),
        doc_blocks: [],
        code: (kind != NodeKind::Seed).then(|| code(inputs, model, rendered, macros)),
        more: details(inputs, model, written),
    }
}

/// The names by which selectors find a model; a version is one more.
fn fqn(model: &Model) -> Vec<String> {
    let mut fqn = model.fqn.clone();
    if let Some(version) = version(model) {
        fqn.pop();
        fqn.extend([base_name(model).to_owned(), format!("v{version}")]);
    }
    fqn
}

/// The path below the folder of models or seeds: as many parts as there are names behind the package.
fn below_folder(model: &Model, original: &str) -> String {
    if model.kind() == NodeKind::Snapshot {
        return paths::below_folder(original).to_owned();
    }
    let parts: Vec<&str> = original.split('/').collect();
    let below = model.fqn.len().saturating_sub(1).clamp(1, parts.len());
    parts.get(parts.len() - below..).unwrap_or_default().join("/")
}

/// The value of a key beside `config`, or of the config of the same name.
fn said<'a>(model: &'a Model, written: Written<'a>, key: &str) -> Option<&'a Value> {
    model.written.get(key).filter(|value| !value.is_null()).or_else(|| written.get(key))
}

/// Which configs a node has that `ref()` finds.
fn configs_of(model: &Model) -> ConfigsOf {
    if model.seed.is_some() {
        ConfigsOf::Seeds
    } else if model.snapshot.is_some() {
        ConfigsOf::Snapshots
    } else {
        ConfigsOf::Models
    }
}

fn details<'a>(inputs: &ManifestInputs<'_>, model: &'a Model, written: Written<'a>) -> NodeDetails<'a> {
    match configs_of(model) {
        ConfigsOf::Seeds => NodeDetails::Seed(SeedDetails { root_path: None, depends_on: MacrosOnly { macros: [] } }),
        ConfigsOf::Snapshots => NodeDetails::None {},
        ConfigsOf::Models | ConfigsOf::Analyses | ConfigsOf::Tests => NodeDetails::Model(Box::new(ModelDetails {
            access: said(model, written, "access").and_then(Value::as_str).unwrap_or("protected"),
            constraints: contract::constraints(inputs, &model.constraints),
            version: model.version.as_ref().map(ModelVersion::number),
            latest_version: model.version.as_ref().map(ModelVersion::latest_number),
            deprecation_date: said(model, written, "deprecation_date"),
            primary_key: primary_key(model),
            time_spine: model.written.get("time_spine").filter(|written| !written.is_null()).map(time_spine),
        })),
    }
}

fn time_spine(written: &Value) -> Value {
    let unset = [("standard_granularity_column", Value::Null), ("custom_granularities", json!([]))];
    filled(written, &unset)
}

/// The columns of the primary key; without one, those that tests say are unique and never null; without any such, those that are unique.
fn primary_key(model: &Model) -> Vec<&str> {
    let declared = contract::primary_key(model);
    if !declared.is_empty() {
        return declared;
    }
    let has = |column: &Column, kind: &str| column.tests.iter().any(|test| test.kind.value == kind);
    let unique: Vec<&Column> = model.columns.iter().filter(|column| has(column, "unique")).collect();
    let keys: Vec<&str> =
        unique.iter().filter(|column| has(column, "not_null")).map(|column| column.name.value.as_str()).collect();
    if keys.is_empty() { unique.iter().map(|column| column.name.value.as_str()).collect() } else { keys }
}

/// The declared columns, with the types that the compiler knows where YAML names none.
fn columns<'a>(inputs: &ManifestInputs<'_>, declared: &'a [Column], typed: Option<&TypedModel>) -> ColumnViews<'a> {
    let known: BTreeMap<String, String> = match typed {
        Some(typed) if !declared.is_empty() => {
            typed.relation_columns().iter().map(|column| (column.name.clone(), column.data_type.clone())).collect()
        }
        _ => BTreeMap::new(),
    };
    let view = |column: &'a Column| {
        let name = column.name.value.as_str();
        let data_type = column.data_type.as_ref().map(|written| written.value.clone());
        let data_type = data_type.or_else(|| known.get(name).cloned());
        let constraints = contract::constraints(inputs, &column.constraints);
        ColumnView { constraints, ..ColumnView::new(name, &column.description, data_type, &column.written) }
    };
    ColumnViews(declared.iter().map(view).collect())
}

fn code<'a>(
    inputs: &ManifestInputs<'a>,
    model: &'a Model,
    rendered: Option<&'a RenderedModel>,
    macros: &KnownMacros<'_>,
) -> NodeCode<'a> {
    let is_compiled = inputs.typed.contains_key(&model.name);
    // Where `karat compile` puts it.
    let path = format!("{}/compiled/{}", inputs.target_path, model.path);
    let texts = rendered.map(|rendered| [Some(&rendered.full), rendered.sliced.as_ref()]);
    let mut code = NodeCode {
        language: "sql",
        refs: Vec::new(),
        sources: Vec::new(),
        metrics: [],
        functions: [],
        depends_on: DependsOn {
            macros: macros.called_in(model.template(inputs.files), &model.package),
            nodes: Vec::new(),
        },
        compiled_path: is_compiled.then_some(path),
        compiled: is_compiled,
        compiled_code: rendered.filter(|_| is_compiled).map(|rendered| qualified(&rendered.full)),
        extra_ctes_injected: is_compiled,
        extra_ctes: [],
        contract: contract::contract(model, rendered),
    };
    texts.into_iter().flatten().flatten().for_each(|text| code.add_references(inputs, &text.references));
    for target in rendered.into_iter().flat_map(|rendered| contract::named_by_keys(model, rendered, inputs.project)) {
        code.add_target(inputs.project, &target);
    }
    code
}

impl NodeCode<'_> {
    pub fn add_references(&mut self, inputs: &ManifestInputs<'_>, references: &[Reference]) {
        for reference in references {
            self.add_reference(inputs, reference);
        }
    }

    fn add_reference(&mut self, inputs: &ManifestInputs<'_>, reference: &Reference) {
        let Some(id) = NodeIds::new(inputs.project).of_reference(reference) else { return };
        self.depends_on.add(id);
        match (&reference.through, &reference.target) {
            (Some(source), _) | (None, ReferenceTarget::Source(source)) => {
                let source = [source.schema.to_string(), source.table.clone()];
                if !self.sources.contains(&source) {
                    self.sources.push(source);
                }
            }
            (None, ReferenceTarget::Model(name)) => {
                let Some(model) = inputs.project.models.get(name) else { return };
                let version = model.version.as_ref().map(ModelVersion::number);
                let found = RefView { name: base_name(model).to_owned(), package: None, version };
                if !self.refs.contains(&found) {
                    self.refs.push(found);
                }
            }
            (None, ReferenceTarget::This) => {}
        }
    }
}
