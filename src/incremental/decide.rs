//! What must be built, and why: a pure function of the models and of what was observed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::merge_like;
use crate::analyze::{Input, TypedModel};
use crate::day::TimeRange;
use crate::name::{ModelName, TableName};
use crate::project::Materialized;
use crate::table::{InputVersion, LedgerFound, Provenance, SliceKey, SliceLayout, TableState, Tables};

/// What a step computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Build {
    Whole,
    /// The slices of these ranges, which are whole slices, in order and apart; the others stay as they are.
    Slices(Vec<TimeRange>),
    /// Rows that are added to the table, or go in the place of some of its rows.
    Batch,
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

/// Decides for one model, whose inputs are as they are.
pub(crate) fn decide_one(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh) -> Decision {
    one(model, observed, refresh, &BTreeSet::new())
}

fn one(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh, building: &BTreeSet<ModelName>) -> Decision {
    let whole = |why: String| Decision { build: Some(Build::Whole), why };
    let sliced = match model.config.materialized {
        Materialized::View | Materialized::Ephemeral => {
            return Decision { build: None, why: format!("{} without storage", model.config.materialized.word()) };
        }
        Materialized::Table => false,
        Materialized::Incremental => true,
    };
    match refresh {
        Refresh::Full => return whole("a full refresh was asked for".to_owned()),
        Refresh::Range(range) if sliced && model.is_refresh_equivalent() => {
            let range = range.aligned(model.config.batch_size);
            return Decision { build: Some(Build::Slices(vec![range])), why: format!("{range} was asked for") };
        }
        Refresh::Range(_) | Refresh::Stale => {}
    }
    match stale(model, observed, building) {
        Some((build, why)) => Decision { build: Some(build), why },
        None => Decision { build: None, why: "nothing changed since it was built".to_owned() },
    }
}

/// What of the table does not hold what a build would make, if anything, and why.
fn stale(model: &TypedModel, observed: &Observed<'_>, building: &BTreeSet<ModelName>) -> Option<(Build, String)> {
    let state = observed.tables.get(&model.table).and_then(Option::as_deref);
    let rebuilt: Vec<String> =
        model.models_read().filter(|name| building.contains(name)).map(|name| format!("`{name}`")).collect();
    let now = input_versions(model, observed.typed, observed.tables, observed.sources);
    let states: BTreeMap<String, &TableState> = model
        .models_read()
        .filter_map(|name| {
            let table = &observed.typed.get(&name)?.table;
            Some((table.to_string(), observed.tables.get(table)?.as_deref()?))
        })
        .collect();
    let inputs_differ = |made_of: &Provenance| {
        if !rebuilt.is_empty() {
            return Some(format!("an input is rebuilt: {}", rebuilt.join(", ")));
        }
        difference(made_of, &now, &states)
    };
    if !model.is_refresh_equivalent() {
        return merge_like::batch(state, &model.fingerprint, &inputs_differ);
    }
    stale_slices(state, &model.layout(), &|made_of| {
        if made_of.fingerprint != model.fingerprint {
            return Some("its SQL or config changed".to_owned());
        }
        inputs_differ(made_of)
    })
}

/// What of a table must be built, where `differs` says how a provenance differs from what a build would be made of.
/// Whatever is not known is stale.
pub(crate) fn stale_slices(
    state: Option<&TableState>,
    layout: &SliceLayout,
    differs: &dyn Fn(&Provenance) -> Option<String>,
) -> Option<(Build, String)> {
    let whole = |why: String| Some((Build::Whole, why));
    let Some(state) = state else {
        return whole("not built yet".to_owned());
    };
    let ledger = match &state.ledger {
        LedgerFound::Known(ledger) => ledger,
        LedgerFound::Unknown(reason) => return whole(reason.clone()),
    };
    let mut made_of: Vec<&Arc<Provenance>> = ledger.provenances().collect();
    made_of.sort();
    made_of.dedup();
    let differences: Vec<Option<String>> = made_of.into_iter().map(|one| differs(one)).collect();
    let is_part = ledger.rest.is_none() || differences.iter().any(Option::is_none);
    match differences.into_iter().flatten().next() {
        Some(_) if is_part => whole("the last run built only a part of it".to_owned()),
        Some(why) => whole(why),
        None if ledger.rest.is_none() && ledger.slices.is_empty() => {
            whole("it is not known what it was made of".to_owned())
        }
        None if ledger.rest.is_none() => whole("the last run built only a part of it".to_owned()),
        None => foreign_change(state, layout),
    }
}

/// Slices that another writer has changed are made anew.
fn foreign_change(state: &TableState, layout: &SliceLayout) -> Option<(Build, String)> {
    let tainted = state.tainted(layout);
    let first = tainted.first()?;
    let more = match tainted.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let SliceLayout::ByFile { grain, .. } = layout else {
        return Some((Build::Whole, "something else than karat changed it".to_owned()));
    };
    let why = format!("something else than karat changed {first}{more}");
    let range = |slice: &SliceKey| match slice {
        SliceKey::At(start) => TimeRange::new(*start, grain.next(*start)),
        SliceKey::All | SliceKey::Timeless => None,
    };
    let build = match tainted.iter().map(range).collect::<Option<Vec<_>>>() {
        Some(ranges) => Build::Slices(TimeRange::joined(ranges)),
        None => Build::Whole,
    };
    Some((build, why))
}

/// How inputs differ from what something was made of.
fn difference(
    made_of: &Provenance,
    now: &BTreeMap<String, InputVersion>,
    states: &BTreeMap<String, &TableState>,
) -> Option<String> {
    let has_rows = |input: &str, recorded: &InputVersion, version: &InputVersion| match states.get(input) {
        Some(state) => state.has_rows_of(recorded),
        None => recorded == version,
    };
    for (input, version) in now {
        match (made_of.inputs.get(input), version) {
            (Some(recorded), version) if has_rows(input, recorded, version) => {}
            (Some(_), InputVersion::Table { version, .. }) => {
                return Some(format!("`{input}` changed: it is at version {version} now"));
            }
            (Some(_), InputVersion::Files(_)) => return Some(format!("the files of `{input}` changed")),
            (Some(_), InputVersion::Missing) => return Some(format!("`{input}` is gone")),
            (None, _) => return Some(format!("it was built without `{input}`")),
        }
    }
    let gone = made_of.inputs.keys().find(|input| !now.contains_key(*input));
    gone.map(|input| format!("it was built with `{input}`"))
}

/// The version of every input, as the ledger of a build keeps it.
pub(crate) fn input_versions(
    model: &TypedModel,
    typed: &BTreeMap<ModelName, TypedModel>,
    tables: &Tables,
    sources: &BTreeMap<TableName, String>,
) -> BTreeMap<String, InputVersion> {
    let of = |input: &Input| match input {
        Input::Model(name) => {
            let table = &typed.get(name)?.table;
            let state = tables.get(table).and_then(Option::as_ref);
            Some((table.to_string(), state.map_or(InputVersion::Missing, |state| state.as_input())))
        }
        Input::Source(name) => {
            let files = sources.get(name).cloned();
            Some((name.to_string(), files.map_or(InputVersion::Missing, InputVersion::Files)))
        }
        Input::This | Input::Quarantine(_) => None,
    };
    model.inputs().iter().filter_map(of).collect()
}
