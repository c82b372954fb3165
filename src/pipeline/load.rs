//! The stages of the front half, one after the other, and the typing of what they give.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::charts::chart_faults;
use super::failing_rows::{schemas_of_tests, tables_of_tests};
use super::faults::Faults;
use super::hooks::plan_hooks;
use super::introspection::{Introspection, answer};
use super::source_buckets::open_source_bucket;
use super::test_texts::{TestTexts, test_texts, traced_texts};
use crate::analyze::{Planner, TypedModel, Typing, quarantine_table};
use crate::artifacts::test_aliases;
use crate::catalog::{CatalogSource, OtherTarget};
use crate::check::{
    self, Guarded, Guards, HooksOfModels, PlannedTests, StoredByDefault, StoringTests, TestText, plan_constraints,
};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::graph::{self, Dag};
use crate::host::Host;
use crate::name::{ModelName, SchemaName, TableName};
use crate::project::{
    self, LakeLocation, LoadRequest, PROJECT_FILE_NAMES, Profile, Project, SELECTORS, yaml_without_places,
};
use crate::select::{
    self, NamedSelector, Selectable, Selection, SelectionRequest, TestNode, named_selectors, unknown_selector,
};
use crate::span::{SourceFiles, Span, Spanned};
use crate::store::{Lake, LinkPolicy, LocalBackend, Maker, SourceFolder};
use crate::template::{self, Answer, Answers, Question, Rendered, RenderedModel, TextInputs};

/// Where a project lies, and the world that it is read from.
#[derive(Clone)]
pub struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) host: Arc<dyn Host>,
}

impl Workspace {
    /// A project in a folder of this machine. The host reads the project's files, or other texts in their place: an
    /// [`Overlay`](crate::host::Overlay) has those that are not saved yet.
    pub fn new(root: impl Into<PathBuf>, host: impl Host + 'static) -> Self {
        Self { root: root.into(), host: Arc::new(host) }
    }
}

/// Whether a file is one of a package: `dbt deps` writes those, and would undo every edit.
pub(super) fn is_of_package(path: &str) -> bool {
    ["dbt_packages/", "packages/"].iter().any(|folder| path.starts_with(folder))
}

/// A file of the project as it was read, and as it should be.
pub(crate) struct EditedText<'a> {
    pub path: &'a str,
    pub original: &'a str,
    pub text: &'a str,
}

impl Workspace {
    /// Writes a file that was edited.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written, or holds something else than what was read: then it is left alone.
    pub(crate) fn replace(&self, EditedText { path, original, text }: EditedText<'_>) -> Result<(), Box<Diagnostic>> {
        let folder = LocalBackend::new(self.root.clone()).within();
        folder.replace(path, original, text).map_err(|error| {
            Box::new(Diagnostic::error(Code::UnreadableFile, format!("`{path}` is left as it is: {error}")))
        })
    }
}

/// The nearest folder, upwards, that has a project file.
pub(crate) fn find_project(start: &Path) -> Option<PathBuf> {
    let has_project = |folder: &&Path| PROJECT_FILE_NAMES.iter().any(|name| folder.join(name).is_file());
    start.ancestors().find(has_project).map(Path::to_path_buf)
}

impl fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workspace").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A project that was read, rendered and put in order.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub workspace: Workspace,
    /// How it was loaded.
    pub request: LoadRequest,
    pub project: Arc<Project>,
    pub rendered: Arc<Rendered>,
    pub dag: Dag,
    pub files: SourceFiles,
    /// The target whose tables are read where this one has none, if the command asks for that.
    pub other: Option<OtherTarget>,
}

impl Loaded {
    /// The world that the project was read from.
    pub fn host(&self) -> &dyn Host {
        &*self.workspace.host
    }

