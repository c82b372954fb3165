//! `manifest.json`: all that is in a project, and what depends on what.

use std::collections::BTreeMap;
use std::io;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call_scan::{KnownMacros, MacroPlace};
use super::data_tests;
use super::described::DescribedNode;
use super::digest::md5;
use super::disabled;
use super::groups;
use super::invocation::{Invocation, Metadata};
use super::macros::{DocView, MacroView, doc_view, macro_id, macro_view};
use super::models::{self, NodeView};
use super::resource_index::ResourceIndex;
use super::resources;
use super::sources::{SourceView, source};
use super::test_id::TestFacts;
use super::unit_tests;
use crate::analyze::TypedModel;
use crate::name::ModelName;
use crate::project::{Project, ResourceKind, SqlDialect};
use crate::span::SourceFiles;
use crate::template::{Rendered, macro_blocks};

/// What a manifest is made of.
pub(crate) struct ManifestInputs<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub files: &'a SourceFiles,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub tests: &'a TestFacts,
    pub resources: ResourceIndex<'a>,
    pub invocation: &'a Invocation,
    /// The folder of artifacts and compiled SQL, as it was named.
    pub target_path: &'a str,
}

#[derive(Serialize)]
struct ManifestFile<'a> {
    metadata: ManifestMetadata<'a>,
    nodes: &'a BTreeMap<String, NodeView<'a>>,
    sources: &'a BTreeMap<String, SourceView<'a>>,
    macros: BTreeMap<String, MacroView<'a>>,
    docs: BTreeMap<String, DocView<'a>>,
    exposures: &'a BTreeMap<String, DescribedNode>,
    metrics: &'a BTreeMap<String, DescribedNode>,
    groups: BTreeMap<String, Value>,
    selectors: Map<String, Value>,
    disabled: BTreeMap<String, Vec<Value>>,
    parent_map: BTreeMap<&'a str, Vec<&'a str>>,
    child_map: BTreeMap<&'a str, Vec<&'a str>>,
    group_map: BTreeMap<&'a str, Vec<&'a str>>,
    saved_queries: &'a BTreeMap<String, DescribedNode>,
    semantic_models: &'a BTreeMap<String, DescribedNode>,
    unit_tests: &'a BTreeMap<String, DescribedNode>,
    functions: Empty,
}

/// What a project of karat has none of.
#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ManifestMetadata<'a> {
    #[serde(flatten)]
    common: Metadata<'a>,
    project_name: &'a str,
    project_id: String,
    user_id: Option<()>,
    send_anonymous_usage_stats: bool,
    adapter_type: &'static str,
    quoting: Value,
    run_started_at: String,
}

impl ManifestInputs<'_> {
    /// When nodes are said to have been read, in seconds.
    pub(super) fn created_at(&self) -> f64 {
        // A double holds microseconds of this era.
        self.invocation.started.timestamp_micros() as f64 / 1e6
    }
}

/// Which of dbt's databases the SQL is written for: readers choose their parser by it.
fn adapter_type(dialect: SqlDialect) -> &'static str {
    match dialect {
        SqlDialect::Postgres => "postgres",
        SqlDialect::DuckDb => "duckdb",
        SqlDialect::Snowflake => "snowflake",
        SqlDialect::BigQuery => "bigquery",
        SqlDialect::Spark => "spark",
    }
}

/// Writes a manifest, sorted by ids.
///
/// # Errors
///
/// Returns an error of the writer.
pub(crate) fn write_manifest(inputs: &ManifestInputs<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let project = inputs.project;
    let blocks = macro_blocks(project, inputs.files);
    let places = blocks.iter().map(|block| MacroPlace { package: block.package, name: &block.name });
    let names = KnownMacros::new(&project.name.value, places);
    let nodes = nodes(inputs, &names);
    let sources = project.source_properties.iter().map(|(name, found)| source(inputs, name, found));
    let sources: BTreeMap<String, SourceView<'_>> = sources.map(|source| (source.unique_id.clone(), source)).collect();
    let of_kind = |kind: ResourceKind| {
        let of_kind = project.resources.iter().filter(|resource| resource.kind == kind);
        by_id(of_kind.map(|resource| resources::described(inputs, resource)))
    };
    let parts = ManifestParts {
        nodes,
        sources,
        exposures: of_kind(ResourceKind::Exposure),
        metrics: of_kind(ResourceKind::Metric),
        saved_queries: of_kind(ResourceKind::SavedQuery),
        semantic_models: of_kind(ResourceKind::SemanticModel),
        unit_tests: by_id(project.unit_tests.values().map(|test| unit_tests::described(inputs, test))),
    };
    // Both maps borrow the ids of the nodes: with a thousand models they are most of the file.
    let parents = parts.parents();
    let docs = project.docs.iter().map(|block| doc_view(inputs, block));
    let started = inputs.invocation.started;
    let manifest = ManifestFile {
        metadata: ManifestMetadata {
            common: inputs.invocation.metadata("manifest/v12"),
            project_name: &project.name.value,
            project_id: md5(&project.name.value),
            user_id: None,
            send_anonymous_usage_stats: false,
            adapter_type: adapter_type(project.reading.dialect),
            quoting: json!({"database": true, "schema": true, "identifier": true, "column": null}),
            run_started_at: started.to_rfc3339_opts(SecondsFormat::Micros, true),
        },
        nodes: &parts.nodes,
        sources: &parts.sources,
        macros: blocks.iter().map(|block| (macro_id(block), macro_view(inputs, block, &names))).collect(),
        docs: docs.map(|doc| (doc.unique_id.clone(), doc)).collect(),
        exposures: &parts.exposures,
        metrics: &parts.metrics,
        groups: groups::groups(inputs),
        selectors: groups::selectors(inputs),
        disabled: disabled::disabled(inputs, &names)?,
        child_map: children(&parents),
        parent_map: parents,
        group_map: parts.members(project),
        saved_queries: &parts.saved_queries,
        semantic_models: &parts.semantic_models,
        unit_tests: &parts.unit_tests,
        functions: Empty {},
    };
    serde_json::to_writer(out, &manifest).map_err(io::Error::from)
}

