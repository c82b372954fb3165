//! The stage itself: renders every model as often as it takes until all know where the others stand.

mod analyses;
mod attempt;
mod hooks;
mod nodes;
mod operation;
mod outline;
mod places;
mod rivals;
mod tested;
mod traced;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;

pub use hooks::{HookTemplate, RenderedHook, render_hooks};
pub use operation::messages_of;
pub use places::test_schemas;
pub use rivals::settle_rivals;
pub use tested::{RenderedTest, render_tested};
pub use traced::{RenderedText, trace_models, trace_texts};

use super::environment::{Engine, Prepared, Text};
use super::introspection::{Answer, Answers, Compiler, Question, RelationColumn};
use super::macros::Library;
use super::render::{Facts, ModelSubject, Record, RenderSubject, TargetNames, Variant};
use super::{Reference, ReferenceName, ReferenceTarget, Rendered, RenderedModel, RenderedSql};
use crate::diag::{Checked, Code, Diagnostic, Severity, Sink, all_of};
use crate::host::Host;
use crate::name::{ModelName, NodeKind, TableName};
use crate::project::{
    DATABASE, DbtOutput, Model, ModelConfig, Profile, Project, TestSettings, appends_everything, idle_configs,
};
use crate::span::{FileId, SourceFiles, Span};
use attempt::{Attempt, ModelTemplate};
use places::WrittenPlace;

/// Renders all models. One that switches itself off is left out. Those that ask the compiler are rendered after it has
/// answered.
///
/// # Errors
///
/// Returns an error if the macros cannot be read: then no model can be rendered.
pub fn render_models(
    project: &Project,
    files: &SourceFiles,
    host: &dyn Host,
    compiler: &mut dyn Compiler,
    sink: &mut Sink,
) -> Checked<Rendered> {
    let library = Arc::new(Library::read(project, files, sink)?);
    let engine = Engine::new(&library, files);
    let broken_macros = Arc::clone(&engine.broken);
    let facts = facts(project, BTreeMap::new(), &library, host);
    let mut stage = Stage::new(project, files, host, engine, facts);
    stage.assume_tables(project, sink)?;
    let models = project.models.values().filter(|model| model.kind() != NodeKind::Seed);
    let mut drafts: Vec<ModelDraft<'_>> = stage.drafts(models.collect());
    stage.settle(&mut drafts);
    drafts.retain(|draft| !draft.is_disabled());
    // Seeds have no template, and wait for nothing.
    let seeds = project.models.values().filter(|model| model.kind() == NodeKind::Seed);
    let mut rendered = Rendered::default();
    for seed in seeds {
        outline::add_seed(seed, stage.table_of(&seed.name), &mut rendered, sink);
    }
    stage.finish_in_order(drafts, &mut rendered, compiler, sink);
    for fault in broken_macros.values() {
        // Whoever needs the file has it among its errors.
        let is_said = |model: &super::BrokenModel| model.faults.contains(fault);
        if !rendered.broken.values().any(is_said) {
            sink.warn(fault.clone().note("no model needs this file"));
        }
    }
    rendered.refuse_private_reads(project);
    stage.render_analyses(&mut rendered, sink);
    let warnings = rendered.models.values().flat_map(|model| passed_over(&model.config, project.name.span.file));
    warnings.for_each(|warning| sink.warn(warning));
    for warning in idle_configs(rendered.models.values().flat_map(|model| &model.config.idle)) {
        sink.warn(warning);
    }
    for model in rendered.models.values().filter(|model| model.sliced.is_none()) {
        if let Some(place) = model.config.assumed_append {
            sink.warn(appends_everything(place));
        }
    }
    for note in kept_configs(&stage.kept).into_iter().chain(stage.note_of_databases()) {
        sink.warn(note);
    }
    Ok(rendered)
}

/// One note for all configs that karat has no use for.
fn kept_configs(kept: &BTreeMap<String, Span>) -> Option<Diagnostic> {
    let (_, first) = kept.iter().next()?;
    let (verb, them) = if kept.len() == 1 { ("does", "it") } else { ("do", "them") };
    let named = all_of(kept.keys().map(String::as_str));
    let message = format!("{named} {verb} nothing here; `config.get()` finds {them}");
    Some(Diagnostic::warning(Code::UnknownKey, message).at(*first))
}

/// What a text that is no model may refer to.
#[derive(Clone, Copy)]
pub struct TextInputs<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub files: &'a SourceFiles,
    pub host: &'a dyn Host,
    /// What the compiler knows of models that are well.
    pub answers: Answers<'a>,
}

