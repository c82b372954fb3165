//! Models, seeds and sources as `graph` and `model` show them.

use std::collections::BTreeMap;

use crate::name::{NodeKind, SchemaName, TableName};
use crate::project::{Model, Project, Settings, Source};
use crate::template::render::NodeFacts;

/// All nodes, by dbt's unique ids.
pub(super) fn of(project: &Project) -> BTreeMap<String, NodeFacts> {
    let package = project.name.value.as_str();
    let models = project.models.values().map(of_model);
    let sources = project.sources.values().map(|source| of_source(package, source));
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
        NodeKind::Model | NodeKind::Source | NodeKind::Test | NodeKind::UnitTest => "model",
    }
}

fn of_model(model: &Model) -> NodeFacts {
    let columns = model.columns.iter().map(|column| (column.name.value.clone(), column.description.clone()));
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

fn of_source(package: &str, source: &Source) -> NodeFacts {
    let table = source.name();
    let columns = source.columns.iter().map(|column| (column.name.value.clone(), column.description.clone()));
    NodeFacts {
        unique_id: format!("source.{package}.{}.{}", table.schema, table.table),
        package: package.to_owned(),
        name: table.table.clone(),
        model: None,
        resource_type: "source",
        path: String::new(),
        fqn: vec![package.to_owned(), table.schema.to_string(), table.table.clone()],
        description: source.description.clone(),
        source_name: table.schema.to_string(),
        table,
        settings: Settings::default(),
        columns: columns.collect(),
    }
}
