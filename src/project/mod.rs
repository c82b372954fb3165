//! The project as its author wrote it: read once, checked once, merged.

mod secret;
mod hidden;
mod scalar;
mod node;
mod packages;
mod yaml;
mod yaml_docs;
mod yaml_template;
mod yaml_scopes;
mod dbt_profile;
mod dbt_version;
mod retention;
mod quoting;
mod rewrites;
mod schema;
mod ignore_rules;
mod files;
mod settings;
mod test_config;
mod test_rule;
mod chart;
mod test_storage;
mod generic_test;
mod hooks;
mod config;
mod constraint;
mod materialize;
mod snapshot;
mod sql_header;
mod snapshot_blocks;
mod model;
mod model_versions;
mod nested_keys;
mod text_call;
mod resource;
mod resources;
mod disabled;
mod seed;
mod seed_text;
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
mod freshness;
mod found_models;
mod properties;
mod broken_properties;
mod source_columns;
#[cfg(feature = "engine")]
mod column_edits;
mod source_forms;
mod source_properties;
mod sources;
mod unit_test;
#[cfg(feature = "engine")]
mod unit_test_edits;
mod load;
mod load_request;
mod package;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;

use serde_json::Value;

pub use crate::column_type::ColumnType;
pub use access::{BucketAccess, Credentials, access, secrets_of};
pub use broken_properties::PropertyFaults;
pub use chart::{ChartKind, DeclaredChart, ValueFormat};
#[cfg(feature = "engine")]
pub(crate) use column_edits::{Addition, FoundColumn, scalar, with_columns};
pub use config::{IdleConfig, ModelConfig, OnSchemaChange, UpdatedColumns};
pub(crate) use config::{appends_everything, idle_configs};
pub use constraint::{Constraint, ConstraintKind};
pub use dbt_profile::{DbtOutput, DbtProfile};
pub use dbt_version::DBT_VERSION;
pub use dialect::SqlDialect;
pub use disabled::{Disabled, DisabledTest, TestedNode};
pub use endpoint::{Endpoint, EndpointFault};
pub(crate) use env_vars::{VariableAccess, holds_credentials, variable_access};
pub use files::{FoundFile, PROJECT_FILE_NAMES, ProjectFiles, SELECTORS, read};
pub use freshness::{Age, Freshness, FreshnessStatus, PERIODS, Period, SourceFreshness};
pub use generic_test::OWN_TESTS;
pub use hooks::{ModelHooks, RunHook, RunHooks};
pub use lake::{BucketLocation, LakeLocation};
pub use load::load;
pub use load_request::LoadRequest;
pub use materialize::{BatchWrite, Materialization, Options, Upkeep};
pub(crate) use model::model_named;
pub use model::{ArgumentSpans, Column, DeclaredTest, Model, SingularTest, TestKey};
pub use packages::{
    ContentsChange, DBT_PACKAGE, LISTS, LOCK_FILE, ListedPackage, LockedFor, LockedPackage, PACKAGE_FILE,
    PackageContents, PackageLock, PackageOrigin, ProjectPackages, package_name, packages_of_package, project_packages,
    same_package,
};
pub use profile::{Grant, Profile, StaticCredentials};
pub use resource::{
    Dependency, ModelAccess, ModelVersion, ModelVersions, NodeGroup, Resource, ResourceKind, VersionedModel,
};
pub use retention::Retention;
pub use rewrites::{RewriteKind, SqlReading};
#[cfg(feature = "engine")]
pub(crate) use schema::known_keys;
pub use secret::{HIDDEN, Secret, names_a_secret};
pub use seed::{Seed, SeedConfig, SeedType};
pub use settings::{Settings, TestSettings};
pub use snapshot::{CheckedColumns, HardDeletes, SnapshotColumns, SnapshotConfig, SnapshotStrategy, SnapshotTemplate};
pub use source::{
    CsvFormat, Limit, MissingColumn, OnBadRow, OnMissing, Source, SourceColumn, SourceFormat, SourceLack,
    UnknownColumn, UnlocatedSource,
};
pub use source_files::format_of_ending;
pub use source_place::SourcePlaces;
pub use source_properties::{SourceProperties, WrittenColumn};
pub use target::{ClusterTarget, StorageSettings, Target};
pub use test_rule::{TestRule, TestSeverity};
pub use test_storage::{AUDIT_SCHEMA, TestStorage};
pub use unit_test::{
    ExpectedRows, FixtureCell, FixtureRow, FixtureRows, FixtureValue, GivenInput, GivenName, UnitTest,
    UnitTestOverrides,
};
#[cfg(feature = "engine")]
pub(crate) use unit_test_edits::{unit_test_file, with_unit_test};

pub use yaml_docs::DocBlock;
pub(crate) use yaml_template::is_template;

use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::name::{ModelName, NodeKind, PackageName, TableName, UnitTestName};
use crate::span::{FileId, SourceFiles, Spanned};