/// A text to render, and the package that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct TextFile<'a> {
    pub file: FileId,
    pub package: &'a str,
    /// What YAML says of the config of a data test.
    pub config: Option<&'a TestSettings>,
}

impl<'a> TextFile<'a> {
    /// A text that has no config.
    pub fn plain(file: FileId, package: &'a str) -> TextFile<'a> {
        TextFile { file, package, config: None }
    }
}

/// Renders a query: it has the functions of a model, but no config and no table of its own.
pub fn render_text(inputs: TextInputs<'_>, file: FileId, sink: &mut Sink) -> Checked<RenderedSql> {
    let text = TextFile::plain(file, &inputs.project.name.value);
    let rendered = render_texts(inputs, &[text], sink)?.pop();
    rendered.expect("one text was asked for").map_err(|faults| sink.error_all(faults))
}

/// Renders tests and queries, each like a query of its own, and gives for each its text or what is wrong with it. All macros
/// are read once for all of them.
///
/// # Errors
///
/// Returns an error if the macros cannot be read: then no text can be rendered.
pub fn render_texts(
    inputs: TextInputs<'_>,
    texts: &[TextFile<'_>],
    sink: &mut Sink,
) -> Checked<Vec<Result<RenderedSql, Vec<Diagnostic>>>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let library = Arc::new(Library::read(inputs.project, inputs.files, sink)?);
    let engine = Engine::new(&library, inputs.files);
    let mut stage = text_stage(inputs, &library, engine);
    let mut all = Vec::with_capacity(texts.len());
    for TextFile { file, package, config } in texts {
        let mut prepared = stage.prepare(*file, stage.files.text(*file), package);
        prepared.test_config = config.cloned().unwrap_or_default();
        let attempt = stage.attempt(&mut prepared, &RenderSubject::Text, Variant::Full);
        all.push(attempt.well(None, sink));
    }
    Ok(all)
}

/// The stage for texts that are no models.
fn text_stage<'a>(inputs: TextInputs<'a>, library: &'a Arc<Library>, engine: Engine<'a>) -> Stage<'a> {
    let TextInputs { project, rendered, files, host, answers } = inputs;
    let tables = rendered.outlines().map(|model| (model.name.clone(), model.table.clone())).collect();
    let mut facts = facts(project, tables, library, host);
    facts.disabled.extend(project.models.keys().filter(|name| rendered.outline(name).is_none()).cloned());
    Stage { asked: Some(answers), ..Stage::new(project, files, host, engine, facts) }
}

/// The data tests that macros define, by the names that YAML has for them: `name`, or `package.name`.
pub fn test_names(project: &Project, files: &SourceFiles) -> BTreeSet<String> {
    let library = Library::read(project, files, &mut Sink::default());
    library.map(|library| library.test_names()).unwrap_or_default()
}

fn facts(project: &Project, tables: BTreeMap<ModelName, TableName>, library: &Arc<Library>, host: &dyn Host) -> Facts {
    let sources: BTreeSet<TableName> = project.sources.keys().cloned().collect();
    let values = |vars: &BTreeMap<String, serde_json::Value>| {
        vars.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect::<BTreeMap<_, _>>()
    };
    let renamed = project.models.values();
    let renamed = renamed.filter_map(|model| Some((model.written_name.clone()?, model.name.clone())));
    Facts {
        project: project.name.value.clone(),
        target: target_names(project),
        databases: BTreeMap::new(),
        vars: values(&project.vars),
        package_vars: project.package_vars.iter().map(|(package, vars)| (package.clone(), values(vars))).collect(),
        sources,
        installed: project.installed(),
        versions: project.versions.clone(),
        nodes: None,
        now: host.logical_time(),
        property_faults: project.faults.clone(),
        source_tables: project.tables.clone(),
        tables,
        disabled: project.disabled.models.keys().cloned().collect(),
        renamed: renamed.collect(),
        disabled_sources: project.disabled.sources.keys().cloned().collect(),
        listed_variables: project.target.env_vars.clone(),
        environment: BTreeMap::new(),
        answers: declared_columns(project),
        library: Arc::clone(library),
        broken_macros: Arc::default(),
        overrides: BTreeMap::new(),
    }
}

fn target_names(project: &Project) -> TargetNames {
    let name = &project.name.value;
    let DbtOutput { schema, database, .. } = &project.target.names;
    TargetNames {
        name: project.target.name.clone(),
        schema: schema.as_ref().unwrap_or(name).clone(),
        database: database.as_deref().unwrap_or(DATABASE).into(),
        profile: project.profile.as_ref().unwrap_or(name).clone(),
    }
}

