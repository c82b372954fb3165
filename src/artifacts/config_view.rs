//! `config` of a node: what was written over dbt's defaults, in dbt's order.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::project::Settings;
use crate::span::{SourceFiles, Span};

/// What dbt says of a config that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unset {
    Null,
    Flag(bool),
    Number(u64),
    Text(&'static str),
    List,
    Mapping,
    /// `docs`: whether and how a node is shown.
    Docs,
    /// `contract`: whether columns are checked against declared ones.
    Contract,
}

/// A config by name, with its default.
type ConfigDefault = (&'static str, Unset);

/// The configs of everything that makes a table.
const OF_TABLES: [ConfigDefault; 28] = [
    ("enabled", Unset::Flag(true)),
    ("alias", Unset::Null),
    ("schema", Unset::Null),
    ("database", Unset::Null),
    ("tags", Unset::List),
    ("meta", Unset::Mapping),
    ("group", Unset::Null),
    ("static_analysis", Unset::Null),
    ("materialized", Unset::Null),
    ("incremental_strategy", Unset::Null),
    ("batch_size", Unset::Null),
    ("lookback", Unset::Number(1)),
    ("begin", Unset::Null),
    ("persist_docs", Unset::Mapping),
    ("post-hook", Unset::List),
    ("pre-hook", Unset::List),
    ("quoting", Unset::Mapping),
    ("column_types", Unset::Mapping),
    ("full_refresh", Unset::Null),
    ("unique_key", Unset::Null),
    ("on_schema_change", Unset::Text("ignore")),
    ("on_configuration_change", Unset::Text("apply")),
    ("grants", Unset::Mapping),
    ("packages", Unset::List),
    ("docs", Unset::Docs),
    ("contract", Unset::Contract),
    ("event_time", Unset::Null),
    ("concurrent_batches", Unset::Null),
];

const OF_MODELS: [ConfigDefault; 2] = [("access", Unset::Text("protected")), ("freshness", Unset::Null)];
const OF_SEEDS: [ConfigDefault; 2] = [("delimiter", Unset::Text(",")), ("quote_columns", Unset::Null)];

const OF_SNAPSHOTS: [ConfigDefault; 7] = [
    ("strategy", Unset::Null),
    ("target_schema", Unset::Null),
    ("target_database", Unset::Null),
    ("updated_at", Unset::Null),
    ("check_cols", Unset::Null),
    ("dbt_valid_to_current", Unset::Null),
    ("snapshot_meta_column_names", Unset::Mapping),
];

const OF_TESTS: [ConfigDefault; 16] = [
    ("enabled", Unset::Flag(true)),
    ("alias", Unset::Null),
    ("schema", Unset::Text("dbt_test__audit")),
    ("database", Unset::Null),
    ("tags", Unset::List),
    ("meta", Unset::Mapping),
    ("group", Unset::Null),
    ("static_analysis", Unset::Null),
    ("materialized", Unset::Text("test")),
    ("severity", Unset::Text("ERROR")),
    ("store_failures", Unset::Null),
    ("store_failures_as", Unset::Null),
    ("where", Unset::Null),
    ("limit", Unset::Null),
    ("fail_calc", Unset::Text("count(*)")),
    ("warn_if", Unset::Text("!= 0")),
];

const OF_TESTS_TOO: [ConfigDefault; 1] = [("error_if", Unset::Text("!= 0"))];

/// Whose configs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigsOf {
    Models,
    Seeds,
    Snapshots,
    Analyses,
    Tests,
}

impl ConfigsOf {
    fn defaults(self) -> impl Iterator<Item = ConfigDefault> {
        let (first, then): (&[ConfigDefault], &[ConfigDefault]) = match self {
            ConfigsOf::Models => (&OF_TABLES, &OF_MODELS),
            ConfigsOf::Seeds => (&OF_TABLES, &OF_SEEDS),
            ConfigsOf::Snapshots => (&OF_TABLES, &OF_SNAPSHOTS),
            ConfigsOf::Analyses => (&OF_TABLES, &[]),
            ConfigsOf::Tests => (&OF_TESTS, &OF_TESTS_TOO),
        };
        first.iter().chain(then).copied()
    }
}

/// What was set, wherever that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    Settings(&'a Settings),
    Mapping(&'a Map<String, Value>),
    Nothing,
}

