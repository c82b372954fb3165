//! `catalog.json`: the columns of every table, with their types, and what its files hold.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::invocation::{Invocation, Metadata};
use super::node_id::NodeIds;
use crate::analyze::TypedModel;
use crate::name::{ModelName, TableName};
use crate::project::{DATABASE, Project, Source};
use crate::table::TableState;

/// What a catalog is made of.
pub(crate) struct CatalogInputs<'a> {
    pub project: &'a Project,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub invocation: &'a Invocation,
    /// Says what is known of the table of a model. Tables that are not there have no entry.
    pub state_of: &'a dyn Fn(&TableName) -> Option<std::sync::Arc<TableState>>,
}

#[derive(Serialize)]
struct CatalogFile<'a> {
    metadata: Metadata<'a>,
    nodes: BTreeMap<String, TableView<'a>>,
    sources: BTreeMap<String, TableView<'a>>,
    errors: Option<()>,
}

#[derive(Serialize)]
struct TableView<'a> {
    metadata: CatalogMetadata<'a>,
    columns: CatalogColumns,
    stats: BTreeMap<&'static str, TableStatistic>,
    unique_id: String,
}

#[derive(Serialize)]
struct CatalogMetadata<'a> {
    r#type: &'static str,
    schema: &'a str,
    name: &'a str,
    database: &'static str,
    comment: Option<&'a str>,
    owner: Option<()>,
}

/// Columns, which are written by name and in their order.
struct CatalogColumns(Vec<CatalogColumn>);

#[derive(Serialize)]
struct CatalogColumn {
    r#type: String,
    index: usize,
    name: String,
    comment: Option<String>,
}

#[derive(Serialize)]
struct TableStatistic {
    id: &'static str,
    label: &'static str,
    value: Value,
    include: bool,
    description: &'static str,
}

impl Serialize for CatalogColumns {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|column| (&column.name, column)))
    }
}

/// An empty text is no comment.
fn comment(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn statistics(state: Option<&TableState>) -> BTreeMap<&'static str, TableStatistic> {
    let mut statistics = BTreeMap::new();
    let has_stats = TableStatistic {
        id: "has_stats",
        label: "Has Stats?",
        value: Value::from(state.is_some()),
        include: false,
        description: "Indicates whether there are statistics for this table",
    };
    statistics.insert("has_stats", has_stats);
    let Some(state) = state else { return statistics };
    // One file of unknown length makes the sum unknown.
    let rows: Option<u64> = state.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = state.files.iter().map(|file| file.bytes).sum();
    let all = [
        ("num_rows", "# Rows", json!(rows), "Rows of the newest version"),
        ("num_bytes", "Approximate Size", json!(bytes), "Bytes of the files of the newest version"),
        ("num_files", "# Files", json!(state.files.len()), "Files of the newest version"),
        ("version", "Version", json!(state.version), "The newest version of the table"),
    ];
    for (id, label, value, description) in all {
        let include = !value.is_null();
        statistics.insert(id, TableStatistic { id, label, value, include, description });
    }
    statistics
}

impl CatalogInputs<'_> {
    /// Writes the catalog, sorted by ids.
    ///
    /// # Errors
    ///
    /// Returns an error of the writer.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let models = self.typed.values().filter_map(|model| self.of_model(model));
        let sources = self.project.sources.values().map(|source| self.of_source(source));
        let file = CatalogFile {
            metadata: self.invocation.metadata("catalog/v1"),
            nodes: models.map(|view| (view.unique_id.clone(), view)).collect(),
            sources: sources.map(|view| (view.unique_id.clone(), view)).collect(),
            errors: None,
        };
        serde_json::to_writer(out, &file).map_err(io::Error::from)
    }

    /// Returns `None` if the model has no table, or it was not built yet.
    fn of_model<'m>(&'m self, model: &'m TypedModel) -> Option<TableView<'m>> {
        let word = model.config.materialized.word();
        if word == "ephemeral" {
            return None;
        }
        let declared = self.project.models.get(&model.name)?;
        let is_stored = model.config.materialized.is_stored();
        let state = (self.state_of)(&model.table);
        if is_stored && state.is_none() {
            return None;
        }
        let columns = model.relation_columns();
        let columns = columns.iter().enumerate().map(|(index, column)| {
            let described = declared.columns.iter().find(|described| described.name.value == column.name);
            let comment = described.and_then(|described| comment(&described.description)).map(str::to_owned);
            CatalogColumn { r#type: column.data_type.clone(), index: index + 1, name: column.name.clone(), comment }
        });
        Some(TableView {
            metadata: CatalogMetadata {
                r#type: if is_stored { "BASE TABLE" } else { "VIEW" },
                schema: model.table.schema.as_str(),
                name: &model.table.table,
                database: DATABASE,
                comment: comment(&declared.description),
                owner: None,
            },
            columns: CatalogColumns(columns.collect()),
            stats: statistics(state.as_deref()),
            unique_id: NodeIds::new(self.project).of_name(&model.name)?,
        })
    }

    fn of_source<'s>(&self, source: &'s Source) -> TableView<'s> {
        let columns = source.columns.iter().enumerate().map(|(index, column)| CatalogColumn {
            r#type: column.data_type.sql_name(),
            index: index + 1,
            name: column.name.value.clone(),
            comment: comment(&column.description).map(str::to_owned),
        });
        TableView {
            metadata: CatalogMetadata {
                r#type: "EXTERNAL",
                schema: source.schema.as_str(),
                name: source.table.as_str(),
                database: DATABASE,
                comment: comment(&source.description),
                owner: None,
            },
            columns: CatalogColumns(columns.collect()),
            stats: statistics(None),
            unique_id: NodeIds::new(self.project).of_source(&source.name()),
        }
    }
}
