//! What must be built, and why: a pure function of the models and of what was observed.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyze::{Input, TypedModel};
use crate::day::TimeRange;
use crate::name::{ModelName, TableName};
use crate::project::Materialized;
use crate::table::{Record, TableState, Tables};

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Whole,
    /// The slices of this range; the others stay as they are.
    Slices(TimeRange),
}

/// How a person asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// What is not up to date.
    Stale,
    /// Everything selected.
    Full,
    /// These slices of incremental models, whether up to date or not.
    Range(TimeRange),
}

/// What to do with a model, and the reason in an analyst's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Nothing if the table is up to date, or if the model has none.
    pub build: Option<Build>,
    pub why: String,
}

/// Everything that deciding may look at.
#[derive(Debug, Clone)]
pub(crate) struct Observed<'a> {
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub tables: &'a Tables,
    /// Per source a digest of its files: paths, sizes and times.
    pub sources: &'a BTreeMap<TableName, String>,
}

/// Decides for the models in `order`; a model whose input is built in the same run is built too.
pub(crate) fn decide(order: &[ModelName], observed: &Observed<'_>, refresh: Refresh) -> BTreeMap<ModelName, Decision> {
    let mut decisions = BTreeMap::new();
    let mut building = BTreeSet::new();
    for name in order {
        let Some(model) = observed.typed.get(name) else {
            continue;
        };
        let decision = one(model, observed, refresh, &building);
        if decision.build.is_some() {
            building.insert(name.clone());
        }
        decisions.insert(name.clone(), decision);
    }
    decisions
}

fn one(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh, building: &BTreeSet<ModelName>) -> Decision {
    let whole = |why: String| Decision { build: Some(Build::Whole), why };
    let incremental = match model.config.materialized {
        Materialized::View | Materialized::Ephemeral => {
            return Decision { build: None, why: format!("{} without storage", model.config.materialized.word()) };
        }
        Materialized::Table => false,
        Materialized::Incremental => true,
    };
    match refresh {
        Refresh::Full => return whole("a full refresh was asked for".to_owned()),
        Refresh::Range(range) if incremental => {
            let range = range.aligned(model.config.batch_size);
            return Decision { build: Some(Build::Slices(range)), why: format!("{range} was asked for") };
        }
        Refresh::Range(_) | Refresh::Stale => {}
    }
    match stale(model, observed, building) {
        Some(why) => whole(why),
        None => Decision { build: None, why: "nothing changed since it was built".to_owned() },
    }
}

/// Why the table does not hold what a build would make, if so.
fn stale(model: &TypedModel, observed: &Observed<'_>, building: &BTreeSet<ModelName>) -> Option<String> {
    let Some(state) = observed.tables.get(&model.table).and_then(Option::as_ref) else {
        return Some("not built yet".to_owned());
    };
    let Some(record) = &state.record else {
        return Some(format!("version {} was written by something else than karat", state.version));
    };
    if record.fingerprint != model.fingerprint {
        return Some("its SQL or config changed".to_owned());
    }
    let rebuilt: Vec<&str> = model
        .inputs()
        .iter()
        .filter_map(|input| match input {
            Input::Model(name) => building.get(name).map(ModelName::as_str),
            Input::Source(_) | Input::This | Input::Quarantine(_) => None,
        })
        .collect();
    if !rebuilt.is_empty() {
        let rebuilt = rebuilt.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Some(format!("an input is rebuilt: {rebuilt}"));
    }
    if !record.complete {
        return Some("the last run built only a part of it".to_owned());
    }
    changed_input(model, record, observed)
}

fn changed_input(model: &TypedModel, record: &Record, observed: &Observed<'_>) -> Option<String> {
    let now = input_versions(model, observed.typed, observed.tables, observed.sources);
    let changed = now.iter().find(|(input, version)| record.inputs.get(*input) != Some(*version));
    if let Some((input, version)) = changed {
        return Some(match (record.inputs.get(input), version.split_once('@')) {
            (Some(_), Some((_, now))) => format!("`{input}` changed: it is at version {now} now"),
            (Some(_), None) => format!("the files of `{input}` changed"),
            (None, _) => format!("it was built without `{input}`"),
        });
    }
    let gone = record.inputs.keys().find(|input| !now.contains_key(*input));
    gone.map(|input| format!("it was built with `{input}`"))
}

/// The version of every input, as the record of a build keeps it.
pub(crate) fn input_versions(
    model: &TypedModel,
    typed: &BTreeMap<ModelName, TypedModel>,
    tables: &Tables,
    sources: &BTreeMap<TableName, String>,
) -> BTreeMap<String, String> {
    let version = |state: &TableState| format!("{}@{}", state.id, state.version);
    let of = |input: &Input| match input {
        Input::Model(name) => {
            let table = &typed.get(name)?.table;
            let state = tables.get(table).and_then(Option::as_ref);
            Some((table.to_string(), state.map(version).unwrap_or_default()))
        }
        Input::Source(name) => Some((name.to_string(), sources.get(name).cloned().unwrap_or_default())),
        Input::This | Input::Quarantine(_) => None,
    };
    model.inputs().iter().filter_map(of).collect()
}
