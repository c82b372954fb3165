//! What `ref()` finds: a file, its config from YAML, its columns and the tests that were declared for them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::chart::DeclaredChart;
use super::constraint::Constraint;
use super::resource::ModelVersion;
use super::seed::Seed;
use super::settings::{Settings, TestSettings};
use super::snapshot::SnapshotTemplate;
use super::test_rule::TestRule;
use super::test_storage::TestStorage;
use crate::diag::{Code, Diagnostic};
use crate::name::{ModelName, NodeKind, SchemaName, TableName};
use crate::span::{FileId, SourceFiles, Span, Spanned};

/// A model, which is a file with one SELECT, a seed, which is a file with rows, or a snapshot.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: ModelName,
    /// Its name where it is written, if that is none here, as `orders.v1`: another stands for it.
    pub written_name: Option<String>,
    /// The package that it belongs to: the project, or one in it.
    pub package: String,
    /// The rows of a seed. `None` for a model.
    pub seed: Option<Seed>,
    /// The query of a snapshot. `None` for what is none.
    pub snapshot: Option<SnapshotTemplate>,
    /// The first folder below the model path (bronze, silver, gold), or the project's name for a file at the top.
    pub folder_schema: SchemaName,
    pub file: FileId,
    /// Relative to the project: `models/gold/daily_active_users.sql`.
    pub path: String,
    /// The project's name, the folders below the model path, then the name: what selectors and `+config` folders match.
    pub fqn: Vec<String>,
    /// What the project file and the properties file set; `config()` in the model comes on top.
    pub settings: Settings,
    /// Whether the properties file gives a text; empty if not.
    pub description: String,
    pub columns: Vec<Column>,
    /// Tests of the model as a whole.
    pub tests: Vec<DeclaredTest>,
    pub charts: Vec<DeclaredChart>,
    /// What a contract says of its rows, besides what it says of columns.
    pub constraints: Vec<Constraint>,
    /// Which version of which model it is. `None` for a model without versions.
    pub version: Option<ModelVersion>,
    /// Other files of its name, until it is known which of them all leaves itself switched on.
    pub rivals: Vec<Model>,
    /// Where the properties file describes the model.
    pub described_at: Option<Span>,
    /// The keys of its description as they were written, but for columns and tests: artifacts repeat them.
    pub written: Map<String, Value>,
}

/// The model of this name, whether it is a name here or another stands for it.
pub(crate) fn model_named(models: &BTreeMap<ModelName, Model>, written: &str) -> Option<ModelName> {
    if let Ok(name) = ModelName::parse(written) {
        return models.contains_key(&name).then_some(name);
    }
    let name = ModelName::standing_for(written).ok()?;
    models.get(&name)?.written_name.as_deref().is_some_and(|own| own == written).then_some(name)
}

impl Model {
    /// What a contract says of its rows: first the columns, then the model as a whole.
    pub fn all_constraints(&self) -> impl Iterator<Item = &Constraint> {
        self.columns.iter().flat_map(|column| &column.constraints).chain(&self.constraints)
    }

    /// Puts another file of its name into its place. What YAML says of the name holds for whichever file it is.
    pub(crate) fn giving_way_to(mut self, rival: usize) -> Model {
        let Model { package, folder_schema, file, path, fqn, settings, .. } = self.rivals.swap_remove(rival);
        Model { package, folder_schema, file, path, fqn, settings, ..self }
    }

    pub fn kind(&self) -> NodeKind {
        match (&self.seed, &self.snapshot) {
            (Some(_), _) => NodeKind::Seed,
            (None, Some(_)) => NodeKind::Snapshot,
            (None, None) => NodeKind::Model,
        }
    }

    /// Whether YAML switches it off.
    pub(super) fn is_disabled(&self) -> bool {
        self.settings.get("enabled").is_some_and(|enabled| enabled.value == Value::Bool(false))
    }