/// The columns of sources: those that YAML declares.
fn declared_columns(project: &Project) -> BTreeMap<Question, Answer> {
    let declared = project.sources.values().filter(|source| !source.columns.is_empty());
    let columns = declared.map(|source| {
        let columns = source
            .columns
            .iter()
            .map(|column| RelationColumn { name: column.name.value.clone(), data_type: column.data_type.sql_name() });
        (Question::Columns(source.name()), Answer::Columns(columns.collect()))
    });
    columns.collect()
}

/// What a model without files is told to do with its files. The project file says it for whole folders, views included.
fn passed_over(config: &ModelConfig, project_file: FileId) -> Vec<Diagnostic> {
    if config.materialized.is_stored() {
        return Vec::new();
    }
    let word = config.materialized.word();
    let keys = [
        ("partition_by", config.partition_by.first()),
        ("sort_by", config.sort_by.first()),
        ("pre_hook", config.hooks.before.first()),
        ("post_hook", config.hooks.after.first()),
    ];
    let written = keys.into_iter().filter_map(|(key, first)| Some((key, first?.span)));
    written
        .filter(|(_, span)| span.file != project_file)
        .map(|(key, span)| {
            let message = format!("`{key}` is ignored: a model of materialization `{word}` has no files");
            let warning = Diagnostic::warning(Code::InvalidConfig, message).at(span);
            warning.help("remove it, or materialize the model as `table` or `incremental`")
        })
        .collect()
}

struct Stage<'a> {
    project: &'a Project,
    files: &'a SourceFiles,
    host: &'a dyn Host,
    engine: Engine<'a>,
    facts: Arc<Facts>,
    /// The user's profile, once it was asked for.
    profile: Option<Profile>,
    /// Answers at once, if everything is typed by now.
    asked: Option<Answers<'a>>,
    /// Configs of models that karat has no use for, with the first place of each.
    kept: BTreeMap<String, Span>,
    /// The macro that names databases, if it names one that is not the target's.
    databases_named_at: Option<FileId>,
}

/// A model on its way.
struct ModelDraft<'a> {
    model: &'a Model,
    prepared: Prepared,
    table: TableName,
    attempt: Attempt,
    /// The text for slices or a batch, once it is rendered too.
    sliced: Option<Attempt>,
    config: Checked<ModelConfig>,
    complaints: Sink,
}

impl ModelDraft<'_> {
    fn is_disabled(&self) -> bool {
        self.config.as_ref().is_ok_and(|config| !config.enabled)
    }

    fn refers_to(&self, names: &BTreeSet<ModelName>) -> bool {
        self.attempt.record.references.iter().any(|reference| match &reference.target {
            ReferenceTarget::Model(name) => names.contains(name),
            ReferenceTarget::Source(_) | ReferenceTarget::This => false,
        })
    }
}

impl<'a> Stage<'a> {
    fn new(
        project: &'a Project,
        files: &'a SourceFiles,
        host: &'a dyn Host,
        engine: Engine<'a>,
        facts: Facts,
    ) -> Stage<'a> {
        let facts = Arc::new(Facts { broken_macros: Arc::clone(&engine.broken), ..facts });
        let kept = BTreeMap::new();
        Stage { project, files, host, engine, facts, profile: None, asked: None, kept, databases_named_at: None }
    }
}

