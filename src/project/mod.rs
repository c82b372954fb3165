//! The project as its author wrote it: read once, checked once, merged.

mod secret;
mod hidden;
mod scalar;
mod node;
mod packages;
mod yaml;
mod yaml_docs;
mod yaml_template;
mod dbt_profile;
mod retention;
mod schema;
mod files;
mod settings;
mod test_rule;
mod generic_test;
mod config;
mod materialize;
mod snapshot;
mod snapshot_blocks;
mod model;
mod seed;
mod seeds;
mod snapshots;
mod source;
mod endpoint;
mod env_vars;
mod lake;
mod source_files;
mod source_place;
mod target;
mod profile;
mod access;
mod vars;
mod data_test;
pub mod dbt_flags;
mod dialect;
mod folders;
mod found_models;
mod properties;
mod source_columns;
mod source_forms;
mod sources;
mod unit_test;
mod load;
mod package;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;

use serde_json::Value;

pub use crate::column_type::ColumnType;
pub use access::{BucketAccess, Credentials, access, secrets_of};
pub use config::{ModelConfig, OnSchemaChange, UpdatedColumns};
pub use dbt_profile::{DbtOutput, DbtProfile};
pub use dialect::SqlDialect;
pub use endpoint::{Endpoint, EndpointFault};
pub(crate) use env_vars::{VariableAccess, holds_credentials, variable_access};
pub use files::{FoundFile, PROJECT_FILE_NAMES, ProjectFiles, SELECTORS, read};
pub use generic_test::OWN_TESTS;
pub use lake::{BucketLocation, LakeLocation};
pub use load::{LoadRequest, load};
pub use materialize::{BatchWrite, Materialization, Options, Upkeep};
pub use model::{Column, DeclaredTest, Model, SingularTest};
pub use packages::{DBT_PACKAGE, ListedPackage, listed_packages};
pub use profile::{Grant, Profile, StaticCredentials};
pub use retention::Retention;
pub use secret::{Secret, names_a_secret};
pub use seed::{Seed, SeedConfig};
pub use settings::Settings;
pub use snapshot::{CheckedColumns, HardDeletes, SnapshotColumns, SnapshotConfig, SnapshotStrategy, SnapshotTemplate};
pub use source::{
    CsvFormat, Limit, MissingColumn, OnBadRow, OnMissing, Source, SourceColumn, SourceFormat, SourceLack,
    UnknownColumn, UnlocatedSource,
};
pub use source_place::SourcePlaces;
pub use target::{StorageSettings, Target};
pub use test_rule::{TestRule, TestSeverity};
pub use unit_test::{
    ExpectedRows, FixtureCell, FixtureRow, FixtureRows, FixtureValue, GivenInput, GivenName, UnitTest,
    UnitTestOverrides,
};

use crate::diag::{Checked, Sink};
use crate::name::{ModelName, NodeKind, PackageName, TableName, UnitTestName};
use crate::span::{FileId, SourceFiles, Spanned};

/// Everything the author declared. Names are unique and valid, configs are merged, unknown keys were reported.
#[derive(Debug, Clone)]
pub struct Project {
    pub name: Spanned<String>,
    /// How the SQL of the project and of its packages is read.
    pub dialect: SqlDialect,
    pub version: Option<String>,
    /// What `ref()` finds: models, seeds and snapshots, in one name space. Those that YAML disables are not here.
    pub models: BTreeMap<ModelName, Model>,
    pub sources: BTreeMap<TableName, Source>,
    /// Sources without a location, which dbt takes for tables of the database: here the name of a seed, or a model's table.
    pub tables: BTreeMap<TableName, UnlocatedSource>,
    /// The packages in it, by name.
    pub packages: Vec<String>,
    /// Where `adapter.dispatch()` looks for the macros of a package, where the project file says so.
    pub search_orders: BTreeMap<String, Vec<String>>,
    /// The files below the macro paths, those of the project first, sorted by path; then those of packages.
    pub macro_files: Vec<MacroSource>,
    /// The files below the test paths, sorted by path.
    pub singular_tests: Vec<SingularTest>,
    /// The tests of what models make of rows that are written down.
    pub unit_tests: BTreeMap<UnitTestName, UnitTest>,
    /// `selectors.yml`, if there is one.
    pub selectors: Option<FileId>,
    /// `--vars` over target over project.
    pub vars: BTreeMap<String, Value>,
    /// The same for the templates of each package.
    pub package_vars: BTreeMap<String, BTreeMap<String, Value>>,
    /// The name of dbt's profile, if there is one.
    pub profile: Option<String>,
    pub target: Target,
}

/// What stands for the database of every table where no profile says anything else: a lake is one.
pub(crate) const DATABASE: &str = "lake";

/// A text of YAML as a value, or why it is none.
pub(crate) fn yaml_value(text: &str) -> Result<Value, String> {
    let mut sink = Sink::default();
    let parsed = yaml_without_places(text, SourceFiles::default().add("text", text), &mut sink);
    parsed.map_err(|_reported| sink.take().into_iter().next().map(|error| error.message).unwrap_or_default())
}

/// A file of macros and the package that it belongs to.
#[derive(Debug, Clone)]
pub struct MacroSource {
    pub package: String,
    pub file: FileId,
}

/// A YAML file of the project as plain values, without their places.
pub fn yaml_without_places(text: &str, file: FileId, sink: &mut Sink) -> Checked<Value> {
    yaml::parse(text, file, sink).map(|node| node.to_json())
}

impl Project {
    /// The name space of the project's own nodes.
    pub fn package(&self) -> PackageName {
        PackageName::parse(&self.name.value).expect("the name of a project that was loaded is valid")
    }

    /// Whether a name that `ref()` takes is that of a model, a seed or a snapshot.
    pub fn kind_of(&self, name: &ModelName) -> NodeKind {
        self.models.get(name).map_or(NodeKind::Model, Model::kind)
    }
}
