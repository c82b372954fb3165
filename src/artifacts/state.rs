//! What has changed between two manifests: what `state:modified` finds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::invocation::TARGET;
use super::node_comparison::{ComparedKind, NodeComparison, same_text};
use crate::name::{ModelName, SchemaName, TableName};
use crate::select::{NodeChange, NodeChanges};

/// A stored manifest that was read.
#[derive(Debug)]
pub(crate) struct StoredManifest(Value);

/// What the schema of a manifest is called, without its version.
const SCHEMA: &str = "https://schemas.getdbt.com/dbt/manifest/v";

/// The version of the schema that karat writes too.
const VERSION: &str = "12";

/// The page that every manifest of dbt's has, and none of karat's.
const PAGE_OF_DBT: &str = "doc.dbt.__overview__";

impl StoredManifest {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it, in words that follow its name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        let schema = manifest.get("metadata").and_then(|metadata| metadata.get("dbt_schema_version"));
        let schema = schema.and_then(Value::as_str).unwrap_or_default();
        match schema.strip_prefix(SCHEMA).and_then(|version| version.strip_suffix(".json")) {
            Some(VERSION) => Ok(Self(manifest)),
            Some(version) => Err(format!("has version {version} of the schema, and karat reads version {VERSION}")),
            None => Err("is not a manifest".to_owned()),
        }
    }

    /// The target that it was written for. Returns `None` if it does not say so.
    pub fn target(&self) -> Option<&str> {
        self.0.get("metadata")?.get("env")?.get(TARGET)?.as_str()
    }

    /// The tables of models, seeds and snapshots, by ids.
    pub fn tables(&self) -> BTreeMap<String, TableName> {
        let table = |node: &Value| {
            let part = |key: &str| node.get(key).and_then(Value::as_str);
            let table = part("alias").or_else(|| part("name"))?;
            // A stored text becomes a part of a path.
            ModelName::parse(table).ok()?;
            Some(TableName { schema: SchemaName::parse(part("schema")?).ok()?, table: table.to_owned() })
        };
        parts(&self.0, "nodes").filter_map(|(id, node)| Some((id.to_owned(), table(node)?))).collect()
    }

    /// What has changed of each node since then, by ids. `now` is the manifest of the project as it is, and `packages` are its own
    /// name and those of its packages.
    pub fn changes(&self, now: &Value, packages: &[&str]) -> BTreeMap<String, NodeChanges> {
        let old = &self.0;
        let macros = ChangedMacros::new(old, now, packages);
        let is_of_karat = parts(old, "docs").all(|(id, _)| id != PAGE_OF_DBT);
        let mut found = BTreeMap::new();
        for (part, kind) in PARTS {
            for (id, node) in parts(now, part) {
                let before = old.get(part).and_then(|nodes| nodes.get(id));
                let mut changes = match before {
                    Some(before) => NodeComparison { before, now: node, is_of_karat }.changes(kind),
                    None => kind.all_changes(),
                };
                if macros.are_called_by(node) {
                    changes.insert(NodeChange::Macros);
                }
                found.insert(id.to_owned(), NodeChanges { is_new: before.is_none(), changes });
            }
        }
        found
    }
}

/// The parts of a manifest with nodes in them.
const PARTS: [(&str, ComparedKind); 7] = [
    ("nodes", ComparedKind::Node),
    ("sources", ComparedKind::Source),
    ("exposures", ComparedKind::Exposure),
    ("metrics", ComparedKind::Metric),
    ("semantic_models", ComparedKind::SemanticModel),
    ("saved_queries", ComparedKind::SavedQuery),
    ("unit_tests", ComparedKind::UnitTest),
];

fn parts<'a>(manifest: &'a Value, part: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let found = manifest.get(part).and_then(Value::as_object).into_iter().flatten();
    found.map(|(id, value)| (id.as_str(), value))
}

/// The macros of the project and of its packages that are new or have another text.
struct ChangedMacros<'a> {
    changed: BTreeSet<&'a str>,
    calls: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> ChangedMacros<'a> {
    fn new(old: &Value, now: &'a Value, packages: &[&str]) -> Self {
        let mut changed = BTreeSet::new();
        let mut calls = BTreeMap::new();
        for (id, found) in parts(now, "macros") {
            calls.insert(id, called(found));
            // Of the macros that dbt brings, karat has none.
            let is_own = id.split('.').nth(1).is_some_and(|package| packages.contains(&package));
            let before = old.get("macros").and_then(|macros| macros.get(id));
            if is_own && !before.is_some_and(|before| same_text(before, found, "macro_sql")) {
                changed.insert(id);
            }
        }
        Self { changed, calls }
    }

    fn are_called_by(&self, node: &'a Value) -> bool {
        let mut waiting = if self.changed.is_empty() { Vec::new() } else { called(node) };
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if self.changed.contains(id) {
                return true;
            }
            if seen.insert(id) {
                waiting.extend(self.calls.get(id).into_iter().flatten());
            }
        }
        false
    }
}

