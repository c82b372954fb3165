//! Two states of one node of a manifest: what `state:modified` compares, as dbt does.
//!
//! Values are compared, and not their bytes: keys that one program writes as null and another leaves out are the same, and what depends
//! on the target, such as the schema, is compared as it was written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::sources::KEYS_OF_FILES;
use crate::project::{DATABASE, HIDDEN};
use crate::select::NodeChange;

/// What is compared in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComparedKind {
    Node,
    Source,
    Exposure,
    Metric,
    SemanticModel,
    SavedQuery,
    UnitTest,
}

impl ComparedKind {
    /// As in dbt, what is new differs in everything that it has.
    pub fn all_changes(self) -> BTreeSet<NodeChange> {
        let changes: &[NodeChange] = match self {
            ComparedKind::Node => &[
                NodeChange::Body,
                NodeChange::Configs,
                NodeChange::Relation,
                NodeChange::PersistedDescriptions,
                NodeChange::Contract,
            ],
            ComparedKind::Source => &[NodeChange::Configs, NodeChange::Relation],
            ComparedKind::Exposure | ComparedKind::Metric | ComparedKind::SemanticModel | ComparedKind::SavedQuery => {
                &[NodeChange::Configs]
            }
            ComparedKind::UnitTest => &[],
        };
        changes.iter().copied().collect()
    }
}

/// A node as it was, and as it is.
pub(super) struct NodeComparison<'a> {
    pub before: &'a Value,
    pub now: &'a Value,
    /// Whether karat wrote the manifest that it was in.
    pub is_of_karat: bool,
}

/// The configs that say where a table stands, and those that change nothing that is built.
const NOT_COMPARED: [&str; 5] = ["alias", "database", "group", "schema", "tags"];