impl Stage<'_> {
    /// The first renders of models, which tell their configs.
    fn drafts<'m>(&mut self, models: Vec<&'m Model>) -> Vec<ModelDraft<'m>> {
        let template = |model: &&'m Model| ModelTemplate {
            file: model.file,
            text: model.template(self.files),
            package: &model.package,
            subject: subject(model, &self.table_of(&model.name)),
        };
        let templates: Vec<ModelTemplate<'_>> = models.iter().map(template).collect();
        let attempts = self.attempts(&templates);
        models
            .into_iter()
            .zip(attempts)
            .map(|(model, (prepared, attempt))| self.draft(model, prepared, attempt))
            .collect()
    }

    fn draft<'m>(&mut self, model: &'m Model, prepared: Prepared, attempt: Attempt) -> ModelDraft<'m> {
        let table = self.table_of(&model.name);
        let mut complaints = Sink::default();
        let mut config = ModelConfig::of(model, &attempt.record.settings, &mut complaints);
        if let Some(refusal) = model.refusal() {
            config = Err(complaints.error(refusal));
        }
        let written = |config| WrittenPlace::in_config(config, &attempt.record.settings);
        let placed = config.as_ref().ok().map(|config| self.place(model, &table, written(config), &mut complaints));
        let table = match placed {
            Some(Ok(place)) => place,
            Some(Err(reported)) => {
                config = Err(reported);
                table
            }
            None => table,
        };
        ModelDraft { model, prepared, table, attempt, sliced: None, config, complaints }
    }

    /// Renders again what refers to a model that stands elsewhere than it was assumed, or that is switched off.
    fn settle(&mut self, drafts: &mut [ModelDraft<'_>]) {
        let assumed = &self.facts.tables;
        let moved = drafts.iter().filter(|draft| assumed.get(&draft.model.name) != Some(&draft.table));
        let disabled: BTreeSet<ModelName> =
            drafts.iter().filter(|draft| draft.is_disabled()).map(|draft| draft.model.name.clone()).collect();
        let changed: BTreeSet<ModelName> =
            moved.map(|draft| draft.model.name.clone()).chain(disabled.iter().cloned()).collect();
        if changed.is_empty() {
            return;
        }
        let facts = Arc::make_mut(&mut self.facts);
        for draft in drafts.iter() {
            if draft.is_disabled() {
                facts.tables.remove(&draft.model.name);
            } else {
                facts.tables.insert(draft.model.name.clone(), draft.table.clone());
            }
        }
        facts.disabled.extend(disabled);
        // One more round is enough: a text cannot change where its model stands, because `config()` sees no other model.
        for draft in drafts.iter_mut() {
            if changed.contains(&draft.model.name) || draft.refers_to(&changed) {
                let subject = subject(draft.model, &draft.table);
                draft.attempt = self.attempt(&mut draft.prepared, &subject, Variant::Full);
            }
        }
    }

    /// The model with all its texts, or everything that is wrong with it.
    fn finished(&mut self, mut draft: ModelDraft<'_>, sink: &mut Sink) -> Checked<RenderedModel> {
        let mut full = draft.attempt;
        for (key, span) in full.record.settings.kept() {
            self.kept.entry(key.to_owned()).or_insert(span);
        }
        let complaint = tell(full.record.diagnostics.clone(), sink);
        sink.append(std::mem::take(&mut draft.complaints));
        let text = full.text.map_err(|diagnostic| sink.error(*diagnostic));
        let text = text?;
        let config = draft.config?;
        let sliced = match draft.sliced {
            Some(mut attempt) => {
                // What both texts say wrong is said once.
                attempt.record.diagnostics.retain(|diagnostic| !full.record.diagnostics.contains(diagnostic));
                tell(std::mem::take(&mut attempt.record.diagnostics), sink)?;
                let text = attempt.text.map_err(|diagnostic| sink.error(*diagnostic))?;
                Some(sql(text, attempt.record, Some(&draft.table)))
            }
            None => None,
        };
        complaint?;
        let messages = full.record.take_messages();
        let settings = std::mem::take(&mut full.record.settings);
        Ok(RenderedModel {
            name: draft.model.name.clone(),
            file: draft.model.file,
            full: sql(text, full.record, Some(&draft.table)),
            table: draft.table,
            config,
            settings,
            sliced,
            messages,
        })
    }
}

fn subject(model: &Model, table: &TableName) -> RenderSubject {
    RenderSubject::Model(ModelSubject {
        unique_id: nodes::unique_id(model),
        name: model.name.clone(),
        table: table.clone(),
        settings: model.settings.clone(),
    })
}

/// Says what a render has recorded.
fn tell(diagnostics: Vec<Diagnostic>, sink: &mut Sink) -> Checked<()> {
    let mut result = Ok(());
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Error => result = Err(sink.error(diagnostic)),
            Severity::Warning => sink.warn(diagnostic),
        }
    }
    result
}

/// The text with its references; `own` is the table that `this` means.
fn sql(text: Text, record: Record, own: Option<&TableName>) -> RenderedSql {
    let Text { text, map, places, this } = text;
    let mut references = record.references;
    if let Some(own) = own.filter(|_| record.used_this) {
        let span = this.unwrap_or_else(|| map.span(0..0));
        references.push(Reference {
            name: ReferenceName::first(own.clone()),
            target: ReferenceTarget::This,
            window: None,
            on_change: None,
            through: None,
            span,
        });
    }
    RenderedSql { text, map, references, places, test_config: record.test_config }
}
