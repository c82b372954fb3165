//! What a run will do, as data: complete, so that running decides nothing. And the same for people to read.

mod backfill;
mod cut;
mod estimate;
mod preview;
mod show;
mod slice_report;
mod slice_report_text;
mod upkeep;
mod windows;

pub(crate) use backfill::{BackfillPlan, BackfillStep, Batch, RemainingBatches};
pub(crate) use cut::Cutting;
pub(crate) use estimate::Survey;
pub(crate) use preview::{Preview, PreviewOptions};
pub(crate) use show::announcement;
pub(crate) use slice_report::{ReportedSlice, SliceReport};
pub(crate) use upkeep::{PartitionUpkeep, TableUpkeep, UpkeepOptions, upkeep};

use std::collections::{BTreeMap, BTreeSet};

use crate::analyze::TypedModel;
use crate::incremental::{Decider, Decision};
use crate::name::ModelName;

/// One model of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub model: ModelName,
    /// What is to build as far as that can be said before anything is built.
    pub decision: Decision,
    /// The selected models that must be done before.
    pub after: BTreeSet<ModelName>,
}

/// Every selected model once, in an order that the graph allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunPlan {
    pub steps: Vec<Step>,
}

/// Plans a run over the models in `order`, which is an order that the graph allows.
/// Besides its parents a model waits for what its tests read: `tested_with`, all earlier in the order.
pub(crate) fn plan(
    order: &[ModelName],
    decider: &Decider<'_>,
    tested_with: &BTreeMap<ModelName, BTreeSet<ModelName>>,
) -> RunPlan {
    let typed = decider.observed.typed;
    let mut decisions = decider.decide_all(order);
    // Views have no step of their own: they are planned where they are read, and their parents are waited for instead.
    let stored = order.iter().filter_map(|name| typed.get(name)).filter(|model| model.config.materialized.is_stored());
    let built: BTreeSet<&ModelName> = stored.map(|model| &model.name).collect();
    let steps = order
        .iter()
        .filter(|name| built.contains(name))
        .filter_map(|name| {
            let decision = decisions.remove(name)?;
            let tested = tested_with.get(name).into_iter().flatten().cloned();
            let after = parents(name, typed).chain(tested);
            let after = after.filter(|other| other != name && built.contains(other)).collect();
            Some(Step { model: name.clone(), decision, after })
        })
        .collect();
    RunPlan { steps }
}

/// The stored models that a model reads, through views too.
fn parents(name: &ModelName, typed: &BTreeMap<ModelName, TypedModel>) -> impl Iterator<Item = ModelName> {
    typed.get(name).into_iter().flat_map(TypedModel::models_read)
}