    /// Where the files of sources lie: the project's folder, whose links may lead out only where the user's profile allows it, and
    /// buckets, which are opened when a file in one of them is asked for.
    pub fn source_folder(&self) -> SourceFolder {
        let host = Arc::clone(&self.workspace.host);
        // Read when the first link is met: most projects have none, and then nobody needs the profile.
        let granted = move || Profile::of_user(&*host, &mut Sink::default()).unwrap_or_default().source_folders;
        let local = LocalBackend::new(self.workspace.root.clone()).with_links(LinkPolicy::Within(Arc::new(granted)));
        let host = Arc::clone(&self.workspace.host);
        let target = self.project.target.clone();
        let sources = self.project.sources.values();
        let places = sources.filter_map(|source| Some((source.bucket()?.to_owned(), source.location.span)));
        let places: BTreeMap<String, Span> = places.collect();
        let open = move |bucket: &str| match places.get(bucket) {
            Some(place) => open_source_bucket(&*host, &target, Spanned::new(bucket, *place)),
            None => {
                let message = format!("no source of the project lies in the bucket `{bucket}`");
                Err(Box::new(Diagnostic::error(Code::Storage, message)))
            }
        };
        SourceFolder::new(local, Arc::new(open))
    }

    /// The target and its lake, in words.
    pub fn place(&self) -> String {
        let target = &self.project.target;
        let endpoint = match &target.lake {
            LakeLocation::Bucket(bucket) => bucket.endpoint.as_ref().map(|endpoint| format!(" at {}", endpoint.value)),
            LakeLocation::Folder(_) => None,
        };
        format!("target `{}`, `{}`{}", target.name, target.lake, endpoint.unwrap_or_default())
    }

    /// The folder of the lake. Returns `None` for a bucket.
    pub fn lake_folder(&self) -> Option<PathBuf> {
        let folder = self.project.target.lake.folder()?;
        Some(self.workspace.root.join(folder.trim_start_matches("./")))
    }

    /// What is wrong with the models that could not be rendered.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for (name, model) in &self.rendered.broken {
            faults.add(name.clone(), model.faults.clone());
        }
        faults.add_elsewhere(self.dag.resource_faults());
        faults.add_elsewhere(&self.project.faults.elsewhere());
        for (name, of_properties) in &self.project.faults.models {
            faults.add(name.clone(), of_properties.clone());
        }
        for (name, circle) in self.dag.circles() {
            faults.add(name.clone(), circle.clone());
        }
        faults
    }

    /// What a text that is no model may refer to.
    pub fn text_inputs<'a>(&'a self, files: &'a SourceFiles, answers: Answers<'a>) -> TextInputs<'a> {
        TextInputs { project: &self.project, rendered: &self.rendered, files, host: self.host(), answers }
    }

    /// These models after all that they read.
    pub fn in_order<'m>(&self, models: impl IntoIterator<Item = &'m ModelName>) -> Vec<ModelName> {
        let wanted: BTreeSet<&ModelName> = models.into_iter().collect();
        self.dag.models().filter(|name| wanted.contains(name)).cloned().collect()
    }

    /// Whose tables this project writes.
    pub fn maker(&self) -> Maker {
        Maker::from(&*self.project)
    }

    /// The nodes that a person names with `--select`, `--exclude` and `--selector`: the name of a selector of the project. `tests`
    /// are those that may be selected too, if the command knows them.
    pub fn select(
        &self,
        request: SelectionRequest<'_>,
        named: Option<&str>,
        tests: Option<&[TestNode]>,
        sink: &mut Sink,
    ) -> Checked<Selection> {
        let is_default_asked = request.select.is_empty() && request.exclude.is_empty();
        let mentions = |text: &String| text.contains("selector:");
        let is_needed =
            named.is_some() || is_default_asked || request.select.iter().chain(request.exclude).any(mentions);
        let known = if is_needed { self.named_selectors(sink)? } else { Vec::new() };
        let chosen = match named {
            Some(name) => match known.iter().find(|one| one.name == *name) {
                Some(found) => Some(found),
                None => return Err(sink.error(unknown_selector(name, &known))),
            },
            None if is_default_asked => known.iter().find(|one| one.is_default),
            None => None,
        };
        let request = SelectionRequest { named: chosen, known: &known, ..request };
        let artifacts = select::artifacts_asked_for(request);
        let stored = self.stored_state(request.state, &artifacts).map_err(|wrong| sink.error(wrong))?;
        let Self { project, rendered, dag, .. } = self;
        let selectable = Selectable { project, rendered, dag, tests, stored: Some(&stored) };
        select::resolve(request, selectable, sink)
    }

    /// What `selectors.yml` defines.
    fn named_selectors(&self, sink: &mut Sink) -> Checked<Vec<NamedSelector>> {
        let Some(file) = self.project.selectors else { return Ok(Vec::new()) };
        let value = yaml_without_places(self.files.text(file), file, sink)?;
        named_selectors(&value).map_err(|wrong| {
            let diagnostic = Diagnostic::error(Code::InvalidSelector, format!("`{SELECTORS}`: {wrong}"));
            sink.error(diagnostic.at(Span::new(file, 0..0)))
        })
    }
}