    /// The error for a model that is written in Python; `None` for one in SQL.
    pub fn refusal(&self) -> Option<Diagnostic> {
        if !self.path.ends_with(".py") {
            return None;
        }
        let message = format!("the model `{}` is written in Python, and karat builds SQL", self.name);
        let diagnostic = Diagnostic::error(Code::DiffersFromDbt, message).at(self.place());
        Some(diagnostic.help("write it as a SELECT, or switch it off with `+enabled: false` in the project file"))
    }

    /// What is rendered: the file, or the part of it that is the query of a snapshot.
    pub fn template<'a>(&'a self, files: &'a SourceFiles) -> &'a str {
        if self.refusal().is_some() {
            return "";
        }
        self.snapshot.as_ref().map_or_else(|| files.text(self.file), |snapshot| &snapshot.text)
    }

    /// The same without what stands in the place of the rest of a file.
    pub fn own_text<'a>(&'a self, files: &'a SourceFiles) -> &'a str {
        let text = self.template(files);
        if self.snapshot.is_some() { super::snapshot_blocks::without_fillers(text) } else { text }
    }

    /// Where to show the model as a whole.
    pub fn place(&self) -> Span {
        // A file as a whole has no place of its own.
        self.snapshot.as_ref().map_or(Span::new(self.file, 0..0), |snapshot| snapshot.name)
    }

    /// Where it stands in the lake unless its config names another schema or another name.
    pub fn table(&self, schema: Option<&SchemaName>, alias: Option<&str>) -> TableName {
        let table = alias.unwrap_or(self.name.as_str()).to_owned();
        TableName { schema: schema.unwrap_or(&self.folder_schema).clone(), table }
    }
}

/// A column as the properties file describes it.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: Spanned<String>,
    pub description: String,
    pub data_type: Option<Spanned<String>>,
    pub tests: Vec<DeclaredTest>,
    pub constraints: Vec<Constraint>,
    /// Its other keys as they were written (`meta`, `tags`, `constraints`): artifacts repeat them.
    pub written: Map<String, Value>,
}

/// Where an argument of a data test stands.
#[derive(Debug, Clone, Copy)]
pub struct ArgumentSpans {
    pub name: Span,
    pub value: Span,
}

/// A data test in a properties file: `not_null`, or `accepted_values: { values: [...] }`.
#[derive(Debug, Clone)]
pub struct DeclaredTest {
    pub kind: Spanned<String>,
    /// The name that the author gave it, if any.
    pub name: Option<Spanned<String>>,
    /// `fail_calc`: what counts the failures, if that is not the number of rows.
    pub calculation: Option<Spanned<String>>,
    /// The query that a macro makes of it, if it is one of the project's own.
    pub text: Option<FileId>,
    /// Arguments as written, also those below `arguments:`; `config` (severity, where) apart.
    pub arguments: Map<String, Value>,
    /// Where the name of each argument stands, and where its value.
    pub places: BTreeMap<String, ArgumentSpans>,
    pub rule: TestRule,
    /// Whether the rows that break it are kept, and how many of them count.
    pub storage: TestStorage,
    pub tags: Vec<String>,
    /// Whether it is run. Those that are not are taken out when the project is loaded.
    pub is_enabled: bool,
    /// The config as it was written, wherever it stands.
    pub config: Map<String, Value>,
    pub description: String,
    /// A SQL condition: only these rows are tested.
    pub filter: Option<Spanned<String>>,
    pub span: Span,
}

/// A data test as it is declared: where, and on which model. A line that describes all versions of a model is a test of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestKey {
    pub span: Span,
    pub declared_on: Option<ModelName>,
}

/// A file below a test path: a SELECT of the rows that must not exist.
#[derive(Debug, Clone)]
pub struct SingularTest {
    pub name: String,
    /// The package that it belongs to.
    pub package: String,
    pub file: FileId,
    pub path: String,
    /// Relative to the test path.
    pub below: String,
    /// Whether a properties file gives a text; empty if not.
    pub description: String,
    /// What the project file and properties files say of it; `config()` in the file comes on top.
    pub settings: TestSettings,
}