fn called(found: &Value) -> Vec<&str> {
    let macros = found.get("depends_on").and_then(|depends_on| depends_on.get("macros")).and_then(Value::as_array);
    macros.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(nodes: Value, macros: Value) -> Value {
        let schema = "https://schemas.getdbt.com/dbt/manifest/v12.json";
        json!({"metadata": {"dbt_schema_version": schema}, "nodes": nodes, "macros": macros})
    }

    fn changes(before: Value, now: Value) -> BTreeSet<NodeChange> {
        let stored = StoredManifest::parse(&manifest(json!({"model.p.a": before}), json!({})).to_string()).unwrap();
        stored.changes(&manifest(json!({"model.p.a": now}), json!({})), &["p"]).remove("model.p.a").unwrap().changes
    }

    #[test]
    fn what_is_written_otherwise_and_says_the_same_is_no_change() {
        let before = json!({
            "resource_type": "model", "raw_code": "select 1\n", "fqn": ["p", "a"], "access": "protected",
            "unrendered_config": {"materialized": "{{ var('m') }}", "tags": ["x"], "pre-hook": ["select 1"]},
            "config": {"materialized": "table", "tags": ["x"]}, "contract": {"enforced": false, "checksum": null},
        });
        let now = json!({
            "resource_type": "model", "raw_code": "select 1", "fqn": ["p", "a"], "access": "protected", "latest_version": null,
            "unrendered_config": {"materialized": "table", "pre_hook": "select 1", "meta": {}},
            "config": {"materialized": "table", "tags": []}, "contract": {"enforced": false},
        });
        assert_eq!(changes(before, now), BTreeSet::new());
    }

    #[test]
    fn each_kind_of_change_has_its_word() {
        let before = json!({
            "resource_type": "model", "raw_code": "select 1", "fqn": ["p", "a"], "description": "One.",
            "config": {"persist_docs": {"relation": true}},
        });
        let with = |key: &str, value: Value| {
            let mut now = before.clone();
            now[key] = value;
            changes(before.clone(), now).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(with("raw_code", json!("select 2")), [NodeChange::Body]);
        assert_eq!(with("unrendered_config", json!({"materialized": "view"})), [NodeChange::Configs]);
        assert_eq!(with("unrendered_config", json!({"alias": "b"})), [NodeChange::Relation]);
        assert_eq!(with("unrendered_config", json!({"tags": "b", "group": "g"})), []);
        assert_eq!(with("description", json!("Two.")), [NodeChange::PersistedDescriptions]);
        assert_eq!(with("contract", json!({"enforced": true})), [NodeChange::Contract]);
        assert_eq!(with("fqn", json!(["p", "gold", "a"])), [NodeChange::Other]);
    }

    #[test]
    fn what_was_hidden_when_it_was_stored_is_no_change() {
        let text = |text: &str| json!({"resource_type": "model", "raw_code": text});
        let stored = "select 'https://[hidden]@a', '[hidden]' as x";
        assert_eq!(changes(text(stored), text("select 'https://ann:pw@a', 'pw' as x")), BTreeSet::new());
        let body = BTreeSet::from([NodeChange::Body]);
        assert_eq!(changes(text(stored), text("select 'https://ann:pw@a', 'pw' as y")), body);
        assert_eq!(changes(text("select '[hidden]x'"), text("select '")), body);
        assert_eq!(changes(text("select 1"), text("select 1, 2")), body);
    }

    #[test]
    fn defaults_that_are_written_out_are_no_change() {
        let test = |set: Value, settled: &str| json!({"resource_type": "test", "test_metadata": {}, "unrendered_config": set, "config": {"severity": settled}});
        let changed = changes(test(json!({"severity": "error"}), "error"), test(json!({}), "ERROR"));
        assert_eq!(changed, BTreeSet::new());
        let changed = changes(test(json!({}), "ERROR"), test(json!({"severity": "warn"}), "warn"));
        assert_eq!(changed, BTreeSet::from([NodeChange::Configs]));
        let version =
            |set: Value| json!({"resource_type": "model", "name": "a", "version": 1.5, "unrendered_config": set});
        assert_eq!(changes(version(json!({})), version(json!({"alias": "a_v1_5"}))), BTreeSet::new());
        assert_eq!(
            changes(version(json!({})), version(json!({"alias": "a_v1"}))),
            BTreeSet::from([NodeChange::Relation])
        );
    }

    #[test]
    fn a_changed_macro_reaches_those_that_call_it_through_others() {
        let node = json!({"m": {"resource_type": "model", "depends_on": {"macros": ["macro.p.outer"]}}});
        let macros = |text: &str| {
            json!({
                "macro.p.outer": {"macro_sql": "{{ inner() }}", "depends_on": {"macros": ["macro.p.inner"]}},
                "macro.p.inner": {"macro_sql": text, "depends_on": {"macros": ["macro.p.outer"]}},
                "macro.dbt.other": {"macro_sql": text},
            })
        };
        let stored = StoredManifest::parse(&manifest(node.clone(), macros("1")).to_string()).unwrap();
        let found = |text: &str| stored.changes(&manifest(node.clone(), macros(text)), &["p"]).remove("m").unwrap();
        assert_eq!(found("1").changes, BTreeSet::new());
        assert_eq!(found("2").changes, BTreeSet::from([NodeChange::Macros]));
    }

    #[test]
    fn what_dbt_does_not_know_of_a_source_is_compared_with_manifests_of_karats_only() {
        let of = |location: &str, docs: Value| {
            let source = json!({"unrendered_config": {"location": location}});
            let schema = "https://schemas.getdbt.com/dbt/manifest/v12.json";
            json!({"metadata": {"dbt_schema_version": schema}, "sources": {"s": source}, "docs": docs})
        };
        let found = |docs: Value| {
            let stored = StoredManifest::parse(&of("a.csv", docs).to_string()).unwrap();
            stored.changes(&of("b.csv", json!({})), &[]).remove("s").unwrap().changes
        };
        assert_eq!(found(json!({})), BTreeSet::from([NodeChange::Configs]));
        assert_eq!(found(json!({"doc.dbt.__overview__": {}})), BTreeSet::new());
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let said = |text: &str| StoredManifest::parse(text).unwrap_err();
        assert!(said("{").starts_with("is not JSON: "));
        assert_eq!(said("{}"), "is not a manifest");
        let old = r#"{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v4.json"}}"#;
        assert_eq!(said(old), "has version 4 of the schema, and karat reads version 12");
    }
}
