//! What is wrong with single models: it stops whoever needs them, and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::BrokenTest;
use crate::diag::{Code, Diagnostic, Sink, all_of};
use crate::execute::{Event, Observer};
use crate::figures::counted;
use crate::graph::{Dag, NodeId};
use crate::name::ModelName;
use crate::unit_test::UnitTestResult;

/// So many models are named.
const MOST_NAMED: usize = 5;

/// The models that have errors of their own, with everything that is wrong with them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    by_model: BTreeMap<ModelName, Vec<Diagnostic>>,
    /// What is wrong with tests that guard no model for certain, with exposures and their like.
    elsewhere: Vec<Diagnostic>,
}

/// A selection, divided into what can be worked on and what cannot.
#[derive(Debug, Default)]
pub(crate) struct Workable {
    /// Each after all that it reads.
    pub order: Vec<ModelName>,
    pub stopped: StoppedModels,
}

/// The selected models that cannot be worked on, each after all that it reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoppedModels {
    models: Vec<StoppedModel>,
    /// The models whose errors stop them: all among them and what they read.
    causes: BTreeSet<ModelName>,
    /// Whether something has errors that is no model: tests that may guard any model, exposures and their like.
    elsewhere: bool,
}

/// A selected model that cannot be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StoppedModel {
    model: ModelName,
    /// The model with errors that it reads, or it itself.
    because: ModelName,
    /// What is wrong with that one, in a few words.
    fault: &'static str,
}

impl StoppedModels {
    /// Whether there are none, and nothing is wrong elsewhere.
    pub fn is_none(&self) -> bool {
        self.models.is_empty() && !self.elsewhere
    }

    pub fn models(&self) -> impl Iterator<Item = &ModelName> {
        self.models.iter().map(|stopped| &stopped.model)
    }

    /// How many have errors of their own.
    pub fn broken(&self) -> usize {
        self.models.iter().filter(|stopped| stopped.model == stopped.because).count()
    }

    /// How many read one that has.
    pub fn skipped(&self) -> usize {
        self.models.len() - self.broken()
    }

    /// Tells whoever watches a run.
    pub fn tell(&self, observer: &dyn Observer) {
        for StoppedModel { model, because, fault } in &self.models {
            observer.event(&match model == because {
                true => Event::Failed { model, message: fault },
                false => Event::Skipped { model, because },
            });
        }
    }
}

impl Faults {
    /// Adds what is wrong with what is no model.
    pub fn add_elsewhere(&mut self, faults: &[Diagnostic]) {
        self.elsewhere.extend(faults.iter().cloned());
    }

    pub fn add(&mut self, model: ModelName, faults: Vec<Diagnostic>) {
        self.by_model.entry(model).or_default().extend(faults);
    }

    /// The same with what is wrong with data tests: a model whose test cannot be run is not committed.
    pub fn with_tests(&self, tests: &[BrokenTest]) -> Faults {
        let mut all = self.clone();
        for BrokenTest { model, faults } in tests {
            match model {
                Some(model) => all.add(model.clone(), faults.clone()),
                None => all.elsewhere.extend(faults.iter().cloned()),
            }
        }
        all
    }

    /// The same with the unit tests that did not pass: what a model makes of its inputs is not what somebody expects of it.
    pub fn with_unit_tests(&self, results: &[UnitTestResult]) -> Faults {
        let mut all = self.clone();
        for result in results.iter().filter(|result| !result.passed()) {
            all.add(result.test.model.clone(), result.diagnostics());
        }
        all
    }

    /// Warnings of what has errors and does not stop anything that is needed.
    pub fn beside(&self, stopped: &StoppedModels) -> Vec<Diagnostic> {
        let others = self.by_model.keys().filter(|model| !stopped.causes.contains(model));
        let others: Vec<&str> = others.map(ModelName::as_str).collect();
        let named = match others.len() {
            0 => None,
            1..=MOST_NAMED => Some(all_of(others.iter().copied())),
            more => Some(counted(more, "model")),
        };
        let verbs = if others.len() == 1 { "has errors and is" } else { "have errors and are" };
        let of_models = named.map(|named| format!("{named} {verbs} not needed here"));
        // They are said whole where they stop something.
        let of_others = Some(self.elsewhere.len()).filter(|errors| *errors > 0 && !stopped.elsewhere);
        let of_others = of_others.map(|errors| {
            format!(
                "sources, tests, exposures, metrics or their like have {}, and are not needed here",
                counted(errors, "error")
            )
        });
        let warning =
            |message| Diagnostic::warning(Code::BrokenModel, message).help("`karat compile` shows what is wrong");
        of_models.into_iter().chain(of_others).map(warning).collect()
    }

