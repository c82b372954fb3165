//! Models, seeds and sources as `graph` and `model` show them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::name::{NodeKind, SchemaName, TableName};
use crate::project::{Model, Project, Settings, SourceProperties};
use crate::span::{SourceFiles, Spanned};
use crate::template::render::{NodeColumn, NodeFacts};

/// All nodes, by dbt's unique ids.
pub(super) fn of(project: &Project, files: &SourceFiles) -> BTreeMap<String, NodeFacts> {
    let models = project.models.values().map(of_model);
    let sources = project.source_properties.iter().map(|(name, source)| of_source(name, source, files));
    models.chain(sources).map(|node| (node.unique_id.clone(), node)).collect()
}

/// Where YAML puts a model: what macros and its own `config()` say is not known before it is rendered.
fn written_table(model: &Model) -> TableName {
    let text = |key| model.settings.get(key).and_then(|found| found.value.as_str());
    let schema = text("schema").and_then(|schema| SchemaName::parse(schema).ok());
    model.table(schema.as_ref(), text("alias"))
}

/// dbt's name for a model or a seed.
pub(super) fn unique_id(model: &Model) -> String {
    format!("{}.{}.{}", resource_type(model), model.package, model.name)
}

fn resource_type(model: &Model) -> &'static str {
    match model.kind() {
        NodeKind::Seed => "seed",
        NodeKind::Snapshot => "snapshot",
        _ => "model",
    }
}

fn of_model(model: &Model) -> NodeFacts {
    let columns = model.columns.iter().map(|column| NodeColumn {
        name: column.name.value.clone(),
        description: column.description.clone(),
        data_type: column.data_type.as_ref().map(|written| written.value.clone()),
        written: column.written.clone(),
    });
    NodeFacts {
        unique_id: unique_id(model),
        package: model.package.clone(),
        name: model.name.to_string(),
        model: Some(model.name.clone()),
        resource_type: resource_type(model),
        path: model.path.clone(),
        fqn: model.fqn.clone(),
        description: model.description.clone(),
        table: written_table(model),
        source_name: String::new(),
        settings: model.settings.clone(),
        columns: columns.collect(),
    }
}

fn of_source(name: &TableName, source: &SourceProperties, files: &SourceFiles) -> NodeFacts {
    let columns = source.columns.iter().map(|column| NodeColumn {
        name: column.name.clone(),
        description: column.description.clone(),
        data_type: column.data_type.clone(),
        written: column.written.clone(),
    });
    let text = |key: &str| source.get(key).and_then(Value::as_str);
    let schema = text("schema").and_then(|schema| SchemaName::parse(schema).ok());
    let mut settings = Settings::default();
    for key in ["meta", "tags"] {
        if let Some(value) = source.get(key) {
            settings.values.insert(key.to_owned(), Spanned::new(value.clone(), source.span));
        }
    }
    NodeFacts {
        unique_id: format!("source.{}.{}.{}", source.package, name.schema, name.table),
        package: source.package.clone(),
        name: name.table.clone(),
        model: None,
        resource_type: "source",
        path: files.path(source.span.file).to_owned(),
        fqn: source.fqn.clone(),
        description: source.description.clone(),
        table: TableName {
            schema: schema.unwrap_or_else(|| name.schema.clone()),
            table: text("identifier").unwrap_or(&name.table).to_owned(),
        },
        source_name: name.schema.to_string(),
        settings,
        columns: columns.collect(),
    }
}
