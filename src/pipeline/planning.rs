//! Plans, made of what a lake and the sources hold now: `run` does them, `plan` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load::Compiled;
use crate::catalog::{Catalog, ObservationScope, observe};
use crate::check::{CheckBatch, Guards, with_constraints, with_hooks};
use crate::day::TimeRange;
use crate::execute::{Engine, Observer, peek};
use crate::failure::Failure;
use crate::incremental::{Build, Decider, Refresh};
use crate::name::{ModelName, TableKey};
use crate::plan::{self, BackfillPlan, Cutting, RunPlan, Step, announcement};
use crate::run::{Done, RunContext, RunIdentity, RunPace};
use crate::store::{Lake, Released, StoreError};

/// What is to be brought up to date, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct BuildRequest {
    /// The selected models, in an order that the graph allows.
    pub order: Vec<ModelName>,
    pub refresh: Refresh,
}

/// What is to be done, and what that was decided by.
pub(crate) struct Planned<'a> {
    pub request: BuildRequest,
    pub catalog: Catalog<'a>,
    pub plan: RunPlan,
    /// The models that the tests of a model read.
    tested_with: TestedWith,
}

/// So many tables of another target are named before a run; the plan names all.
const MOST_ELSEWHERE: usize = 8;

type TestedWith = BTreeMap<ModelName, BTreeSet<ModelName>>;

impl<'a> Planned<'a> {
    /// Looks at the tables and sources that the models and their tests need, and plans.
    ///
    /// # Errors
    ///
    /// As [`observe`].
    pub async fn new(
        compiled: &'a Compiled,
        lake: &Lake,
        request: BuildRequest,
        guards: &Guards,
    ) -> Result<Self, Vec<Failure>> {
        let guards = &with_hooks(&with_constraints(guards, &compiled.constraints), &compiled.hooks);
        let scope = ObservationScope::of_models(&compiled.typed, &request.order, guards);
        let catalog = observe(compiled.over(lake), &scope).await?;
        let tested_with = tested_with(guards);
        let plan = planned(&catalog, &request, &tested_with);
        Ok(Self { request, catalog, plan, tested_with })
    }

    /// Whether a run would load files: then `with_arrivals` says which slices their rows belong to.
    pub fn loads_files(&self) -> bool {
        let mut loads = self.plan.steps.iter().filter_map(|step| step.decision.build.as_ref().and_then(Build::load));
        loads.any(|load| !load.read.is_empty())
    }

    /// The plan with a look into the files that a run would load: only they say which slices their rows belong to.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read.
    pub async fn with_arrivals(self, engine: &Engine) -> Result<Self, Failure> {
        let Self { request, catalog, plan, tested_with } = self;
        // Only files that a plan would load are opened. The plan is then made again, now that it is known which slices their
        // rows belong to; no arrival changes which files are loaded, so once is enough.
        for Step { model, decision, .. } in &plan.steps {
            if let Some(load) = decision.build.as_ref().and_then(Build::load)
                && !load.read.is_empty()
                && let Some(typed) = catalog.typed.get(model)
            {
                let arrivals = peek(engine, &catalog, typed, &load.read).await?;
                catalog.foresee(model.clone(), arrivals);
            }
        }
        let plan = planned(&catalog, &request, &tested_with);
        Ok(Self { request, catalog, plan, tested_with })
    }

    /// What is said before the plan is done: how many models are built and why, and what is read from another target.
    pub fn announcement(&self) -> Vec<String> {
        let mut lines = announcement(&self.plan);
        if !lines.is_empty() {
            lines.extend(self.read_elsewhere());
        }
        lines
    }

    /// The tables that are read from another target. Returns `None` if there are none.
    fn read_elsewhere(&self) -> Option<String> {
        let target = self.catalog.other_target?;
        let names: Vec<String> = self.catalog.observed(|observed| {
            let states = observed.tables.iter().filter_map(|(name, state)| Some((name, state.as_ref()?)));
            let elsewhere = states.filter(|(_, state)| state.elsewhere.is_some());
            elsewhere.map(|(name, state)| format!("{name}@{}", state.version)).collect()
        });
        let shown = names.iter().take(MOST_ELSEWHERE).cloned().collect::<Vec<_>>().join(", ");
        match names.len().saturating_sub(MOST_ELSEWHERE) {
            _ if names.is_empty() => None,
            0 => Some(format!("read from target `{target}`: {shown}")),
            more => Some(format!("read from target `{target}`: {shown} and {more} more")),
        }
    }

