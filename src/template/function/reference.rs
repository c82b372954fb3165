//! `ref()` and `source()`: the tables that a model reads.

use std::sync::Arc;

use minijinja::Value;

use super::relation::Relation;
use super::{Call, CallFailure, TemplateFunction};
use crate::day::{Length, Window};
use crate::diag::{Code, nearest};
use crate::name::{ModelName, SchemaName, TableName};
use crate::project::SourceLack;
use crate::template::render::{Facts, Render};
use crate::template::{OnChange, Reference, ReferenceName, ReferenceTarget};

/// `ref('model')`, `ref('project', 'model')`, with `lookback=`, `lookahead=` and `on_change=`.
pub(super) struct Ref;

/// `source('schema', 'table')`, with `lookback=`, `lookahead=` and `on_change=`.
pub(super) struct SourceFunction;

const WINDOW: [&str; 2] = ["lookback", "lookahead"];
const ON_CHANGE: &str = "on_change";
const NAMED: [&str; 3] = ["lookback", "lookahead", ON_CHANGE];
/// A reference to a model may also say which version of it is meant.
const NAMED_OF_MODELS: [&str; 5] = ["lookback", "lookahead", ON_CHANGE, "v", "version"];

impl TemplateFunction for Ref {
    fn name(&self) -> &'static str {
        "ref"
    }

    /// `ref.config`: packages look here for what dbt knows of the project and of what it installed.
    fn attribute(&self, name: &str, render: &Arc<Render>) -> Option<Value> {
        (name == "config").then(|| project_config(render.facts()))
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &NAMED_OF_MODELS)?;
        let facts = call.render.facts();
        let model = match call.positional {
            [_, _] => {
                let package = call.text(0, "the project")?;
                if !facts.library.is_package(&package) {
                    let failure = CallFailure::new(format!("no package is called `{package}`")).code(Code::UnknownRef);
                    let failure = failure.help("use the name of the model alone: `ref('model')`");
                    call.report_at(call.site_of_position(0), failure);
                    return Ok(placeholder(call));
                }
                call.text(1, "the model's name")?
            }
            _ if reports_undefined(call, 0) => return Ok(placeholder(call)),
            _ => call.text(0, "the model's name")?,
        };
        let version = ["v", "version"].into_iter().find_map(|name| call.argument(usize::MAX, name));
        // A macro that takes the place of `ref()` passes on what it was given, which may be nothing.
        let version = version.filter(|version| !version.is_none() && !version.is_undefined());
        let version = version.map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned));
        let declared = facts.versions.find(&model, version.as_deref()).map(ModelName::as_str);
        let known = match (declared, &version) {
            (Some(declared), _) => table_called(facts, declared),
            (None, Some(version)) => table_called(facts, &format!("{model}_v{version}")),
            (None, None) => table_called(facts, &model).or_else(|| newest_version(facts, &model)),
        };
        match known {
            Some((table, name)) => Ok(refer(call, ReferenceTarget::Model(name), &table)),
            None => {
                match (version, facts.versions.of(&model).as_slice()) {
                    (None, _) | (Some(_), []) => {
                        let name = call.site_of_position(call.positional.len().saturating_sub(1));
                        call.report_at(name, unknown_model(call, &model));
                    }
                    (Some(version), known) => {
                        let message = format!("`{model}` has no version {version}");
                        let failure = CallFailure::new(message).code(Code::UnknownRef);
                        call.report(failure.help(format!("its versions are {}", known.join(", "))));
                    }
                }
                Ok(placeholder(call))
            }
        }
    }
}

impl TemplateFunction for SourceFunction {
    fn name(&self) -> &'static str {
        "source"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &NAMED)?;
        if reports_undefined(call, 0) || reports_undefined(call, 1) {
            return Ok(placeholder(call));
        }
        let schema = call.text(0, "the source's name")?;
        let facts = call.render.facts();
        if call.argument(1, "table").is_none() {
            return Err(without_table(facts, &schema));
        }
        let table = call.text(1, "the table's name")?;
        let faults = facts.property_faults.of_source(&schema, &table);
        if !faults.is_empty() {
            // What is wrong with its declaration is all that is wrong with the model.
            call.render.record().diagnostics.extend(faults.into_iter().cloned());
            return Ok(placeholder(call));
        }
        let named = SchemaName::parse(&schema).ok().map(|schema| TableName { schema, table: table.clone() });
        match named.as_ref().filter(|name| facts.sources.contains(*name)) {
            Some(name) => Ok(refer(call, ReferenceTarget::Source(name.clone()), name)),
            None if let Some((model, stored)) = of_database(call, &schema, &table) => {
                Ok(refer_through(call, ReferenceTarget::Model(model), &stored, named.as_ref()))
            }
            None => {
                let is_source = |name: &TableName| name.schema.as_str() == schema;
                let wrong = usize::from(facts.sources.iter().any(is_source));
                call.report_at(call.site_of_position(wrong), unknown_source(call, &schema, &table));
                Ok(placeholder(call))
            }
        }
    }
}

