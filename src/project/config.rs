//! The config of a model: what may be set, and what the words mean.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use serde_json::Value;

use super::freshness::Freshness;
use super::hooks::ModelHooks;
use super::materialize::{self, Materialization, Options};
use super::model::Model;
use super::resource::ModelAccess;
use super::settings::Settings;
use super::snapshot::SnapshotConfig;
use crate::day::{Grain, parse_instant};
use crate::diag::{Checked, Code, Diagnostic, Sink, any_of};
use crate::name::{ModelName, NodeKind, SchemaName, Tag};
use crate::span::{Span, Spanned};
use choice::{Choice, WrittenWords};

mod choice;
mod contract;
mod freshness;
mod on_schema_change;
mod snapshot;
mod updated_columns;

pub use choice::{IdleConfig, appends_everything, idle_configs};
pub use on_schema_change::OnSchemaChange;
pub use updated_columns::UpdatedColumns;

/// The config of a model after all layers were merged and checked.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    pub materialized: &'static dyn Materialization,
    /// The columns that tell rows apart where a batch replaces rows.
    pub unique_key: Vec<Spanned<String>>,
    /// The columns that a batch of `merge` changes in rows that are there already.
    pub updated_columns: UpdatedColumns,
    pub on_schema_change: OnSchemaChange,
    /// The output column that places a row in time.
    pub event_time: Option<Spanned<String>>,
    /// The columns that files are cut by; none: a few files hold all rows, which suits small tables.
    pub partition_by: Vec<Spanned<String>>,
    /// The length of a slice.
    pub batch_size: Grain,
    /// Nothing before this instant is built.
    pub begin: Option<NaiveDateTime>,
    /// The order of the rows within a file.
    pub sort_by: Vec<Spanned<String>>,
    pub tags: BTreeSet<Tag>,
    /// Who may read it.
    pub access: ModelAccess,
    /// The group that owns it.
    pub group: Option<Spanned<String>>,
    pub enabled: bool,
    /// `Some(true)` builds all of it with every command that may, `Some(false)` keeps `--full-refresh` from it.
    pub full_refresh: Option<bool>,
    /// The folder in the lake, if it is not the model's own folder.
    pub schema: Option<SchemaName>,
    /// The name of the table, if it is not the model's own.
    pub alias: Option<Spanned<String>>,
    /// The folder of a snapshot whatever else decides over schemas.
    pub target_schema: Option<SchemaName>,
    /// What it sets and its materialization has no use for.
    pub idle: Vec<IdleConfig>,
    /// Where `materialized` was written, if batches are appended only because nothing says otherwise.
    pub assumed_append: Option<Span>,
    /// Of which rows versions are kept. `None` for what is no snapshot, and for one that is disabled.
    pub snapshot: Option<SnapshotConfig>,
    /// What is run before and after it is built.
    pub hooks: ModelHooks,
    /// How old its newest slice may be.
    pub freshness: Option<Freshness>,
    /// Where it says that its columns are those that YAML declares, if it does.
    pub contract: Option<Span>,
    pub meta: BTreeMap<String, Value>,
}