impl NodeComparison<'_> {
    pub fn changes(&self, kind: ComparedKind) -> BTreeSet<NodeChange> {
        let compared = match kind {
            ComparedKind::Node => self.compared_node(),
            ComparedKind::Source => vec![
                (NodeChange::Relation, self.same(&["schema", "identifier"]) && self.same_database()),
                (NodeChange::Configs, self.same_configs()),
                (NodeChange::Other, self.same(&["fqn", "freshness", "loaded_at_field", "external"])),
                // In a file a declared type decides what is read. In a database, dbt says that it is documentation.
                (NodeChange::Other, !self.is_of_karat || types_of_columns(self.before) == types_of_columns(self.now)),
            ],
            ComparedKind::Exposure => {
                let keys = ["fqn", "type", "owner", "maturity", "url", "description", "label"];
                vec![
                    (NodeChange::Configs, self.same_configs()),
                    (NodeChange::Other, self.same(&keys) && self.same_dependencies()),
                ]
            }
            ComparedKind::Metric => vec![
                (NodeChange::Configs, self.same_configs()),
                (NodeChange::Other, self.same(&["type", "description", "label", "filter"]) && self.same_parameters()),
            ],
            ComparedKind::SemanticModel => {
                let keys = [
                    "model",
                    "description",
                    "defaults",
                    "entities",
                    "dimensions",
                    "measures",
                    "primary_entity",
                    "group",
                ];
                vec![(NodeChange::Configs, self.same(&["config"])), (NodeChange::Other, self.same(&keys))]
            }
            ComparedKind::SavedQuery => {
                let is_same = self.same(&["query_params", "description", "label", "group", "tags"]);
                vec![(NodeChange::Configs, self.same(&["config"])), (NodeChange::Other, is_same && self.same_exports())]
            }
            ComparedKind::UnitTest => vec![(NodeChange::Other, self.same_unit_test())],
        };
        compared.into_iter().filter(|(_, is_same)| !is_same).map(|(change, _)| change).collect()
    }

    /// A model, a seed, a snapshot, an analysis or a data test.
    fn compared_node(&self) -> Vec<(NodeChange, bool)> {
        let is_test = self.now.get("resource_type") == Some(&Value::from("test"));
        let is_generic = self.now.get("test_metadata").is_some();
        vec![
            // The id of a test in YAML has its arguments, and its text follows from them.
            (NodeChange::Body, is_generic || self.same_body()),
            // What the file of a test says of itself is part of its text.
            (NodeChange::Configs, (is_test && !is_generic) || self.same_configs()),
            (NodeChange::Relation, is_test || self.same_relation()),
            (NodeChange::PersistedDescriptions, is_test || self.same_descriptions()),
            (NodeChange::Contract, self.same_contract()),
            (NodeChange::Other, self.same(&["fqn", "latest_version", "access"]) && self.same_day("deprecation_date")),
        ]
    }

    fn same(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| is_same(self.before.get(*key), self.now.get(*key)))
    }

    fn same_body(&self) -> bool {
        if self.now.get("resource_type") == Some(&Value::from("seed")) {
            return self.same(&["checksum"]);
        }
        same_text(self.before, self.now, "raw_code")
    }

    /// As in dbt, what is written of configs. What is written otherwise and comes to the same is no change: what a macro or the target
    /// decides may be.
    fn same_configs(&self) -> bool {
        let before = written_configs(self.before);
        let now = written_configs(self.now);
        let mut keys = before.keys().chain(now.keys()).filter(|key| self.is_compared(key));
        keys.all(|key| {
            let was = settled_config(self.before, key);
            let is_settled = was.is_some() && is_same(was.as_ref(), settled_config(self.now, key).as_ref());
            is_settled || is_same(before.get(key), now.get(key))
        })
    }

    fn is_compared(&self, config: &str) -> bool {
        let is_analysis = self.now.get("resource_type") == Some(&Value::from("analysis"));
        // dbt lets what a project file says of models count for analyses too, which are never built.
        let is_of_models = is_analysis && config == "materialized";
        let is_unknown_to_dbt = !self.is_of_karat && KEYS_OF_FILES.contains(&config);
        !NOT_COMPARED.contains(&config) && !is_of_models && !is_unknown_to_dbt
    }

    fn same_relation(&self) -> bool {
        let written = |node: &Value, key: &str| {
            let value = plain(node.get("unrendered_config").and_then(|set| set.get(key)));
            // The table of a version is called so without a config too.
            let is_usual = key == "alias" && value == alias_of_version(node);
            if is_usual { Value::Null } else { value }
        };
        ["database", "schema", "alias"].iter().all(|key| written(self.before, key) == written(self.now, key))
    }

    /// In karat a source without a database is in the lake, and in dbt in the database of the target.
    fn same_database(&self) -> bool {
        let is_unset = self.now.get("database") == Some(&Value::from(DATABASE)) && !self.is_of_karat;
        is_unset || self.same(&["database"])
    }

    fn same_descriptions(&self) -> bool {
        let is_kept = |what: &str| {
            let persist = self.now.get("config").and_then(|config| config.get("persist_docs"));
            persist.and_then(|persist| persist.get(what)).and_then(Value::as_bool).unwrap_or(false)
        };
        let of_columns = |node: &Value| -> Map<String, Value> {
            let columns = node.get("columns").and_then(Value::as_object).into_iter().flatten();
            columns
                .map(|(name, column)| (name.clone(), column.get("description").cloned().unwrap_or_default()))
                .collect()
        };
        (!is_kept("relation") || self.same(&["description"]))
            && (!is_kept("columns") || of_columns(self.before) == of_columns(self.now))
    }

    /// As in dbt, what a contract promises counts if it is enforced, before or now.
    fn same_contract(&self) -> bool {
        let is_enforced = |node: &Value| {
            let contract = node.get("contract").and_then(|contract| contract.get("enforced"));
            contract.and_then(Value::as_bool).unwrap_or(false)
        };
        let is_any_enforced = is_enforced(self.before) || is_enforced(self.now);
        !is_any_enforced || self.same(&["contract"])
    }

    fn same_day(&self, key: &str) -> bool {
        let day = |node: &Value| Some(node.get(key)?.as_str()?.chars().take(10).collect::<String>());
        day(self.before) == day(self.now)
    }

    fn same_dependencies(&self) -> bool {
        let nodes = |node: &Value| -> BTreeSet<String> {
            let nodes = node.get("depends_on").and_then(|depends_on| depends_on.get("nodes")).and_then(Value::as_array);
            nodes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        nodes(self.before) == nodes(self.now)
    }

    /// What a metric is computed of; the measures that follow from it are left out.
    fn same_parameters(&self) -> bool {
        let parameters = |node: &Value| {
            let mut found = node.get("type_params").cloned().unwrap_or_default();
            if let Some(found) = found.as_object_mut() {
                found.remove("input_measures");
            }
            plain(Some(&found))
        };
        parameters(self.before) == parameters(self.now)
    }

    fn same_exports(&self) -> bool {
        let exports = |node: &Value| -> Vec<Value> {
            let exports = node.get("exports").and_then(Value::as_array).into_iter().flatten();
            let written = |export: &Value| {
                let config = export.get("unrendered_config");
                let keys =
                    ["export_as", "schema", "alias"].map(|key| config.and_then(|config| config.get(key)).cloned());
                serde_json::json!([export.get("name"), keys])
            };
            exports.map(written).collect()
        };
        exports(self.before) == exports(self.now)
    }

    /// karat's digest covers more than dbt's schema has keys for, and dbt's own cannot be made here.
    fn same_unit_test(&self) -> bool {
        let keys = ["model", "versions", "given", "expect", "overrides"];
        self.same(&["checksum"]) || (!self.is_of_karat && self.same(&keys))
    }
}

