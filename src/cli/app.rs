//! What a command may use: the project, compiled as far as it needs, and the lake.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::args::{EngineArgs, ProjectArgs};
use super::console::Console;
use super::drive::Runtimes;
use super::exit::Exit;
use super::lake::Writers;
use super::world::World;
use crate::analyze::{Planner, TypedModel};
use crate::check::{self, Guarded, Guards};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::graph::{self, Dag};
use crate::host::{Host, OsHost};
use crate::name::ModelName;
use crate::project::{self, LakeLocation, LoadRequest, PROJECT_FILE_NAMES, Profile, Project};
use crate::run::{EngineSettings, Failure};
use crate::select::{self, Selection};
use crate::span::{SourceFiles, Span};
use crate::store::{Lake, LinkPolicy, LocalBackend};
use crate::template::{self, RenderedModels, TextInputs};

/// A command's surroundings.
pub(crate) struct App<'a> {
    pub console: &'a Console<'a>,
    pub world: &'a World,
    pub runtimes: Runtimes,
}

/// A project that was read, rendered and put in order.
pub(crate) struct Loaded {
    pub root: PathBuf,
    pub files: SourceFiles,
    pub project: Project,
    pub rendered: RenderedModels,
    pub dag: Dag,
    pub host: OsHost,
    /// Opened when it is needed: compiling needs no lake.
    pub(super) lake: OnceLock<Lake>,
    /// Whether this command alone writes to the lake.
    pub writers: Writers,
}

/// A loaded project whose models are typed.
pub(crate) struct Compiled {
    pub loaded: Loaded,
    pub typed: BTreeMap<ModelName, TypedModel>,
}

impl App<'_> {
    /// Reads and renders the project that holds the current folder.
    pub fn load(&self, args: &ProjectArgs) -> Result<Loaded, Exit> {
        let start =
            args.project_dir.as_ref().map_or_else(|| self.world.folder.clone(), |given| self.world.folder.join(given));
        let root = find_project(&start).unwrap_or(start);
        self.load_at(root, args)
    }

    /// Reads and renders the project in this folder.
    pub fn load_at(&self, root: PathBuf, args: &ProjectArgs) -> Result<Loaded, Exit> {
        let host = OsHost::new(&root, &self.world.folder, self.world.variables.clone());
        let mut files = SourceFiles::default();
        let mut sink = Sink::default();
        let loaded = load(&host, &mut files, args, &mut sink);
        self.console.diagnostics(&sink.take(), &files);
        match loaded {
            Ok((project, rendered, dag)) => Ok(Loaded {
                root,
                files,
                project,
                rendered,
                dag,
                host,
                lake: OnceLock::new(),
                writers: Writers::default(),
            }),
            Err(_reported) => Err(Exit::Failed),
        }
    }

    /// Types every model.
    pub fn compile(&self, loaded: Loaded) -> Result<Compiled, Exit> {
        let mut sink = Sink::default();
        let typed = Planner::new(&loaded.project, &loaded.rendered).models(&loaded.dag, &mut sink);
        self.console.diagnostics(&sink.take(), &loaded.files);
        for (name, rendered) in &loaded.rendered {
            for message in &rendered.messages {
                self.console.chat(&format!("{name}: {message}"));
            }
        }
        match typed {
            Ok(typed) => Ok(Compiled { loaded, typed }),
            Err(_reported) => Err(Exit::Failed),
        }
    }

    /// The models that `--select` and `--exclude` name.
    pub fn select(&self, loaded: &Loaded, select: &[String], exclude: &[String]) -> Result<Selection, Exit> {
        let mut sink = Sink::default();
        let request = select::SelectionRequest { select, exclude };
        let scope = select::Selectable { project: &loaded.project, rendered: &loaded.rendered, dag: &loaded.dag };
        let selection = select::resolve(request, scope, &mut sink);
        self.console.diagnostics(&sink.take(), &loaded.files);
        selection.map_err(|_reported| Exit::Failed)
    }

    /// Every data test of the project, by the model that it guards.
    pub fn checks(&self, compiled: &Compiled) -> Result<Guards, Exit> {
        let mut sink = Sink::default();
        let planned = plan_checks(compiled, &mut sink);
        self.console.diagnostics(&sink.take(), &compiled.loaded.files);
        planned.map_err(|_reported| Exit::Failed)
    }

    /// Says a failure, and gives its exit code.
    pub fn report_failure(&self, compiled: &Compiled, failure: &Failure) -> Exit {
        self.report(&compiled.loaded, failure)
    }

    /// Says a failure of a project that need not be compiled, and gives its exit code.
    pub fn report(&self, loaded: &Loaded, failure: &Failure) -> Exit {
        let exit = match failure {
            Failure::Project(_) => Exit::Failed,
            Failure::World(_) => Exit::Unavailable,
        };
        let mut diagnostic = failure.diagnostic().clone();
        let is_bucket = matches!(loaded.project.target.lake, LakeLocation::Bucket(_));
        if diagnostic.code == Code::Storage && is_bucket {
            // The store's own words seldom name the bucket.
            diagnostic = diagnostic.note(format!("the lake is that of {}", loaded.place()));
        }
        self.fail(diagnostic, &loaded.files, exit)
    }

    /// Says what went wrong, and gives the exit code for it.
    pub fn fail(&self, diagnostic: Diagnostic, files: &SourceFiles, exit: Exit) -> Exit {
        self.console.diagnostics(&[diagnostic], files);
        exit
    }
}