/// Everything the author declared. Names are unique and valid, configs are merged, unknown keys were reported.
#[derive(Debug, Clone)]
pub struct Project {
    pub name: Spanned<String>,
    /// How the SQL of the project and of its packages is read.
    pub reading: SqlReading,
    /// The folder of artifacts and compiled SQL, inside the project, if the project file names one.
    pub target_path: Option<String>,
    pub version: Option<String>,
    /// What `ref()` finds: models, seeds and snapshots, in one name space. Those that YAML disables are not here.
    pub models: BTreeMap<ModelName, Model>,
    /// What YAML switches off.
    pub disabled: Disabled,
    pub sources: BTreeMap<TableName, Source>,
    /// Sources without a location, which dbt takes for tables of the database: here the name of a seed, or a model's table.
    pub tables: BTreeMap<TableName, UnlocatedSource>,
    /// All sources as they were written.
    pub source_properties: BTreeMap<TableName, SourceProperties>,
    /// The blocks of documentation, which descriptions name.
    pub docs: Vec<DocBlock>,
    /// The packages in it, with the version that each says of itself.
    pub packages: BTreeMap<String, Option<String>>,
    /// Where `adapter.dispatch()` looks for the macros of a package, where the project file says so.
    pub search_orders: BTreeMap<String, Vec<String>>,
    /// The files below the macro paths, those of the project first, sorted by path; then those of packages.
    pub macro_files: Vec<MacroSource>,
    /// The files below the test paths, sorted by path.
    pub singular_tests: Vec<SingularTest>,
    /// The tests of what models make of rows that are written down.
    pub unit_tests: BTreeMap<UnitTestName, UnitTest>,
    /// Exposures, metrics, semantic models, saved queries and analyses, by kind, package and name.
    pub resources: Vec<Resource>,
    /// Who owns models and metrics.
    pub groups: BTreeMap<String, NodeGroup>,
    /// What is run before and after a run; hooks of packages come first.
    pub hooks: RunHooks,
    /// The models that have several versions.
    pub versions: ModelVersions,
    /// `selectors.yml`, if there is one.
    pub selectors: Option<FileId>,
    /// `--vars` over target over project.
    pub vars: BTreeMap<String, Value>,
    /// The same for the templates of each package.
    pub package_vars: BTreeMap<String, BTreeMap<String, Value>>,
    /// The name of dbt's profile, if there is one.
    pub profile: Option<String>,
    pub target: Target,
    /// What is wrong with properties, by what it stops.
    pub faults: PropertyFaults,
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
    /// The packages and the project itself, with their versions.
    pub(crate) fn installed(&self) -> BTreeMap<String, Option<String>> {
        let mut all = self.packages.clone();
        all.insert(self.name.value.clone(), self.version.clone());
        all
    }

    /// The package whose file declares a source, whether it is switched off or not.
    #[cfg(feature = "engine")]
    pub(crate) fn package_of_source(&self, name: &TableName) -> &String {
        let declared = self.source_properties.get(name).or_else(|| self.disabled.sources.get(name));
        declared.map_or(&self.name.value, |found| &found.package)
    }

    /// The name space of the project's own nodes.
    pub fn package(&self) -> PackageName {
        PackageName::parse(&self.name.value).expect("the name of a project that was loaded is valid")
    }

    /// The model that a `ref()` names, whether it is enabled or not. Returns `None` if there is no such model.
    pub fn referred(&self, name: &str, version: Option<&str>) -> Option<ModelName> {
        if let Some(model) = self.versions.find(name, version) {
            return Some(model.clone());
        }
        let plain = version.map_or_else(|| name.to_owned(), |version| format!("{name}_v{version}"));
        let found = model_named(&self.models, &plain);
        found.or_else(|| if version.is_none() { self.newest_version(name) } else { None })
    }

    /// The newest version of a model whose files alone say that it has several.
    fn newest_version(&self, name: &str) -> Option<ModelName> {
        let versions = self.models.keys().filter_map(|model| {
            let number: u64 = model.as_str().strip_prefix(name)?.strip_prefix("_v")?.parse().ok()?;
            Some((number, model))
        });
        versions.max_by_key(|(number, _)| *number).map(|(_, model)| model.clone())
    }

    /// What to say of a group that no properties file declares. Returns `None` if one does.
    pub fn unknown_group(&self, group: &Spanned<String>) -> Option<Diagnostic> {
        if self.groups.contains_key(&group.value) {
            return None;
        }
        let message = format!("no group is called `{}`", group.value);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(group.span);
        let known = || self.groups.keys().map(String::as_str);
        let diagnostic = diagnostic.suggest(&group.value, known());
        Some(match self.groups.is_empty() {
            true => diagnostic.help("declare it in a properties file: `groups: [{ name: …, owner: { name: … } }]`"),
            false => diagnostic.help(format!("the groups are {}", all_of(known()))),
        })
    }

    /// Whether a name that `ref()` takes is that of a model, a seed or a snapshot.
    pub fn kind_of(&self, name: &ModelName) -> NodeKind {
        self.models.get(name).map_or(NodeKind::Model, Model::kind)
    }
}
