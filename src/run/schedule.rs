//! Ready steps run side by side, a bounded number of them; a failure skips what depends on it, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{FuturesUnordered, StreamExt};

use super::context::RunContext;
use super::quarantine;
use super::report::{Outcome, RunReport, StepReport, StepResult, StepTimes};
use super::tested::UnchangedTests;
use crate::analyze::TypedModel;
use crate::execute::Event;
use crate::failure::Failure;
use crate::figures::counted;
use crate::incremental::Decision;
use crate::name::ModelName;
use crate::plan::{RunPlan, Step};

/// How many steps are at work, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPace {
    /// At most so many models are built at the same time.
    pub at_once: usize,
    /// Whether nothing more is begun once a step has failed. What is at work then comes to its end: a commit that is cut off
    /// would have an unknown outcome.
    pub fail_fast: bool,
}

impl RunContext<'_> {
    /// Runs every step of the plan.
    pub(super) async fn run_plan(&self, plan: &RunPlan, pace: RunPace) -> RunReport {
        // Kahn's algorithm, with a bounded number of steps at work: a step is ready when all that it waits for have ended.
        let mut progress = ScheduleProgress::new(plan);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < pace.at_once.max(1) {
                let Some(place) = progress.ready.pop_first() else { break };
                let Some(step) = plan.steps.get(place) else { continue };
                let failed = progress.failed.as_ref().filter(|_| pace.fail_fast).cloned();
                match progress.blocked_by(step).or(failed) {
                    Some(because) => progress.finish(self.skipped(step, because)),
                    None => running.push(self.run_step(step)),
                }
            }
            let Some(report) = running.next().await else { break };
            progress.finish(report);
        }
        progress.report(plan)
    }

    fn skipped(&self, step: &Step, because: ModelName) -> StepReport {
        self.observer.event(&Event::Skipped { model: &step.model, because: &because });
        let why = format!("`{because}` failed");
        let outcome = Outcome::Skipped { because };
        StepReport { outcome, ..StepReport::new(&step.model, &why) }
    }

    async fn run_step(&self, step: &Step) -> StepReport {
        let started = self.identity.host.now();
        let ended = self.try_step(step).await;
        let times = StepTimes { started, ended: self.identity.host.now() };
        let model = &step.model;
        match &ended.outcome {
            Outcome::Built(built) => {
                built.iter().for_each(|built| self.observer.event(&Event::Built { model, built }));
            }
            Outcome::Unchanged => self.observer.event(&Event::Unchanged { model, why: &ended.why }),
            Outcome::Failed(failure) => {
                self.observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
            }
            Outcome::Skipped { .. } => {}
        }
        StepReport { times: Some(times), ..ended }
    }

    async fn try_step(&self, step: &Step) -> StepReport {
        let report = StepReport::new(&step.model, &step.decision.why);
        if let Some(failure) = step.decision.blocked.as_ref().and_then(|table| self.catalog.why_unreadable(table)) {
            return report.failed(failure);
        }
        let model = self.catalog.typed.get(&step.model).filter(|_| step.decision.may_build());
        let Some(model) = model else { return self.unchanged(report).await };
        // The plan foresaw that all rows of a rebuilt input are other ones; now it is known which are.
        let decision = self.decide_again(model, None);
        if decision.build.is_none() && decision.bad_records.is_none() {
            return self.unchanged(report.because("the rows it reads came out unchanged")).await;
        }
        let report = report.because(&decision.why);
        self.observer.event(&Event::Started { model: &step.model, why: &decision.why });
        match self.build_with_bad_records(model, decision).await {
            Ok(StepResult::Built { built, checks }) => {
                StepReport { outcome: Outcome::Built(vec![built]), checks, ..report }
            }
            Ok(StepResult::Superseded) => self.unchanged(report.because("another run has built it meanwhile")).await,
            Ok(StepResult::Same { checks }) => {
                StepReport { checks, ..report.because("all of its rows came out unchanged") }
            }
            Err(failure) => report.failed(failure),
        }
    }

    /// The step of a table that stays as it is: its tests are run, but for those that have passed on what is there.
    async fn unchanged(&self, report: StepReport) -> StepReport {
        match self.check_unchanged(&report.model).await {
            Ok(UnchangedTests { results, skipped, since }) => {
                let why = match since {
                    Some(since) => {
                        let tests = counted(skipped, "test");
                        format!("{}; {tests} passed at {}", report.why, since.format("%Y-%m-%d %H:%M:%S"))
                    }
                    None => report.why.clone(),
                };
                StepReport { why, checks: results, unchanged_tests: skipped, ..report }
            }
            Err(failure) => report.failed(failure),
        }
    }

    /// Reads bad records again that were lost, and builds what is to build.
    async fn build_with_bad_records(&self, model: &TypedModel, decision: Decision) -> Result<StepResult, Failure> {
        let kept = match &decision.bad_records {
            Some(_) => Some(quarantine::read_again(self, model).await?),
            None => None,
        };
        match (decision.build.is_some(), kept) {
            (false, Some(built)) => Ok(StepResult::Built { built, checks: Vec::new() }),
            (true, _) | (false, None) => self.build(model, decision, None).await,
        }
    }
}

/// How far a plan has come.
struct ScheduleProgress<'p> {
    /// The places in the plan of those steps for which nothing must be waited any more.
    ready: BTreeSet<usize>,
    /// For how many others each step still waits.
    waiting: Vec<usize>,
    /// The places of the steps that wait for a model.
    waiters: BTreeMap<&'p ModelName, Vec<usize>>,
    done: BTreeMap<ModelName, StepReport>,
    /// The first that has failed.
    failed: Option<ModelName>,
}

impl<'p> ScheduleProgress<'p> {
    fn new(plan: &'p RunPlan) -> Self {
        let waiting: Vec<usize> = plan.steps.iter().map(|step| step.after.len()).collect();
        let ready = waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(place, _)| place).collect();
        let mut waiters: BTreeMap<&ModelName, Vec<usize>> = BTreeMap::new();
        for (place, step) in plan.steps.iter().enumerate() {
            for parent in &step.after {
                waiters.entry(parent).or_default().push(place);
            }
        }
        Self { ready, waiting, waiters, done: BTreeMap::new(), failed: None }
    }

    /// The failed model because of which the step cannot run: the first cause, not the skipped parent between.
    fn blocked_by(&self, step: &Step) -> Option<ModelName> {
        step.after.iter().find_map(|parent| match &self.done.get(parent)?.outcome {
            Outcome::Skipped { because } => Some(because.clone()),
            Outcome::Failed(_) => Some(parent.clone()),
            Outcome::Built(_) | Outcome::Unchanged => None,
        })
    }

    fn finish(&mut self, report: StepReport) {
        for place in self.waiters.get(&report.model).into_iter().flatten() {
            if let Some(count) = self.waiting.get_mut(*place) {
                *count -= 1;
                if *count == 0 {
                    self.ready.insert(*place);
                }
            }
        }
        if matches!(report.outcome, Outcome::Failed(_)) {
            self.failed.get_or_insert_with(|| report.model.clone());
        }
        self.done.insert(report.model.clone(), report);
    }

    /// In the order of the plan.
    fn report(mut self, plan: &RunPlan) -> RunReport {
        RunReport { steps: plan.steps.iter().filter_map(|step| self.done.remove(&step.model)).collect() }
    }
}
