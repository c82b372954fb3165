//! One render of one template: what it may know, and what it leaves behind besides the text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use minijinja::Value;

use super::Reference;
use super::function::{Calls, MacroFrame};
use super::introspection::{Answer, Question};
use super::macros::{Library, MacroName};
use crate::diag::Diagnostic;
use crate::name::{ModelName, TableName};
use crate::project::{ModelVersions, PropertyFaults, Settings, UnlocatedSource};
use crate::span::{FileId, Span, Spanned};

/// What all templates of a project may know.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The project's own name.
    pub project: String,
    pub target: TargetNames,
    pub vars: BTreeMap<String, Value>,
    /// Where each model stands in the lake.
    pub tables: BTreeMap<ModelName, TableName>,
    pub sources: BTreeSet<TableName>,
    /// The project and its packages, with the version that each says of itself.
    pub installed: BTreeMap<String, Option<String>>,
    /// The models that have versions by what YAML says.
    pub versions: ModelVersions,
    /// The databases of the tables whose project says something else than the target.
    pub databases: BTreeMap<TableName, Arc<str>>,
    /// What `model` and `graph` show, by dbt's unique id. `None` until a template asks for them.
    pub nodes: Option<Arc<BTreeMap<String, NodeFacts>>>,
    /// The run's one time.
    pub now: DateTime<Utc>,
    /// What is wrong with sources.
    pub property_faults: PropertyFaults,
    /// Sources that are tables of a database for dbt.
    pub source_tables: BTreeMap<TableName, UnlocatedSource>,
    /// The variables that templates of each package see.
    pub package_vars: BTreeMap<String, BTreeMap<String, Value>>,
    /// Models that switched themselves off.
    pub disabled: BTreeSet<ModelName>,
    /// Names of models that are none here, with those that stand for them.
    pub renamed: BTreeMap<String, ModelName>,
    /// Sources that YAML switches off.
    pub disabled_sources: BTreeSet<TableName>,
    /// The environment variables that templates may read because the target lists them.
    pub listed_variables: BTreeSet<String>,
    /// The environment variables that were asked for so far.
    pub environment: BTreeMap<String, Variable>,
    /// What the compiler has answered.
    pub answers: BTreeMap<Question, Answer>,
    pub library: Arc<Library>,
    /// The macro files that cannot be parsed, by index.
    pub broken_macros: Arc<BTreeMap<usize, Diagnostic>>,
    /// What names give in the place of what they mean, by `name` or `package.name`: a unit test says so.
    pub overrides: BTreeMap<String, Value>,
}

/// What `target` says.
#[derive(Debug, Clone)]
pub(super) struct TargetNames {
    pub name: String,
    pub schema: String,
    pub database: Arc<str>,
    pub profile: String,
}

impl Facts {
    /// The database of a table, by its name alone: where the table is does not depend on it.
    pub fn database_of(&self, table: &TableName) -> Arc<str> {
        Arc::clone(self.databases.get(table).unwrap_or(&self.target.database))
    }
}

/// A model, a seed or a source, as it is known before anything is rendered.
#[derive(Debug, Clone)]
pub(super) struct NodeFacts {
    /// `model.project.name`
    pub unique_id: String,
    pub package: String,
    pub name: String,
    /// `None` for a source.
    pub model: Option<ModelName>,
    pub resource_type: &'static str,
    pub path: String,
    pub fqn: Vec<String>,
    pub description: String,
    pub table: TableName,
    /// The schema of a source; empty for others.
    pub source_name: String,
    pub settings: Settings,
    pub columns: Vec<NodeColumn>,
}

/// A column as a properties file describes it.
#[derive(Debug, Clone)]
pub(super) struct NodeColumn {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    /// Its other keys, as `meta`, `tags` and `config`.
    pub written: serde_json::Map<String, serde_json::Value>,
}

/// How much of the run's time a render has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeUse {
    /// Its date: the text changes once a day.
    Date,
    /// More of it: the text changes with every run.
    Instant,
}

/// An environment variable, as a template may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    Unset,
    Set(String),
    /// Nobody has allowed that it is read.
    Refused {
        /// Its name or its value looks like one of a secret.
        is_secret: bool,
        /// The path of the profile that could allow it.
        profile: String,
    },
}

/// What is rendered.
#[derive(Debug, Clone)]
pub(super) enum RenderSubject {
    Model(ModelSubject),
    /// A test or a query.
    Text,
}

#[derive(Debug, Clone)]
pub(super) struct ModelSubject {
    /// dbt's name for it.
    pub unique_id: String,
    pub name: ModelName,
    pub table: TableName,
    pub settings: Settings,
}

/// Which of its two texts a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// The text for a whole table.
    Full,
    /// The text for a run over a range.
    Sliced,
}

/// What a render must be given before it can be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// An environment variable.
    Variable(String),
    /// The macros of a file, by its index.
    Macros(usize),
    /// An answer of the compiler.
    Answer(Question),
    /// What `model` and `graph` show.
    Nodes,
}

