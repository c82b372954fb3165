//! `manifest.json`: all that is in a project, and what depends on what.

use std::collections::BTreeMap;
use std::io;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Value, json};

use super::call_scan::{KnownMacros, MacroPlace};
use super::data_tests;
use super::digest::md5;
use super::invocation::{Invocation, Metadata};
use super::macros::{DocView, MacroView, doc_view, macro_id, macro_view};
use super::models::{self, NodeView};
use super::sources::{SourceView, source};
use super::test_id::TestFacts;
use crate::analyze::TypedModel;
use crate::name::ModelName;
use crate::project::{Project, SqlDialect};
use crate::span::SourceFiles;
use crate::template::{Rendered, macro_blocks};

/// What a manifest is made of.
pub(crate) struct ManifestInputs<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub files: &'a SourceFiles,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub tests: &'a TestFacts,
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
    exposures: Empty,
    metrics: Empty,
    groups: Empty,
    selectors: Empty,
    disabled: Empty,
    parent_map: BTreeMap<&'a str, Vec<&'a str>>,
    child_map: BTreeMap<&'a str, Vec<&'a str>>,
    group_map: Empty,
    saved_queries: Empty,
    semantic_models: Empty,
    unit_tests: Empty,
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
    // Both maps borrow the ids of the nodes: with a thousand models they are most of the file.
    let parents = parents(&nodes, &sources);
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
        nodes: &nodes,
        sources: &sources,
        macros: blocks.iter().map(|block| (macro_id(block), macro_view(inputs, block, &names))).collect(),
        docs: docs.map(|doc| (doc.unique_id.clone(), doc)).collect(),
        exposures: Empty {},
        metrics: Empty {},
        groups: Empty {},
        selectors: Empty {},
        disabled: Empty {},
        child_map: children(&parents),
        parent_map: parents,
        group_map: Empty {},
        saved_queries: Empty {},
        semantic_models: Empty {},
        unit_tests: Empty {},
        functions: Empty {},
    };
    serde_json::to_writer(out, &manifest).map_err(io::Error::from)
}

/// Models, seeds, snapshots and data tests.
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
    // Files come last: lines of YAML may not have their names.
    for test in &inputs.project.singular_tests {
        add(data_tests::singular(inputs, test, names));
    }
    nodes
}

/// What each node reads itself, sorted.
fn parents<'a>(
    nodes: &'a BTreeMap<String, NodeView<'_>>,
    sources: &'a BTreeMap<String, SourceView<'_>>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let of_nodes = nodes.iter().map(|(id, node)| {
        let read = node.code.iter().flat_map(|code| &code.depends_on.nodes);
        let mut read: Vec<&str> = read.map(String::as_str).collect();
        read.sort_unstable();
        (id.as_str(), read)
    });
    of_nodes.chain(sources.keys().map(|id| (id.as_str(), Vec::new()))).collect()
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
