//! What reads tables and is never built, in a manifest: analyses, exposures, semantic models and saved queries.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::call_scan::KnownMacros;
use super::config_view::{ConfigView, ConfigsOf, Written};
use super::data_tests;
use super::described::{DescribedNode, filled, filled_all, text_filter};
use super::manifest::ManifestInputs;
use super::metrics;
use super::models::{Checksum, NodeView, patch_path};
use super::node_id::{NodeIds, base_name};
use super::paths;
use crate::project::{DATABASE, Dependency, Resource, ResourceKind};

/// What a manifest says of an exposure, a metric, a semantic model or a saved query.
pub(super) fn described(inputs: &ManifestInputs<'_>, resource: &Resource) -> DescribedNode {
    let mut described = DescribedNode::new(inputs, resource);
    match resource.kind {
        ResourceKind::Exposure => exposure(inputs, resource, &mut described),
        ResourceKind::Metric => metrics::describe(inputs, resource, &mut described),
        ResourceKind::SemanticModel => semantic_model(inputs, resource, &mut described),
        // An analysis is a file, and stands among the nodes.
        ResourceKind::SavedQuery | ResourceKind::Analysis => saved_query(inputs, resource, &mut described),
    }
    described
}

fn exposure(inputs: &ManifestInputs<'_>, resource: &Resource, described: &mut DescribedNode) {
    let of = &resource.properties;
    described.add("type", of.get("type"));
    described.set(
        "owner",
        filled(of.get("owner").unwrap_or(&Value::Null), &[("email", Value::Null), ("name", Value::Null)]),
    );
    for key in ["label", "maturity", "url"] {
        described.add(key, of.get(key));
    }
    let meta = described.meta();
    described.set("meta", meta.clone());
    described.set("tags", json!(resource.tags));
    described.set("config", json!({"enabled": described.is_enabled, "tags": resource.tags, "meta": meta}));
    let named = |dependency: &Dependency| match dependency {
        Dependency::Source { schema, table } => Some(json!([schema, table])),
        _ => None,
    };
    let sources: Vec<Value> = resource.depends_on.iter().filter_map(|one| named(&one.value)).collect();
    described.set("sources", Value::from(sources));
    described.add_references(inputs, resource);
}

const UNSET: Value = Value::Null;

fn semantic_model(inputs: &ManifestInputs<'_>, resource: &Resource, described: &mut DescribedNode) {
    let of = &resource.properties;
    described.add("model", of.get("model"));
    described.set("node_relation", node_relation(inputs, resource));
    described.add("label", of.get("label"));
    described.add("defaults", of.get("defaults"));
    let element = |key: &str, own: &[(&str, Value)]| {
        let mut keys =
            vec![("name", UNSET), ("type", UNSET), ("description", UNSET), ("label", UNSET), ("expr", UNSET)];
        keys.extend_from_slice(own);
        keys.push(("config", json!({"meta": {}})));
        filled_all(of.get(key), &keys)
    };
    described.set("entities", Value::from(element("entities", &[("role", UNSET)])));
    let mut dimensions =
        element("dimensions", &[("is_partition", json!(false)), ("type_params", UNSET), ("metadata", UNSET)]);
    for parameters in dimensions.iter_mut().filter_map(|dimension| dimension.get_mut("type_params")) {
        if parameters.is_object() {
            *parameters = filled(parameters, &[("time_granularity", UNSET), ("validity_params", UNSET)]);
        }
    }
    described.set("dimensions", Value::from(dimensions));
    let measure_keys = [
        ("name", UNSET),
        ("agg", UNSET),
        ("description", UNSET),
        ("label", UNSET),
        ("expr", UNSET),
        ("agg_params", UNSET),
        ("non_additive_dimension", UNSET),
        ("agg_time_dimension", UNSET),
        ("config", json!({"meta": {}})),
    ];
    let mut measures = filled_all(of.get("measures"), &measure_keys);
    // As dbt writes it: the metric is there by itself.
    for measure in measures.iter_mut().filter_map(Value::as_object_mut) {
        measure.insert("create_metric".to_owned(), json!(false));
    }
    described.set("measures", Value::from(measures));
    described.add("primary_entity", of.get("primary_entity"));
    described.set("metadata", UNSET);
    described.set("config", described.grouped_config(resource));
    described.add_group(resource);
    described.add_references(inputs, resource);
    described.forget(&["sources", "metrics"]);
}

/// The table of the model that a semantic model is about.
fn node_relation(inputs: &ManifestInputs<'_>, resource: &Resource) -> Value {
    let model = resource.depends_on.iter().find_map(|one| match &one.value {
        Dependency::Model { name, version } => NodeIds::new(inputs.project).referred(name, version.as_deref()),
        _ => None,
    });
    let Some(table) = model.and_then(|model| inputs.rendered.outline(&model.name)).map(|outline| &outline.table) else {
        return Value::Null;
    };
    json!({
        "alias": table.table,
        "schema_name": table.schema.as_str(),
        "database": DATABASE,
        "relation_name": super::qualified::relation_name(table),
    })
}

