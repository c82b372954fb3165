//! What must be built, and why: a pure function of the models and of what was observed.

use std::collections::BTreeMap;

use super::bad_records::lost_bad_records;
use super::cause::{Cause, Reason};
use super::changes::{Foreseen, InputChanges};
use super::files::{FileLoad, FilesSeen, loading};
use super::merge_like;
use super::reads::{ReadClass, Reads, Windows};
use super::stale::{InputRead, Stale, Subject, SubjectInput, Verdict};
use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::day::TimeRange;
use crate::name::{ModelName, TableName};
use crate::project::Materialized;
use crate::store::Unreadable;
use crate::table::{InputVersion, RecentLedgers, SliceLayout, SliceSet, Tables};
use crate::template::OnChange;

/// What a step computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Build {
    Whole,
    /// These slices; the others stay as they are.
    Slices(SliceSet),
    /// The rows of new and changed files, and some slices anew; the other rows stay as they are.
    Files(FileLoad),
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

/// What to do with a model, and the reasons in an analyst's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Nothing if the table is up to date, if the model has none, or if that cannot be said yet.
    pub build: Option<Build>,
    /// The model whose new files must be read before it can be said what is to build.
    pub waits_for: Option<ModelName>,
    /// The table that cannot be read, and without which nothing of the model can be built.
    pub blocked: Option<TableName>,
    /// Why the bad records of its sources must be read again, if so.
    pub bad_records: Option<String>,
    /// Why, slice by slice; empty if there is nothing to build.
    pub reasons: Vec<Reason>,
    /// All of it in one line.
    pub why: String,
    /// The dimensions that changed since slices were made of them, with the number of these slices.
    pub older: BTreeMap<String, u64>,
}

/// Everything that deciding may look at.
#[derive(Debug, Clone)]
pub(crate) struct Observed<'a> {
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// What slices read: derived only of models that it matters for.
    pub windows: &'a Windows<'a>,
    pub tables: &'a Tables,
    /// Tables that are there and cannot be read.
    pub unreadable: &'a Unreadable,
    /// Per source a digest of its files: paths, sizes and times.
    pub sources: &'a BTreeMap<TableName, String>,
    /// The files themselves, and what is known of those that were read.
    pub files: &'a FilesSeen,
}

impl Decision {
    fn nothing(why: &str) -> Decision {
        Decision {
            build: None,
            waits_for: None,
            blocked: None,
            bad_records: None,
            reasons: Vec::new(),
            why: why.to_owned(),
            older: BTreeMap::new(),
        }
    }

    fn blocked(table: &TableName) -> Decision {
        let nothing = Decision::nothing(&format!("`{table}` cannot be read"));
        Decision { blocked: Some(table.clone()), ..nothing }
    }

    fn later(parent: ModelName) -> Decision {
        let nothing = Decision::nothing(&format!("depends on what the new files of `{parent}` hold"));
        Decision { waits_for: Some(parent), ..nothing }
    }

    /// Whether something is built, or may be.
    pub fn may_build(&self) -> bool {
        self.build.is_some() || self.waits_for.is_some() || self.bad_records.is_some()
    }

    fn build(build: Build, reasons: Vec<Reason>) -> Decision {
        let why = match reasons.as_slice() {
            [] => String::new(),
            [one] => one.why.clone(),
            [first, rest @ ..] => {
                let same = rest.iter().all(|reason| reason.why == first.why);
                let more =
                    if rest.len() == 1 { "1 more reason".to_owned() } else { format!("{} more reasons", rest.len()) };
                if same { first.why.clone() } else { format!("{}; {more}", first.why) }
            }
        };
        Decision { build: Some(build), reasons, ..Decision::nothing(&why) }
    }

    fn because(build: Build, cause: &Cause) -> Decision {
        let slices = match &build {
            Build::Slices(slices) => Some(slices.clone()),
            Build::Whole | Build::Batch | Build::Files(_) => None,
        };
        Decision::build(build, vec![Reason { slices, why: cause.words(None) }])
    }

