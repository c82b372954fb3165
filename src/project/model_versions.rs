//! Models that have several versions: which file is which, and what holds for one version alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::constraint;
use super::data_test;
use super::model::{Column, Model, model_named};
use super::node::{Node, YamlFields};
use super::properties::{UniqueColumns, column, describe_model};
use super::resource::{ModelVersion, ModelVersions, VersionedModel, compare_versions};
use super::schema;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::span::{Span, Spanned};

/// One item of `versions:`.
struct WrittenVersion<'a> {
    version: Spanned<String>,
    fields: YamlFields<'a>,
}

/// Describes each version of a model by what is said of all of them, and then by what is said of it alone.
pub(super) fn describe(
    name: &Spanned<String>,
    fields: &YamlFields<'_>,
    models: &mut BTreeMap<ModelName, Model>,
    all: &mut ModelVersions,
    sink: &mut Sink,
) {
    let Ok(written) = written(name, fields, sink) else { return };
    let Some(latest) = latest(name, fields, &written, sink) else { return };
    let mut found = BTreeMap::new();
    for one in &written {
        let Some(model) = model_of(name, one, &latest, models, sink) else { continue };
        let version = &one.version.value;
        describe_model(model, name, fields, sink);
        describe_version(model, one, sink);
        model.version = Some(ModelVersion { of: name.value.clone(), version: version.clone(), latest: latest.clone() });
        // As in dbt, whatever the file is called.
        if model.settings.get("alias").is_none() {
            let alias = format!("{}_v{}", name.value, version.replace('.', "_"));
            let key = Spanned::new("alias".to_owned(), one.version.span);
            let alias = Spanned::new(Value::String(alias), one.version.span);
            model.settings.set_at(&key, alias).expect("`alias` is a config of a model");
        }
        found.insert(version.clone(), model.name.clone());
    }
    if all.0.insert(name.value.clone(), VersionedModel { latest, models: found }).is_some() {
        let message = format!("the model `{}` is described twice", name.value);
        sink.error(Diagnostic::error(Code::DuplicateName, message).at(name.span));
    }
}

fn written<'a>(name: &Spanned<String>, fields: &YamlFields<'a>, sink: &mut Sink) -> Checked<Vec<WrittenVersion<'a>>> {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    let listed = fields.list("versions", sink);
    sink.check_all(listed, |node, sink| {
        let fields = YamlFields::of(node, "an item of `versions`", sink)?;
        schema::MODEL_VERSION.check(&fields, sink);
        let Some(number) = fields.get("v") else {
            let message = format!("a version of `{}` has no `v`", name.value);
            return Err(sink.error(Diagnostic::error(Code::InvalidYaml, message).at(fields.place())));
        };
        let version = number.expect_any_text("`v`", sink)?;
        if let Some(first) = seen.insert(version.value.clone(), version.span) {
            let message = format!("the version {} of `{}` is listed twice", version.value, name.value);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message).labelled(version.span, "the second one");
            return Err(sink.error(diagnostic.labelled(first, "the first one")));
        }
        Ok(WrittenVersion { version, fields })
    })
}

/// The version that a `ref()` without one means: the one that YAML names, or the highest.
fn latest(
    name: &Spanned<String>,
    fields: &YamlFields<'_>,
    written: &[WrittenVersion<'_>],
    sink: &mut Sink,
) -> Option<String> {
    let highest = written.iter().map(|one| &one.version.value).max_by(|left, right| compare_versions(left, right))?;
    let Some(named) = fields.read("latest_version", Node::expect_any_text, sink) else { return Some(highest.clone()) };
    if written.iter().any(|one| one.version.value == named.value) {
        return Some(named.value);
    }
    let known: Vec<&str> = written.iter().map(|one| one.version.value.as_str()).collect();
    let message = format!("`latest_version` of `{}` is {}, which is none of its versions", name.value, named.value);
    let diagnostic = Diagnostic::error(Code::UnknownRef, message).at(named.span);
    sink.error(diagnostic.help(format!("its versions are {}", known.join(", "))));
    None
}

/// The model whose file holds a version.
fn model_of<'m>(
    name: &Spanned<String>,
    one: &WrittenVersion<'_>,
    latest: &str,
    models: &'m mut BTreeMap<ModelName, Model>,
    sink: &mut Sink,
) -> Option<&'m mut Model> {
    let version = &one.version.value;
    let defined_in = one.fields.text("defined_in", sink);
    let stem = defined_in.map_or_else(|| format!("{}_v{version}", name.value), |file| file.value);
    let mut candidates = vec![stem.clone()];
    // The latest version may be in a file of the plain name.
    if version == latest {
        candidates.push(name.value.clone());
    }
    let found = candidates.iter().find_map(|stem| model_named(models, stem));
    if found.is_none() {
        let message = format!("the version {version} of `{}` has no file `{stem}.sql`", name.value);
        let diagnostic = Diagnostic::warning(Code::UnknownModelInYaml, message).at(one.version.span);
        sink.warn(diagnostic.help("`defined_in` names another file, without its ending"));
    }
    models.get_mut(&found?)
}

/// What is said of one version alone.
fn describe_version(model: &mut Model, one: &WrittenVersion<'_>, sink: &mut Sink) {
    let fields = &one.fields;
    if fields.get("description").is_some() {
        model.description = fields.description(sink);
    }
    for (key, node) in fields.entries().iter().filter(|(key, _)| key.value == "access") {
        model.settings.set_node(key, node, sink);
    }
    if let Some(config) = fields.get("config") {
        model.settings.set_all(config, sink);
    }
    if fields.get("data_tests").or_else(|| fields.get("tests")).is_some() {
        model.tests = data_test::read(fields, sink);
    }
    if fields.get("constraints").is_some() {
        model.constraints = constraint::constraints(fields, None, sink);
    }
    if fields.get("columns").is_some() {
        describe_columns(model, fields, sink);
    }
}

/// The columns of all versions but those that this one excludes, and its own over them.
fn describe_columns(model: &mut Model, fields: &YamlFields<'_>, sink: &mut Sink) {
    let mut seen = UniqueColumns::of_model();
    let mut own: Vec<Column> = Vec::new();
    for node in fields.list("columns", sink) {
        let Ok(item) = YamlFields::of(node, "an item of `columns`", sink) else { continue };
        if item.get("include").is_none() && item.get("exclude").is_none() {
            own.extend(column(node, &schema::COLUMN, &mut seen, sink));
            continue;
        }
        let listed = |key: &str, sink: &mut Sink| item.read(key, Node::expect_texts, sink).unwrap_or_default();
        let included = listed("include", sink);
        let excluded = listed("exclude", sink);
        let all = included.is_empty() || included.iter().any(|name| matches!(name.value.as_str(), "all" | "*"));
        model.columns.retain(|column| {
            let is_in = |names: &[Spanned<String>]| names.iter().any(|name| name.value == column.name.value);
            (all || is_in(&included)) && !is_in(&excluded)
        });
    }
    model.columns.retain(|column| own.iter().all(|other| other.name.value != column.name.value));
    model.columns.extend(own);
}