fn saved_query(inputs: &ManifestInputs<'_>, resource: &Resource, described: &mut DescribedNode) {
    let of = &resource.properties;
    let none = Value::Null;
    let keys =
        [("metrics", json!([])), ("group_by", json!([])), ("where", UNSET), ("order_by", json!([])), ("limit", UNSET)];
    let mut parameters = filled(of.get("query_params").unwrap_or(&none), &keys);
    if let Some(filter) = parameters.get_mut("where") {
        *filter = text_filter(Some(filter));
    }
    described.set("query_params", parameters);
    let exports = of.get("exports").and_then(Value::as_array).into_iter().flatten();
    let exports: Vec<Value> = exports.map(|written| export(inputs, written)).collect();
    described.set("exports", Value::from(exports));
    described.add("label", of.get("label"));
    described.set("metadata", UNSET);
    let mut config = described.grouped_config(resource);
    if let Some(config) = config.as_object_mut() {
        let written = of.get("config");
        for (key, unset) in [("export_as", UNSET), ("schema", UNSET), ("cache", json!({"enabled": false}))] {
            let value = written.and_then(|written| written.get(key)).cloned();
            config.insert(key.to_owned(), value.unwrap_or(unset));
        }
    }
    described.set("config", config);
    described.set("tags", json!(resource.tags));
    described.add_group(resource);
    described.add_references(inputs, resource);
    described.forget(&["sources", "metrics"]);
}

fn export(inputs: &ManifestInputs<'_>, written: &Value) -> Value {
    let none = Value::Null;
    let config = written.get("config").unwrap_or(&none);
    let said = |key: &str| config.get(key).filter(|value| !value.is_null());
    json!({
        "name": written.get("name"),
        "config": {
            "export_as": said("export_as"),
            "schema_name": said("schema").cloned().unwrap_or_else(|| json!(inputs.project.name.value)),
            "alias": said("alias").or_else(|| written.get("name")),
            "database": DATABASE,
        },
        "unrendered_config": config.as_object().cloned().unwrap_or_default(),
    })
}

/// An analysis, which is a node: a file that is rendered.
pub(super) fn analysis<'a>(
    inputs: &ManifestInputs<'a>,
    resource: &'a Resource,
    macros: &KnownMacros<'_>,
) -> Option<NodeView<'a>> {
    let file = resource.file?;
    let text = inputs.files.text(file);
    let original = paths::in_package(inputs.project, &resource.package, &resource.path);
    let written =
        resource.properties.get("config").and_then(Value::as_object).map_or(Written::Nothing, Written::Mapping);
    let mut code = data_tests::code(None);
    code.depends_on.macros = macros.called_in(text, &resource.package);
    if let Some(rendered) = inputs.rendered.analyses.get(&file) {
        code.add_references(inputs, &rendered.references);
    }
    Some(NodeView {
        schema: inputs.project.name.value.clone(),
        name: resource.name.value.clone(),
        resource_type: resource.kind.node_kind().word(),
        path: format!("analysis/{}", paths::below_folder(original)),
        unique_id: resource_id(resource),
        fqn: resource.fqn.clone(),
        alias: resource.name.value.clone(),
        checksum: Checksum::of_text(text),
        config: ConfigView { of: ConfigsOf::Analyses, written, fixed: vec![("materialized", Value::from("view"))] },
        tags: resource.tags.iter().map(String::as_str).collect(),
        description: &resource.description,
        meta: written.meta(),
        group: resource.group.as_ref().map(|group| group.value.as_str()),
        patch_path: resource.described_at.map(|span| patch_path(inputs, &resource.package, span)),
        unrendered_config: written.all(),
        raw_code: Cow::Borrowed(text.trim()),
        code: Some(code),
        ..data_tests::bare(inputs, &resource.package, original)
    })
}

/// `exposure.shop.board`
pub(crate) fn resource_id(resource: &Resource) -> String {
    format!("{}.{}.{}", resource.kind.node_kind(), resource.package, resource.name.value)
}

/// The id of what YAML names. Returns `None` if there is no such thing.
pub(super) fn id_of(inputs: &ManifestInputs<'_>, dependency: &Dependency) -> Option<String> {
    let ids = NodeIds::new(inputs.project);
    match dependency {
        Dependency::Model { name, version } => ids.referred(name, version.as_deref()).map(|model| ids.of_model(model)),
        Dependency::Source { .. } => dependency.source().map(|source| ids.of_source(&source)),
        Dependency::Metric(name) => inputs.resources.metric(name).map(resource_id),
        Dependency::Measure(name) => inputs.resources.of_measure(name).map(resource_id),
    }
}

/// The models that something reads, as `refs` lists them.
pub(super) fn refs(inputs: &ManifestInputs<'_>, resource: &Resource) -> Vec<Value> {
    let found = resource.depends_on.iter().filter_map(|one| match &one.value {
        Dependency::Model { name, version } => {
            let model = NodeIds::new(inputs.project).referred(name, version.as_deref());
            let name = model.map_or(name.as_str(), base_name);
            Some(json!({"name": name, "package": null, "version": version}))
        }
        _ => None,
    });
    found.collect()
}

/// What is said below `config`.
pub(super) fn written_config(properties: &Value) -> Map<String, Value> {
    properties.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
}