    /// What readers of the table will find changed.
    fn foreseen(&self) -> Option<Foreseen> {
        match (&self.build, &self.waits_for) {
            (Some(Build::Whole | Build::Batch), _) => Some(Foreseen::Whole),
            (Some(Build::Slices(slices)), _) => Some(Foreseen::Slices(slices.clone())),
            (Some(Build::Files(load)), _) => load.foreseen(),
            (None, Some(_)) => Some(Foreseen::Unknown(None)),
            (None, None) => None,
        }
    }
}

/// Decides for the models in `order`; what a model reads of one that is built before it in the same run counts as
/// changed. A run decides again for each model when its inputs are built, and then knows what really changed.
pub(crate) fn decide(order: &[ModelName], observed: &Observed<'_>, refresh: Refresh) -> BTreeMap<ModelName, Decision> {
    let mut decisions = BTreeMap::new();
    let mut foreseen = BTreeMap::new();
    for name in order {
        let Some(model) = observed.typed.get(name) else { continue };
        let decision = one(model, observed, refresh, &foreseen);
        match decision.foreseen() {
            // What waits for a model that waits, waits for the files of the first.
            Some(Foreseen::Unknown(_)) => {
                let first = decision.waits_for.as_ref().unwrap_or(name);
                foreseen.insert(name.clone(), Foreseen::Unknown(Some(first.clone())));
            }
            Some(change) => {
                foreseen.insert(name.clone(), change);
            }
            None => {}
        }
        decisions.insert(name.clone(), decision);
    }
    decisions
}

/// Decides for one model, whose inputs are as they are.
pub(crate) fn decide_one(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh) -> Decision {
    one(model, observed, refresh, &BTreeMap::new())
}

/// What is built of these slices of a range that was asked for, whether they are up to date or not.
pub(crate) fn decide_slices(
    model: &TypedModel,
    observed: &Observed<'_>,
    (slices, asked): (&SliceSet, TimeRange),
) -> Decision {
    let hidden = observed.tables.get(&model.table).and_then(Option::as_deref);
    match hidden.and_then(|state| state.hides_slices(&model.layout())) {
        Some(reason) => Decision::because(Build::Whole, &Cause::Unknown(reason.to_owned())),
        None => Decision::because(Build::Slices(slices.clone()), &Cause::Asked(asked)),
    }
}

/// Those of some slices that are recorded and hold what a build would make of the inputs as they are.
pub(crate) fn fresh_slices(model: &TypedModel, observed: &Observed<'_>, slices: &SliceSet) -> SliceSet {
    let changes = changes_of_inputs(model, observed, &BTreeMap::new());
    let reads = || input_reads(&observed.windows.of(model), model, observed);
    let makes_times = || observed.windows.of(model).makes_times;
    let grain = model.config.batch_size;
    let derived = OnDemand { reads: &reads, makes_times: &makes_times };
    let fresh = subject(model, observed, &changes, derived).fresh(slices.slices(grain));
    SliceSet::of(fresh, grain).unwrap_or_default()
}

/// What is derived of a model when somebody asks.
#[derive(Clone, Copy)]
struct OnDemand<'a> {
    /// How slices read each input.
    reads: &'a dyn Fn() -> BTreeMap<String, Vec<InputRead>>,
    makes_times: &'a dyn Fn() -> bool,
}

/// The table of a model, and what would be built of it.
fn subject<'a>(
    model: &'a TypedModel,
    observed: &Observed<'a>,
    changes: &'a BTreeMap<String, InputChanges>,
    derived: OnDemand<'a>,
) -> Subject<'a> {
    let inputs = input_versions(model, observed.typed, observed.tables, observed.sources);
    let mut recent = recent_ledgers(model, observed);
    let is_sliced = model.layout() != SliceLayout::Whole;
    Subject {
        fingerprint: &model.fingerprint,
        layout: model.layout(),
        grain: model.config.batch_size,
        begin: model.config.begin.filter(|_| is_sliced),
        state: observed.tables.get(&model.table).and_then(Option::as_deref),
        inputs: inputs
            .into_iter()
            .map(|(name, version)| {
                let changes = changes.get(&name);
                let recent = recent.remove(&name).unwrap_or_default();
                (name, SubjectInput { version, changes, recent })
            })
            .collect(),
        reads: derived.reads,
        makes_times: derived.makes_times,
    }
}