    /// The run that does the plan.
    pub fn ready(self, compiled: &Compiled, engine: Engine, observer: &'a dyn Observer) -> ReadyRun<'a> {
        let builds = self.plan.steps.iter().any(|step| step.decision.may_build());
        // Asking git costs a process: only commits name a revision.
        let identity = RunIdentity::new(Arc::clone(&compiled.loaded.workspace.host), builds);
        let context = RunContext::new(self.catalog, engine, self.request.refresh, identity, observer);
        let context = context.hooked(compiled.hooks.clone()).guarded(compiled.constraints.clone(), false);
        ReadyRun { context, plan: self.plan, order: self.request.order }
    }

    /// The seeds that the models of the plan read, that are not built with them, and whose files are not what their tables
    /// were loaded from. A seed that was never loaded is not among them: whoever needs its table finds that out.
    pub fn changed_seeds(&self) -> Vec<ModelName> {
        let mut read = BTreeSet::new();
        for model in self.request.order.iter().filter_map(|name| self.catalog.typed.get(name)) {
            read.extend(model.models_read());
        }
        // What is built with them is up to date when they are.
        read.retain(|name| !self.request.order.contains(name));
        self.catalog.observed(|observed| {
            let decider = Decider::new(*observed, Refresh::Stale);
            let mut changed = Vec::new();
            for seed in read.iter().filter_map(|name| self.catalog.typed.get(name)) {
                if seed.is_seed() && observed.table_of(seed).is_some() && decider.decide(seed).may_build() {
                    changed.push(seed.name.clone());
                }
            }
            changed
        })
    }

    /// Why tables cannot be read without which something of the plan cannot be built, each once.
    pub fn blocks(&self) -> Vec<Failure> {
        let tables: BTreeSet<_> = self.plan.steps.iter().filter_map(|step| step.decision.blocked.as_ref()).collect();
        tables.into_iter().filter_map(|table| self.catalog.why_unreadable(table)).collect()
    }
}

/// A plan with everything that it takes to do it.
pub(crate) struct ReadyRun<'a> {
    context: RunContext<'a>,
    plan: RunPlan,
    order: Vec<ModelName>,
}

impl ReadyRun<'_> {
    /// The same run, in which these data tests guard every commit. Those of tables that are up to date are run unless they
    /// have passed on what is there, or `reruns_tests` says otherwise.
    pub fn guarded(self, guards: Guards, reruns_tests: bool) -> Self {
        let guards = with_constraints(&guards, &self.context.guards);
        Self { context: self.context.guarded(guards, reruns_tests), ..self }
    }

    /// Which run it is.
    pub fn identity(&self) -> &RunIdentity {
        &self.context.identity
    }

    /// The data tests that guard its commits.
    pub fn guards(&self) -> &Guards {
        &self.context.guards
    }

    /// Does the plan at a pace.
    ///
    /// # Errors
    ///
    /// As [`RunContext::run`].
    pub async fn run(&self, pace: RunPace) -> Result<Done, StoreError> {
        self.context.run(&self.plan, &self.order, pace).await
    }
}

fn planned(catalog: &Catalog<'_>, request: &BuildRequest, tested_with: &TestedWith) -> RunPlan {
    catalog.observed(|observed| plan::plan(&request.order, &Decider::new(*observed, request.refresh), tested_with))
}

fn tested_with(guards: &Guards) -> TestedWith {
    let read = guards.iter().map(|(model, batches)| {
        let models = batches.iter().flat_map(CheckBatch::models).collect();
        (model.clone(), models)
    });
    read.collect()
}

/// A backfill, and what it was planned by.
pub(crate) struct PlannedBackfill<'a> {
    pub order: Vec<ModelName>,
    pub catalog: Catalog<'a>,
    pub plan: BackfillPlan,
}

impl<'a> PlannedBackfill<'a> {
    /// Looks at the tables and sources that the models need, and cuts what is left of the range into batches.
    ///
    /// # Errors
    ///
    /// As [`observe`].
    pub async fn new(
        compiled: &'a Compiled,
        lake: &Lake,
        order: Vec<ModelName>,
        asked: TimeRange,
        cutting: Cutting,
    ) -> Result<Self, Vec<Failure>> {
        // A backfill runs no tests: what they read is not looked at.
        let scope =
            ObservationScope::of_models(&compiled.typed, &order, &with_hooks(&compiled.constraints, &compiled.hooks));
        let catalog = observe(compiled.over(lake), &scope).await?;
        let released = released(lake).await.map_err(|error| vec![Failure::from(error)])?;
        let plan = catalog.observed(|observed| BackfillPlan::new(&order, observed, &released, asked, cutting));
        Ok(Self { order, catalog, plan })
    }

    /// The backfill with everything that it takes to do it.
    pub fn ready(self, compiled: &Compiled, engine: Engine, observer: &'a dyn Observer) -> ReadyBackfill<'a> {
        let identity = RunIdentity::new(Arc::clone(&compiled.loaded.workspace.host), true);
        let context = RunContext::new(self.catalog, engine, Refresh::Stale, identity, observer);
        let context = context.hooked(compiled.hooks.clone()).guarded(compiled.constraints.clone(), false);
        ReadyBackfill { context, plan: self.plan, order: self.order }
    }
}

/// A backfill with everything that it takes to do it.
pub(crate) struct ReadyBackfill<'a> {
    context: RunContext<'a>,
    plan: BackfillPlan,
    order: Vec<ModelName>,
}

impl ReadyBackfill<'_> {
    /// Which run it is.
    pub fn identity(&self) -> &RunIdentity {
        &self.context.identity
    }

    /// Does what is left.
    ///
    /// # Errors
    ///
    /// As [`RunContext::run`].
    pub async fn run(&self) -> Result<Done, StoreError> {
        self.context.backfill(&self.plan, &self.order).await
    }
}

/// The tables of the newest release.
async fn released(lake: &Lake) -> Result<BTreeMap<TableKey, Released>, StoreError> {
    let release = lake.newest_release().await?;
    Ok(release.map(|newest| newest.release.tables).unwrap_or_default())
}