impl ModelConfig {
    /// What its materialization may need.
    pub fn options(&self) -> Options<'_> {
        Options {
            strategy: None,
            event_time: self.event_time.as_ref(),
            unique_key: &self.unique_key,
            updated_columns: &self.updated_columns,
            on_schema_change: self.on_schema_change,
        }
    }

    /// Gives every setting its type and checks that they fit each other.
    pub fn resolve(settings: &Settings, sink: &mut Sink) -> Checked<ModelConfig> {
        let settings = &settings.without_templates(sink).with_tables_for_ranges().without_partition_mapping();
        let materialized = word_of(settings, "materialized", materializations(), sink);
        let event_time = text(settings, "event_time", sink);
        let partition_by = columns(settings, "partition_by", sink).and_then(|columns| partition_columns(columns, sink));
        let batch_size = batch_size(settings, sink);
        let begin = begin(settings, sink);
        let sort_by = columns(settings, "sort_by", sink);
        let tags = tags(settings, sink);
        let access = access(settings, sink);
        let enabled = flag(settings, "enabled", sink);
        let schema = schema(settings, "schema", sink);
        let alias = alias(settings, sink);
        let strategy = word_of(settings, "incremental_strategy", strategies(), sink);
        let unique_key = unique_key(settings, sink);
        let updated_columns = UpdatedColumns::read(settings, sink);
        let on_schema_change = OnSchemaChange::read(settings, sink);

        let materialized = materialized?;
        let event_time = event_time?;
        let partition_by = partition_by?;
        let strategy = strategy?;
        let mut unique_key = unique_key?;
        let mut updated_columns = updated_columns?;
        let written = WrittenWords { materialized: materialized.as_ref(), strategy: strategy.as_ref() };
        let choice = Choice::new(written, event_time.is_some(), &unique_key, &updated_columns);
        let chosen = choice.make();
        let idle = choice::take_idle(chosen, &mut unique_key, &mut updated_columns);
        let options = Options {
            strategy: strategy.as_ref().map(|word| word.span),
            event_time: event_time.as_ref(),
            unique_key: &unique_key,
            updated_columns: &updated_columns,
            // If it is wrong, that was reported, and the rest is checked all the same.
            on_schema_change: *on_schema_change.as_ref().unwrap_or(&OnSchemaChange::Fail),
        };
        chosen.check(&options, sink)?;
        Ok(ModelConfig {
            materialized: chosen,
            unique_key,
            updated_columns,
            on_schema_change: on_schema_change?,
            event_time,
            partition_by: partition_by.unwrap_or_default(),
            batch_size: batch_size?,
            begin: begin?,
            sort_by: sort_by?.unwrap_or_default(),
            tags: tags?,
            access: access?,
            group: text(settings, "group", sink)?,
            enabled: enabled?.unwrap_or(true),
            full_refresh: flag(settings, "full_refresh", sink)?,
            schema: schema?,
            alias: alias?,
            target_schema: None,
            idle,
            assumed_append: choice.assumed_append(),
            snapshot: None,
            hooks: ModelHooks::read(settings),
            freshness: freshness::read(settings, sink)?,
            contract: None,
            meta: meta(settings),
        })
    }
}

impl ModelConfig {
    /// The config of a model or a snapshot that says nothing of itself.
    pub(crate) fn unset(model: &Model) -> ModelConfig {
        let resolved = ModelConfig::resolve(&Settings::default(), &mut Sink::default());
        let resolved = resolved.expect("no settings have no faults");
        match model.kind() {
            NodeKind::Snapshot => ModelConfig { materialized: materialize::SNAPSHOT, ..resolved },
            _ => resolved,
        }
    }

    /// The same of a seed.
    pub(crate) fn of_unset_seed() -> ModelConfig {
        let resolved = ModelConfig::of_seed(&Settings::default(), &mut Sink::default());
        resolved.expect("no settings have no faults")
    }

    /// The config of a table of rows that break a data test.
    pub fn of_failing_rows() -> ModelConfig {
        let resolved = ModelConfig::resolve(&Settings::default(), &mut Sink::default());
        ModelConfig { materialized: materialize::TEST, ..resolved.expect("no settings have no faults") }
    }

    /// The config of what a template makes: a model or a snapshot. `settings` are those after it was rendered.
    pub fn of(model: &Model, settings: &Settings, sink: &mut Sink) -> Checked<ModelConfig> {
        match (model.kind(), &model.snapshot) {
            (NodeKind::Seed, _) => ModelConfig::of_seed(settings, sink),
            (_, Some(snapshot)) => ModelConfig::of_snapshot(settings, snapshot.name, sink),
            (_, None) => ModelConfig::of_select(settings, sink),
        }
    }

    fn of_select(settings: &Settings, sink: &mut Sink) -> Checked<ModelConfig> {
        let config = ModelConfig::resolve(settings, sink);
        let contract = contract::read(settings, sink);
        let config = config?;
        let contract = contract?;
        if config.materialized.is_incremental() && contract.is_some() {
            contract::check_schema_change(settings, sink)?;
        }
        Ok(ModelConfig { contract, ..config })
    }

    /// The config of a seed's table: what [`super::SeedConfig`] does not hold.
    pub fn of_seed(settings: &Settings, sink: &mut Sink) -> Checked<ModelConfig> {
        let settings = &settings.without_templates(sink);
        let config = ModelConfig::resolve(&shared_with_models(settings), sink)?;
        let full_refresh = flag(settings, "full_refresh", sink)?;
        Ok(ModelConfig { materialized: materialize::SEED, full_refresh, ..config })
    }

