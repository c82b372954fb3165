//! Ready steps run side by side, a bounded number of them; a failure skips what depends on it, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{FuturesUnordered, StreamExt};

use super::failure::Failure;
use super::observer::Event;
use super::quarantine;
use super::report::{Outcome, RunReport, StepReport};
use super::step::{StepResult, Workshop};
use crate::analyze::TypedModel;
use crate::check::CheckResult;
use crate::incremental::Decision;
use crate::name::ModelName;
use crate::plan::{RunPlan, Step};

/// Runs every step of the plan. At most `threads` models are built at once.
pub(crate) async fn run(plan: &RunPlan, shop: &Workshop<'_>, threads: usize) -> RunReport {
    let mut progress = Progress::new(plan);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < threads.max(1) {
            let Some(place) = progress.ready.pop_first() else { break };
            let Some(step) = plan.steps.get(place) else { continue };
            match progress.blocked_by(step) {
                Some(because) => {
                    shop.observer.event(&Event::Skipped { model: &step.model, because: &because });
                    progress.finish(step, Outcome::Skipped { because }, Vec::new());
                }
                None => running.push(one(step, shop)),
            }
        }
        let Some((step, outcome, checks)) = running.next().await else {
            break;
        };
        progress.finish(step, outcome, checks);
    }
    progress.report(plan)
}

async fn one<'p>(step: &'p Step, shop: &Workshop<'_>) -> (&'p Step, Outcome, Vec<CheckResult>) {
    let model = &step.model;
    let unchanged = |why: &str| {
        shop.observer.event(&Event::Unchanged { model, why });
        (step, Outcome::Unchanged, Vec::new())
    };
    if let Some(failure) = step.decision.blocked.as_ref().and_then(|table| shop.why_unreadable(table)) {
        shop.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
        return (step, Outcome::Failed(failure), Vec::new());
    }
    let Some(typed) = shop.typed.get(model).filter(|_| step.decision.may_build()) else {
        return unchanged(&step.decision.why);
    };
    // The plan foresaw that all rows of a rebuilt input are other ones; now it is known which are.
    let decision = shop.decide_now(typed);
    if decision.build.is_none() && decision.bad_records.is_none() {
        return unchanged("the rows it reads came out unchanged");
    }
    shop.observer.event(&Event::Started { model, why: &decision.why });
    match build(typed, decision, shop).await {
        Ok(StepResult::Built { built, checks }) => {
            shop.observer.event(&Event::Built { model, built: &built });
            (step, Outcome::Built, checks)
        }
        Ok(StepResult::Superseded) => unchanged("another run has built it meanwhile"),
        Ok(StepResult::Same { checks }) => {
            let (_, outcome, _) = unchanged("all of its rows came out unchanged");
            (step, outcome, checks)
        }
        Err(failure) => {
            shop.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
            (step, Outcome::Failed(failure), Vec::new())
        }
    }
}

/// Reads bad records again that were lost, and builds what is to build.
async fn build(model: &TypedModel, decision: Decision, shop: &Workshop<'_>) -> Result<StepResult, Failure> {
    let kept = match &decision.bad_records {
        Some(_) => Some(quarantine::read_again(shop, model).await?),
        None => None,
    };
    match (decision.build.is_some(), kept) {
        (false, Some(built)) => Ok(StepResult::Built { built, checks: Vec::new() }),
        (true, _) | (false, None) => shop.build(model, decision).await,
    }
}

struct Progress<'p> {
    /// The places in the plan of those steps for which nothing must be waited any more.
    ready: BTreeSet<usize>,
    /// For how many others each step still waits.
    waiting: Vec<usize>,
    /// The places of the steps that wait for a model.
    waiters: BTreeMap<&'p ModelName, Vec<usize>>,
    /// Of each finished step whether its descendants may run, and what it left.
    done: BTreeMap<ModelName, (bool, Outcome, Vec<CheckResult>)>,
}

impl<'p> Progress<'p> {
    fn new(plan: &'p RunPlan) -> Progress<'p> {
        let waiting: Vec<usize> = plan.steps.iter().map(|step| step.after.len()).collect();
        let ready = waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(place, _)| place).collect();
        let mut waiters: BTreeMap<&ModelName, Vec<usize>> = BTreeMap::new();
        for (place, step) in plan.steps.iter().enumerate() {
            for parent in &step.after {
                waiters.entry(parent).or_default().push(place);
            }
        }
        Progress { ready, waiting, waiters, done: BTreeMap::new() }
    }

    /// The failed model because of which the step cannot run: the first cause, not the skipped parent between.
    fn blocked_by(&self, step: &Step) -> Option<ModelName> {
        step.after.iter().find_map(|parent| match self.done.get(parent) {
            Some((false, Outcome::Skipped { because }, _)) => Some(because.clone()),
            Some((false, _, _)) => Some(parent.clone()),
            Some((true, _, _)) | None => None,
        })
    }

    fn finish(&mut self, step: &Step, outcome: Outcome, checks: Vec<CheckResult>) {
        let passable = match &outcome {
            Outcome::Built | Outcome::Unchanged => true,
            Outcome::Failed(Failure::Project(_) | Failure::World(_)) | Outcome::Skipped { .. } => false,
        };
        self.done.insert(step.model.clone(), (passable, outcome, checks));
        for place in self.waiters.get(&step.model).into_iter().flatten() {
            if let Some(count) = self.waiting.get_mut(*place) {
                *count -= 1;
                if *count == 0 {
                    self.ready.insert(*place);
                }
            }
        }
    }

    /// In the order of the plan.
    fn report(mut self, plan: &RunPlan) -> RunReport {
        let step = |step: &Step| {
            let (_, outcome, checks) = self.done.remove(&step.model)?;
            Some(StepReport { model: step.model.clone(), outcome, checks })
        };
        RunReport { steps: plan.steps.iter().filter_map(step).collect() }
    }
}