/// The project and its packages, as far as templates ask for them.
fn project_config(facts: &Facts) -> Value {
    let described = |name: &str, version: Option<&String>| {
        let version = version.map_or_else(|| Value::from(()), |version| Value::from(version.as_str()));
        Value::from_pairs([("project_name", Value::from(name)), ("version", version)])
    };
    let all = facts.installed.iter().map(|(name, version)| (name.as_str(), described(name, version.as_ref())));
    Value::from_pairs([
        ("project_name", Value::from(facts.project.as_str())),
        (
            "version",
            facts.installed.get(&facts.project).cloned().flatten().map_or_else(|| Value::from(()), Value::from),
        ),
        ("dependencies", Value::from_pairs(all)),
    ])
}

/// Says that a name is none, which is most often one without quotes.
fn reports_undefined(call: &Call<'_>, position: usize) -> bool {
    let is_undefined = call.positional.get(position).is_some_and(Value::is_undefined);
    if is_undefined {
        let failure = CallFailure::new("this name is undefined").help(match call.name {
            "source" => "write the names in quotes: `source('app', 'orders')`",
            _ => "write the name in quotes: `ref('orders')`",
        });
        call.report_at(call.site_of_position(position), failure);
    }
    is_undefined
}

/// A source is named by two words, and `only` is one.
fn without_table(facts: &Facts, only: &str) -> CallFailure {
    let failure = CallFailure::new("`source()` needs the table's name");
    let meant = facts.sources.iter().find(|source| source.table == only || source.schema.as_str() == only);
    match meant {
        Some(TableName { schema, table }) => failure.help(format!("write `source('{schema}', '{table}')`")),
        None => failure.help("write the source and its table: `source('app', 'orders')`"),
    }
}

/// A table by the name of its model.
fn table_called(facts: &Facts, name: &str) -> Option<(TableName, ModelName)> {
    let name = ModelName::parse(name).ok().or_else(|| facts.renamed.get(name).cloned())?;
    Some((facts.tables.get(&name)?.clone(), name))
}

/// The newest version of a model that has several: each is a model of its own, called `name_v1`, `name_v2` and so on.
fn newest_version(facts: &Facts, model: &str) -> Option<(TableName, ModelName)> {
    let prefix = format!("{model}_v");
    let versions = facts.tables.iter().filter_map(|(name, table)| {
        let number: u64 = name.as_str().strip_prefix(&prefix)?.parse().ok()?;
        Some((number, name, table))
    });
    let (_, name, table) = versions.max_by_key(|(number, ..)| *number)?;
    Some((table.clone(), name.clone()))
}

/// The seed that a source without a location is called like, or the model whose table it is.
fn of_database(call: &Call<'_>, schema: &str, table: &str) -> Option<(ModelName, TableName)> {
    let facts = call.render.facts();
    let name = TableName { schema: SchemaName::parse(schema).ok()?, table: table.to_owned() };
    let declared = facts.source_tables.get(&name).filter(|declared| declared.lack == SourceLack::Place)?;
    let (stored, model) = table_called(facts, &declared.identifier)?;
    // For dbt it is a table by its schema and its name. A model that is only called like a raw table, as many are, is another one.
    let is_same = declared.schema == stored.schema.as_str() || declared.schema == facts.target.schema;
    (declared.is_seed || is_same).then_some((model, stored))
}

