//! The stage itself: renders every model as often as it takes until all know where the others stand.

mod nodes;
mod operation;
mod outline;
mod places;
mod tested;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;

pub use operation::messages_of;
pub use tested::{RenderedTest, render_tested};

use super::environment::{Engine, Prepared, Text};
use super::introspection::{Answer, Answers, Compiler, Question, RelationColumn};
use super::macros::Library;
use super::render::{
    Facts, ModelSubject, Need, Record, Render, RenderSubject, TargetNames, TemplatePlace, Variable, Variant,
};
use super::rewrite::{TemplateKind, rewrite};
use super::{Reference, ReferenceName, ReferenceTarget, Rendered, RenderedModel, RenderedSql};
use crate::diag::{Checked, Code, Diagnostic, Severity, Sink, all_of};
use crate::host::Host;
use crate::name::{ModelName, NodeKind, TableName};
use crate::project::{
    DATABASE, DbtOutput, Model, ModelConfig, Profile, Project, VariableAccess, holds_credentials, variable_access,
};
use crate::span::{FileId, SourceFiles, Span};
use places::WrittenPlace;

/// How often a render may ask for something that it was not given.
const TRIES: usize = 256;

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
    let engine = Engine::new(&library, files, sink)?;
    let facts = facts(project, BTreeMap::new(), &library, host);
    let mut stage = Stage::new(project, files, host, engine, facts);
    stage.assume_tables(project, sink)?;
    let templates = project.models.values().filter(|model| model.kind() != NodeKind::Seed);
    let mut drafts: Vec<ModelDraft<'_>> = templates.map(|model| stage.draft(model)).collect();
    stage.settle(&mut drafts);
    drafts.retain(|draft| !draft.is_disabled());
    // Seeds have no template, and wait for nothing.
    let seeds = project.models.values().filter(|model| model.kind() == NodeKind::Seed);
    let mut rendered = Rendered::default();
    for seed in seeds {
        outline::add_seed(seed, stage.table_of(&seed.name), &mut rendered, sink);
    }
    stage.finish_in_order(drafts, &mut rendered, compiler, sink);
    let warnings = rendered.models.values().flat_map(|model| passed_over(&model.config, project.name.span.file));
    warnings.for_each(|warning| sink.warn(warning));
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
}

/// Renders a query: it has the functions of a model, but no config and no table of its own.
pub fn render_text(inputs: TextInputs<'_>, file: FileId, sink: &mut Sink) -> Checked<RenderedSql> {
    let text = TextFile { file, package: &inputs.project.name.value };
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
    let mut stage = text_stage(inputs, &library, sink)?;
    let mut all = Vec::with_capacity(texts.len());
    for TextFile { file, package } in texts {
        let mut prepared = stage.prepare(*file, stage.files.text(*file), package);
        let attempt = stage.attempt(&mut prepared, &RenderSubject::Text, Variant::Full);
        all.push(attempt.well(None, sink));
    }
    Ok(all)
}

