//! Metrics in a manifest, with the measures that each is computed of in the end.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::described::{DescribedNode, filled, text_filter};
use super::manifest::ManifestInputs;
use crate::project::{Dependency, Resource};

const UNSET: Value = Value::Null;

pub(super) fn describe(inputs: &ManifestInputs<'_>, resource: &Resource, described: &mut DescribedNode) {
    let of = &resource.properties;
    let name = &resource.name.value;
    if is_of_measure(resource) {
        described.add("label", of.get("label").or(Some(&json!(name))));
        described.set("type", json!("simple"));
        described.set("config", json!({"enabled": true, "group": null, "meta": {}}));
        described.set("unrendered_config", json!({}));
        described.set("meta", json!({}));
        if resource.description.is_empty() {
            described.set("description", json!(format!("Metric created from measure {name}")));
        }
        described.set("filter", UNSET);
    } else {
        described.add("label", of.get("label"));
        described.add("type", of.get("type"));
        described.set("config", described.grouped_config(resource));
        described.set("meta", described.meta());
        described.set("filter", text_filter(of.get("filter")));
    }
    described.set("type_params", type_params(inputs, resource));
    described.add("time_granularity", of.get("time_granularity"));
    described.set("metadata", UNSET);
    described.set("tags", json!(resource.tags));
    described.set("sources", json!([]));
    described.add_group(resource);
    described.add_references(inputs, resource);
    // `metrics` of a metric are no names, but nodes that its filter calls: there are none.
    described.set("metrics", json!([]));
}

/// Whether it is there because a measure says so.
fn is_of_measure(resource: &Resource) -> bool {
    resource.properties.get("type_params").is_none()
}

fn type_params(inputs: &ManifestInputs<'_>, resource: &Resource) -> Value {
    let name = &resource.name.value;
    let of_measure =
        json!({"measure": {"name": name}, "expr": resource.properties.get("expr").cloned().unwrap_or(json!(name))});
    let written = resource.properties.get("type_params").unwrap_or(&of_measure);
    let said = |key: &str| written.get(key).filter(|value| !value.is_null());
    let conversion = said("conversion_type_params").map(conversion);
    let cumulative = said("cumulative_type_params").map(cumulative);
    let is_cumulative = resource.properties.get("type").and_then(Value::as_str) == Some("cumulative");
    let cumulative = cumulative.or_else(|| is_cumulative.then(|| self::cumulative(written)));
    let metrics = said("metrics").and_then(Value::as_array).into_iter().flatten();
    json!({
        "measure": said("measure").map(measure),
        "input_measures": input_measures(inputs, resource, &mut BTreeSet::new()),
        "numerator": said("numerator").map(metric),
        "denominator": said("denominator").map(metric),
        "expr": said("expr"),
        "window": said("window").map(window),
        "grain_to_date": said("grain_to_date"),
        "metrics": metrics.map(metric).collect::<Vec<_>>(),
        "conversion_type_params": conversion,
        "cumulative_type_params": cumulative,
        "metric_aggregation_params": null,
    })
}

/// A measure, by its name or with more.
fn measure(written: &Value) -> Value {
    let keys = [
        ("name", UNSET),
        ("filter", UNSET),
        ("alias", UNSET),
        ("join_to_timespine", json!(false)),
        ("fill_nulls_with", UNSET),
    ];
    with_filter(filled(written, &keys))
}

/// Another metric, by its name or with more.
fn metric(written: &Value) -> Value {
    let keys =
        [("name", UNSET), ("filter", UNSET), ("alias", UNSET), ("offset_window", UNSET), ("offset_to_grain", UNSET)];
    let mut found = with_filter(filled(written, &keys));
    complete(&mut found, "offset_window", window);
    found
}

/// Replaces what is said for a key by all that a manifest says of it.
fn complete(mapping: &mut Value, key: &str, completed: fn(&Value) -> Value) {
    if let Some(said) = mapping.get_mut(key).filter(|said| !said.is_null()) {
        *said = completed(said);
    }
}

fn with_filter(mut found: Value) -> Value {
    if let Some(filter) = found.get_mut("filter") {
        *filter = text_filter(Some(filter));
    }
    found
}

/// `7 days`
fn window(written: &Value) -> Value {
    let parts = written.as_str().and_then(|text| text.trim().split_once(' '));
    let Some((count, granularity)) = parts else { return written.clone() };
    let granularity = granularity.trim().to_ascii_lowercase();
    let granularity = granularity.strip_suffix('s').unwrap_or(&granularity);
    json!({"count": count.parse::<u64>().ok(), "granularity": granularity})
}

fn cumulative(written: &Value) -> Value {
    let keys = [("window", UNSET), ("grain_to_date", UNSET), ("period_agg", json!("first")), ("metric", UNSET)];
    let mut found = filled(written, &keys);
    complete(&mut found, "window", window);
    complete(&mut found, "metric", metric);
    found
}

fn conversion(written: &Value) -> Value {
    let keys = [
        ("base_measure", UNSET),
        ("conversion_measure", UNSET),
        ("entity", UNSET),
        ("calculation", json!("conversion_rate")),
        ("window", UNSET),
        ("constant_properties", UNSET),
    ];
    let mut found = filled(written, &keys);
    for key in ["base_measure", "conversion_measure"] {
        complete(&mut found, key, measure);
    }
    complete(&mut found, "window", window);
    found
}

/// The measures of a metric, and of those that it is computed of. `seen` are the metrics on the way: metrics may name each other.
fn input_measures<'a>(inputs: &ManifestInputs<'a>, resource: &'a Resource, seen: &mut BTreeSet<&'a str>) -> Vec<Value> {
    if !seen.insert(&resource.name.value) {
        return Vec::new();
    }
    let mut found: Vec<Value> = Vec::new();
    let parameters = resource.properties.get("type_params");
    let said = |key: &str| parameters.and_then(|written| written.get(key));
    for dependency in &resource.depends_on {
        let measures = match &dependency.value {
            Dependency::Measure(name) => {
                let of_conversion = said("conversion_type_params");
                let written = [
                    said("measure"),
                    of_conversion.and_then(|written| written.get("base_measure")),
                    of_conversion.and_then(|written| written.get("conversion_measure")),
                ];
                let is_it = |written: &&Value| {
                    written.as_str().or_else(|| written.get("name")?.as_str()) == Some(name.as_str())
                };
                vec![measure(written.into_iter().flatten().find(is_it).unwrap_or(&json!(name)))]
            }
            Dependency::Metric(name) => {
                let other = inputs.resources.metric(name);
                other.map(|other| input_measures(inputs, other, seen)).unwrap_or_default()
            }
            Dependency::Model { .. } | Dependency::Source { .. } => Vec::new(),
        };
        for one in measures {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}