fn unknown_model(call: &Call<'_>, typed: &str) -> CallFailure {
    let facts = call.render.facts();
    if facts.disabled.iter().any(|name| name.as_str() == typed) {
        let failure = CallFailure::new(format!("the model `{typed}` is disabled")).code(Code::UnknownRef);
        return failure.help(format!("set `enabled: true` for `{typed}`, or leave the reference out"));
    }
    let failure = CallFailure::new(format!("no model is called `{typed}`")).code(Code::UnknownRef);
    match facts.sources.iter().find(|source| source.table == typed) {
        Some(source) => failure.help(format!("use `{{{{ source('{}', '{typed}') }}}}` for the source", source.schema)),
        None => {
            // The file is named instead of the model.
            let stem = typed.rsplit('/').next().unwrap_or(typed);
            let stem = [".sql", ".csv", ".py"].iter().find_map(|ending| stem.strip_suffix(ending)).unwrap_or(stem);
            let known = || facts.tables.keys().map(ModelName::as_str);
            match known().find(|name| *name == stem).or_else(|| nearest(stem, known())) {
                Some(meant) => failure.help(format!("did you mean `{meant}`?")),
                None => failure.help("models lie in `models`, seeds in `seeds`; `karat ls` lists what there is"),
            }
        }
    }
}

fn unknown_source(call: &Call<'_>, schema: &str, table: &str) -> CallFailure {
    let facts = call.render.facts();
    let name = SchemaName::parse(schema).ok().map(|schema| TableName { schema, table: table.to_owned() });
    if name.as_ref().is_some_and(|name| facts.disabled_sources.contains(name)) {
        let failure = CallFailure::new(format!("the source `{schema}.{table}` is disabled"));
        let help = format!("set `enabled: true` in its `config`, or leave the reference to `{schema}.{table}` out");
        return failure.code(Code::UnknownSource).help(help);
    }
    if let Some(declared) = name.and_then(|name| facts.source_tables.get(&name)) {
        let text = declared.lack.describe(&format!("{schema}.{table}"), &declared.identifier);
        return CallFailure::new(text.message).code(Code::UnknownSource).help(text.help);
    }
    let failure = CallFailure::new(format!("no source is called `{schema}.{table}`")).code(Code::UnknownSource);
    let known: Vec<String> = facts.sources.iter().map(TableName::to_string).collect();
    failure.suggest(&format!("{schema}.{table}"), known.iter().map(String::as_str))
}

fn placeholder(call: &Call<'_>) -> Value {
    Value::from_object(Relation::placeholder(call.render.facts()))
}

/// Records the reference. Every call is one of its own, because each may have its own window.
pub(super) fn refer(call: &Call<'_>, target: ReferenceTarget, table: &TableName) -> Value {
    refer_through(call, target, table, None)
}

/// The same for a table that is named as a source.
fn refer_through(call: &Call<'_>, target: ReferenceTarget, table: &TableName, through: Option<&TableName>) -> Value {
    let window = window(call);
    let on_change = on_change(call);
    let span = call.render.site_in_template(call.site);
    let mut record = call.render.record();
    let nth = record.uses.entry(table.clone()).or_insert(0);
    *nth += 1;
    let name = ReferenceName { table: table.clone(), nth: *nth };
    let through = through.cloned();
    record.references.push(Reference { name: name.clone(), target, window, on_change, through, span });
    Value::from_object(Relation::of(name, call.render.facts()))
}

fn window(call: &Call<'_>) -> Option<Window> {
    let [lookback, lookahead] = WINDOW.map(|name| length(call, name));
    if lookback.is_none() && lookahead.is_none() {
        return None;
    }
    Some(Window { lookback: lookback.unwrap_or(Length::ZERO), lookahead: lookahead.unwrap_or(Length::ZERO) })
}

/// What a change of the table does, if the call says it; a wrong word is reported and taken as nothing.
fn on_change(call: &Call<'_>) -> Option<OnChange> {
    let value = call.argument(usize::MAX, ON_CHANGE)?;
    let found = OnChange::ALL.into_iter().find(|one| value.as_str() == Some(one.word()));
    if found.is_none() {
        let message = format!("`{value}` is not a value of `{ON_CHANGE}`");
        let failure = CallFailure::new(message).code(Code::InvalidConfig);
        let help = "write `ignore`: slices stay as they are, or `rebuild`: all are computed again";
        call.report(failure.help(help.to_owned()));
    }
    found
}

/// The length that an argument gives; a wrong one is reported and taken as nothing.
fn length(call: &Call<'_>, name: &str) -> Option<Length> {
    let value = call.argument(usize::MAX, name)?;
    let length = value.as_str().and_then(Length::parse);
    if length.is_none() {
        let failure = CallFailure::new(format!("`{value}` is not a length of time")).code(Code::InvalidConfig);
        call.report(failure.help(format!("write a number and a unit: `{name}='29 days'`")));
    }
    length
}