/// The stage for texts that are no models.
fn text_stage<'a>(inputs: TextInputs<'a>, library: &'a Arc<Library>, sink: &mut Sink) -> Checked<Stage<'a>> {
    let TextInputs { project, rendered, files, host, answers } = inputs;
    let engine = Engine::new(library, files, sink)?;
    let tables = rendered.outlines().map(|model| (model.name.clone(), model.table.clone())).collect();
    let mut facts = facts(project, tables, library, host);
    facts.disabled = project.models.keys().filter(|name| rendered.outline(name).is_none()).cloned().collect();
    Ok(Stage { asked: Some(answers), ..Stage::new(project, files, host, engine, facts) })
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
    Facts {
        project: project.name.value.clone(),
        target: target_names(project),
        databases: BTreeMap::new(),
        vars: values(&project.vars),
        package_vars: project.package_vars.iter().map(|(package, vars)| (package.clone(), values(vars))).collect(),
        sources,
        nodes: None,
        now: host.logical_time(),
        source_tables: project.tables.clone(),
        tables,
        disabled: BTreeSet::new(),
        listed_variables: project.target.env_vars.clone(),
        environment: BTreeMap::new(),
        answers: declared_columns(project),
        library: Arc::clone(library),
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
    let keys = [("partition_by", config.partition_by.first()), ("sort_by", config.sort_by.first())];
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

/// A try to render a template, and what it left behind.
struct Attempt {
    text: Result<Text, Box<Diagnostic>>,
    record: Record,
}

impl Attempt {
    /// The text if nothing is wrong, with what is only worth a warning said; `own` is the table that `this` means.
    fn well(self, own: Option<&TableName>, sink: &mut Sink) -> Result<RenderedSql, Vec<Diagnostic>> {
        let mut complaints = Sink::default();
        let complaint = tell(self.record.diagnostics.clone(), &mut complaints);
        match (self.text, complaint) {
            (Ok(text), Ok(())) => {
                sink.append(complaints);
                Ok(sql(text, self.record, own))
            }
            (Err(diagnostic), _) => {
                complaints.add(*diagnostic);
                Err(complaints.take())
            }
            (Ok(_), Err(_)) => Err(complaints.take()),
        }
    }
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
        let facts = Arc::new(facts);
        let kept = BTreeMap::new();
        Stage { project, files, host, engine, facts, profile: None, asked: None, kept, databases_named_at: None }
    }
}

impl Stage<'_> {
    fn prepare(&self, file: FileId, text: &str, package: &str) -> Prepared {
        let library = &self.facts.library;
        Prepared {
            file,
            rewritten: rewrite(text, TemplateKind::Text, &library.callables(package)),
            imports: library.needed_by(text).into_iter().collect(),
            package: package.to_owned(),
        }
    }

    /// Renders, and gives the render what it asks for until it asks for nothing.
    fn attempt(&mut self, prepared: &mut Prepared, subject: &RenderSubject, variant: Variant) -> Attempt {
        let place = TemplatePlace {
            file: prepared.file,
            template: self.files.path(prepared.file).to_owned(),
            package: prepared.package.clone(),
            assigned: prepared.rewritten.assigned.clone(),
        };
        let mut tries = 0;
        loop {
            let render = Arc::new(Render::new(Arc::clone(&self.facts), subject.clone(), place.clone(), variant));
            let text = self.engine.render(prepared, &render).map_err(Box::new);
            let record = std::mem::take(&mut *render.record());
            tries += 1;
            match &record.need {
                Some(Need::Nodes) if tries < TRIES && self.provide(&Need::Nodes, prepared) => {}
                Some(need) if text.is_err() && tries < TRIES && self.provide(need, prepared) => {}
                Some(_) | None => return Attempt { text, record },
            }
        }
    }

    /// Whether it could be given.
    fn provide(&mut self, need: &Need, prepared: &mut Prepared) -> bool {
        match need {
            Need::Variable(name) => {
                let variable = self.variable(name);
                Arc::make_mut(&mut self.facts).environment.insert(name.clone(), variable);
            }
            Need::Macros(file) => {
                let imports = prepared.imports.iter().copied().chain([*file]).collect();
                prepared.imports = self.facts.library.closed(imports).into_iter().collect();
            }
            Need::Nodes => {
                let nodes = nodes::of(self.project);
                Arc::make_mut(&mut self.facts).nodes = Some(Arc::new(nodes));
            }
            Need::Answer(question) => match self.asked.and_then(|answer| answer(question)) {
                Some(answer) => {
                    Arc::make_mut(&mut self.facts).answers.insert(question.clone(), answer);
                }
                None => return false,
            },
        }
        true
    }

    /// An environment variable, if it may be read. The profile is asked only about those that nothing else allows.
    fn variable(&mut self, name: &str) -> Variable {
        let value = self.host.variable(name);
        let access = variable_access(name, &self.facts.listed_variables);
        let is_secret = access == VariableAccess::Secret || value.as_deref().is_some_and(holds_credentials);
        let is_free = !is_secret && (value.is_none() || access == VariableAccess::Open);
        if !is_free {
            let host = self.host;
            // A profile that cannot be read allows nothing; commands that need it say what is wrong with it.
            let profile =
                self.profile.get_or_insert_with(|| Profile::of_user(host, &mut Sink::default()).unwrap_or_default());
            if !profile.env_vars.contains(name) {
                return Variable::Refused { is_secret, profile: profile.shown_path().to_string() };
            }
        }
        value.map_or(Variable::Unset, Variable::Set)
    }

    /// The first render of a model, which tells its config.
    fn draft<'m>(&mut self, model: &'m Model) -> ModelDraft<'m> {
        let mut prepared = self.prepare(model.file, model.template(self.files), &model.package);
        let table = self.table_of(&model.name);
        let attempt = self.attempt(&mut prepared, &subject(model, &table), Variant::Full);
        let mut complaints = Sink::default();
        let mut config = ModelConfig::of(model, &attempt.record.settings, &mut complaints);
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
        facts.disabled = disabled;
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
        Ok(RenderedModel {
            name: draft.model.name.clone(),
            file: draft.model.file,
            full: sql(text, full.record, Some(&draft.table)),
            table: draft.table,
            config,
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
            span,
        });
    }
    RenderedSql { text, map, references, places, test_config: record.test_config }
}
