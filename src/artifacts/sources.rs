//! Sources in a manifest.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::config_view::as_written;
use super::manifest::ManifestInputs;
use super::models::{ColumnView, ColumnViews};
use super::node_id::NodeIds;
use super::paths;
use super::qualified::relation_name;
use crate::name::TableName;
use crate::project::{Age, DATABASE, Freshness, SourceProperties};

/// A source table.
#[derive(Debug, Serialize)]
pub(super) struct SourceView<'a> {
    database: &'a str,
    schema: &'a str,
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    pub unique_id: String,
    fqn: Vec<String>,
    source_name: &'a str,
    source_description: &'a str,
    loader: &'a str,
    identifier: &'a str,
    quoting: Value,
    loaded_at_field: Option<&'a str>,
    loaded_at_query: Option<&'a str>,
    freshness: Option<Criteria<'a>>,
    external: Option<&'a Value>,
    description: &'a str,
    columns: ColumnViews<'a>,
    meta: Map<String, Value>,
    source_meta: Map<String, Value>,
    tags: Vec<String>,
    config: Value,
    patch_path: Option<()>,
    unrendered_config: Map<String, Value>,
    relation_name: String,
    created_at: f64,
    unrendered_database: Option<()>,
    unrendered_schema: Option<()>,
    doc_blocks: [(); 0],
}

/// What only karat knows of a source: where its files are, and how they are read.
pub(super) const KEYS_OF_FILES: [&str; 10] = [
    "location",
    "format",
    "options",
    "event_time",
    "on_bad_row",
    "max_bad_rows",
    "max_rescued",
    "on_missing",
    "missing_columns",
    "unknown_columns",
];

/// `freshness` as artifacts have it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Criteria<'a> {
    warn_after: AgeView,
    error_after: AgeView,
    filter: Option<&'a str>,
}

#[derive(Debug, Clone, Serialize)]
struct AgeView {
    count: Option<u64>,
    period: Option<&'static str>,
}

impl AgeView {
    fn new(age: Option<Age>) -> Self {
        Self { count: age.map(|age| age.count), period: age.map(|age| age.period.word()) }
    }
}

impl<'a> Criteria<'a> {
    pub fn new(freshness: &'a Freshness) -> Self {
        Self {
            warn_after: AgeView::new(freshness.warn_after),
            error_after: AgeView::new(freshness.error_after),
            filter: freshness.filter.as_ref().map(|filter| filter.value.as_str()),
        }
    }
}

pub(super) fn source<'a>(
    inputs: &ManifestInputs<'a>,
    name: &'a TableName,
    found: &'a SourceProperties,
) -> SourceView<'a> {
    let file = inputs.files.path(found.span.file);
    let original = paths::in_package(inputs.project, &found.package, file);
    let text = |key: &str| found.get(key).and_then(Value::as_str);
    let source_meta = metas(&found.source);
    let mut meta = source_meta.clone();
    meta.extend(metas(&found.table));
    let tags = all_tags(found);
    let freshness = found.freshness.freshness.as_ref().map(Criteria::new);
    let loaded_at_field = found.freshness.loaded_at_field.as_ref().map(|written| written.value.as_str());
    let loaded_at_query = found.freshness.loaded_at_query.as_ref().map(|written| written.value.as_str());
    let is_table = inputs.project.tables.contains_key(name);
    let relation = match inputs.project.tables.get(name) {
        Some(table) => format!("\"{DATABASE}\".\"{}\".\"{}\"", table.schema, table.identifier),
        None => relation_name(name),
    };
    let columns = found.columns.iter().map(|column| {
        let data_type = column.data_type.clone();
        ColumnView::new(&column.name, &column.description, data_type, &column.written)
    });
    SourceView {
        database: text("database").unwrap_or(DATABASE),
        schema: if is_table { text("schema").unwrap_or(name.schema.as_str()) } else { name.schema.as_str() },
        name: &name.table,
        resource_type: "source",
        package_name: &found.package,
        path: original.to_owned(),
        original_file_path: original.to_owned(),
        unique_id: NodeIds::new(inputs.project).of_source(name),
        fqn: paths::fqn_in_file(&found.package, original, &[name.schema.as_str(), &name.table]),
        source_name: name.schema.as_str(),
        source_description: &found.source_description,
        loader: text("loader").unwrap_or_default(),
        identifier: text("identifier").unwrap_or(&name.table),
        quoting: json!({"database": null, "schema": null, "identifier": null, "column": null}),
        loaded_at_field,
        loaded_at_query,
        external: found.table.get("external").filter(|external| external.is_object()),
        description: &found.description,
        columns: ColumnViews(columns.collect()),
        config: json!({
            "enabled": !found.is_disabled(), "event_time": text("event_time"), "freshness": freshness,
            "loaded_at_field": loaded_at_field, "loaded_at_query": loaded_at_query, "meta": meta, "tags": tags,
        }),
        freshness,
        meta,
        source_meta,
        tags,
        patch_path: None,
        unrendered_config: config_of_files(inputs, name, found),
        relation_name: relation,
        created_at: inputs.created_at(),
        unrendered_database: None,
        unrendered_schema: None,
        doc_blocks: [],
    }
}

/// What is said of the files of a source. Their place is as it was written, because a template may have given it.
fn config_of_files(inputs: &ManifestInputs<'_>, name: &TableName, found: &SourceProperties) -> Map<String, Value> {
    let said = |key: &str| Some((key.to_owned(), found.table.get(key)?.clone()));
    let mut config: Map<String, Value> = KEYS_OF_FILES.into_iter().filter_map(said).collect();
    if let (Some(location), Some(source)) = (config.get_mut("location"), inputs.project.sources.get(name)) {
        *location = as_written(inputs.files, source.location.span).unwrap_or_else(|| location.clone());
    }
    config
}

/// `meta` beside `config`, and that in it.
fn metas(written: &Map<String, Value>) -> Map<String, Value> {
    let mut meta = Map::new();
    for found in [written.get("meta"), written.get("config").and_then(|config| config.get("meta"))] {
        meta.extend(found.and_then(Value::as_object).cloned().unwrap_or_default());
    }
    meta
}

/// The tags of a source and of its table, sorted.
fn all_tags(found: &SourceProperties) -> Vec<String> {
    let mut tags = tags_of(&found.source);
    tags.extend(tags_of(&found.table));
    tags.sort();
    tags.dedup();
    tags
}

fn tags_of(written: &Map<String, Value>) -> Vec<String> {
    let mut tags = Vec::new();
    for found in [written.get("tags"), written.get("config").and_then(|config| config.get("tags"))] {
        match found {
            Some(Value::String(tag)) => tags.push(tag.clone()),
            Some(Value::Array(all)) => tags.extend(all.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    tags
}
