//! Decides what must be built of each model, and why.

use std::collections::BTreeMap;

use super::bad_records::lost_bad_records;
use super::batch::{batch, versions};
use super::build::Build;
use super::decision::Decision;
use super::files::{Loading, loading};
use super::observed::{Observed, input_name, input_versions};
use crate::analyze::{Input, TypedModel};
use crate::day::TimeRange;
use crate::incremental::staleness::{
    Cause, InputChanges, InputRead, PendingChange, Reason, Stale, Subject, SubjectInput, Verdict, reasons,
};
use crate::incremental::windows::ReadClass;
use crate::name::{ModelName, TableKey};
use crate::project::Upkeep;
use crate::table::{RecentLedgers, SliceSet};
use crate::template::OnChange;

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

impl Refresh {
    /// What of it holds for a model: a full refresh never makes a history again, which no build could, nor a table whose config
    /// forbids it.
    pub fn allowed_for(self, model: &TypedModel) -> Refresh {
        match self {
            Refresh::Full if model.is_snapshot() || model.config.full_refresh == Some(false) => Refresh::Stale,
            asked => asked,
        }
    }
}

/// Decides by what was observed and how a person asked, and by nothing else: equal deciders decide alike. A plan is made
/// by one, and a run asks another, of what it knows by then, when the inputs of a step are done or another run came first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decider<'a> {
    pub observed: Observed<'a>,
    pub refresh: Refresh,
}

/// What a run is going to do to tables before a model reads them.
pub(super) type PendingChanges = BTreeMap<ModelName, PendingChange>;

