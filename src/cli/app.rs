//! What a command may use: the project, compiled as far as it needs, the lake, and what computes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::args::{EngineArgs, ProjectArgs, SelectArgs, TestArgs};
use super::drive::Runtimes;
use super::exit::Exit;
use super::world::World;
use crate::check::{Guards, PlannedTests, StoredByDefault};
use crate::diag::{Checked, Code, Diagnostic, Severity, Sink};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::host::{OsHost, WithoutProject};
use crate::name::{ModelName, NodeKind, UnitTestName};
use crate::parallel::cores;
use crate::pipeline::{
    self, ArtifactRequest, Artifacts, Catalog, Compiled, DeferRequest, EditedText, EndedRun, EngineLimits, Lake,
    LakeOpener, Loaded, ObservationScope, Query, RecordedRun, RunEnd, RunMoment, StoppedModels, TestedSelection,
    Workspace, Writers, find_project, other_kinds,
};
use crate::project::{LakeLocation, LoadRequest};
use crate::select::{IndirectSelection, Selection};
use crate::span::SourceFiles;
use crate::terminal::Progress;
use crate::terminal::{Console, Tone};
use crate::unit_test::UnitTestResult;

/// A command's surroundings.
pub(crate) struct App<'a> {
    pub console: &'a Console<'a>,
    pub world: &'a World,
    pub runtimes: Runtimes,
    pub artifacts: ArtifactRequest,
}

/// What loading a project has said, and the files that it has read.
#[derive(Default)]
struct Said {
    sink: Sink,
    files: SourceFiles,
}

