//! A backfill: batches run side by side, a bounded number of them over all models, and each commits alone.

use std::collections::VecDeque;

use futures::stream::{FuturesUnordered, StreamExt};

use super::failure::Failure;
use super::observer::{BackfillEvent, Event};
use super::report::{Outcome, RunReport, StepReport};
use super::step::{StepResult, Workshop};
use crate::incremental::Decision;
use crate::name::ModelName;
use crate::plan::{BackfillPlan, BackfillStep, Batch, Left};

/// Does what is left of a backfill. A model's batches begin when its selected parents are done. After a failure those
/// that run come to their end; what depends on it is skipped, and the rest goes on.
pub(crate) async fn backfill(plan: &BackfillPlan, shop: &Workshop<'_>) -> RunReport {
    foretell(plan, shop);
    let mut lanes = Lanes { plan, shop, stages: plan.steps.iter().map(|_| Stage::Waiting).collect() };
    let mut running = FuturesUnordered::new();
    loop {
        lanes.advance();
        while running.len() < plan.cutting.threads.max(1) {
            let Some((place, step, job)) = lanes.next() else { break };
            running.push(async move { (place, one(step, job, shop).await) });
        }
        let Some((place, result)) = running.next().await else { break };
        lanes.ended(place, result);
    }
    lanes.report()
}

/// One thing that is built and committed.
enum Job {
    Batch(Batch),
    /// A model that is not cut by time, as a run builds it.
    Model(Decision),
}

/// Where a model stands.
enum Stage {
    Waiting,
    Open { queue: VecDeque<Job>, running: usize, built: bool, failure: Option<Failure> },
    Done(Outcome),
}

struct Lanes<'p, 'a> {
    plan: &'p BackfillPlan,
    shop: &'p Workshop<'a>,
    /// One of each step.
    stages: Vec<Stage>,
}

/// Says how much there is to do before anything is known about inputs that are still to be built.
fn foretell(plan: &BackfillPlan, shop: &Workshop<'_>) {
    for step in &plan.steps {
        match step.range.is_some() {
            true => drop(left(plan, step, shop)),
            false => planned(shop, &step.model, (1, 1, 0)),
        }
    }
}

fn planned(shop: &Workshop<'_>, model: &ModelName, (batches, slices, done): (usize, u64, u64)) {
    let what = BackfillEvent::Planned { batches, slices, done };
    shop.observer.event(&Event::Backfill { model, what });
}

/// What is left of a model, which is told.
fn left(plan: &BackfillPlan, step: &BackfillStep, shop: &Workshop<'_>) -> Left {
    let (Some(asked), Some(model)) = (&step.range, shop.typed.get(&step.model)) else { return Left::default() };
    let left = shop.observed(|observed| plan.left(asked, model, observed));
    let slices = left.batches.iter().map(|batch| batch.count(model)).sum();
    planned(shop, &step.model, (left.batches.len(), slices, left.done));
    left
}

