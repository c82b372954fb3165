//! Groups in a manifest, what belongs to each, and the selectors that the project names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::described::filled;
use super::manifest::ManifestInputs;
use super::paths;
use super::resources::written_config;
use crate::diag::Sink;
use crate::project::{NodeGroup, yaml_without_places};

/// Groups by their ids.
pub(super) fn groups(inputs: &ManifestInputs<'_>) -> BTreeMap<String, Value> {
    inputs.project.groups.values().map(|group| (group_id(group), view(inputs, group))).collect()
}

fn group_id(group: &NodeGroup) -> String {
    format!("group.{}.{}", group.package, group.name.value)
}

fn view(inputs: &ManifestInputs<'_>, group: &NodeGroup) -> Value {
    let file = inputs.files.path(group.name.span.file);
    let original = paths::in_package(inputs.project, &group.package, file);
    let owner = group.properties.get("owner").unwrap_or(&Value::Null);
    let mut config = written_config(&group.properties);
    config.entry("meta").or_insert_with(|| json!({}));
    json!({
        "name": group.name.value,
        "resource_type": "group",
        "package_name": group.package,
        "path": paths::below_folder(original),
        "original_file_path": original,
        "unique_id": group_id(group),
        "owner": filled(owner, &[("email", Value::Null), ("name", Value::Null)]),
        "description": group.properties.get("description"),
        "config": config,
    })
}

/// The definitions of `selectors.yml` by their names. One that is a text stands as it was written.
pub(super) fn selectors(inputs: &ManifestInputs<'_>) -> Map<String, Value> {
    let Some(file) = inputs.project.selectors else { return Map::new() };
    // What is wrong with the file is said by whoever selects by it.
    let read = yaml_without_places(inputs.files.text(file), file, &mut Sink::default());
    let listed = read.ok().and_then(|read| read.get("selectors")?.as_array().cloned()).unwrap_or_default();
    let named = listed.into_iter().filter_map(|selector| Some((selector.get("name")?.as_str()?.to_owned(), selector)));
    named.collect()
}
