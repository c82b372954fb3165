//! What a backfill will do, as data: for each model the slices that are left of the range, in batches.

use std::collections::{BTreeMap, BTreeSet};

use super::cut::{Cutting, cut};
use super::{RunPlan, plan};
use crate::analyze::TypedModel;
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::incremental::{Decider, Observed, Refresh};
use crate::name::{ModelName, TableKey, TableName};
use crate::store::Released;
use crate::table::{Backfill, SliceSet};

/// A range that was asked for, of all incremental models of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackfillPlan {
    pub asked: TimeRange,
    pub cutting: Cutting,
    /// The selected models that have a table, in an order that the graph allows.
    pub steps: Vec<BackfillStep>,
    /// The records of an earlier call that did not come to its end are of this round.
    round: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackfillStep {
    pub model: ModelName,
    /// The selected models that must be done before.
    pub after: BTreeSet<ModelName>,
    /// The table that cannot be read, and without which nothing of the model can be built.
    pub blocked: Option<TableName>,
    /// What was asked for of it. `None` for a model that is not cut by time: it is built as a run builds it.
    pub range: Option<AskedSlices>,
}

/// What was asked for of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedSlices {
    key: String,
    slices: SliceSet,
}

/// The slices that one commit brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub slices: SliceSet,
    /// The whole range that was asked for.
    pub asked: TimeRange,
    /// What the commit records.
    pub record: Backfill,
}

/// What is left to do of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RemainingBatches {
    pub batches: Vec<Batch>,
    /// How many slices an earlier call has committed.
    pub done: u64,
}

impl BackfillPlan {
    /// Plans for the models in `order`, which is an order that the graph allows.
    pub fn new(
        order: &[ModelName],
        observed: &Observed<'_>,
        released: &BTreeMap<TableKey, Released>,
        asked: TimeRange,
        cutting: Cutting,
    ) -> BackfillPlan {
        let RunPlan { steps } = plan(order, &Decider::new(*observed, Refresh::Stale), &BTreeMap::new());
        let sliced = steps.iter().filter_map(|step| observed.typed.get(&step.model)).filter(|model| model.is_sliced());
        let sliced: BTreeMap<&ModelName, &TypedModel> = sliced.map(|model| (&model.name, model)).collect();
        // The same range with other models beside it is another backfill: what was done for that one says nothing of this.
        let together = steps.iter().map(|step| &step.model).filter(|name| sliced.contains_key(name));
        let together: Vec<&str> = together.map(ModelName::as_str).collect();
        let steps: Vec<BackfillStep> = steps
            .iter()
            .map(|step| BackfillStep {
                model: step.model.clone(),
                after: step.after.clone(),
                blocked: step.decision.blocked.clone(),
                range: sliced.get(&step.model).map(|model| AskedSlices::new(model, asked, &together)),
            })
            .collect();
        let round = round(&steps, observed, released);
        BackfillPlan { asked, cutting, steps, round }
    }

    /// What is left of a model, now that its inputs are as they are: what an earlier call has done counts unless it is
    /// out of date by now.
    pub fn left(&self, asked: &AskedSlices, model: &TypedModel, observed: &Observed<'_>) -> RemainingBatches {
        let grain = model.config.batch_size;
        let done = match recorded(model, asked, observed).filter(|record| record.round == self.round) {
            Some(record) => {
                let decider = Decider::new(*observed, Refresh::Stale);
                decider.fresh_slices(model, &within(&record.done, &asked.slices, model))
            }
            None => SliceSet::default(),
        };
        // Inputs may have changed since an earlier call was interrupted, so what it recorded is held against them once more.
        let left = asked.slices.slices(grain).filter(|slice| !done.contains(*slice));
        let left = SliceSet::of(left, grain).unwrap_or_default();
        let reads = observed.windows.of(model);
        let batches = cut(model, &reads, &left, self.cutting)
            .into_iter()
            .map(|slices| {
                let record = Backfill {
                    key: asked.key.clone(),
                    round: self.round,
                    done: slices.clone(),
                    version: Version::FIRST,
                };
                Batch { slices, asked: self.asked.aligned(grain), record }
            })
            .collect();
        RemainingBatches { batches, done: done.slices(grain).count() as u64 }
    }
}

impl AskedSlices {
    /// The slices of the range that a model has; `together` are all the models that are asked for them.
    fn new(model: &TypedModel, asked: TimeRange, together: &[&str]) -> AskedSlices {
        let slices = slices(model, asked);
        AskedSlices { key: key(model, &slices, together), slices }
    }
}

impl Batch {
    /// The number of its slices.
    pub fn count(&self, model: &TypedModel) -> u64 {
        self.slices.slices(model.config.batch_size).count() as u64
    }
}

/// The slices of the range that a model has: none before it begins.
fn slices(model: &TypedModel, asked: TimeRange) -> SliceSet {
    let range = asked.aligned(model.config.batch_size);
    let start = model.config.begin.map_or(range.start(), |begin| model.config.batch_size.floor(begin));
    // Nothing is left of the range if all of it lies before the beginning.
    let range = TimeRange::new(range.start().max(start), range.end());
    SliceSet::new(range.into_iter().collect(), false)
}

/// Equal keys: the same code, the same range, and the same models with it.
fn key(model: &TypedModel, slices: &SliceSet, together: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&*model.fingerprint, &slices.to_string()].iter().chain(together) {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// Returns the newest round, if it did not come to its end, which is a release; else the one after it: what is complete and
/// asked for again begins anew.
fn round(steps: &[BackfillStep], observed: &Observed<'_>, released: &BTreeMap<TableKey, Released>) -> u64 {
    let asked = || steps.iter().filter_map(|step| Some((observed.typed.get(&step.model)?, step.range.as_ref()?)));
    let newest = asked().filter_map(|(model, asked)| Some(recorded(model, asked, observed)?.round)).max();
    let Some(newest) = newest else { return 1 };
    let all_complete = asked().all(|(model, asked)| {
        let record = recorded(model, asked, observed).filter(|record| record.round == newest);
        // Every batch commits alone, and only a release shows that all of them are done.
        let release = released.get(&model.table.key());
        is_complete(asked, model.config.batch_size, record, release)
    });
    if all_complete { newest + 1 } else { newest }
}

/// Whether a call has done all that was asked for, and a release shows it.
fn is_complete(asked: &AskedSlices, grain: Grain, record: Option<&Backfill>, release: Option<&Released>) -> bool {
    let mut slices = asked.slices.slices(grain);
    match record {
        Some(record) => {
            let is_released = release.is_some_and(|release| release.version >= record.version);
            is_released && slices.all(|slice| record.done.contains(slice))
        }
        None => slices.next().is_none(),
    }
}

fn recorded<'o>(model: &TypedModel, asked: &AskedSlices, observed: &Observed<'o>) -> Option<&'o Backfill> {
    observed.tables.get(&model.table)?.as_deref()?.backfill(&asked.key)
}

fn within(done: &SliceSet, asked: &SliceSet, model: &TypedModel) -> SliceSet {
    let grain = model.config.batch_size;
    SliceSet::of(asked.slices(grain).filter(|slice| done.contains(*slice)), grain).unwrap_or_default()
}
