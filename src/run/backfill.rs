//! A backfill: batches run side by side, a bounded number of them over all models, and each commits alone.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use futures::stream::{FuturesUnordered, StreamExt};

use super::context::RunContext;
use super::report::{Outcome, RunReport, StepReport, StepResult, StepTimes};
use crate::execute::{BackfillEvent, Built, Event};
use crate::failure::Failure;
use crate::incremental::Decision;
use crate::name::ModelName;
use crate::plan::{BackfillPlan, BackfillStep, Batch, RemainingBatches};

impl RunContext<'_> {
    /// Does what is left of a backfill. A model's batches begin when its selected parents are done. After a failure those
    /// that run come to their end; what depends on it is skipped, and the rest goes on.
    pub(super) async fn run_batches(&self, plan: &BackfillPlan) -> RunReport {
        foretell(plan, self);
        let mut queues =
            Queues { plan, context: self, stages: plan.steps.iter().map(|_| ModelStage::Waiting).collect() };
        let mut running = FuturesUnordered::new();
        loop {
            queues.advance();
            while running.len() < plan.cutting.threads.max(1) {
                let Some(NextJob { place, step, job }) = queues.next() else { break };
                running.push(async move { Ended { place, result: run_job(step, job, self).await } });
            }
            let Some(ended) = running.next().await else { break };
            queues.ended(ended);
        }
        queues.report()
    }
}

/// One thing that is built and committed.
enum Job {
    Batch(Batch),
    /// A model that is not cut by time, as a run builds it.
    Model(Decision),
}

/// A job whose turn it is, and the place of its step in the plan.
struct NextJob<'p> {
    place: usize,
    step: &'p BackfillStep,
    job: Job,
}

/// What came of a job; no figures if nothing was committed.
struct Ended {
    place: usize,
    result: Result<Option<Built>, Failure>,
}

/// Where a model stands.
enum ModelStage {
    Waiting,
    Open(Box<OpenModel>),
    Done(Box<StepReport>),
}

/// A model whose batches are built.
struct OpenModel {
    queue: VecDeque<Job>,
    running: usize,
    report: StepReport,
    times: StepTimes,
    built: Vec<Built>,
    failure: Option<Failure>,
}

impl ModelStage {
    fn done(report: StepReport) -> ModelStage {
        ModelStage::Done(Box::new(report))
    }
}

impl OpenModel {
    /// Whether nothing of it runs and nothing will.
    fn has_ended(&self) -> bool {
        self.running == 0 && (self.queue.is_empty() || self.failure.is_some())
    }

    fn report(&mut self) -> StepReport {
        let outcome = match self.failure.take() {
            Some(failure) => Outcome::Failed(failure),
            None if self.built.is_empty() => Outcome::Unchanged,
            None => Outcome::Built(std::mem::take(&mut self.built)),
        };
        let StepReport { model, why, .. } = &self.report;
        StepReport { outcome, times: Some(self.times), ..StepReport::new(model, why) }
    }
}

/// What waits and what is at work, model by model.
struct Queues<'p, 'a> {
    plan: &'p BackfillPlan,
    context: &'p RunContext<'a>,
    /// One of each step.
    stages: Vec<ModelStage>,
}

/// Says how much there is to do before anything is known about inputs that are still to be built.
fn foretell(plan: &BackfillPlan, context: &RunContext<'_>) {
    for step in &plan.steps {
        match step.range {
            Some(_) => drop(left(plan, step, context)),
            None => announce(context, &step.model, BackfillEvent::Planned { batches: 1, slices: 1, done: 0 }),
        }
    }
}

fn announce(context: &RunContext<'_>, model: &ModelName, what: BackfillEvent<'_>) {
    context.observer.event(&Event::Backfill { model, what });
}

/// Nothing of a model is built.
const NOTHING: BackfillEvent<'static> = BackfillEvent::Planned { batches: 0, slices: 0, done: 0 };

/// What is left of a model, which is announced.
fn left(plan: &BackfillPlan, step: &BackfillStep, context: &RunContext<'_>) -> RemainingBatches {
    let Some(asked) = &step.range else { return RemainingBatches::default() };
    let Some(model) = context.catalog.typed.get(&step.model) else { return RemainingBatches::default() };
    let left = context.catalog.observed(|observed| plan.left(asked, model, observed));
    let slices = left.batches.iter().map(|batch| batch.count(model)).sum();
    announce(context, &step.model, BackfillEvent::Planned { batches: left.batches.len(), slices, done: left.done });
    left
}

