//! Contracts and constraints as dbt writes them into a manifest, and the checksum by which it notices that one has changed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::digest::sha256;
use super::manifest::ManifestInputs;
use super::python_text::repr;
use super::qualified::relation_name;
use crate::project::{Constraint, ConstraintKind, Dependency, Model, Project};
use crate::template::{ReferenceTarget, RenderedModel};

/// The contract of a node that has none.
pub(super) fn no_contract() -> Value {
    json!({"enforced": false, "alias_types": true, "checksum": null})
}

/// `contract` beside the config, which also has a checksum of what it promises.
pub(super) fn contract(model: &Model, rendered: Option<&RenderedModel>) -> Value {
    let Some(rendered) = rendered else { return no_contract() };
    let written = rendered.settings.get("contract").map(|written| &written.value);
    let alias_types = written.and_then(|written| written.get("alias_types")).and_then(Value::as_bool).unwrap_or(true);
    let is_enforced = rendered.config.contract.is_some();
    let checksum = is_enforced.then(|| checksum(model, rendered));
    json!({"enforced": is_enforced, "alias_types": alias_types, "checksum": checksum})
}

/// As dbt makes it: of columns in the order of their names, and of what holds for the whole of a table.
fn checksum(model: &Model, rendered: &RenderedModel) -> String {
    // Of a column that is described twice, the second description counts.
    let columns: BTreeMap<&str, _> = model.columns.iter().map(|column| (column.name.value.as_str(), column)).collect();
    let mut state = String::new();
    for (name, column) in columns {
        let data_type = column.data_type.as_ref().map_or("None", |written| written.value.as_str());
        state.push_str(&format!("|{name}{data_type}{}", python_list(&column.constraints)));
    }
    if rendered.config.materialized.is_stored() {
        state.push_str(&format!("{}{}", rendered.config.materialized.word(), python_list(&model.constraints)));
    }
    sha256(&state)
}

fn python_list(constraints: &[Constraint]) -> String {
    let all: Vec<String> = constraints.iter().map(python_object).collect();
    format!("[{}]", all.join(", "))
}

/// The constraint as Python prints the object that dbt makes of it.
fn python_object(constraint: &Constraint) -> String {
    let Constraint { kind, name, is_of_column, .. } = constraint;
    let class = if *is_of_column { "ColumnLevelConstraint" } else { "ModelLevelConstraint" };
    let word = kind.word();
    let fields = [
        ("name", json!(name)),
        ("expression", json!(constraint.expression.as_ref().map(|written| &written.value))),
        ("warn_unenforced", json!(constraint.warn_unenforced)),
        ("warn_unsupported", json!(constraint.warn_unsupported)),
        ("to", json!(constraint.to_written)),
        ("to_columns", json!(texts(constraint.to_columns.iter().map(|column| &column.value)))),
    ];
    let mut text = format!("{class}(type=<ConstraintType.{word}: '{word}'>");
    for (key, value) in fields {
        text.push_str(&format!(", {key}={}", repr(&value)));
    }
    if !is_of_column {
        let columns = json!(texts(constraint.columns.iter().map(|column| &column.value)));
        text.push_str(&format!(", columns={}", repr(&columns)));
    }
    text.push(')');
    text
}

fn texts<'a>(all: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    all.map(String::as_str).collect()
}

/// `constraints` of a model or of one of its columns.
pub(super) fn constraints(inputs: &ManifestInputs<'_>, constraints: &[Constraint]) -> Value {
    constraints.iter().map(|constraint| view(inputs, constraint)).collect()
}

fn view(inputs: &ManifestInputs<'_>, constraint: &Constraint) -> Value {
    let mut view = Map::new();
    let mut set = |key: &str, value: Value| view.insert(key.to_owned(), value);
    set("type", json!(constraint.kind.word()));
    set("name", json!(constraint.name));
    set("expression", json!(constraint.expression.as_ref().map(|written| &written.value)));
    set("warn_unenforced", json!(constraint.warn_unenforced));
    set("warn_unsupported", json!(constraint.warn_unsupported));
    set("to", json!(constraint.to.as_ref().map(|to| referred(inputs, &to.value))));
    set("to_columns", json!(texts(constraint.to_columns.iter().map(|column| &column.value))));
    if !constraint.is_of_column {
        set("columns", json!(texts(constraint.columns.iter().map(|column| &column.value))));
    }
    Value::Object(view)
}

/// The relation that a foreign key names, or the call as it was written if there is none.
fn referred(inputs: &ManifestInputs<'_>, to: &Dependency) -> String {
    let table = match ReferenceTarget::named_by(to, inputs.project) {
        Some(ReferenceTarget::Model(name)) => inputs.rendered.outline(&name).map(|outline| outline.table.clone()),
        Some(ReferenceTarget::Source(name)) => Some(name),
        Some(ReferenceTarget::This) | None => None,
    };
    table.map_or_else(|| to.written(), |table| relation_name(&table))
}

/// The columns of the primary key that constraints declare. As in dbt, it is one with or without a contract.
pub(super) fn primary_key(model: &Model) -> Vec<&str> {
    let key = model.all_constraints().find(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
    key.into_iter().flat_map(|key| &key.columns).map(|column| column.value.as_str()).collect()
}

/// What the foreign keys of an enforced contract name: dbt counts it among what the model reads.
pub(super) fn named_by_keys(model: &Model, rendered: &RenderedModel, project: &Project) -> Vec<ReferenceTarget> {
    let is_own = |target: &ReferenceTarget| *target == ReferenceTarget::Model(model.name.clone());
    let keys = model.all_constraints().filter(|_| rendered.config.contract.is_some());
    let named = keys.filter_map(|key| ReferenceTarget::named_by(&key.to.as_ref()?.value, project));
    named.filter(|target| !is_own(target)).collect()
}