/// A loaded project whose models are typed, as far as they are well.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub loaded: Loaded,
    pub typed: BTreeMap<ModelName, TypedModel>,
    /// What is wrong with the others.
    pub faults: Faults,
    /// What is run before and after models are built.
    pub hooks: HooksOfModels,
    /// What contracts say of rows: no run commits any that break it.
    pub constraints: Guards,
}

impl Compiled {
    /// Where to look for tables and source files.
    pub fn over(&self, lake: &Lake) -> CatalogSource<'_> {
        CatalogSource {
            project: &self.loaded.project,
            typed: &self.typed,
            lake: lake.clone(),
            folder: self.loaded.source_folder(),
            other: self.loaded.other.as_ref(),
        }
    }

    /// What plans texts over the models.
    pub fn planner(&self) -> Planner<'_> {
        Planner::new(&self.loaded.project, &self.loaded.rendered.models)
    }

    /// What a template asks of the models.
    pub fn answer(&self, planner: &Planner<'_>, question: &Question) -> Option<Answer> {
        answer(&self.loaded.project, planner, &self.typed, question)
    }

    /// The texts of the data tests that are a SELECT, rendered.
    ///
    /// # Errors
    ///
    /// Returns an error if the macros cannot be read.
    pub(super) fn test_texts(&self, sink: &mut Sink) -> Checked<TestTexts> {
        let planner = self.planner();
        let answers = |question: &Question| self.answer(&planner, question);
        test_texts(self.loaded.text_inputs(&self.loaded.files, &answers), &self.typed, sink)
    }

    /// What the project's own macro makes of the schemas that data tests name.
    pub(super) fn schemas_of_tests(
        &self,
        texts: &[TestText],
        sink: &mut Sink,
    ) -> Checked<BTreeMap<String, SchemaName>> {
        let planner = self.planner();
        let answers = |question: &Question| self.answer(&planner, question);
        schemas_of_tests(self.loaded.text_inputs(&self.loaded.files, &answers), texts, sink)
    }

    /// The tables that the models write. Models with errors keep theirs.
    pub fn tables_of_models(&self) -> BTreeSet<TableName> {
        let mut tables: BTreeSet<TableName> = self.typed.values().flat_map(TypedModel::written_tables).collect();
        let untyped = self.loaded.rendered.outlines().filter(|model| !self.typed.contains_key(&model.name));
        tables.extend(untyped.flat_map(|model| [model.table.clone(), quarantine_table(&model.table)]));
        tables
    }

    /// The tables that the models and the data tests write.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with data tests of which there is no telling where they keep the rows that break them.
    pub fn written_tables(&self) -> Result<BTreeSet<TableName>, Vec<Diagnostic>> {
        let mut tables = self.tables_of_models();
        tables.extend(tables_of_tests(self)?);
        Ok(tables)
    }
}

