//! Models that have errors: everything is said of those that a command needs, and of the others which they are.

use super::app::App;
use super::args::SelectArgs;
use super::exit::Exit;
use crate::analyze::TypedModel;
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::{ModelName, NodeKind};
use crate::pipeline::{Compiled, Faults, Loaded, StoppedModels, Workable};
use crate::select::Selection;

impl App<'_> {
    /// What is selected of these kinds, as far as it can be worked on. Says what is wrong with the rest.
    pub fn workable(&self, compiled: &Compiled, args: &SelectArgs, kinds: &[NodeKind]) -> Result<Workable, Exit> {
        self.workable_of(compiled, args, &self.select(&compiled.loaded, args)?, kinds)
    }

    /// The same of what was selected before.
    pub fn workable_of(
        &self,
        compiled: &Compiled,
        args: &SelectArgs,
        selection: &Selection,
        kinds: &[NodeKind],
    ) -> Result<Workable, Exit> {
        let order = self.order(&compiled.loaded, args, selection, kinds)?;
        let workable = self.divided(compiled, args, order)?;
        let is_left = !workable.order.is_empty() || workable.stopped.is_none();
        if is_left { Ok(workable) } else { Err(Exit::Failed) }
    }

    /// Those of these models that can be worked on. Says what is wrong with the others.
    pub fn divided(
        &self,
        compiled: &Compiled,
        args: &SelectArgs,
        models: impl IntoIterator<Item = ModelName>,
    ) -> Result<Workable, Exit> {
        let Compiled { loaded, faults, .. } = compiled;
        let divided = faults.divide(&loaded.dag, models, args.is_everything());
        self.console.diagnostics(&faults.of(&divided.stopped), &loaded.files);
        self.warn_of_others(loaded, faults, &divided.stopped)?;
        Ok(divided)
    }

    /// Says what is wrong with a model that somebody names, if anything is.
    pub fn refuse_broken(&self, compiled: &Compiled, name: &str) -> Result<(), Exit> {
        let named = compiled.loaded.dag.models().find(|model| model.as_str() == name);
        let stopped = compiled.faults.divide(&compiled.loaded.dag, named.cloned(), false).stopped;
        self.console.diagnostics(&compiled.faults.of(&stopped), &compiled.loaded.files);
        if stopped.is_none() { Ok(()) } else { Err(Exit::Failed) }
    }

    /// The model that somebody names.
    pub fn model<'c>(&self, compiled: &'c Compiled, typed: &str) -> Result<&'c TypedModel, Exit> {
        let found = ModelName::parse(typed).ok().and_then(|name| compiled.typed.get(&name));
        if let Some(model) = found {
            return Ok(model);
        }
        self.refuse_broken(compiled, typed)?;
        let known = compiled.typed.keys().map(ModelName::as_str);
        let diagnostic = Diagnostic::error(Code::UnknownRef, format!("no model is called `{typed}`"));
        let diagnostic = diagnostic.suggest(typed, known).help("`karat ls` lists the models");
        Err(self.fail(diagnostic, &compiled.loaded.files, Exit::Failed))
    }

    /// The project, if all of its models are well.
    pub fn whole(&self, compiled: Compiled) -> Result<Compiled, Exit> {
        self.console.diagnostics(&compiled.faults.all(), &compiled.loaded.files);
        if compiled.faults.is_empty() { Ok(compiled) } else { Err(Exit::Failed) }
    }

    /// Says what is wrong, and stops.
    pub fn refuse(&self, faults: &[Diagnostic], loaded: &Loaded) -> Exit {
        self.console.diagnostics(faults, &loaded.files);
        Exit::Failed
    }

    /// Says what has errors and is not among what is needed.
    pub fn warn_of_others(&self, loaded: &Loaded, faults: &Faults, stopped: &StoppedModels) -> Result<(), Exit> {
        let mut sink = Sink::default();
        faults.beside(stopped).into_iter().for_each(|warning| sink.warn(warning));
        self.tell(&mut sink, &loaded.files)
    }
}

impl StoppedModels {
    /// How a command ends that did everything else.
    pub fn exit(&self) -> Exit {
        if self.is_none() { Exit::Done } else { Exit::Failed }
    }
}