    fn fault_of(&self, model: &ModelName) -> &'static str {
        let faults = self.by_model.get(model).map(Vec::as_slice).unwrap_or_default();
        match faults.iter().all(|fault| fault.code == Code::TestFailed) {
            true => "a unit test fails",
            false => "it has errors",
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_model.is_empty() && self.elsewhere.is_empty()
    }

    /// The models that have errors of their own.
    pub fn models(&self) -> impl Iterator<Item = &ModelName> {
        self.by_model.keys()
    }

    /// Everything that is wrong, in the order of the files.
    pub fn all(&self) -> Vec<Diagnostic> {
        sorted(self.by_model.values().flatten().chain(&self.elsewhere))
    }

    /// What stops a selection, in the order of the files.
    pub fn of(&self, stopped: &StoppedModels) -> Vec<Diagnostic> {
        let causes = stopped.causes.iter().filter_map(|model| self.by_model.get(model)).flatten();
        sorted(causes.chain(self.elsewhere.iter().filter(|_| stopped.elsewhere)))
    }

    /// Divides models into those that are well and those that have errors, or read a model that has. Tests that may guard any
    /// model matter where all models are asked for.
    pub fn divide(&self, dag: &Dag, models: impl IntoIterator<Item = ModelName>, is_everything: bool) -> Workable {
        let stopped_by = self.stopped_by(dag);
        let mut divided = Workable::default();
        divided.stopped.elsewhere = is_everything && !self.elsewhere.is_empty();
        for model in models {
            match stopped_by.get(&model) {
                Some(because) => {
                    let fault = self.fault_of(because);
                    divided.stopped.models.push(StoppedModel { model, because: (*because).clone(), fault });
                }
                None => divided.order.push(model),
            }
        }
        divided.stopped.causes = self.above(dag, divided.stopped.models.iter().map(|stopped| &stopped.model));
        divided
    }

    /// The models with errors among these and all that they read.
    fn above<'a>(&self, dag: &'a Dag, models: impl Iterator<Item = &'a ModelName>) -> BTreeSet<ModelName> {
        let mut open: Vec<&NodeId> = models.filter_map(|name| dag.referred(name)).collect();
        let mut seen: BTreeSet<&NodeId> = open.iter().copied().collect();
        while let Some(node) = open.pop() {
            open.extend(dag.parents(node).filter(|parent| seen.insert(parent)));
        }
        let models = seen.into_iter().filter_map(NodeId::model);
        models.filter(|name| self.by_model.contains_key(*name)).cloned().collect()
    }

    /// For each model that cannot be worked on the first with errors that it reads, or itself.
    fn stopped_by<'a>(&'a self, dag: &'a Dag) -> BTreeMap<&'a ModelName, &'a ModelName> {
        let mut stopped_by: BTreeMap<&ModelName, &ModelName> = BTreeMap::new();
        if self.by_model.is_empty() {
            return stopped_by;
        }
        for node in dag.order() {
            let Some(name) = node.model() else { continue };
            let own = self.by_model.get_key_value(name).map(|(broken, _)| broken);
            let read =
                || dag.parents(node).filter_map(NodeId::model).find_map(|parent| stopped_by.get(parent).copied());
            if let Some(because) = own.or_else(read) {
                stopped_by.insert(name, because);
            }
        }
        stopped_by
    }
}

/// By place, without doubles.
fn sorted<'a>(faults: impl Iterator<Item = &'a Diagnostic>) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    faults.for_each(|fault| sink.add(fault.clone()));
    sink.take()
}