    fn of_snapshot(settings: &Settings, name: Span, sink: &mut Sink) -> Checked<ModelConfig> {
        let settings = &settings.without_templates(sink);
        let config = ModelConfig::resolve(&shared_with_models(settings), sink);
        let target_schema = schema(settings, "target_schema", sink);
        if let Some(word) = setting(settings, "materialized").filter(|word| word.value.as_str() != Some("snapshot")) {
            return Err(sink.error(wrong_type("materialized", "`snapshot` for a snapshot", word)));
        }
        let config = config?;
        let snapshot = if config.enabled { Some(snapshot::read(settings, name, sink)?) } else { None };
        Ok(ModelConfig {
            materialized: materialize::SNAPSHOT,
            // As in dbt: the table gets new columns, and keeps those that the query no longer has.
            on_schema_change: OnSchemaChange::AppendNewColumns,
            target_schema: target_schema?,
            snapshot,
            ..config
        })
    }
}

/// What a seed or a snapshot shares with models, and is read as theirs; the settings have been checked for keys that are not
/// shared.
fn shared_with_models(settings: &Settings) -> Settings {
    let mut plain = Settings::default();
    for key in ["alias", "enabled", "group", "meta", "post_hook", "pre_hook", "schema", "tags"] {
        if let Some(value) = settings.get(key) {
            plain.values.insert(key.to_owned(), value.clone());
        }
    }
    plain
}

fn meta(settings: &Settings) -> BTreeMap<String, Value> {
    match settings.get("meta").map(|meta| &meta.value) {
        Some(Value::Object(meta)) => meta.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        _ => BTreeMap::new(),
    }
}

/// The setting, unless it is absent or a null that took it back.
pub(super) fn setting<'a>(settings: &'a Settings, key: &str) -> Option<&'a Spanned<Value>> {
    settings.get(key).filter(|found| !found.value.is_null())
}