impl<'p> Lanes<'p, '_> {
    /// Brings every model as far as it comes without building anything: parents stand before their children.
    fn advance(&mut self) {
        for (place, step) in self.plan.steps.iter().enumerate() {
            let next = match self.stages.get_mut(place) {
                Some(Stage::Waiting) => self.opened(step),
                Some(Stage::Open { queue, running: 0, built, failure }) if queue.is_empty() || failure.is_some() => {
                    let outcome = if *built { Outcome::Built } else { Outcome::Unchanged };
                    Some(Stage::Done(failure.take().map_or(outcome, Outcome::Failed)))
                }
                Some(Stage::Open { .. } | Stage::Done(_)) | None => None,
            };
            if let (Some(next), Some(stage)) = (next, self.stages.get_mut(place)) {
                *stage = next;
            }
        }
    }

    /// What becomes of a model that waits; nothing if it still waits.
    fn opened(&self, step: &BackfillStep) -> Option<Stage> {
        let parents = self.plan.steps.iter().zip(&self.stages).filter(|(parent, _)| step.after.contains(&parent.model));
        for (parent, stage) in parents {
            let because = match stage {
                Stage::Waiting | Stage::Open { .. } => return None,
                Stage::Done(Outcome::Built | Outcome::Unchanged) => continue,
                Stage::Done(Outcome::Failed(_)) => parent.model.clone(),
                Stage::Done(Outcome::Skipped { because }) => because.clone(),
            };
            planned(self.shop, &step.model, (0, 0, 0));
            self.shop.observer.event(&Event::Skipped { model: &step.model, because: &because });
            return Some(Stage::Done(Outcome::Skipped { because }));
        }
        if let Some(failure) = step.blocked.as_ref().and_then(|table| self.shop.why_unreadable(table)) {
            planned(self.shop, &step.model, (0, 0, 0));
            let message = &failure.diagnostic().message;
            self.shop.observer.event(&Event::Failed { model: &step.model, message });
            return Some(Stage::Done(Outcome::Failed(failure)));
        }
        let queue = self.jobs(step);
        if queue.is_empty() {
            return Some(Stage::Done(Outcome::Unchanged));
        }
        Some(Stage::Open { queue, running: 0, built: false, failure: None })
    }

    fn jobs(&self, step: &BackfillStep) -> VecDeque<Job> {
        let shop = self.shop;
        let unchanged = |why: &str| shop.observer.event(&Event::Unchanged { model: &step.model, why });
        if step.range.is_some() {
            let left = left(self.plan, step, shop);
            match (left.batches.is_empty(), left.done) {
                (false, _) => {}
                (true, 0) => unchanged("it has no slices in the range"),
                (true, _) => unchanged("all of the range is done"),
            }
            return left.batches.into_iter().map(Job::Batch).collect();
        }
        let Some(model) = shop.typed.get(&step.model) else { return VecDeque::new() };
        let decision = shop.decide_now(model);
        if decision.build.is_none() {
            planned(shop, &step.model, (0, 0, 0));
            unchanged(&decision.why);
            return VecDeque::new();
        }
        VecDeque::from([Job::Model(decision)])
    }

    /// The next thing to do, of the first model that has one.
    fn next(&mut self) -> Option<(usize, &'p BackfillStep, Job)> {
        self.plan.steps.iter().zip(&mut self.stages).enumerate().find_map(|(place, (step, stage))| match stage {
            Stage::Open { queue, running, failure: None, .. } => {
                let job = queue.pop_front()?;
                *running += 1;
                Some((place, step, job))
            }
            Stage::Waiting | Stage::Open { .. } | Stage::Done(_) => None,
        })
    }

    fn ended(&mut self, place: usize, result: Result<bool, Failure>) {
        let Some(Stage::Open { running, built, failure, .. }) = self.stages.get_mut(place) else { return };
        *running -= 1;
        match result {
            Ok(has_built) => *built |= has_built,
            Err(error) => *failure = failure.take().or(Some(error)),
        }
    }

    /// In the order of the plan.
    fn report(self) -> RunReport {
        let step = |(step, stage): (&BackfillStep, Stage)| match stage {
            Stage::Done(outcome) => Some(StepReport { model: step.model.clone(), outcome, checks: Vec::new() }),
            Stage::Waiting | Stage::Open { .. } => None,
        };
        RunReport { steps: self.plan.steps.iter().zip(self.stages).filter_map(step).collect() }
    }
}

/// Whether something was committed.
async fn one(step: &BackfillStep, job: Job, shop: &Workshop<'_>) -> Result<bool, Failure> {
    let model = &step.model;
    let Some(typed) = shop.typed.get(model) else { return Ok(false) };
    let tell = |what| shop.observer.event(&Event::Backfill { model, what });
    let result = match job {
        Job::Batch(batch) => {
            let (slices, count) = (&batch.slices, batch.count(typed));
            tell(BackfillEvent::Started { slices, count });
            let result = shop.build_batch(typed, &batch).await;
            if let Ok(result) = &result {
                let built = match result {
                    StepResult::Built { built, .. } => Some(built),
                    StepResult::Superseded | StepResult::Same { .. } => None,
                };
                tell(BackfillEvent::Ended { slices, count, built });
            }
            result.map_err(|failure| failure.noted(format!("in the batch {slices}")))
        }
        Job::Model(decision) => {
            shop.observer.event(&Event::Started { model, why: &decision.why });
            let result = shop.build(typed, decision).await;
            match &result {
                Ok(StepResult::Built { built, .. }) => shop.observer.event(&Event::Built { model, built }),
                Ok(StepResult::Superseded | StepResult::Same { .. }) => {
                    shop.observer.event(&Event::Unchanged { model, why: "all of its rows came out unchanged" });
                }
                Err(_) => {}
            }
            result
        }
    };
    match result {
        Ok(StepResult::Built { .. }) => Ok(true),
        Ok(StepResult::Superseded | StepResult::Same { .. }) => Ok(false),
        Err(failure) => {
            shop.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
            Err(failure)
        }
    }
}