type ForeseenOf = BTreeMap<ModelName, Foreseen>;

fn one(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh, foreseen: &ForeseenOf) -> Decision {
    let decision = of_rows(model, observed, refresh, foreseen);
    if refresh != Refresh::Stale || decision.blocked.is_some() || decision.build == Some(Build::Whole) {
        return decision;
    }
    let bad_records = lost_bad_records(model, observed);
    let why = match &bad_records {
        Some(why) if !decision.may_build() => why.clone(),
        Some(_) | None => decision.why.clone(),
    };
    Decision { bad_records, why, ..decision }
}

/// Decides on the rows of the table itself.
fn of_rows(model: &TypedModel, observed: &Observed<'_>, refresh: Refresh, foreseen: &ForeseenOf) -> Decision {
    let sliced = match model.config.materialized {
        Materialized::View | Materialized::Ephemeral => {
            return Decision::nothing(&format!("{} without storage", model.config.materialized.word()));
        }
        Materialized::Table | Materialized::Seed => false,
        Materialized::Incremental => model.layout() != SliceLayout::Whole,
    };
    if let Some(table) = unreadable(model, observed) {
        return Decision::blocked(table);
    }
    match refresh {
        Refresh::Full => return Decision::because(Build::Whole, &Cause::FullRefresh),
        Refresh::Range(range) if sliced => {
            let range = range.aligned(model.config.batch_size);
            return decide_slices(model, observed, (&SliceSet::new(vec![range], false), range));
        }
        Refresh::Range(_) | Refresh::Stale => {}
    }
    let waits_for = model.models_read().find_map(|name| match foreseen.get(&name) {
        Some(Foreseen::Unknown(first)) => first.clone(),
        _ => None,
    });
    let changes = changes_of_inputs(model, observed, foreseen);
    let reads = || input_reads(&observed.windows.of(model), model, observed);
    let makes_times = || observed.windows.of(model).makes_times;
    let subject = subject(model, observed, &changes, OnDemand { reads: &reads, makes_times: &makes_times });
    if !model.is_refresh_equivalent() {
        return match (merge_like::batch(&subject), waits_for) {
            (None, _) => Decision::nothing("nothing changed since it was built"),
            (Some(_), Some(parent)) if subject.state.is_some() => Decision::later(parent),
            (Some((build, why)), _) => Decision::build(build, vec![Reason { slices: None, why }]),
        };
    }
    let Verdict { stale, older } = subject.verdict();
    let mut reasons = subject.reasons(&stale);
    match loading(model, subject.state, &stale, observed.files) {
        Some(Ok((load, reasons))) => return Decision { older, ..Decision::build(Build::Files(load), reasons) },
        Some(Err(why)) if matches!(stale, Stale::Whole(_)) => {
            let why = format!("its files changed, and {why}: all of it is read again");
            reasons = vec![Reason { slices: None, why }];
        }
        Some(Err(_)) | None => {}
    }
    let decision = match (stale, waits_for) {
        (Stale::Nothing, _) => Decision::nothing("nothing changed since it was built"),
        (_, Some(parent)) if subject.state.is_some() => Decision::later(parent),
        (Stale::Whole(_), _) => Decision::build(Build::Whole, reasons),
        (Stale::Slices(slices), _) => {
            let build = SliceSet::of(slices.into_keys(), subject.grain).map_or(Build::Whole, Build::Slices);
            Decision::build(build, reasons)
        }
    };
    Decision { older, ..decision }
}