/// What a render leaves behind.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub references: Vec<Reference>,
    /// How often each table was referred to.
    pub uses: BTreeMap<TableName, u32>,
    pub settings: Settings,
    pub diagnostics: Vec<Diagnostic>,
    pub messages: Vec<String>,
    pub asked_incremental: bool,
    pub used_this: bool,
    pub time_use: Option<TimeUse>,
    pub need: Option<Need>,
    /// The package of the macro file that is being imported.
    pub importing: Option<String>,
    /// The macros that were imported, by name.
    pub macros: BTreeMap<MacroName, Value>,
    pub calls: Calls,
    /// What a test says of itself by `config()`.
    pub test_config: BTreeMap<String, Spanned<serde_json::Value>>,
    /// The results of `statement()` by name.
    pub results: BTreeMap<String, Value>,
    /// The value of a `return()` on its way to the call of its macro.
    pub returned: Option<Value>,
    /// The texts of variables that are templates, as far as they refer to no table.
    pub variables: BTreeMap<String, Value>,
    /// The variables whose templates are being rendered, the outermost first.
    pub open_variables: Vec<VariableFrame>,
    /// How often templates of variables were rendered that refer to tables.
    pub referring_variables: usize,
}

/// A variable whose template is being rendered.
#[derive(Debug)]
pub(super) struct VariableFrame {
    pub name: String,
    /// Where it was asked for.
    pub site: Option<Span>,
}

impl Record {
    /// What the template said, and what there is to say about it.
    pub fn take_messages(&mut self) -> Vec<String> {
        let note = match self.time_use {
            None => None,
            Some(TimeUse::Date) => Some("reads the run's date: its text changes every day, and it is then built anew"),
            Some(TimeUse::Instant) => {
                Some("reads the run's time: its text changes with every run, which builds it anew")
            }
        };
        let mut messages = std::mem::take(&mut self.messages);
        messages.extend(note.map(str::to_owned));
        messages
    }
}

/// Where a template stands.
#[derive(Debug, Clone)]
pub(super) struct TemplatePlace {
    pub file: FileId,
    /// The name under which the engine knows it.
    pub template: String,
    pub package: String,
    /// The names that it gives to values of its own.
    pub assigned: BTreeSet<String>,
}

/// One render.
#[derive(Debug)]
pub(super) struct Render {
    facts: Arc<Facts>,
    pub subject: RenderSubject,
    pub file: FileId,
    /// The name under which the engine knows the template.
    pub template: String,
    /// The package that the template belongs to.
    package: String,
    assigned: BTreeSet<String>,
    variant: Variant,
    record: Mutex<Record>,
}

impl Render {
    pub fn new(facts: Arc<Facts>, subject: RenderSubject, place: TemplatePlace, variant: Variant) -> Render {
        let settings = match &subject {
            RenderSubject::Model(model) => model.settings.clone(),
            RenderSubject::Text => Settings::default(),
        };
        let record = Mutex::new(Record { settings, ..Record::default() });
        let TemplatePlace { file, template, package, assigned } = place;
        Render { facts, subject, file, template, package, assigned, variant, record }
    }

    /// The package whose names are meant: that of the innermost macro, or of the template.
    pub fn package(&self) -> String {
        let record = self.record();
        let innermost = record.calls.last().map(|frame: &MacroFrame| &frame.package);
        record.importing.as_ref().or(innermost).unwrap_or(&self.package).clone()
    }

    /// Whether the template, or a macro that it is in, gives this name to a value somewhere.
    pub fn assigns(&self, name: &str) -> bool {
        let record = self.record();
        let is_in_macro = record.importing.is_some() || !record.calls.is_empty();
        self.assigned.contains(name) || is_in_macro && self.facts.library.assigns(name)
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The nodes of the project. Returns `None` where they are not known yet: then the render is tried again with them.
    pub fn nodes(&self) -> Option<&BTreeMap<String, NodeFacts>> {
        if self.facts.nodes.is_none() {
            self.record().need.get_or_insert(Need::Nodes);
        }
        self.facts.nodes.as_deref()
    }

    /// The run's time, for whoever uses all of it.
    pub fn logical_time(&self) -> DateTime<Utc> {
        self.notice_time(TimeUse::Instant);
        self.facts.now
    }

    /// Keeps in mind that the text depends on the run's time.
    pub fn notice_time(&self, time_use: TimeUse) {
        let mut record = self.record();
        record.time_use = record.time_use.max(Some(time_use));
    }

    /// The variables that the template sees: those for its package.
    pub fn vars(&self) -> &BTreeMap<String, Value> {
        self.facts.package_vars.get(&self.package).unwrap_or(&self.facts.vars)
    }

    pub fn is_sliced(&self) -> bool {
        match self.variant {
            Variant::Full => false,
            Variant::Sliced => true,
        }
    }

    /// What was recorded so far. It must not be held while a value is printed or a macro is called.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a template that the engine names.
    pub fn file_of(&self, template: &str) -> Option<FileId> {
        if template == self.template {
            return Some(self.file);
        }
        self.facts.library.files.iter().find(|file| file.path == template).map(|file| file.file)
    }

    /// The place in the template itself: of this call, or of the call of the macro that it stands in.
    pub fn site_in_template(&self, site: Option<Span>) -> Span {
        let own = |span: &Span| span.file == self.file;
        // A template in a variable stands in YAML, where no file of templates has it: what it does, its `var()` does.
        let site = site.or_else(|| self.record().open_variables.first()?.site);
        let outermost = || self.record().calls.iter().filter_map(|frame| frame.site).find(own);
        site.filter(own).or_else(outermost).or(site).unwrap_or(Span::new(self.file, 0..0))
    }

    /// Puts a diagnostic to a call and, if that is in a macro, to the place where the macro was called.
    pub fn placed(&self, diagnostic: Diagnostic, site: Option<Span>) -> Diagnostic {
        let outer = self.site_in_template(site);
        match site {
            Some(site) if site != outer => diagnostic.at(site).labelled(outer, "called here"),
            Some(_) | None => diagnostic.at(outer),
        }
    }
}
