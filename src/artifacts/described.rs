//! What properties files declare, as a manifest has it: the keys that were written, and dbt's values for those that were not.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::manifest::ManifestInputs;
use super::paths;
use super::resources::{id_of, refs, resource_id, written_config};
use crate::project::{Dependency, Resource};

/// An exposure, a metric and their like, or a unit test: an id, what it reads, and its keys.
#[derive(Debug)]
pub(super) struct DescribedNode {
    pub unique_id: String,
    pub parents: Vec<String>,
    pub is_enabled: bool,
    fields: Map<String, Value>,
    /// `config` as it was written.
    written: Map<String, Value>,
    /// `meta` beside `config`.
    beside: Option<Value>,
}

impl Serialize for DescribedNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl DescribedNode {
    /// What all kinds have.
    pub fn new(inputs: &ManifestInputs<'_>, resource: &Resource) -> Self {
        let original = paths::in_package(inputs.project, &resource.package, &resource.path);
        let written = written_config(&resource.properties);
        let mut described = Self {
            unique_id: resource_id(resource),
            parents: Vec::new(),
            is_enabled: written.get("enabled").and_then(Value::as_bool).unwrap_or(true),
            fields: Map::new(),
            written,
            beside: resource.properties.get("meta").cloned(),
        };
        described.set("name", json!(resource.name.value));
        described.set("resource_type", json!(resource.kind.node_kind().word()));
        described.set("package_name", json!(resource.package));
        described.set("path", json!(paths::below_folder(original)));
        described.set("original_file_path", json!(original));
        described.set("unique_id", json!(described.unique_id));
        described.set("fqn", json!(resource.fqn));
        described.set("description", json!(resource.description));
        described.set("unrendered_config", Value::Object(described.written.clone()));
        described.set("created_at", json!(inputs.created_at()));
        described
    }

    /// Something with these keys, which the caller sets.
    pub fn of_id(unique_id: String, parents: Vec<String>) -> Self {
        Self { unique_id, parents, is_enabled: true, fields: Map::new(), written: Map::new(), beside: None }
    }

    pub fn set(&mut self, key: &str, value: Value) {
        self.fields.insert(key.to_owned(), value);
    }

    /// A key as it was written; null if it was not.
    pub fn add(&mut self, key: &str, written: Option<&Value>) {
        self.set(key, written.cloned().unwrap_or_default());
    }

    /// The group that it says it belongs to.
    pub fn group(&self) -> Option<&str> {
        self.fields.get("group").and_then(Value::as_str)
    }

    pub fn forget(&mut self, keys: &[&str]) {
        keys.iter().for_each(|key| {
            self.fields.remove(*key);
        });
    }

    /// `meta`, wherever it was written.
    pub fn meta(&self) -> Value {
        let mut meta = Map::new();
        for found in [self.beside.as_ref(), self.written.get("meta")] {
            meta.extend(found.and_then(Value::as_object).cloned().unwrap_or_default());
        }
        Value::Object(meta)
    }

    /// The config of what may have a group.
    pub fn grouped_config(&self, resource: &Resource) -> Value {
        let group = resource.group.as_ref().map(|group| &group.value);
        json!({"enabled": self.is_enabled, "group": group, "meta": self.meta()})
    }

    pub fn add_group(&mut self, resource: &Resource) {
        self.set("group", json!(resource.group.as_ref().map(|group| &group.value)));
    }

    /// What it reads: `depends_on`, `refs` and `metrics`.
    pub fn add_references(&mut self, inputs: &ManifestInputs<'_>, resource: &Resource) {
        let mut nodes: Vec<String> = Vec::new();
        for id in resource.depends_on.iter().filter_map(|one| id_of(inputs, &one.value)) {
            if !nodes.contains(&id) {
                nodes.push(id);
            }
        }
        let metrics = resource.depends_on.iter().filter_map(|one| match &one.value {
            Dependency::Metric(name) => Some(json!([name])),
            _ => None,
        });
        self.set("metrics", metrics.collect());
        self.set("refs", Value::from(refs(inputs, resource)));
        self.set("depends_on", json!({"macros": [], "nodes": nodes}));
        self.parents = nodes;
    }
}

/// A mapping with all of these keys, with what was written or else these values. A name alone is a mapping that has it.
pub(super) fn filled(written: &Value, keys: &[(&str, Value)]) -> Value {
    let said = |key: &str| match written {
        Value::String(name) => (key == "name").then(|| Value::from(name.as_str())),
        other => other.get(key).filter(|value| !value.is_null()).cloned(),
    };
    Value::Object(
        keys.iter().map(|(key, unset)| ((*key).to_owned(), said(key).unwrap_or_else(|| unset.clone()))).collect(),
    )
}

/// The same for every item of a list.
pub(super) fn filled_all(written: Option<&Value>, keys: &[(&str, Value)]) -> Vec<Value> {
    written.and_then(Value::as_array).into_iter().flatten().map(|item| filled(item, keys)).collect()
}

/// `filter` or `where`: one condition, or a list of them.
pub(super) fn text_filter(written: Option<&Value>) -> Value {
    let conditions = match written {
        Some(Value::String(condition)) => vec![condition.as_str()],
        Some(Value::Array(conditions)) => conditions.iter().filter_map(Value::as_str).collect(),
        _ => return Value::Null,
    };
    let conditions: Vec<Value> = conditions.into_iter().map(|text| json!({"where_sql_template": text})).collect();
    json!({"where_filters": conditions})
}