/// Models, seeds, snapshots, analyses and data tests.
fn nodes<'a>(inputs: &ManifestInputs<'a>, names: &KnownMacros<'_>) -> BTreeMap<String, NodeView<'a>> {
    let mut nodes = BTreeMap::new();
    let mut add = |node: NodeView<'a>| nodes.insert(node.unique_id.clone(), node);
    for model in inputs.project.models.values() {
        // What switches itself off is in no graph.
        if let Some(rendered) = inputs.rendered.outline(&model.name) {
            add(models::node(inputs, model, rendered, names));
        }
    }
    data_tests::each_declared(inputs.project, &mut |declared| {
        if declared.is_of_graph(inputs.rendered) {
            add(data_tests::generic(inputs, declared, names));
        }
    });
    for resource in &inputs.project.resources {
        if let Some(analysis) = resources::analysis(inputs, resource, names) {
            add(analysis);
        }
    }
    // Files come last: lines of YAML may not have their names.
    for test in &inputs.project.singular_tests {
        add(data_tests::singular(inputs, test, names));
    }
    nodes
}

fn by_id(all: impl Iterator<Item = DescribedNode>) -> BTreeMap<String, DescribedNode> {
    all.map(|described| (described.unique_id.clone(), described)).collect()
}

fn sorted<'a>(read: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut read: Vec<&str> = read.into_iter().map(String::as_str).collect();
    read.sort_unstable();
    read
}

/// What is in a graph, by ids.
struct ManifestParts<'a> {
    nodes: BTreeMap<String, NodeView<'a>>,
    sources: BTreeMap<String, SourceView<'a>>,
    exposures: BTreeMap<String, DescribedNode>,
    metrics: BTreeMap<String, DescribedNode>,
    saved_queries: BTreeMap<String, DescribedNode>,
    semantic_models: BTreeMap<String, DescribedNode>,
    unit_tests: BTreeMap<String, DescribedNode>,
}

impl ManifestParts<'_> {
    fn described(&self) -> impl Iterator<Item = &DescribedNode> {
        let all = [&self.exposures, &self.metrics, &self.saved_queries, &self.semantic_models, &self.unit_tests];
        all.into_iter().flat_map(BTreeMap::values)
    }

    /// What each node reads itself, sorted.
    fn parents(&self) -> BTreeMap<&str, Vec<&str>> {
        let of_nodes = self
            .nodes
            .iter()
            .map(|(id, node)| (id.as_str(), sorted(node.code.iter().flat_map(|code| &code.depends_on.nodes))));
        let of_described = self.described().map(|one| (one.unique_id.as_str(), sorted(&one.parents)));
        let of_sources = self.sources.keys().map(|id| (id.as_str(), Vec::new()));
        of_nodes.chain(of_sources).chain(of_described).collect()
    }

    /// What belongs to each group.
    fn members<'p>(&'p self, project: &'p Project) -> BTreeMap<&'p str, Vec<&'p str>> {
        let mut members: BTreeMap<&str, Vec<&str>> =
            project.groups.keys().map(|group| (group.as_str(), Vec::new())).collect();
        let of_nodes = self.nodes.iter().filter_map(|(id, node)| Some((node.group?, id.as_str())));
        let of_described = self.described().filter_map(|one| Some((one.group()?, one.unique_id.as_str())));
        for (group, id) in of_nodes.chain(of_described) {
            members.entry(group).or_default().push(id);
        }
        members.values_mut().for_each(|ids| ids.sort_unstable());
        members
    }
}

/// What reads each node itself, sorted.
fn children<'a>(parents: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut children: BTreeMap<&str, Vec<&str>> = parents.keys().map(|id| (*id, Vec::new())).collect();
    for (id, read) in parents {
        for parent in read {
            children.entry(parent).or_default().push(id);
        }
    }
    children
}
