//! What reads tables and is never built: exposures, metrics, semantic models, saved queries and analyses; and the groups that own nodes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::name::{ModelName, NodeKind, SchemaName, TableName};
use crate::span::{FileId, Span, Spanned};

/// Which of them it is. The order is that in which a graph puts those that wait for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A file with a SELECT that is rendered and never run.
    Analysis,
    /// What entities, dimensions and measures the rows of a model have.
    SemanticModel,
    /// A number that is computed of measures, or of other metrics.
    Metric,
    /// Metrics by dimensions.
    SavedQuery,
    /// A dashboard, a notebook or a program that reads tables.
    Exposure,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [ResourceKind; 5] = [
        ResourceKind::Analysis,
        ResourceKind::SemanticModel,
        ResourceKind::Metric,
        ResourceKind::SavedQuery,
        ResourceKind::Exposure,
    ];

    /// The kind of its nodes.
    pub fn node_kind(self) -> NodeKind {
        match self {
            ResourceKind::Analysis => NodeKind::Analysis,
            ResourceKind::SemanticModel => NodeKind::SemanticModel,
            ResourceKind::Metric => NodeKind::Metric,
            ResourceKind::SavedQuery => NodeKind::SavedQuery,
            ResourceKind::Exposure => NodeKind::Exposure,
        }
    }

    /// As a person says it: `semantic model`.
    pub fn spoken(self) -> String {
        self.node_kind().word().replace('_', " ")
    }
}

/// An exposure, a metric, a semantic model, a saved query or an analysis.
#[derive(Debug, Clone)]
pub struct Resource {
    pub kind: ResourceKind,
    pub name: Spanned<String>,
    /// The package that declares it.
    pub package: String,
    /// The file that declares it, relative to the project; an analysis is that file.
    pub path: String,
    /// The package, the folders, and the name.
    pub fqn: Vec<String>,
    pub description: String,
    pub tags: Vec<String>,
    pub group: Option<Spanned<String>>,
    /// What it reads, as YAML says it. Empty for an analysis, whose text says it.
    pub depends_on: Vec<Spanned<Dependency>>,
    /// The text of an analysis. `None` for the others.
    pub file: Option<FileId>,
    /// Where a properties file describes an analysis. The others are declared there.
    pub described_at: Option<Span>,
    /// Everything that YAML says of it.
    pub properties: Value,
}

impl Resource {
    /// The measures of a semantic model.
    pub fn measures(&self) -> impl Iterator<Item = &str> {
        let listed = self.properties.get("measures").and_then(Value::as_array);
        let of_kind = listed.filter(|_| self.kind == ResourceKind::SemanticModel);
        of_kind.into_iter().flatten().filter_map(|measure| measure.get("name")?.as_str())
    }
}

/// What YAML says that something reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependency {
    /// `ref('orders')`, `ref('package', 'orders')`, `ref('orders', v=2)`.
    Model { name: String, version: Option<String> },
    /// `source('raw', 'orders')`.
    Source { schema: String, table: String },
    /// `metric('revenue')`, or the metric that another one names.
    Metric(String),
    /// The semantic model that has this measure.
    Measure(String),
}

/// Who owns nodes; a private model is read by nodes of its group alone.
#[derive(Debug, Clone)]
pub struct NodeGroup {
    pub name: Spanned<String>,
    /// The package that declares it.
    pub package: String,
    pub description: String,
    /// Everything that YAML says of it.
    pub properties: Value,
}

/// Who may read a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelAccess {
    /// Nodes of its own group.
    Private,
    /// Nodes of the project, and of the packages in it.
    #[default]
    Protected,
    /// Everybody.
    Public,
}

impl ModelAccess {
    /// All of them, with dbt's words.
    pub const ALL: [(&'static str, ModelAccess); 3] =
        [("private", ModelAccess::Private), ("protected", ModelAccess::Protected), ("public", ModelAccess::Public)];

    /// dbt's word.
    pub fn word(self) -> &'static str {
        match self {
            ModelAccess::Private => "private",
            ModelAccess::Protected => "protected",
            ModelAccess::Public => "public",
        }
    }
}

/// Which version of which model a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersion {
    /// The name that all versions share: the first argument of `ref()`.
    pub of: String,
    /// As YAML writes it: `2`.
    pub version: String,
    /// The version that a `ref()` without one means.
    pub latest: String,
}

impl ModelVersion {
    /// Whether a `ref()` without a version means this one.
    pub fn is_latest(&self) -> bool {
        self.version == self.latest
    }

    /// The version as YAML has it: a number if it reads like one.
    pub fn number(&self) -> Value {
        number(&self.version)
    }

    /// The latest version as YAML has it.
    pub fn latest_number(&self) -> Value {
        number(&self.latest)
    }

    /// How it stands to the latest version.
    pub fn cmp_latest(&self) -> Ordering {
        compare_versions(&self.version, &self.latest)
    }
}

fn number(version: &str) -> Value {
    serde_json::from_str::<serde_json::Number>(version).map_or_else(|_| Value::from(version), Value::Number)
}

/// Versions that are numbers are compared as such, others as texts: as in dbt.
pub(super) fn compare_versions(left: &str, right: &str) -> Ordering {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        _ => left.cmp(right),
    }
}

impl Dependency {
    /// As a template writes it.
    pub fn written(&self) -> String {
        match self {
            Dependency::Model { name, version: None } => format!("ref('{name}')"),
            Dependency::Model { name, version: Some(version) } => format!("ref('{name}', v={version})"),
            Dependency::Source { schema, table } => format!("source('{schema}', '{table}')"),
            Dependency::Metric(name) => format!("metric('{name}')"),
            Dependency::Measure(name) => format!("the measure `{name}`"),
        }
    }

    /// The source that it names; `None` if it names something else, or no table could be called so.
    pub fn source(&self) -> Option<TableName> {
        let Dependency::Source { schema, table } = self else { return None };
        let schema = SchemaName::parse(schema).ok()?;
        Some(TableName { schema, table: table.clone() })
    }
}

/// The versions of the models that have several.
#[derive(Debug, Clone, Default)]
pub struct ModelVersions(pub(super) BTreeMap<String, VersionedModel>);

/// A model that has versions.
#[derive(Debug, Clone)]
pub struct VersionedModel {
    /// The version that a `ref()` without one means.
    pub latest: String,
    pub models: BTreeMap<String, ModelName>,
}

impl ModelVersions {
    /// The model that is a version of this one; the latest if none is named. Returns `None` if there is no such version.
    pub fn find(&self, of: &str, version: Option<&str>) -> Option<&ModelName> {
        let versioned = self.0.get(of)?;
        versioned.models.get(version.unwrap_or(&versioned.latest))
    }

    /// The versions of a model, as YAML writes them.
    pub fn of(&self, model: &str) -> Vec<&str> {
        let versioned = self.0.get(model).into_iter();
        versioned.flat_map(|versioned| versioned.models.keys().map(String::as_str)).collect()
    }
}
