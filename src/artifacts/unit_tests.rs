//! Unit tests in a manifest.

use serde_json::{Map, Value, json};

use super::described::{DescribedNode, filled};
use super::digest::sha256;
use super::manifest::ManifestInputs;
use super::node_id::{NodeIds, base_name};
use super::paths;
use super::test_id::unit_test_id;
use crate::project::{FixtureRows, FixtureValue, Model, ModelVersion, UnitTest};
use crate::span::SourceFiles;

const UNSET: Value = Value::Null;

pub(super) fn described(inputs: &ManifestInputs<'_>, test: &UnitTest) -> DescribedNode {
    let project = inputs.project;
    let of = &test.properties;
    let model = project.models.get(&test.id.model);
    let parents = model.map(|model| NodeIds::new(project).of_model(model));
    let mut described = DescribedNode::of_id(unit_test_id(project, test), parents.into_iter().collect());
    let original = paths::in_package(project, &test.package, &test.path);
    let tested = model.map_or(test.id.model.as_str(), base_name);
    let listed = of.get("given").and_then(Value::as_array).into_iter().flatten();
    let given = listed.zip(&test.given).map(|(written, given)| {
        let mut input = fixture(written, &given.rows, inputs.files);
        input.insert("input".to_owned(), written.get("input").cloned().unwrap_or_default());
        Value::Object(input)
    });
    let given: Vec<Value> = given.collect();
    let none = Value::Null;
    let expect = fixture(of.get("expect").unwrap_or(&none), &test.expected.rows, inputs.files);
    let overrides = of.get("overrides").filter(|written| !written.is_null());
    let overrides = overrides
        .map(|written| filled(written, &[("macros", json!({})), ("vars", json!({})), ("env_vars", json!({}))]));
    let versions = of.get("versions").filter(|written| !written.is_null());
    let versions = versions.map(|written| filled(written, &[("include", UNSET), ("exclude", UNSET)]));
    // What is karat's own has no key in dbt's schema, and is part of what a test is all the same.
    let own = json!([of.get("slice"), of.get("expect").and_then(|expect| expect.get("table"))]);
    let whole = json!([tested, versions, given, expect, overrides, own]);
    let written = of.get("config").and_then(Value::as_object);
    let is_enabled = written.and_then(|config| config.get("enabled")).and_then(Value::as_bool);
    let meta = if test.meta.is_object() { test.meta.clone() } else { json!({}) };
    described.set("model", json!(tested));
    described.set("given", Value::from(given));
    described.set("expect", Value::Object(expect));
    described.set("name", json!(test.id.test));
    described.set("resource_type", json!("unit_test"));
    described.set("package_name", json!(test.package));
    described.set("path", json!(paths::below_folder(original)));
    described.set("original_file_path", json!(original));
    described.set("unique_id", json!(described.unique_id));
    described.set("fqn", json!(test.fqn));
    described.set("description", json!(test.description));
    described.set("overrides", json!(overrides));
    described.set("depends_on", json!({"macros": [], "nodes": described.parents}));
    let enabled = is_enabled.unwrap_or(true);
    described.set("config", json!({"tags": test.tags, "meta": meta, "enabled": enabled, "static_analysis": null}));
    described.set("checksum", json!(sha256(&whole.to_string())));
    described.set("schema", json!(schema(inputs, model)));
    described.set("created_at", json!(inputs.created_at()));
    described.set("versions", json!(versions));
    described.set("version", json!(model.and_then(|model| model.version.as_ref()).map(ModelVersion::number)));
    described
}

/// The schema of the tested model's table.
fn schema(inputs: &ManifestInputs<'_>, model: Option<&Model>) -> Option<String> {
    let outline = inputs.rendered.outline(&model?.name)?;
    Some(outline.table.schema.to_string())
}

/// Rows as dbt keeps them: what is CSV has become mappings of texts, and what is a query is its text.
fn fixture(written: &Value, rows: &FixtureRows, files: &SourceFiles) -> Map<String, Value> {
    let said = |key: &str| written.get(key).filter(|value| !value.is_null());
    let is_csv = said("format").and_then(Value::as_str) == Some("csv");
    let found = match rows {
        FixtureRows::Query { file, .. } => json!(files.text(*file)),
        FixtureRows::Values(rows) if is_csv || said("fixture").is_some() => {
            let row = |cells: &[crate::project::FixtureCell]| {
                let cell = |cell: &crate::project::FixtureCell| (cell.column.value.clone(), value(&cell.value));
                Value::Object(cells.iter().map(cell).collect())
            };
            rows.iter().map(|one| row(&one.cells)).collect()
        }
        FixtureRows::Values(_) => said("rows").cloned().unwrap_or_else(|| json!([])),
        FixtureRows::OfSeed => Value::Null,
    };
    let format = match rows {
        FixtureRows::Query { .. } => "sql",
        FixtureRows::Values(_) if is_csv || said("fixture").is_some() => "csv",
        FixtureRows::Values(_) | FixtureRows::OfSeed => "dict",
    };
    let pairs = [("rows", found), ("format", json!(format)), ("fixture", json!(said("fixture")))];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn value(value: &FixtureValue) -> Value {
    match value {
        FixtureValue::Null => Value::Null,
        FixtureValue::Text(text) => json!(text),
        FixtureValue::Nested(value) => value.clone(),
    }
}