impl<'a> Written<'a> {
    pub fn get(self, key: &str) -> Option<&'a Value> {
        let found = match self {
            Written::Settings(settings) => settings.values.get(key).map(|found| &found.value),
            Written::Mapping(mapping) => mapping.get(key),
            Written::Nothing => None,
        };
        found.filter(|value| !value.is_null())
    }

    fn keys(self) -> Vec<&'a str> {
        match self {
            Written::Settings(settings) => settings.values.keys().map(String::as_str).collect(),
            Written::Mapping(mapping) => mapping.keys().map(String::as_str).collect(),
            Written::Nothing => Vec::new(),
        }
    }

    /// Everything that was set.
    pub fn all(self) -> Map<String, Value> {
        let set = |key: &str| Some((key.to_owned(), self.get(key)?.clone()));
        self.keys().into_iter().filter_map(set).collect()
    }

    /// Everything that was set, with templates in YAML as they were written: targets and variables do not change it.
    pub fn unrendered(self, files: &SourceFiles) -> Map<String, Value> {
        let mut set = self.all();
        if let Written::Settings(settings) = self {
            for (key, found) in &settings.values {
                let is_scalar = !found.value.is_array() && !found.value.is_object();
                if let Some(text) = as_written(files, found.span).filter(|_| is_scalar) {
                    set.insert(key.clone(), text);
                }
            }
        }
        set
    }

    /// The tags, each once.
    pub fn tags(self) -> Vec<&'a str> {
        let mut tags: Vec<&str> = Vec::new();
        let written = match self.get("tags") {
            Some(Value::Array(written)) => written.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(written)) => vec![written.as_str()],
            _ => Vec::new(),
        };
        for tag in written {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }

    /// `meta`; empty if it is not set.
    pub fn meta(self) -> Map<String, Value> {
        self.get("meta").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// `docs` with both of its keys.
    pub fn docs(self) -> Value {
        let mut docs = json!({"show": true, "node_color": null});
        if let (Some(docs), Some(Value::Object(written))) = (docs.as_object_mut(), self.get("docs")) {
            docs.extend(written.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        docs
    }
}

/// The template that a value of YAML was rendered from. Returns `None` if it was none.
pub(super) fn as_written(files: &SourceFiles, span: Span) -> Option<Value> {
    let path = files.path(span.file);
    let text = files.slice(span).trim();
    let is_template = text.contains("{{") || text.contains("{%");
    let is_mapping = text.starts_with('{') && !text.starts_with("{{");
    let is_block = is_mapping || text.starts_with(['[', '|', '>']);
    let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
    (is_yaml && is_template && !is_block).then(|| Value::from(text.trim_matches(['"', '\''])))
}

/// `config` of a node.
#[derive(Debug, Clone)]
pub(super) struct ConfigView<'a> {
    pub of: ConfigsOf,
    pub written: Written<'a>,
    /// What holds whatever was written.
    pub fixed: Vec<(&'static str, Value)>,
}

impl Serialize for ConfigView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut known = Vec::new();
        for (key, unset) in self.of.defaults() {
            known.push(key);
            // What karat has settled holds over what was typed: `materialized` may have been changed.
            if let Some((_, value)) = self.fixed.iter().find(|(fixed, _)| *fixed == key) {
                map.serialize_entry(key, value)?;
                continue;
            }
            let value = self.written.get(key);
            match (unset, value) {
                (Unset::Docs, _) => map.serialize_entry(key, &self.written.docs())?,
                (Unset::Contract, _) => {
                    let said = |key: &str| value.and_then(|contract| contract.get(key)).and_then(Value::as_bool);
                    let enforced = said("enforced").unwrap_or(false);
                    let alias_types = said("alias_types").unwrap_or(true);
                    let contract = json!({"enforced": enforced, "alias_types": alias_types});
                    map.serialize_entry(key, &contract)?;
                }
                (_, Some(value)) => map.serialize_entry(key, value)?,
                (Unset::Null, None) => map.serialize_entry(key, &())?,
                (Unset::Flag(flag), None) => map.serialize_entry(key, &flag)?,
                (Unset::Number(number), None) => map.serialize_entry(key, &number)?,
                (Unset::Text(text), None) => map.serialize_entry(key, text)?,
                (Unset::List, None) => map.serialize_entry(key, &[(); 0])?,
                (Unset::Mapping, None) => map.serialize_entry(key, &Map::new())?,
            }
        }
        // Configs of other tools and of the author's own stay: readers look for them here.
        for key in self.written.keys().into_iter().filter(|key| !known.contains(key)) {
            map.serialize_entry(key, &self.written.get(key))?;
        }
        map.end()
    }
}
