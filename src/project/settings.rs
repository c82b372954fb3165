//! Config values as written, layer over layer: project file, then properties file, then `config()` in the model.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::node::{Node, YamlKind};
use super::sql_header;
use crate::diag::{Code, Diagnostic, Sink, nearest};
use crate::span::{Span, Spanned};

/// The configs of a data test, each with its place.
pub type TestSettings = BTreeMap<String, Spanned<Value>>;

/// Config values as written, each with its place; the latest layer that sets a key wins.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(crate) values: BTreeMap<String, Spanned<Value>>,
    /// The configs that only others have a use for, with the first place of each.
    kept: BTreeMap<String, Span>,
    configs: Configs,
}

/// Which configs there are to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Configs {
    #[default]
    Models,
    Seeds,
    Snapshots,
    DataTests,
}

/// What karat does with a config.
enum Use {
    Known,
    /// It means nothing here, and nothing is lost without it.
    Harmless,
    /// To ignore it would change what is built; the text says what to do instead.
    Unavailable(&'static str),
    /// A hook: what it selects is not needed, and what it would change cannot be done.
    Hook(&'static str),
    /// It belongs to another engine, or to the project's own macros: it is kept for these.
    Kept,
}

const KNOWN: [&str; 22] = [
    "access",
    "alias",
    "batch_size",
    "begin",
    "contract",
    "database",
    "enabled",
    "event_time",
    "freshness",
    "full_refresh",
    "group",
    "incremental_strategy",
    "materialized",
    "merge_exclude_columns",
    "merge_update_columns",
    "meta",
    "on_schema_change",
    "partition_by",
    "schema",
    "sort_by",
    "tags",
    "unique_key",
];

const KNOWN_OF_SEEDS: [&str; 11] = [
    "alias",
    "column_types",
    "database",
    "delimiter",
    "enabled",
    "full_refresh",
    "group",
    "meta",
    "quote_columns",
    "schema",
    "tags",
];

const KNOWN_OF_SNAPSHOTS: [&str; 18] = [
    "alias",
    "check_cols",
    "database",
    "dbt_valid_to_current",
    "enabled",
    "group",
    "hard_deletes",
    "invalidate_hard_deletes",
    "materialized",
    "meta",
    "schema",
    "snapshot_meta_column_names",
    "strategy",
    "tags",
    "target_database",
    "target_schema",
    "unique_key",
    "updated_at",
];

const KNOWN_OF_DATA_TESTS: [&str; 14] = [
    "alias",
    "enabled",
    "error_if",
    "fail_calc",
    "group",
    "limit",
    "meta",
    "schema",
    "severity",
    "store_failures",
    "store_failures_as",
    "tags",
    "warn_if",
    "where",
];

const HARMLESS_FOR_DATA_TESTS: [&str; 5] = ["database", "description", "docs", "materialized", "static_analysis"];

const HARMLESS: [&str; 10] = [
    "concurrent_batches",
    "deprecation_date",
    "description",
    "docs",
    "grants",
    "lookback",
    "packages",
    "persist_docs",
    "query_tag",
    "static_analysis",
];

const HARMLESS_FOR_SEEDS: [&str; 5] = ["description", "docs", "event_time", "grants", "persist_docs"];

const ONE_SELECT: &str = "a model is one SELECT; what runs before or after it belongs in a model of its own";

const UNAVAILABLE: [(&str, &str); 5] = [
    ("post-hook", ONE_SELECT),
    ("post_hook", ONE_SELECT),
    ("pre-hook", ONE_SELECT),
    ("pre_hook", ONE_SELECT),
    ("sql_header", ONE_SELECT),
];

const HARMLESS_FOR_SNAPSHOTS: [&str; 7] =
    ["description", "docs", "event_time", "full_refresh", "grants", "persist_docs", "query_tag"];

const ROWS_ONLY: &str = "a seed is rows; what runs before or after it belongs in a model";

const UNAVAILABLE_FOR_SEEDS: [(&str, &str); 5] = [
    ("contract", "declare `data_tests` for the columns"),
    ("post-hook", ROWS_ONLY),
    ("post_hook", ROWS_ONLY),
    ("pre-hook", ROWS_ONLY),
    ("pre_hook", ROWS_ONLY),
];

const ONE_QUERY: &str = "a snapshot is one SELECT; what runs before or after it belongs in a model";

const UNAVAILABLE_FOR_SNAPSHOTS: [(&str, &str); 6] = [
    ("contract", "declare `data_tests` for the columns"),
    ("post-hook", ONE_QUERY),
    ("post_hook", ONE_QUERY),
    ("pre-hook", ONE_QUERY),
    ("pre_hook", ONE_QUERY),
    ("sql_header", ONE_QUERY),
];

impl Configs {
    fn known(self) -> &'static [&'static str] {
        match self {
            Configs::Models => &KNOWN,
            Configs::Seeds => &KNOWN_OF_SEEDS,
            Configs::Snapshots => &KNOWN_OF_SNAPSHOTS,
            Configs::DataTests => &KNOWN_OF_DATA_TESTS,
        }
    }

    /// Whether a key is a config at all, with or without effect.
    pub(super) fn has(self, key: &str) -> bool {
        !matches!(self.use_of(key), None | Some(Use::Kept))
    }

    /// Whether a key that is no config is kept for others who know it.
    pub(super) fn keeps(self, key: &str) -> bool {
        matches!(self.use_of(key), Some(Use::Kept))
    }

    /// Returns `None` for a key that is probably a misspelt one.
    fn use_of(self, key: &str) -> Option<Use> {
        let harmless: &[&str];
        let unavailable: &[(&str, &'static str)];
        match self {
            Configs::Models => {
                harmless = &HARMLESS;
                unavailable = &UNAVAILABLE;
            }
            Configs::Seeds => {
                harmless = &HARMLESS_FOR_SEEDS;
                unavailable = &UNAVAILABLE_FOR_SEEDS;
            }
            Configs::Snapshots => {
                harmless = &HARMLESS_FOR_SNAPSHOTS;
                unavailable = &UNAVAILABLE_FOR_SNAPSHOTS;
            }
            Configs::DataTests => {
                harmless = &HARMLESS_FOR_DATA_TESTS;
                unavailable = &[];
            }
        }
        if self.known().contains(&key) {
            return Some(Use::Known);
        }
        if harmless.contains(&key) {
            return Some(Use::Harmless);
        }
        if let Some((_, instead)) = unavailable.iter().find(|(known, _)| *known == key) {
            let is_hook = key.ends_with("hook");
            return Some(if is_hook { Use::Hook(instead) } else { Use::Unavailable(instead) });
        }
        nearest(key, self.known().iter().copied()).is_none().then_some(Use::Kept)
    }

    /// The config that was most probably meant.
    pub(super) fn near(self, typed: &str) -> Option<&'static str> {
        nearest(typed, self.known().iter().copied())
    }

    fn unknown(self, key: &Spanned<String>) -> Diagnostic {
        let known = self.known();
        let owner = match self {
            Configs::Models => "",
            Configs::Seeds => " of a seed",
            Configs::Snapshots => " of a snapshot",
            Configs::DataTests => " of a data test",
        };
        let message = format!("no config{owner} is called `{}`", key.value);
        let diagnostic = Diagnostic::error(Code::UnknownKey, message).at(key.span);
        diagnostic.suggest(&key.value, known.iter().copied())
    }
}

/// Whether an incremental strategy is SQLMesh's, by which a batch replaces a range of time.
pub(super) fn is_of_time_ranges(strategy: &Value) -> bool {
    strategy.as_str() == Some("incremental_by_time_range")
}

/// The first text in a value that has a tag of a template.
fn first_template(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => ["{{", "{%"].iter().any(|tag| text.contains(tag)).then_some(text.as_str()),
        Value::Array(items) => items.iter().find_map(first_template),
        Value::Object(entries) => entries.values().find_map(first_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

impl Settings {
    pub(super) fn new(configs: Configs) -> Settings {
        Settings { values: BTreeMap::new(), kept: BTreeMap::new(), configs }
    }

    /// Sets `enabled: false`, whatever other layers say below it.
    pub(super) fn switch_off(&mut self, at: Span) {
        self.put("enabled", Spanned::new(Value::Bool(false), at));
    }

    /// The value of a config, if a layer has set it.
    pub fn get(&self, key: &str) -> Option<&Spanned<Value>> {
        self.values.get(key)
    }

    /// Sets one config; a null takes back what an earlier layer set, tags and meta are merged with it.
    pub(crate) fn set_at(&mut self, key: &Spanned<String>, value: Spanned<Value>) -> Result<(), Diagnostic> {
        let word = key.value.as_str();
        match self.configs.use_of(word) {
            None => Err(self.configs.unknown(key)),
            // Templates may ask for it: macros of other engines do.
            Some(Use::Harmless) => {
                self.put(word, value);
                Ok(())
            }
            Some(Use::Kept) => {
                self.kept.entry(word.to_owned()).or_insert(key.span);
                self.put(word, value);
                Ok(())
            }
            Some(Use::Hook(instead)) => match writing_statement(&value.value) {
                None if asks_for_nothing(&value.value) => Ok(()),
                None => {
                    self.put(&word.replace('-', "_"), value);
                    Ok(())
                }
                Some(statement) => {
                    let message = format!("the config `{word}` would {statement}, which a model cannot do");
                    Err(Diagnostic::error(Code::InvalidConfig, message).at(key.span).help(instead))
                }
            },
            Some(Use::Unavailable(_)) if asks_for_nothing(&value.value) => Ok(()),
            Some(Use::Unavailable(_)) if word == "sql_header" && value.value.is_string() => {
                // Its own template, if it has one, was rendered by now.
                let fault = value.value.as_str().and_then(|header| sql_header::fault(header, key.span));
                fault.map_or(Ok(()), Err)
            }
            Some(Use::Unavailable(instead)) => {
                let message = format!("the config `{word}` is not available");
                Err(Diagnostic::error(Code::InvalidConfig, message).at(key.span).help(instead))
            }
            // SQLMesh's strategy replaces ranges of time, which gives the rows that a rebuilt table has.
            Some(Use::Known) if word == "incremental_strategy" && is_of_time_ranges(&value.value) => {
                self.kept.entry(word.to_owned()).or_insert(key.span);
                self.put(word, value);
                Ok(())
            }
            // BigQuery's mapping says how a warehouse stores rows, by parts of a time or ranges of a number: files have none of it.
            Some(Use::Known) if word == "partition_by" && value.value.is_object() => {
                self.kept.entry(word.to_owned()).or_insert(key.span);
                self.put(word, value);
                Ok(())
            }
            // A lake has no databases.
            Some(Use::Known) if matches!(word, "database" | "target_database") => {
                self.kept.entry(word.to_owned()).or_insert(key.span);
                self.put(word, value);
                Ok(())
            }
            Some(Use::Known) => {
                let value = checked_shape(word, value)?;
                self.put(word, value);
                Ok(())
            }
        }
    }

    /// Sets every key of a `config:` mapping and reports those that cannot be set. A `+` before a key is allowed.
    pub(super) fn set_all(&mut self, config: &Node, sink: &mut Sink) {
        let Ok(entries) = config.expect_mapping("`config`", sink) else {
            return;
        };
        for (key, node) in entries {
            self.set_node(key, node, sink);
        }
    }

    pub(super) fn set_node(&mut self, key: &Spanned<String>, node: &Node, sink: &mut Sink) {
        let word = Spanned::new(key.value.trim_start_matches('+').to_owned(), key.span);
        // A block's own span has many lines; its first one is enough to see.
        // A config may be a whole block.
        let span = if matches!(node.kind, YamlKind::Mapping(_)) { node.place() } else { node.span };
        if let Err(diagnostic) = self.set_at(&word, Spanned::new(node.to_json(), span)) {
            sink.error(diagnostic);
        }
    }

    /// The settings without those that are meant to be rendered, which are errors: YAML has been rendered by now, and `config()` stands
    /// in a template itself.
    pub(super) fn without_templates(&self, sink: &mut Sink) -> Settings {
        let mut plain = self.clone();
        plain.values.retain(|key, found| match first_template(&found.value) {
            // A hook is a template of its own.
            None => true,
            Some(_) if key.ends_with("_hook") => true,
            Some(text) => {
                let message = format!("`{key}` holds a template: `{text}`");
                let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(found.span);
                sink.error(diagnostic.help("write the expression without braces: it stands in a template already"));
                false
            }
        });
        plain
    }

    /// The settings with a table in the place of a model that another engine builds by ranges of time: it has the same rows.
    pub(super) fn with_tables_for_ranges(mut self) -> Settings {
        let is_of_ranges = |found: &Spanned<Value>| is_of_time_ranges(&found.value);
        if self.values.get("incremental_strategy").is_some_and(is_of_ranges) {
            self.values.remove("incremental_strategy");
            if let Some(materialized) = self.values.get_mut("materialized") {
                materialized.value = Value::from("table");
            }
        }
        self
    }

    /// The settings without a `partition_by` that is a mapping, which only BigQuery reads.
    pub(super) fn without_partition_mapping(mut self) -> Settings {
        self.values.retain(|key, found| key != "partition_by" || !found.value.is_object());
        self
    }

    /// The configs that mean nothing to karat, with the first place of each.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&str, Span)> {
        self.kept.iter().map(|(key, span)| (key.as_str(), *span))
    }

    /// Puts another layer on top.
    pub(super) fn merge(&mut self, layer: &Settings) {
        for (key, span) in &layer.kept {
            self.kept.entry(key.clone()).or_insert(*span);
        }
        for (key, value) in &layer.values {
            self.put(key, value.clone());
        }
    }

    fn put(&mut self, key: &str, value: Spanned<Value>) {
        let merged = match (self.values.remove(key), value) {
            (Some(Spanned { value: Value::Array(mut tags), .. }), Spanned { value: Value::Array(more), span })
                if key == "tags" =>
            {
                tags.extend(more);
                Spanned::new(Value::Array(tags), span)
            }
            (Some(Spanned { value: Value::Object(mut meta), .. }), Spanned { value: Value::Object(more), span })
                if key == "meta" =>
            {
                meta.extend(more);
                Spanned::new(Value::Object(meta), span)
            }
            // Hooks of all layers are run, those of the outermost first.
            (Some(before), Spanned { value, span }) if key.ends_with("_hook") => {
                let mut hooks = as_list(before.value);
                hooks.extend(as_list(value));
                Spanned::new(Value::Array(hooks), span)
            }
            (_, value) => value,
        };
        // A null stays, so that this layer can take back what one below it has set.
        self.values.insert(key.to_owned(), merged);
    }
}

fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// What a hook would do besides reading, in a verb. Returns `None` if it only reads, or does what has no meaning here: a lake has no
/// grants, and its files need no vacuum.
fn writing_statement(value: &Value) -> Option<&'static str> {
    const WRITING: [&str; 10] =
        ["insert", "update", "delete", "merge", "create", "drop", "truncate", "alter", "copy", "call"];
    match value {
        Value::String(text) => text.split(';').find_map(|statement| {
            let first = statement.split_whitespace().next()?.to_lowercase();
            WRITING.into_iter().find(|word| *word == first)
        }),
        Value::Array(items) => items.iter().find_map(writing_statement),
        Value::Object(hook) => hook.get("sql").and_then(writing_statement),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A null, `false`, or a contract that is not enforced.
fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(contract) => matches!(contract.get("enforced"), Some(Value::Bool(false))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Tags become a list and meta must be a mapping, because both are merged.
fn checked_shape(key: &str, value: Spanned<Value>) -> Result<Spanned<Value>, Diagnostic> {
    let span = value.span;
    let wrong =
        |wanted: &str| Err(Diagnostic::error(Code::InvalidConfig, format!("`{key}` must be {wanted}")).at(span));
    match (key, value.value) {
        ("tags", Value::String(tag)) => Ok(Spanned::new(Value::Array(vec![Value::String(tag)]), span)),
        ("tags", Value::Null) => Ok(Spanned::new(Value::Array(Vec::new()), span)),
        ("tags", Value::Array(tags)) if tags.iter().all(Value::is_string) => Ok(Spanned::new(Value::Array(tags), span)),
        ("tags", _) => wrong("a text or a list of texts"),
        ("meta", Value::Null) => Ok(Spanned::new(Value::Object(Map::new()), span)),
        ("meta", Value::Object(meta)) => Ok(Spanned::new(Value::Object(meta), span)),
        ("meta", _) => wrong("a mapping of keys to values"),
        (_, value) => Ok(Spanned::new(value, span)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::span::{SourceFiles, Span};

    fn set(settings: &mut Settings, key: &str, value: Value) -> Result<(), String> {
        let file = SourceFiles::default().add("models/a.sql", "");
        let span = Span::new(file, 0..0);
        settings
            .set_at(&Spanned::new(key.to_owned(), span), Spanned::new(value, span))
            .map_err(|diagnostic| diagnostic.message)
    }

    #[test]
    fn tags_and_meta_merge_and_others_are_replaced() {
        let mut settings = Settings::default();
        for (key, value) in [
            ("tags", json!("gold")),
            ("tags", json!(["daily", "gold"])),
            ("meta", json!({"owner": "ann", "tier": 1})),
            ("meta", json!({"tier": 2})),
            ("materialized", json!("view")),
            ("materialized", json!("table")),
            ("schema", json!("x")),
            ("schema", json!(null)),
        ] {
            set(&mut settings, key, value).unwrap();
        }
        let value = |key| settings.get(key).map(|found| found.value.clone());
        assert_eq!(value("tags"), Some(json!(["gold", "daily", "gold"])));
        assert_eq!(value("meta"), Some(json!({"owner": "ann", "tier": 2})));
        assert_eq!(value("materialized"), Some(json!("table")));
        assert_eq!(value("schema"), Some(json!(null)));
    }

    #[test]
    fn a_config_that_would_change_the_result_is_refused_and_a_harmless_one_is_not() {
        let mut settings = Settings::default();
        assert!(set(&mut settings, "pre_hook", json!(["select 1", {"sql": "insert into t values (1)"}])).is_err());
        assert!(set(&mut settings, "post_hook", json!("{{ grant_select() }}; vacuum analyze {{ this }}")).is_ok());
        assert!(set(&mut settings, "sql_header", json!("set x = 1")).is_err());
        assert!(set(&mut settings, "materialised", json!("view")).unwrap_err().contains("no config is called"));
        for (key, value) in
            [("docs", json!({"show": false})), ("pre_hook", json!([])), ("contract", json!({"enforced": false}))]
        {
            assert_eq!(set(&mut settings, key, value), Ok(()), "{key}");
        }
        assert_eq!(settings.get("docs").map(|found| found.value.clone()), Some(json!({"show": false})));
    }

    #[test]
    fn configs_of_others_are_kept() {
        let mut settings = Settings::default();
        for key in ["cluster_by", "start", "my_own"] {
            set(&mut settings, key, json!(1)).unwrap();
        }
        assert_eq!(settings.kept().map(|(key, _)| key).collect::<Vec<_>>(), ["cluster_by", "my_own", "start"]);
        assert!(set(&mut settings, "incremental_stratgy", json!("merge")).is_err());
    }
}