/// Reads, renders and orders a project. The texts of the files go into `files`, and from there into the project: where there
/// is none, they are still there to show what is wrong.
///
/// # Errors
///
/// Returns an error if there is no telling what the project is: its own file or its macros are wrong, or models read
/// each other in a circle.
pub(crate) fn load(
    workspace: &Workspace,
    request: &LoadRequest,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<Loaded> {
    let host = &*workspace.host;
    let found = project::read(host, files, sink)?.with_profile(host, request, sink)?;
    let project = project::load(&found, files, request, sink)?;
    let project = template::settle_rivals(project, files, host, sink)?;
    let rendered = template::render_models(&project, files, host, &mut Introspection::of(&project), sink)?;
    let dag = graph::build(&project, &rendered, sink)?;
    Ok(Loaded {
        workspace: workspace.clone(),
        request: request.clone(),
        project: Arc::new(project),
        rendered: Arc::new(rendered),
        dag,
        files: std::mem::take(files),
        other: None,
    })
}

/// Types every model.
pub(crate) fn compile_models(loaded: Loaded, sink: &mut Sink) -> Compiled {
    let typing = Planner::new(&loaded.project, &loaded.rendered.models).models(&loaded.dag, sink);
    compiled(loaded, typing, sink)
}

/// What typing gave, with what else is said of models.
pub(super) fn compiled(loaded: Loaded, typing: Typing, sink: &mut Sink) -> Compiled {
    let Typing { typed, broken, worth_keeping: _ } = typing;
    let planner = Planner::new(&loaded.project, &loaded.rendered.models);
    let mut faults = loaded.faults();
    let traced = traced_models(&loaded, &planner, &typed, &broken);
    for (model, diagnostics) in broken {
        let of_macros = traced.get(&model).map(|traced| planner.faults_of(traced, &typed));
        faults.add(model, of_macros.filter(|faults| !faults.is_empty()).unwrap_or(diagnostics));
    }
    let constraints = plan_constraints(&loaded.project, &planner, &typed);
    for (model, of_model) in constraints.faults {
        faults.add(model, of_model);
    }
    constraints.warnings.into_iter().for_each(|warning| sink.warn(warning));
    let constraints = constraints.guards;
    let mut compiled = Compiled { loaded, typed, faults, hooks: HooksOfModels::new(), constraints };
    for fault in chart_faults(&compiled) {
        compiled.faults.add(fault.model, fault.faults);
    }
    plan_hooks(&mut compiled, sink);
    compiled
}

/// The broken models whose faults lie in what a macro or a block gave, with the places in those.
fn traced_models(
    loaded: &Loaded,
    planner: &Planner<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    broken: &BTreeMap<ModelName, Vec<Diagnostic>>,
) -> BTreeMap<ModelName, RenderedModel> {
    let concerned = broken.iter().filter_map(|(name, diagnostics)| {
        let rendered = loaded.rendered.models.get(name)?;
        let maps = || std::iter::once(&rendered.full).chain(&rendered.sliced).map(|sql| &sql.map);
        let mut labels = diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels);
        labels.any(|label| maps().any(|map| map.is_expression(label.span))).then_some(rendered)
    });
    let concerned: Vec<&RenderedModel> = concerned.collect();
    if concerned.is_empty() {
        return BTreeMap::new();
    }
    let answers = |question: &Question| answer(&loaded.project, planner, typed, question);
    let traced = template::trace_models(loaded.text_inputs(&loaded.files, &answers), &concerned);
    traced.into_iter().map(|model| (model.name.clone(), model)).collect()
}

/// Plans the data tests of the models that are well, by the model that each guards.
///
/// # Errors
///
/// Returns an error if the macros cannot be read.
pub(crate) fn plan_checks(compiled: &Compiled, by_default: StoredByDefault, sink: &mut Sink) -> Checked<PlannedTests> {
    let Compiled { loaded, typed, .. } = compiled;
    let Loaded { project, rendered, dag, files, .. } = loaded;
    let planner = Planner::new(project, &rendered.models);
    let order: Vec<ModelName> = dag.models().cloned().collect();
    let answers = |question: &Question| answer(project, &planner, typed, question);
    let TestTexts { texts, broken } = test_texts(loaded.text_inputs(files, &answers), typed, sink)?;
    let inputs = loaded.text_inputs(files, &answers);
    let schemas = schemas_of_tests(inputs, &texts, sink)?;
    let storing = StoringTests { by_default, aliases: test_aliases(project), schemas };
    let now = compiled.loaded.host().logical_time();
    let guarded = Guarded { project, planner: &planner, typed, order: &order, storing: &storing, now };
    let mut said = Sink::default();
    let mut tests = check::plan_all(guarded, &texts, &mut said);
    if let Some(texts) = traced_texts(inputs, &texts, &tests.broken) {
        said = Sink::default();
        tests = check::plan_all(guarded, &texts, &mut said);
    }
    sink.append(said);
    tests.broken.extend(broken);
    Ok(tests)
}