/// The first table that cannot be read of those that a model writes or reads: its own come first.
fn unreadable<'o>(model: &TypedModel, observed: &Observed<'o>) -> Option<&'o TableName> {
    if observed.unreadable.is_empty() {
        return None;
    }
    let parents = model.models_read().filter_map(|name| observed.typed.get(&name));
    let mut needed = vec![model.table.clone(), quarantine_table(&model.table)];
    needed.extend(parents.map(|parent| parent.table.clone()));
    let quarantines = model.inputs().into_iter().filter_map(|input| match input {
        Input::Quarantine(name) => Some(quarantine_table(&observed.typed.get(&name)?.table)),
        Input::Model(_) | Input::Source(_) | Input::This => None,
    });
    needed.extend(quarantines);
    needed.iter().find_map(|table| observed.unreadable.get_key_value(table)).map(|(table, _)| table)
}

/// When the slices of each table that a model reads changed.
fn changes_of_inputs(
    model: &TypedModel,
    observed: &Observed<'_>,
    foreseen: &ForeseenOf,
) -> BTreeMap<String, InputChanges> {
    let of = |name: ModelName| {
        let parent = observed.typed.get(&name)?;
        let foreseen = foreseen.get(&name);
        let changes = match observed.tables.get(&parent.table).and_then(Option::as_deref) {
            Some(state) => InputChanges::of(state, &parent.layout(), parent.config.batch_size, foreseen),
            None => InputChanges::to_come(parent.config.batch_size, foreseen),
        };
        Some((parent.table.to_string(), changes))
    };
    model.models_read().filter_map(of).collect()
}

/// How slices read each input, by the name that stands in ledgers.
fn input_reads(reads: &Reads, model: &TypedModel, observed: &Observed<'_>) -> BTreeMap<String, Vec<InputRead>> {
    let mut found: BTreeMap<String, Vec<InputRead>> = BTreeMap::new();
    for input in model.inputs() {
        if let Some(name) = input_name(&input, observed.typed) {
            found.insert(name, Vec::new());
        }
    }
    for read in &reads.scans {
        let Some(of_input) = input_name(&read.input, observed.typed).and_then(|name| found.get_mut(&name)) else {
            continue;
        };
        let is_dimension = read.class == ReadClass::Dimension && read.on_change == OnChange::Ignore;
        of_input.push(InputRead { reach: read.reach.clone(), timeless: read.timeless, is_dimension });
    }
    found
}

fn input_name(input: &Input, typed: &BTreeMap<ModelName, TypedModel>) -> Option<String> {
    match input {
        Input::Model(name) => Some(typed.get(name)?.table.to_string()),
        Input::Source(name) => Some(name.to_string()),
        Input::This | Input::Quarantine(_) => None,
    }
}

/// The ledgers that the tables which a model reads had at their last versions.
fn recent_ledgers(model: &TypedModel, observed: &Observed<'_>) -> BTreeMap<String, RecentLedgers> {
    let of = |input: &Input| {
        let Input::Model(name) = input else { return None };
        let table = &observed.typed.get(name)?.table;
        let state = observed.tables.get(table).and_then(Option::as_ref)?;
        Some((table.to_string(), RecentLedgers::clone(&state.recent)))
    };
    model.inputs().iter().filter_map(of).collect()
}

/// The version of every input, as the ledger of a build keeps it.
pub(crate) fn input_versions(
    model: &TypedModel,
    typed: &BTreeMap<ModelName, TypedModel>,
    tables: &Tables,
    sources: &BTreeMap<TableName, String>,
) -> BTreeMap<String, InputVersion> {
    let of = |input: &Input| {
        let version = match input {
            Input::Model(name) => {
                let state = tables.get(&typed.get(name)?.table).and_then(Option::as_ref);
                state.map_or(InputVersion::Missing, |state| state.as_input())
            }
            Input::Source(name) => {
                let files = sources.get(name).cloned();
                files.map_or(InputVersion::Missing, InputVersion::Files)
            }
            Input::This | Input::Quarantine(_) => return None,
        };
        Some((input_name(input, typed)?, version))
    };
    model.inputs().iter().filter_map(of).collect()
}