/// How the table of a version is called if nobody calls it otherwise. Null if the node is no version.
fn alias_of_version(node: &Value) -> Value {
    let version = match node.get("version") {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(word)) => word.clone(),
        _ => return Value::Null,
    };
    let name = node.get("name").and_then(Value::as_str).unwrap_or_default();
    Value::from(format!("{name}_v{}", version.replace('.', "_")))
}

/// The configs of a node as they were written.
fn written_configs(node: &Value) -> BTreeMap<String, Value> {
    let written = node.get("unrendered_config").and_then(Value::as_object).into_iter().flatten();
    written.map(|(key, value)| (key.replace('-', "_"), value.clone())).collect()
}

/// A config as it holds.
fn settled_config(node: &Value, key: &str) -> Option<Value> {
    let config = node.get("config")?;
    let value = config.get(key).or_else(|| config.get(key.replace('_', "-")))?;
    // dbt takes the words of `severity` in any case.
    let word = value.as_str().filter(|_| key == "severity");
    Some(word.map_or_else(|| value.clone(), |word| Value::from(word.to_lowercase())))
}

fn types_of_columns(node: &Value) -> BTreeMap<&str, Option<&str>> {
    let columns = node.get("columns").and_then(Value::as_object).into_iter().flatten();
    columns.map(|(name, column)| (name.as_str(), column.get("data_type").and_then(Value::as_str))).collect()
}

/// Whether a key has the same text, but for white space around it and for what was hidden when it was stored.
pub(super) fn same_text(before: &Value, now: &Value, key: &str) -> bool {
    let text = |node: &Value| node.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned());
    match (text(before), text(now)) {
        (Some(before), Some(now)) => is_same_but_hidden(&before, &now),
        (before, now) => before == now,
    }
}

/// Whether a text is the stored one, in which a secret may have been hidden.
fn is_same_but_hidden(before: &str, now: &str) -> bool {
    let mut parts = before.split(HIDDEN);
    let Some(mut rest) = parts.next().and_then(|first| now.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// Whether two values say the same. One thing and a list of it are one.
fn is_same(before: Option<&Value>, now: Option<&Value>) -> bool {
    let before = plain(before);
    let now = plain(now);
    match (&before, &now) {
        (Value::Array(items), one) | (one, Value::Array(items)) if !one.is_array() => match items.as_slice() {
            [item] => item == one,
            _ => false,
        },
        (Value::Array(items), Value::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| is_same(Some(one), Some(other)))
        }
        (Value::String(before), Value::String(now)) => is_same_but_hidden(before, now),
        _ => before == now,
    }
}

/// The value without what says nothing: null, and lists and mappings without anything in them.
fn plain(value: Option<&Value>) -> Value {
    match value {
        None => Value::Null,
        Some(Value::Object(entries)) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), plain(Some(value))));
            let entries: Map<String, Value> = entries.filter(|(_, value)| !value.is_null()).collect();
            if entries.is_empty() { Value::Null } else { Value::Object(entries) }
        }
        Some(Value::Array(items)) if items.is_empty() => Value::Null,
        Some(Value::Array(items)) => Value::Array(items.iter().map(|item| plain(Some(item))).collect()),
        Some(other) => other.clone(),
    }
}
