//! What a command may use: the project, compiled as far as it needs, and the lake.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::args::{EngineArgs, ProjectArgs};
use super::console::Console;
use super::drive::Runtimes;
use super::exit::Exit;
use super::lake::Writers;
use super::world::World;
use crate::analyze::TypedModel;
use crate::check::Guards;
use crate::diag::{Code, Diagnostic, Partial, Sink};
use crate::host::{Host, OsHost};
use crate::name::ModelName;
use crate::pipeline;
use crate::project::{LakeLocation, LoadRequest, PROJECT_FILE_NAMES, Profile};
use crate::run::{EngineSettings, Failure};
use crate::select::{self, Selection};
use crate::span::SourceFiles;
use crate::store::{Lake, LinkPolicy, LocalBackend};

/// A command's surroundings.
pub(crate) struct App<'a> {
    pub console: &'a Console<'a>,
    pub world: &'a World,
    pub runtimes: Runtimes,
}

/// A project that was read, rendered and put in order, and where it lies.
pub(crate) struct Loaded {
    parts: pipeline::Loaded,
    pub root: PathBuf,
    pub files: SourceFiles,
    pub host: Arc<dyn Host>,
    /// Opened when it is needed: compiling needs no lake.
    pub(super) lake: OnceLock<Lake>,
    /// Whether this command alone writes to the lake.
    pub writers: Writers,
}

impl Deref for Loaded {
    type Target = pipeline::Loaded;

    fn deref(&self) -> &pipeline::Loaded {
        &self.parts
    }
}

/// A loaded project whose models are typed.
pub(crate) struct Compiled {
    pub loaded: Loaded,
    pub typed: BTreeMap<ModelName, TypedModel>,
}

impl App<'_> {
    /// Reads and renders the project that holds the current folder.
    pub fn load(&self, args: &ProjectArgs) -> Result<Loaded, Exit> {
        let mut sink = Sink::default();
        let loaded = self.load_partly(args, &mut sink)?;
        self.console.diagnostics(&sink.take(), &loaded.well.files);
        loaded.whole().map_err(|_reported| Exit::Failed)
    }

    /// Reads, renders and types the project that holds the current folder. One broken model does not hide what is wrong
    /// with others.
    pub fn load_and_compile(&self, args: &ProjectArgs) -> Result<Compiled, Exit> {
        let mut sink = Sink::default();
        let Partial { well: loaded, failed } = self.load_partly(args, &mut sink)?;
        let compiled = self.compile_with(loaded, sink)?;
        failed.map_or(Ok(compiled), |_reported| Err(Exit::Failed))
    }

    /// Reads and renders what is well of the project that holds the current folder.
    fn load_partly(&self, args: &ProjectArgs, sink: &mut Sink) -> Result<Partial<Loaded>, Exit> {
        let start =
            args.project_dir.as_ref().map_or_else(|| self.world.folder.clone(), |given| self.world.folder.join(given));
        let root = find_project(&start).unwrap_or(start);
        let host = OsHost::new(&root, &self.world.folder, self.world.variables.clone());
        let host: Arc<dyn Host> = Arc::new(host);
        let mut files = SourceFiles::default();
        let request = LoadRequest { target: args.target.clone(), vars: args.vars.clone() };
        match pipeline::load(&*host, &request, &mut files, sink) {
            Ok(loaded) => Ok(loaded.map(|parts| {
                let lake = OnceLock::new();
                Loaded { parts, root, files, host, lake, writers: Writers::default() }
            })),
            Err(_reported) => {
                self.console.diagnostics(&sink.take(), &files);
                Err(Exit::Failed)
            }
        }
    }

    /// Types every model.
    pub fn compile(&self, loaded: Loaded) -> Result<Compiled, Exit> {
        self.compile_with(loaded, Sink::default())
    }

    fn compile_with(&self, loaded: Loaded, mut sink: Sink) -> Result<Compiled, Exit> {
        let typed = pipeline::plan_models(&loaded, &mut sink);
        self.console.diagnostics(&sink.take(), &loaded.files);
        for (name, rendered) in &loaded.rendered {
            for message in &rendered.messages {
                self.console.chat(&format!("{name}: {message}"));
            }
        }
        let typed = typed.whole().map_err(|_reported| Exit::Failed)?;
        Ok(Compiled { loaded, typed })
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
        let Compiled { loaded, typed } = compiled;
        let planned = pipeline::plan_checks(loaded, typed, &loaded.files, &*loaded.host, &mut sink);
        self.console.diagnostics(&sink.take(), &loaded.files);
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

/// The nearest folder, upwards, that has a project file.
pub(crate) fn find_project(start: &Path) -> Option<PathBuf> {
    let has_project = |folder: &&Path| PROJECT_FILE_NAMES.iter().any(|name| folder.join(name).is_file());
    start.ancestors().find(has_project).map(Path::to_path_buf)
}

impl Loaded {
    /// The project's folder with the files of sources, whose links may lead out only where the user's profile allows it.
    pub fn source_folder(&self) -> LocalBackend {
        let host = Arc::clone(&self.host);
        let granted = move || Profile::of_user(&*host, &mut Sink::default()).unwrap_or_default().source_folders;
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