pub(super) fn invalid(span: Option<Span>, message: impl Into<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message);
    match span {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

pub(super) fn wrong_type(key: &str, wanted: &str, found: &Spanned<Value>) -> Diagnostic {
    let shown = match &found.value {
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => format!("`{other}`"),
    };
    invalid(Some(found.span), format!("`{key}` must be {wanted}, not {shown}"))
}

fn text(settings: &Settings, key: &str, sink: &mut Sink) -> Checked<Option<Spanned<String>>> {
    let Some(found) = setting(settings, key) else {
        return Ok(None);
    };
    match &found.value {
        Value::String(text) if !text.is_empty() => Ok(Some(Spanned::new(text.clone(), found.span))),
        _ => Err(sink.error(wrong_type(key, "a text", found))),
    }
}

pub(super) fn flag(settings: &Settings, key: &str, sink: &mut Sink) -> Checked<Option<bool>> {
    let Some(found) = setting(settings, key) else {
        return Ok(None);
    };
    match found.value {
        Value::Bool(value) => Ok(Some(value)),
        _ => Err(sink.error(wrong_type(key, "`true` or `false`", found))),
    }
}

/// A column or a list of columns, none of them twice.
fn columns(settings: &Settings, key: &str, sink: &mut Sink) -> Checked<Option<Vec<Spanned<String>>>> {
    let Some(found) = setting(settings, key) else {
        return Ok(None);
    };
    let names: Option<Vec<&str>> = match &found.value {
        Value::String(name) => Some(vec![name.as_str()]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(names) = names.filter(|names| names.iter().all(|name| !name.is_empty())) else {
        return Err(sink.error(wrong_type(key, "a column or a list of columns", found)));
    };
    let mut columns: Vec<Spanned<String>> = Vec::new();
    for name in names {
        if columns.iter().any(|column| column.value == name) {
            return Err(sink.error(invalid(Some(found.span), format!("`{key}` names `{name}` twice"))));
        }
        columns.push(Spanned::new(name.to_owned(), found.span));
    }
    Ok(Some(columns))
}

/// The columns that tell rows apart. An empty text or list is none, and a column that stands twice counts once, as in dbt.
fn unique_key(settings: &Settings, sink: &mut Sink) -> Checked<Vec<Spanned<String>>> {
    let mut settings = settings.clone();
    if let Some(key) = settings.values.get_mut("unique_key") {
        match &mut key.value {
            Value::String(text) if text.is_empty() => key.value = Value::Null,
            Value::Array(names) => {
                let mut seen = BTreeSet::new();
                names.retain(|name| seen.insert(name.to_string()));
            }
            _ => {}
        }
    }
    Ok(columns(&settings, "unique_key", sink)?.unwrap_or_default())
}

/// Readers of a Delta table skip folders that begin with `_` or `.`.
fn partition_columns(columns: Option<Vec<Spanned<String>>>, sink: &mut Sink) -> Checked<Option<Vec<Spanned<String>>>> {
    for column in columns.iter().flatten() {
        if column.value.starts_with(['_', '.']) {
            let message = format!("the partition column `{}` begins with `_` or `.`", column.value);
            let diagnostic = invalid(Some(column.span), message).note("other engines treat such folders as hidden");
            return Err(sink.error(diagnostic.help("give the column another name in the SELECT")));
        }
    }
    Ok(columns)
}

/// The value that a word stands for, or an error that names the nearest word and all of them.
fn one_of<T: Copy>(key: &str, word: &Spanned<String>, all: &[(&'static str, T)], sink: &mut Sink) -> Checked<T> {
    if let Some((_, value)) = all.iter().find(|(known, _)| *known == word.value) {
        return Ok(*value);
    }
    let words: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
    let diagnostic = invalid(Some(word.span), format!("`{key}` cannot be `{}`", word.value));
    let diagnostic = diagnostic.suggest(&word.value, words.iter().copied());
    Err(sink.error(diagnostic.help(format!("it can be {}", any_of(words)))))
}

/// The words of `materialized`, each once.
fn materializations() -> Vec<&'static str> {
    let mut words = Vec::new();
    for one in materialize::ALL {
        if !words.contains(&one.word()) {
            words.push(one.word());
        }
    }
    words
}

/// The words of `incremental_strategy`.
fn strategies() -> Vec<&'static str> {
    materialize::ALL.iter().filter_map(|one| one.strategy()).collect()
}

/// One of these words, if the setting is there.
fn word_of(
    settings: &Settings,
    key: &str,
    words: Vec<&'static str>,
    sink: &mut Sink,
) -> Checked<Option<Spanned<&'static str>>> {
    let Some(written) = text(settings, key, sink)? else { return Ok(None) };
    let all: Vec<_> = words.into_iter().map(|word| (word, word)).collect();
    one_of(key, &written, &all, sink).map(|word| Some(Spanned::new(word, written.span)))
}

fn batch_size(settings: &Settings, sink: &mut Sink) -> Checked<Grain> {
    match text(settings, "batch_size", sink)? {
        None => Ok(Grain::Day),
        Some(word) => one_of("batch_size", &word, &Grain::ALL, sink),
    }
}

fn begin(settings: &Settings, sink: &mut Sink) -> Checked<Option<NaiveDateTime>> {
    let Some(written) = text(settings, "begin", sink)? else {
        return Ok(None);
    };
    match parse_instant(&written.value) {
        Some(instant) => Ok(Some(instant)),
        None => {
            let message = format!("`begin` cannot be `{}`", written.value);
            let help = "write a date or a time in UTC, like `2023-05-01` or `2023-05-01 13:00:00`";
            Err(sink.error(invalid(Some(written.span), message).help(help)))
        }
    }
}

/// A model is protected unless it says something else.
fn access(settings: &Settings, sink: &mut Sink) -> Checked<ModelAccess> {
    match text(settings, "access", sink)? {
        None => Ok(ModelAccess::default()),
        Some(word) => one_of("access", &word, &ModelAccess::ALL, sink),
    }
}

fn tags(settings: &Settings, sink: &mut Sink) -> Checked<BTreeSet<Tag>> {
    let Some(found) = setting(settings, "tags") else {
        return Ok(BTreeSet::new());
    };
    let texts = found.value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let tags = sink.check_all(texts, |text, sink| {
        Tag::parse(text).map_err(|wrong| {
            let message = format!("`{text}` is not a tag: {wrong}");
            sink.error(Diagnostic::error(Code::InvalidName, message).at(found.span))
        })
    })?;
    Ok(tags.into_iter().collect())
}

fn schema(settings: &Settings, key: &str, sink: &mut Sink) -> Checked<Option<SchemaName>> {
    let Some(written) = text(settings, key, sink)? else {
        return Ok(None);
    };
    SchemaName::parse(&written.value).map(Some).map_err(|wrong| {
        let message = format!("`{}` is not a schema: {wrong}", written.value);
        let diagnostic = Diagnostic::error(Code::InvalidName, message).at(written.span);
        let plain: String = written
            .value
            .trim()
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
            .collect();
        sink.error(match SchemaName::parse(&plain) {
            Ok(name) => diagnostic.help(format!("write `{name}`")),
            Err(_) => diagnostic,
        })
    })
}

fn alias(settings: &Settings, sink: &mut Sink) -> Checked<Option<Spanned<String>>> {
    let Some(written) = text(settings, "alias", sink)? else {
        return Ok(None);
    };
    match ModelName::parse(&written.value) {
        Ok(_) => Ok(Some(written)),
        Err(wrong) => {
            let message = format!("`{}` is not a name for a table: {wrong}", written.value);
            Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(written.span)))
        }
    }
}

#[cfg(test)]
mod tests;