impl App<'_> {
    /// Reads and renders the project that holds the current folder, for a command that needs no model of it to be well.
    pub fn load(&self, args: &ProjectArgs) -> Result<Loaded, Exit> {
        let loaded = self.load_quietly(args)?;
        self.warn_of_others(&loaded, &loaded.faults(), &StoppedModels::default())?;
        Ok(loaded)
    }

    /// Reads, renders and types the project that holds the current folder. Whoever selects models says what is wrong with
    /// those that are needed.
    pub fn load_and_compile(&self, args: &ProjectArgs) -> Result<Compiled, Exit> {
        self.compile(self.load_quietly(args)?)
    }

    /// Reads, renders and types the project, which also reads the tables of another target, if that is asked for.
    pub fn load_deferring(&self, args: &ProjectArgs, to: DeferRequest<'_>) -> Result<Compiled, Exit> {
        self.load_and_compile(args).and_then(|compiled| self.defer(compiled, args, to))
    }

    /// Writes a file of the project that was edited, and says so.
    pub fn write_edited(
        &self,
        workspace: &Workspace,
        edited: EditedText<'_>,
        done: &str,
        facts: serde_json::Value,
    ) -> Result<(), Exit> {
        workspace.replace(edited).map_err(|fault| self.fail(*fault, &SourceFiles::default(), Exit::Failed))?;
        self.console.say("edited", done, facts);
        Ok(())
    }

    /// The same project, which also reads the tables of another target.
    pub fn defer(&self, compiled: Compiled, args: &ProjectArgs, to: DeferRequest<'_>) -> Result<Compiled, Exit> {
        let loaded = compiled.loaded;
        let place = loaded.defer_place(&to).map_err(|wrong| self.fail(wrong, &loaded.files, Exit::Failed))?;
        let other = match place {
            Some(place) if place.target == loaded.project.target.name => {
                self.console
                    .chat(&format!("deferring to `{}` does nothing here: it is the target itself", place.target));
                None
            }
            Some(place) => {
                let there = ProjectArgs { target: Some(place.target.clone()), ..args.clone() };
                // Its warnings have been said of this target.
                let mut said = Said::default();
                let Ok(there) = self.try_load(&there, &mut said) else {
                    self.tell(&mut said.sink, &said.files)?;
                    return Err(Exit::Failed);
                };
                let lake = self.lake(&there, Writers::Nobody)?;
                Some(place.other_target(&there, lake))
            }
            None => None,
        };
        Ok(Compiled { loaded: Loaded { other, ..loaded }, ..compiled })
    }

    /// Types every model.
    pub fn compile(&self, loaded: Loaded) -> Result<Compiled, Exit> {
        let mut sink = Sink::default();
        let compiled = pipeline::compile_known_models(loaded, &self.artifacts, &mut sink);
        self.tell(&mut sink, &compiled.loaded.files)?;
        for (name, rendered) in &compiled.loaded.rendered.models {
            for message in &rendered.messages {
                self.console.chat(&format!("{name}: {message}"));
            }
        }
        Ok(compiled)
    }

    /// Reads and renders the project, and says only what concerns all of it.
    pub fn load_quietly(&self, args: &ProjectArgs) -> Result<Loaded, Exit> {
        let mut said = Said::default();
        let loaded = self.try_load(args, &mut said);
        let files = loaded.as_ref().map_or(&said.files, |loaded| &loaded.files);
        self.tell(&mut said.sink, files)?;
        loaded.map_err(|_reported| Exit::Failed)
    }

    /// The project for a text that may need none: without one, or with one that cannot be read, a text is enough that refers
    /// to nothing.
    pub fn compile_for(&self, args: &ProjectArgs, sql: &str) -> Result<Compiled, Exit> {
        let mut said = Said::default();
        if let Ok(loaded) = self.try_load(args, &mut said) {
            self.tell(&mut said.sink, &loaded.files)?;
            let compiled = self.compile(loaded)?;
            self.warn_of_others(&compiled.loaded, &compiled.faults, &StoppedModels::default())?;
            return Ok(compiled);
        }
        let root = self.folder_of(args);
        let host = WithoutProject(OsHost::new(&root, &self.world.folder, self.world.variables.clone()).at(args.now));
        let mut files = SourceFiles::default();
        let unsaid = &mut Sink::default();
        let loaded = pipeline::load(&Workspace::new(&root, host), &LoadRequest::default(), &mut files, unsaid);
        let compiled = pipeline::compile_models(loaded.expect("a project without models is well"), unsaid);
        if Query::new(&compiled, sql, &mut files, unsaid).is_err() {
            self.tell(&mut said.sink, &said.files)?;
            return Err(Exit::Failed);
        }
        if find_project(&root).is_some() {
            let message = "the project has errors and is not needed here";
            let warning = Diagnostic::warning(Code::BrokenModel, message).help("`karat compile` shows what is wrong");
            self.console.diagnostics(&[warning], &said.files);
        }
        Ok(compiled)
    }

    fn try_load(&self, args: &ProjectArgs, said: &mut Said) -> Checked<Loaded> {
        pipeline::load(&self.workspace(args), &self.load_request(args), &mut said.files, &mut said.sink)
    }

    /// The project that holds the current folder, or the one that is named.
    pub fn workspace(&self, args: &ProjectArgs) -> Workspace {
        let start = self.folder_of(args);
        // Without a project file the folder itself is named in the error.
        let root = find_project(&start).unwrap_or(start);
        let host = OsHost::new(&root, &self.world.folder, self.world.variables.clone()).at(args.now);
        let host = host.of_program(self.world.program.clone());
        Workspace::new(root, host)
    }

    /// What the options of a command change in the project.
    pub fn load_request(&self, args: &ProjectArgs) -> LoadRequest {
        LoadRequest {
            target: args.target.clone(),
            vars: args.vars.clone(),
            profile: args.profile.clone(),
            profiles_dir: args.profiles_dir.clone(),
        }
    }

    /// The folder where a project is looked for, and in those above it.
    pub fn folder_of(&self, args: &ProjectArgs) -> PathBuf {
        args.project_dir.as_ref().map_or_else(|| self.world.folder.clone(), |given| self.world.folder.join(given))
    }

    /// Writes artifacts, and warns of one that cannot be written: what it tells of was done.
    pub fn write(
        &self,
        loaded: &Loaded,
        write: impl FnOnce(&Artifacts<'_>) -> Result<(), Diagnostic>,
    ) -> Result<(), Exit> {
        let hide = |text: &str| self.console.without_secrets(text);
        write(&Artifacts::new(loaded, &self.artifacts, &hide)).map_err(|warning| {
            self.console.diagnostics(&[warning], &loaded.files);
            Exit::Unavailable
        })
    }

    /// Keeps the record of a run in its lake, and warns if that is not possible: what it tells of was done.
    pub fn keep_record(&self, lake: &Lake, run: &RecordedRun<'_>, end: Option<RunEnd<'_>>) {
        let Some(end) = end else { return };
        let hide = |text: &str| self.console.without_secrets(text);
        let ended = EndedRun { run, end, request: &self.artifacts, hide: &hide };
        // Whoever stops the run a second time knows that nothing more is written.
        if let Ok(Err(error)) = self.wait(lake, ended.keep(lake)) {
            let text = format!("the record of this run was not kept: {error}");
            let word = self.console.paint(Tone::Warn, "warning");
            self.console.say("warning", &format!("  {word}    {text}"), serde_json::json!({"text": text}));
        }
    }

    /// The models that `--select` and `--exclude` name.
    pub fn select(&self, loaded: &Loaded, args: &SelectArgs) -> Result<Selection, Exit> {
        let mut sink = Sink::default();
        let selection =
            loaded.select(args.request(IndirectSelection::default()), args.selector.as_deref(), None, &mut sink);
        self.tell(&mut sink, &loaded.files)?;
        selection.map_err(|_reported| Exit::Failed)
    }

    /// The same with the data tests that are selected, by themselves or with their tables.
    pub fn select_tests(
        &self,
        compiled: &Compiled,
        args: &SelectArgs,
        tests: TestArgs,
        guards: &Guards,
    ) -> Result<TestedSelection, Exit> {
        let mut sink = Sink::default();
        let request = args.request(tests.indirect_selection);
        let selected = compiled.loaded.select_tests(request, args.selector.as_deref(), guards, &mut sink);
        self.tell(&mut sink, &compiled.loaded.files)?;
        selected.map_err(|_reported| Exit::Failed)
    }

    /// Says diagnostics. With `--warn-error`, a warning ends the command.
    pub fn tell(&self, sink: &mut Sink, files: &SourceFiles) -> Result<(), Exit> {
        let said = sink.take();
        self.console.diagnostics(&said, files);
        let warns = said.iter().any(|diagnostic| diagnostic.severity == Severity::Warning);
        if warns && self.console.manners.warnings_stop { Err(Exit::Failed) } else { Ok(()) }
    }

    /// What `--select` and `--exclude` name of these kinds, in an order that the graph allows.
    pub fn order(
        &self,
        loaded: &Loaded,
        args: &SelectArgs,
        selection: &Selection,
        kinds: &[NodeKind],
    ) -> Result<Vec<ModelName>, Exit> {
        let wanted = selection.of_kinds(kinds);
        if wanted.is_empty() && !selection.nodes().is_empty() && !args.select.is_empty() {
            return Err(self.fail(other_kinds(selection, kinds), &loaded.files, Exit::Failed));
        }
        Ok(wanted.iter().cloned().collect())
    }

    /// Every data test of the project, by the model that it guards. What is wrong with tests joins the faults of these models.
    pub fn checks(&self, compiled: Compiled, stored: StoredByDefault) -> Result<(Compiled, Guards), Exit> {
        let mut sink = Sink::default();
        let planned = pipeline::plan_checks(&compiled, stored, &mut sink);
        self.tell(&mut sink, &compiled.loaded.files)?;
        let PlannedTests { guards, broken } = planned.map_err(|_reported| Exit::Failed)?;
        let faults = compiled.faults.with_tests(&broken);
        Ok((Compiled { faults, ..compiled }, guards))
    }

    /// Runs the unit tests that were selected, and says how each ended.
    pub fn unit_tests(&self, compiled: &Compiled, selection: &Selection) -> Result<Vec<UnitTestResult>, Exit> {
        let names: BTreeSet<&UnitTestName> = selection.unit_tests().collect();
        let mut sink = Sink::default();
        let results = pipeline::run_unit_tests(compiled, &names, cores(), &mut sink);
        self.tell(&mut sink, &compiled.loaded.files)?;
        let results = results.map_err(|_reported| Exit::Failed)?;
        let progress = Progress::new(self.console);
        results.iter().for_each(|result| progress.unit_tested(result));
        Ok(results)
    }

    /// Opens the target's lake.
    pub fn lake(&self, loaded: &Loaded, writers: Writers) -> Result<Lake, Exit> {
        let hide = |secrets: &[_]| self.console.hide(secrets.iter().cloned());
        let opener = LakeOpener { loaded, storage: &self.world.storage, writers, hide: &hide };
        opener.open().map_err(|failures| self.report_all(loaded, &failures))
    }

    /// Opens what computes over a lake.
    pub fn engine(&self, loaded: &Loaded, lake: &Lake, args: &EngineArgs) -> Result<Engine, Exit> {
        let limits = EngineLimits { memory: args.memory(), partitions: cores(), part_rows: args.part_rows };
        pipeline::open_engine(loaded, lake, limits).map_err(|wrong| self.fail(wrong, &loaded.files, Exit::Failed))
    }

    /// Runs what the project has run before or after every run.
    pub fn hooks(&self, compiled: &Compiled, lake: &Lake, args: &EngineArgs, at: RunMoment<'_>) -> Result<(), Exit> {
        if !at.has_hooks(&compiled.loaded) {
            return Ok(());
        }
        let engine = self.engine(&compiled.loaded, lake, args)?;
        let progress = Progress::new(self.console);
        let run = self.wait(lake, pipeline::run_hooks(compiled, lake, &engine, &progress, at))?;
        run.map_err(|failures| self.report_all(&compiled.loaded, &failures))
    }

    /// Waits for a server until it ends.
    #[cfg(feature = "cluster")]
    pub fn served(&self, server: impl Future<Output = Result<(), Diagnostic>>) -> Exit {
        match self.runtimes.serve(self.console, server) {
            Ok(Ok(())) => Exit::Done,
            Ok(Err(wrong)) => self.fail(wrong, &SourceFiles::default(), Exit::Unavailable),
            Err(exit) => exit,
        }
    }

    /// Looks at tables and source files.
    pub fn observe<'c>(
        &self,
        compiled: &'c Compiled,
        lake: &Lake,
        scope: &ObservationScope,
    ) -> Result<Catalog<'c>, Exit> {
        self.look(&compiled.loaded, lake, pipeline::observe(compiled.over(lake), scope))
    }

    /// Waits for a look at a lake, and warns of logs that are damaged and could be read all the same: other programs may
    /// not get as far.
    pub fn look<T>(
        &self,
        loaded: &Loaded,
        lake: &Lake,
        work: impl Future<Output = Result<T, Vec<Failure>>>,
    ) -> Result<T, Exit> {
        let seen = self.wait(lake, work)?.map_err(|failures| self.report_all(loaded, &failures))?;
        let word = self.console.paint(Tone::Warn, "warning");
        for text in lake.passed_over() {
            let facts = serde_json::json!({"text": text});
            self.console.say("warning", &format!("  {word}    {text}"), facts);
        }
        Ok(seen)
    }

    /// Waits for work on a lake, or for a signal to stop: then the work is dropped, which cancels it. Either way what it has
    /// abandoned is removed.
    pub fn wait<T>(&self, lake: &Lake, work: impl Future<Output = T>) -> Result<T, Exit> {
        self.runtimes.wait(self.console, lake, work)
    }

    /// Says failures, and gives the exit code of the worst.
    pub fn report_all(&self, loaded: &Loaded, failures: &[Failure]) -> Exit {
        Exit::worst(failures.iter().map(|failure| self.report(loaded, failure)))
    }

    /// Says a failure, and gives its exit code.
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