impl<'p> Queues<'p, '_> {
    /// Brings every model as far as it comes without building anything: parents stand before their children.
    fn advance(&mut self) {
        for (place, step) in self.plan.steps.iter().enumerate() {
            let next = match self.stages.get_mut(place) {
                Some(ModelStage::Waiting) => self.opened(step),
                Some(ModelStage::Open(opened)) if opened.has_ended() => Some(ModelStage::done(opened.report())),
                Some(ModelStage::Open(_) | ModelStage::Done(_)) | None => None,
            };
            if let Some(next) = next
                && let Some(stage) = self.stages.get_mut(place)
            {
                *stage = next;
            }
        }
    }

    /// What becomes of a model that waits. Returns `None` if it still waits.
    fn opened(&self, step: &BackfillStep) -> Option<ModelStage> {
        let model = &step.model;
        let parents = self.plan.steps.iter().zip(&self.stages).filter(|(parent, _)| step.after.contains(&parent.model));
        for (parent, stage) in parents {
            let ModelStage::Done(report) = stage else { return None };
            let because = match &report.outcome {
                Outcome::Built(_) | Outcome::Unchanged => continue,
                Outcome::Failed(_) => parent.model.clone(),
                Outcome::Skipped { because } => because.clone(),
            };
            announce(self.context, model, NOTHING);
            self.context.observer.event(&Event::Skipped { model, because: &because });
            let report = StepReport::new(model, &format!("`{because}` failed"));
            return Some(ModelStage::done(StepReport { outcome: Outcome::Skipped { because }, ..report }));
        }
        let blocked = step.blocked.as_ref().and_then(|table| self.context.catalog.why_unreadable(table));
        if let Some(failure) = blocked {
            announce(self.context, model, NOTHING);
            self.context.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
            return Some(ModelStage::done(StepReport::new(model, "").failed(failure)));
        }
        Some(self.begun(step))
    }

    /// The jobs of a model whose parents are done; or, if there are none, why.
    fn begun(&self, step: &BackfillStep) -> ModelStage {
        let now = self.context.identity.host.now();
        let model = &step.model;
        if step.range.is_some() {
            let left = left(self.plan, step, self.context);
            let why = match (left.batches.is_empty(), left.done) {
                (false, _) => "asked for",
                (true, 0) => return self.unchanged(model, "it has no slices in the range"),
                (true, _) => return self.unchanged(model, "all of the range is done"),
            };
            return open(left.batches.into_iter().map(Job::Batch).collect(), StepReport::new(model, why), now);
        }
        let Some(typed) = self.context.catalog.typed.get(model) else {
            return ModelStage::done(StepReport::new(model, ""));
        };
        let decision = self.context.decide_again(typed, None);
        if decision.build.is_none() {
            announce(self.context, model, NOTHING);
            return self.unchanged(model, &decision.why);
        }
        let report = StepReport::new(model, &decision.why);
        open(VecDeque::from([Job::Model(decision)]), report, now)
    }

    fn unchanged(&self, model: &ModelName, why: &str) -> ModelStage {
        self.context.observer.event(&Event::Unchanged { model, why });
        ModelStage::done(StepReport::new(model, why))
    }

    /// The next thing to do, of the first model that has one.
    fn next(&mut self) -> Option<NextJob<'p>> {
        self.plan.steps.iter().zip(&mut self.stages).enumerate().find_map(|(place, (step, stage))| match stage {
            ModelStage::Open(opened) if opened.failure.is_none() => {
                let job = opened.queue.pop_front()?;
                opened.running += 1;
                Some(NextJob { place, step, job })
            }
            ModelStage::Waiting | ModelStage::Open(_) | ModelStage::Done(_) => None,
        })
    }

    fn ended(&mut self, ended: Ended) {
        let Some(ModelStage::Open(opened)) = self.stages.get_mut(ended.place) else { return };
        opened.running -= 1;
        opened.times.ended = self.context.identity.host.now();
        match ended.result {
            Ok(built) => opened.built.extend(built),
            Err(failure) => opened.failure = opened.failure.take().or(Some(failure)),
        }
    }

    /// In the order of the plan.
    fn report(self) -> RunReport {
        let steps = self.stages.into_iter().filter_map(|stage| match stage {
            ModelStage::Done(report) => Some(*report),
            ModelStage::Waiting | ModelStage::Open(_) => None,
        });
        RunReport { steps: steps.collect() }
    }
}

fn open(queue: VecDeque<Job>, report: StepReport, now: DateTime<Utc>) -> ModelStage {
    let times = StepTimes { started: now, ended: now };
    ModelStage::Open(Box::new(OpenModel { queue, running: 0, report, times, built: Vec::new(), failure: None }))
}

/// Builds a batch or a model. Returns the figures of what was committed, if anything was.
async fn run_job(step: &BackfillStep, job: Job, context: &RunContext<'_>) -> Result<Option<Built>, Failure> {
    let model = &step.model;
    let Some(typed) = context.catalog.typed.get(model) else { return Ok(None) };
    let result = match job {
        Job::Batch(batch) => {
            let slices = &batch.slices;
            let count = batch.count(typed);
            announce(context, model, BackfillEvent::Started { slices, count });
            let decision = context.decide_again(typed, Some(&batch));
            let result = context.build(typed, decision, Some(&batch)).await;
            if let Ok(result) = &result {
                let built = match result {
                    StepResult::Built { built, .. } => Some(built),
                    StepResult::Superseded | StepResult::Same { .. } => None,
                };
                announce(context, model, BackfillEvent::Ended { slices, count, built });
            }
            result.map_err(|failure| failure.noted(format!("in the batch {slices}")))
        }
        Job::Model(decision) => {
            context.observer.event(&Event::Started { model, why: &decision.why });
            let result = context.build(typed, decision, None).await;
            match &result {
                Ok(StepResult::Built { built, .. }) => context.observer.event(&Event::Built { model, built }),
                Ok(StepResult::Superseded | StepResult::Same { .. }) => {
                    context.observer.event(&Event::Unchanged { model, why: "all of its rows came out unchanged" });
                }
                Err(_) => {}
            }
            result
        }
    };
    match result {
        Ok(StepResult::Built { built, .. }) => Ok(Some(built)),
        Ok(StepResult::Superseded | StepResult::Same { .. }) => Ok(None),
        Err(failure) => {
            context.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
            Err(failure)
        }
    }
}
