//! What is looked at before something is decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::check::{CheckBatch, Guards};
use crate::name::{ModelName, TableName};

/// Which state of a table readers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shown {
    /// The one of the newest release: what the last complete run has left.
    Released,
    /// The newest.
    #[default]
    Live,
}

/// What is looked at.
#[derive(Debug, Default)]
pub(crate) struct ObservationScope {
    pub(super) tables: BTreeSet<TableName>,
    /// Tables that belong to no release, and are shown as they are.
    pub(super) unreleased: BTreeSet<TableName>,
    pub(super) sources: BTreeSet<TableName>,
    /// Models for which decisions will be made: these need to know what source files held when they were read.
    pub(super) decided: Vec<ModelName>,
    pub(super) shown: Shown,
    /// Whether records of runs are read.
    pub(super) reads_runs: bool,
    /// Whether a source that cannot be listed is left out.
    pub(super) is_lenient: bool,
}

impl ObservationScope {
    /// Everything that these models write or read, and what their tests read.
    pub fn of_models(typed: &BTreeMap<ModelName, TypedModel>, order: &[ModelName], guards: &Guards) -> Self {
        let mut scope = Self { decided: order.to_vec(), ..Self::default() };
        for model in order.iter().filter_map(|name| typed.get(name)) {
            scope.tables.insert(model.table.clone());
            let tested = guards.get(&model.name).into_iter().flatten().flat_map(CheckBatch::inputs);
            tested.for_each(|input| scope.add(typed, &input));
            for input in model.inputs() {
                scope.add(typed, input);
                if matches!(input, Input::Source(_)) {
                    scope.tables.insert(quarantine_table(&model.table));
                }
            }
        }
        scope
    }

    /// What a query or a data test reads.
    pub fn of_inputs(typed: &BTreeMap<ModelName, TypedModel>, inputs: &BTreeSet<Input>, shown: Shown) -> Self {
        let mut scope = Self { shown, ..Self::default() };
        inputs.iter().for_each(|input| scope.add(typed, input));
        scope
    }

    /// The tables of stored models and what these were made of. Source files that cannot be listed any more are no error:
    /// what was made of them cannot be verified.
    pub fn of_verification(typed: &BTreeMap<ModelName, TypedModel>, order: &[ModelName]) -> Self {
        let mut scope = Self { is_lenient: true, ..Self::default() };
        let models = order.iter().filter_map(|name| typed.get(name));
        for model in models.filter(|model| model.config.materialized.is_stored()) {
            scope.tables.insert(model.table.clone());
            model.models_read().for_each(|name| scope.add(typed, &Input::Model(name)));
            scope.sources.extend(model.sources_read());
        }
        scope
    }

    /// The tables of all models that have one.
    pub fn of_tables(typed: &BTreeMap<ModelName, TypedModel>) -> Self {
        let stored = typed.values().filter(|model| model.config.materialized.is_stored());
        Self { tables: stored.map(|model| model.table.clone()).collect(), ..Self::default() }
    }

    /// The same, where a source that cannot be listed is left out.
    pub fn lenient(self) -> Self {
        Self { is_lenient: true, ..self }
    }

    fn add(&mut self, typed: &BTreeMap<ModelName, TypedModel>, input: &Input) {
        match input {
            Input::Model(name) => {
                let Some(model) = typed.get(name) else { return };
                // What a test has found is of interest although nothing was released, and just because of that.
                let tables = if model.is_failing_rows() { &mut self.unreleased } else { &mut self.tables };
                tables.insert(model.table.clone());
            }
            Input::Quarantine(name) => {
                self.tables.extend(typed.get(name).map(|model| quarantine_table(&model.table)));
            }
            Input::Source(name) => {
                self.sources.insert(name.clone());
            }
            Input::Runs(_) => self.reads_runs = true,
            Input::This => {}
        }
    }
}
