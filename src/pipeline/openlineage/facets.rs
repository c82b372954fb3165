//! What events say of datasets, in the facets of OpenLineage.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use serde_json::{Map, Value, json};

use crate::analyze::lineage::{ColumnUse, Origin, column_lineage};
use crate::analyze::{Input, TypedModel, source_schema, type_name};
use crate::execute::Built;
use crate::name::TableName;
use crate::pipeline::load::Compiled;
use crate::project::LakeLocation;
use crate::table::SliceKey;

/// Who makes the events.
pub(super) const PRODUCER: &str = concat!("urn:karat:", env!("CARGO_PKG_VERSION"));

/// With more slices, a build is as good as whole, and events would grow without end.
const MOST_SLICES: usize = 1000;

/// A facet of this name and version.
pub(super) fn facet(name: &str, version: &str, facts: Value) -> Value {
    let mut facet = json!({
        "_producer": PRODUCER,
        "_schemaURL": format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"),
    });
    if let (Some(facet), Value::Object(facts)) = (facet.as_object_mut(), facts) {
        facet.extend(facts);
    }
    facet
}

/// Says what tables and sources are called and hold.
#[derive(Clone, Copy)]
pub(super) struct Datasets<'a> {
    pub compiled: &'a Compiled,
}

/// A dataset's place in the world.
struct DatasetName {
    namespace: String,
    name: String,
}

impl Datasets<'_> {
    /// A table of the lake, by OpenLineage's rules for names: the store, and the path in it.
    fn name_of_table(self, table: &TableName) -> DatasetName {
        let loaded = &self.compiled.loaded;
        let below = format!("{}/{}", table.schema, table.table);
        match &loaded.project.target.lake {
            LakeLocation::Folder(folder) => self.file(&format!("{}/{below}", folder.trim_end_matches('/'))),
            LakeLocation::Bucket(bucket) => {
                let prefix = if bucket.prefix.is_empty() { String::new() } else { format!("{}/", bucket.prefix) };
                DatasetName { namespace: format!("s3://{}", bucket.bucket), name: format!("{prefix}{below}") }
            }
        }
    }

    fn name_of_source(self, source: &TableName) -> Option<DatasetName> {
        let location = &self.compiled.loaded.project.sources.get(source)?.location.value;
        Some(match location.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
            Some((bucket, key)) => DatasetName { namespace: format!("s3://{bucket}"), name: key.to_owned() },
            None => self.file(location),
        })
    }

    fn file(self, path: &str) -> DatasetName {
        let place = self.compiled.loaded.workspace.root.join(path.trim_start_matches("./"));
        DatasetName { namespace: "file".to_owned(), name: place.display().to_string() }
    }

    /// A table or source, by its name in SQL.
    fn named(self, table: &TableName) -> DatasetName {
        self.name_of_source(table).unwrap_or_else(|| self.name_of_table(table))
    }

    /// What a model reads.
    pub fn inputs(self, model: &TypedModel) -> Vec<Value> {
        let mut found = Vec::new();
        for input in model.inputs() {
            match input {
                Input::Model(name) => {
                    let Some(read) = self.compiled.typed.get(name) else { continue };
                    found.push(self.dataset(&self.name_of_table(&read.table), &read.schema));
                }
                Input::Source(name) => {
                    let source = self.compiled.loaded.project.sources.get(name);
                    let Some((place, source)) = self.name_of_source(name).zip(source) else { continue };
                    found.push(self.dataset(&place, &source_schema(source)));
                }
                Input::This | Input::Quarantine(_) | Input::Runs(_) => {}
            }
        }
        found
    }

    fn dataset(self, place: &DatasetName, schema: &Schema) -> Value {
        json!({"namespace": place.namespace, "name": place.name, "facets": {"schema": schema_facet(schema)}})
    }

    /// The table of a model, with what a build has written if there was one.
    pub fn output(self, model: &TypedModel, built: Option<&Built>) -> Value {
        let mut output = self.dataset(&self.name_of_table(&model.table), &model.schema);
        let mut facets = json!({"schema": schema_facet(&model.schema)});
        if let (Some(lineage), Some(facets)) = (self.column_lineage(model), facets.as_object_mut()) {
            facets.insert("columnLineage".to_owned(), lineage);
        }
        if let Some(built) = built {
            let version = json!({"datasetVersion": built.version.to_string()});
            if let Some(facets) = facets.as_object_mut() {
                facets.insert("version".to_owned(), facet("DatasetVersionDatasetFacet", "1-0-0", version));
            }
        }
        let Some(object) = output.as_object_mut() else { return output };
        object.insert("facets".to_owned(), facets);
        if let Some(built) = built {
            object.insert("outputFacets".to_owned(), output_facets(model, built));
        }
        output
    }

    /// A tested table with what tests found.
    pub fn tested(self, table: &TableName, assertions: Vec<Value>) -> Value {
        let place = self.named(table);
        let found = facet("DataQualityAssertionsDatasetFacet", "1-0-1", json!({"assertions": assertions}));
        json!({"namespace": place.namespace, "name": place.name, "inputFacets": {"dataQualityAssertions": found}})
    }

    /// Returns `None` if the columns cannot be followed.
    fn column_lineage(self, model: &TypedModel) -> Option<Value> {
        let lineage = column_lineage(model).ok()?;
        let fields: Map<String, Value> = lineage
            .columns
            .iter()
            .map(|column| (column.name.clone(), json!({"inputFields": self.input_fields(&column.origins)})))
            .collect();
        let rows = self.input_fields(&lineage.rows);
        Some(facet("ColumnLineageDatasetFacet", "1-2-0", json!({"fields": fields, "dataset": rows})))
    }

    fn input_fields(self, origins: &BTreeSet<Origin>) -> Vec<Value> {
        let field = |origin: &Origin| {
            let place = self.named(&origin.table);
            let kind = if origin.used_as.is_direct() { "DIRECT" } else { "INDIRECT" };
            json!({
                "namespace": place.namespace, "name": place.name, "field": origin.column,
                "transformations": [{"type": kind, "subtype": subtype(origin.used_as)}],
            })
        };
        origins.iter().map(field).collect()
    }
}

/// OpenLineage's word for what a column is used for.
fn subtype(used_as: ColumnUse) -> String {
    used_as.word().to_uppercase().replace(' ', "_")
}

fn schema_facet(schema: &Schema) -> Value {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| json!({"name": field.name(), "type": type_name(field.data_type())}));
    facet("SchemaDatasetFacet", "1-1-1", json!({"fields": fields.collect::<Vec<_>>()}))
}

/// What was written, and which slices of the table that is.
fn output_facets(model: &TypedModel, built: &Built) -> Value {
    let statistics = json!({"rowCount": built.rows, "size": built.bytes, "fileCount": built.files});
    let mut facets = json!({"outputStatistics": facet("OutputStatisticsOutputDatasetFacet", "1-0-2", statistics)});
    let slices: Vec<String> = built
        .slices
        .iter()
        .filter(|written| matches!(written.slice, SliceKey::At(_)))
        .map(|written| written.slice.to_string())
        .collect();
    if let (Some(event_time), Some(facets)) = (model.event_time(), facets.as_object_mut())
        && !slices.is_empty()
        && slices.len() <= MOST_SLICES
    {
        let partitions: Vec<Value> =
            slices.iter().map(|slice| json!({"identifier": slice, "dimensions": {event_time: slice}})).collect();
        let condition = json!({"condition": {"type": "partition", "partitions": partitions}});
        facets.insert("subset".to_owned(), facet("OutputSubsetOutputDatasetFacet", "1-0-0", condition));
    }
    facets
}