fn load(
    host: &OsHost,
    files: &mut SourceFiles,
    args: &ProjectArgs,
    sink: &mut Sink,
) -> Checked<(Project, RenderedModels, Dag)> {
    let found = project::read(host, files, sink)?;
    let request = LoadRequest { target: args.target.clone(), vars: args.vars.clone() };
    let project = project::load(&found, files, &request, sink)?;
    let rendered = template::render_models(&project, files, host as &dyn Host, sink)?;
    let dag = graph::build(&project, &rendered, sink)?;
    Ok((project, rendered, dag))
}

fn plan_checks(compiled: &Compiled, sink: &mut Sink) -> Checked<Guards> {
    let Compiled { loaded, typed } = compiled;
    let Loaded { project, rendered, files, host, .. } = loaded;
    let planner = Planner::new(project, rendered);
    let order: Vec<ModelName> = loaded.dag.models().cloned().collect();
    let inputs = TextInputs { project, rendered, files, host };
    let texts = sink.check_all(&project.singular_tests, |test, sink| {
        let text = template::render_text(inputs, test.file, sink)?;
        Ok((test.name.clone(), text, Span::new(test.file, 0..0)))
    });
    let guarded = Guarded { project, planner: &planner, typed, order: &order };
    check::plan_all(guarded, &texts?, sink)
}

/// The nearest folder, upwards, that has a project file.
pub(crate) fn find_project(start: &Path) -> Option<PathBuf> {
    let has_project = |folder: &&Path| PROJECT_FILE_NAMES.iter().any(|name| folder.join(name).is_file());
    start.ancestors().find(has_project).map(Path::to_path_buf)
}

impl Loaded {
    /// The project's folder with the files of sources, whose links may lead out only where the user's profile allows it.
    pub fn source_folder(&self) -> LocalBackend {
        let host = self.host.clone();
        let granted = move || Profile::of_user(&host, &mut Sink::default()).unwrap_or_default().source_folders;
        LocalBackend::new(self.root.clone()).with_links(LinkPolicy::Within(Arc::new(granted)))
    }

    /// What the engine may take of the machine.
    pub fn engine(&self, app: &App<'_>, args: &EngineArgs) -> Result<EngineSettings, Exit> {
        let lake = Arc::clone(self.lake(app)?.objects());
        let (memory, partitions) = (args.memory(), super::machine::cores());
        Ok(EngineSettings { memory, partitions, part_rows: args.part_rows, lake })
    }
}

/// A usage error in karat's own form.
pub(crate) fn invalid_range(message: &str, help: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidRange, message).help(help)
}
