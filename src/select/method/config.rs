//! `config.key:`: a model or seed by what its config says.

use serde_json::Value;

use super::{Candidate, Method, MethodRefusal, Pattern};
use crate::diag::nearest;
use crate::name::{SchemaName, Tag};
use crate::project::ModelConfig;
use crate::span::Spanned;

pub(super) struct ByConfig;

/// The configs that can be asked for; `meta` with a path: `config.meta.owner:core`.
const KEYS: [&str; 10] = [
    "batch_size",
    "begin",
    "enabled",
    "event_time",
    "materialized",
    "meta",
    "partition_by",
    "schema",
    "sort_by",
    "tags",
];

impl Method for ByConfig {
    fn name(&self) -> &'static str {
        "config"
    }

    fn check(&self, argument: Option<&str>) -> Result<(), MethodRefusal> {
        let Some(key) = argument.and_then(|path| path.split('.').next()).filter(|key| !key.is_empty()) else {
            let help = "write `config.materialized:table`".to_owned();
            return Err(MethodRefusal { message: "`config:` needs the name of a config".to_owned(), help });
        };
        if KEYS.contains(&key) {
            return Ok(());
        }
        let help = match nearest(key, KEYS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the configs are {}", KEYS.map(|key| format!("`{key}`")).join(", ")),
        };
        Err(MethodRefusal { message: format!("`config.` knows no `{key}`"), help })
    }

    fn matches(&self, pattern: &Pattern, argument: Option<&str>, node: Candidate<'_>) -> bool {
        let Candidate::Model { rendered, .. } = node else {
            return false;
        };
        let mut path = argument.unwrap_or("").split('.');
        let key = path.next().unwrap_or("");
        let values = values(&rendered.config, key, path);
        // `True` in a config is `true` in JSON, and people type either.
        values.iter().any(|value| pattern.matches(value) || pattern.matches(&value.to_lowercase()))
    }
}

/// What the config says, as texts; none if it says nothing.
fn values<'a>(config: &ModelConfig, key: &str, mut path: impl Iterator<Item = &'a str>) -> Vec<String> {
    match key {
        "batch_size" => vec![config.batch_size.to_string()],
        "begin" => config.begin.iter().flat_map(|begin| [begin.to_string(), begin.date().to_string()]).collect(),
        "enabled" => vec![config.enabled.to_string()],
        "event_time" => config.event_time.iter().map(|column| column.value.clone()).collect(),
        "materialized" => vec![config.materialized.word().to_owned()],
        "meta" => {
            let first = path.next().and_then(|name| config.meta.get(name));
            path.fold(first, |value, name| value?.get(name)).map(leaves).unwrap_or_default()
        }
        "partition_by" => names(&config.partition_by),
        "schema" => config.schema.iter().map(SchemaName::to_string).collect(),
        "sort_by" => names(&config.sort_by),
        "tags" => config.tags.iter().map(Tag::to_string).collect(),
        _ => Vec::new(),
    }
}

fn names(columns: &[Spanned<String>]) -> Vec<String> {
    columns.iter().map(|column| column.value.clone()).collect()
}

/// A value as text; a list as its items, a dict as its keys.
fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(pairs) => pairs.keys().cloned().collect(),
    }
}