impl<'a> Decider<'a> {
    pub fn new(observed: Observed<'a>, refresh: Refresh) -> Decider<'a> {
        Decider { observed, refresh }
    }

    /// Decides for the models in `order`; what a model reads of one that is built before it in the same run counts as
    /// changed. A run decides again for each model when its inputs are built, and then knows what really changed.
    pub fn decide_all(&self, order: &[ModelName]) -> BTreeMap<ModelName, Decision> {
        let mut decisions = BTreeMap::new();
        let mut pending = PendingChanges::new();
        for name in order {
            let Some(model) = self.observed.typed.get(name) else { continue };
            let decision = self.decide_after(model, &pending);
            match decision.pending_change() {
                // Readers cannot know more than the parent does.
                // What waits for a model that waits, waits for the files of the first.
                Some(PendingChange::Unknown(_)) => {
                    let first = decision.waits_for.as_ref().unwrap_or(name);
                    pending.insert(name.clone(), PendingChange::Unknown(Some(first.clone())));
                }
                Some(change) => {
                    pending.insert(name.clone(), change);
                }
                None => {}
            }
            decisions.insert(name.clone(), decision);
        }
        decisions
    }

    /// Decides for one model, whose inputs are as they are.
    pub fn decide(&self, model: &TypedModel) -> Decision {
        self.decide_after(model, &PendingChanges::new())
    }

    /// Decides what is built of these slices of a range that was asked for, whether they are up to date or not.
    pub fn decide_slices(&self, model: &TypedModel, slices: &SliceSet, asked: TimeRange) -> Decision {
        let state = self.observed.table_of(model);
        match state.and_then(|state| state.needs_full_rebuild(&model.layout())) {
            Some(reason) => Decision::because(Build::Whole, &Cause::Unknown(reason.to_owned())),
            None => Decision::because(Build::Slices(slices.clone()), &Cause::Asked(asked)),
        }
    }

    /// Returns those of some slices that are recorded and hold what a build would make of the inputs as they are.
    pub fn fresh_slices(&self, model: &TypedModel, slices: &SliceSet) -> SliceSet {
        let grain = model.config.batch_size;
        let changes = self.changes_of_inputs(model, &PendingChanges::new());
        let fresh = self.judge(model, &changes, |subject| subject.fresh(slices.slices(grain)));
        SliceSet::of(fresh, grain).unwrap_or_default()
    }

    fn decide_after(&self, model: &TypedModel, pending: &PendingChanges) -> Decision {
        let decision = self.decide_rows(model, pending);
        // Whoever asks for a range or for everything says what to build, and a whole build reads all bad records anyway.
        if self.refresh != Refresh::Stale || decision.blocked.is_some() || decision.build == Some(Build::Whole) {
            return decision;
        }
        let bad_records = lost_bad_records(model, &self.observed);
        let why = match &bad_records {
            Some(why) if !decision.may_build() => why.clone(),
            Some(_) | None => decision.why.clone(),
        };
        Decision { bad_records, why, ..decision }
    }

    /// Decides on the rows of the table itself.
    fn decide_rows(&self, model: &TypedModel, pending: &PendingChanges) -> Decision {
        let upkeep = model.config.materialized.upkeep();
        if upkeep == Upkeep::Inlined {
            return Decision::nothing(&format!("{} without storage", model.config.materialized.word()));
        }
        if let Some(table) = self.observed.unreadable_for(model) {
            return Decision::blocked(table);
        }
        let refresh = match (self.refresh.allowed_for(model), model.config.full_refresh) {
            // The config may say that all of it is built with every command.
            (Refresh::Stale, Some(true)) if self.refresh == Refresh::Stale => Refresh::Full,
            (asked, _) => asked,
        };
        match refresh {
            Refresh::Full => return Decision::because(Build::Whole, &Cause::FullRefresh),
            Refresh::Range(range) if model.is_sliced() => {
                let range = range.aligned(model.config.batch_size);
                return self.decide_slices(model, &SliceSet::new(vec![range], false), range);
            }
            Refresh::Range(_) | Refresh::Stale => {}
        }
        // A parent whose new files nobody has read yet may change any slice or none: the model must wait for it, but not if its
        // own table does not exist, because then all of it is built whatever the parent brings.
        let waits_for = model.models_read().find_map(|name| match pending.get(&name) {
            Some(PendingChange::Unknown(first)) => first.clone(),
            _ => None,
        });
        let changes = self.changes_of_inputs(model, pending);
        self.judge(model, &changes, |subject| match upkeep {
            Upkeep::Inlined | Upkeep::Whole | Upkeep::Slices => self.rebuild_stale(model, subject, waits_for),
            Upkeep::Batch(_) if model.is_snapshot() => self.take_snapshot(subject, waits_for),
            Upkeep::Batch(_) => add_batch(batch(subject), subject, waits_for),
        })
    }

    /// Decides for a table that keeps versions.
    fn take_snapshot(&self, subject: &Subject<'_>, waits_for: Option<ModelName>) -> Decision {
        let decision = add_batch(versions(subject), subject, waits_for);
        match self.refresh {
            Refresh::Full if !decision.may_build() => {
                Decision::nothing("nothing changed since it was taken; a full refresh keeps its history")
            }
            Refresh::Full | Refresh::Stale | Refresh::Range(_) => decision,
        }
    }

    /// Decides for a table that is to hold what a full refresh would build.
    fn rebuild_stale(&self, model: &TypedModel, subject: &Subject<'_>, waits_for: Option<ModelName>) -> Decision {
        let Verdict { stale, older } = subject.verdict();
        // A changed list of files makes a table stale as a whole. Where it is known which rows came from which file, less
        // will do.
        let mut why = reasons(subject, &stale);
        match loading(model, subject.state, &stale, self.observed.files) {
            Loading::Files { load, reasons } => {
                return Decision { older, ..Decision::build(Build::Files(load), reasons) };
            }
            Loading::Everything(because) if matches!(stale, Stale::Whole(_)) => {
                let because = format!("its files changed, and {because}: all of it is read again");
                why = vec![Reason { slices: None, why: because }];
            }
            Loading::Everything(_) | Loading::OtherCauses => {}
        }
        let decision = match (stale, waits_for) {
            (Stale::Nothing, _) => Decision::up_to_date(),
            (_, Some(parent)) if subject.state.is_some() => Decision::later(parent),
            (Stale::Whole(_), _) => Decision::build(Build::Whole, why),
            (Stale::Slices(slices), _) => {
                let build = SliceSet::of(slices.into_keys(), subject.grain).map_or(Build::Whole, Build::Slices);
                Decision::build(build, why)
            }
        };
        Decision { older, ..decision }
    }

    /// Lets somebody look at the table of a model, and at what would be built of it. How slices read the inputs is derived
    /// only when it is asked for, because that costs as much as planning the model.
    fn judge<T>(
        &self,
        model: &TypedModel,
        changes: &BTreeMap<TableKey, InputChanges>,
        look: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let observed = &self.observed;
        let versions = input_versions(model, observed.typed, observed.tables, observed.sources);
        let mut recent = self.recent_ledgers(model);
        let mut inputs = BTreeMap::new();
        for (name, version) in versions {
            let recent = recent.remove(&name).unwrap_or_default();
            let changes = changes.get(&name);
            inputs.insert(name, SubjectInput { version, changes, recent });
        }
        look(&Subject {
            fingerprint: &model.fingerprint,
            layout: model.layout(),
            grain: model.config.batch_size,
            begin: model.config.begin.filter(|_| model.is_sliced()),
            state: observed.table_of(model),
            inputs,
            reads: &|| self.input_reads(model),
            makes_times: &|| observed.windows.of(model).makes_times,
        })
    }

    /// Returns when the slices of each table that a model reads changed.
    pub(super) fn changes_of_inputs(
        &self,
        model: &TypedModel,
        pending: &PendingChanges,
    ) -> BTreeMap<TableKey, InputChanges> {
        let mut all = BTreeMap::new();
        for name in model.models_read() {
            let Some(parent) = self.observed.typed.get(&name) else { continue };
            let pending = pending.get(&name);
            let grain = parent.config.batch_size;
            let changes = match self.observed.table_of(parent) {
                Some(state) => InputChanges::new(state, &parent.layout(), grain, pending),
                None => InputChanges::to_come(grain, pending),
            };
            all.insert(parent.table.key(), changes);
        }
        all
    }

    /// Returns how slices read each input, by the name that stands in ledgers.
    pub(super) fn input_reads(&self, model: &TypedModel) -> BTreeMap<TableKey, Vec<InputRead>> {
        let typed = self.observed.typed;
        let names = model.inputs().iter().filter_map(|input| input_name(input, typed));
        let mut found: BTreeMap<TableKey, Vec<InputRead>> = names.map(|name| (name, Vec::new())).collect();
        for read in &self.observed.windows.of(model).scans {
            let Some(of_input) = input_name(&read.input, typed).and_then(|name| found.get_mut(&name)) else {
                continue;
            };
            // A dimension is read as it is now. Its author may ask for the other thing: that a change restates all slices.
            let is_dimension = read.class == ReadClass::Dimension && read.on_change == OnChange::Ignore;
            of_input.push(InputRead { reach: read.reach.clone(), timeless: read.timeless, is_dimension });
        }
        found
    }

    /// Returns the ledgers that the tables which a model reads had at their last versions.
    fn recent_ledgers(&self, model: &TypedModel) -> BTreeMap<TableKey, RecentLedgers> {
        let mut all = BTreeMap::new();
        for input in model.inputs() {
            if let Input::Model(name) = input
                && let Some(parent) = self.observed.typed.get(name)
                && let Some(state) = self.observed.table_of(parent)
            {
                all.insert(parent.table.key(), RecentLedgers::clone(&state.recent));
            }
        }
        all
    }
}

/// Decides for a table that adds to its past.
fn add_batch(stale: Option<(Build, String)>, subject: &Subject<'_>, waits_for: Option<ModelName>) -> Decision {
    match (stale, waits_for) {
        (None, _) => Decision::up_to_date(),
        (Some(_), Some(parent)) if subject.state.is_some() => Decision::later(parent),
        (Some((build, why)), _) => Decision::build(build, vec![Reason { slices: None, why }]),
    }
}
