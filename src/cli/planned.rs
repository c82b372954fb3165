//! The plan of a run, made of what the lake and the sources hold now: `run` does it, `plan` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::app::{App, Compiled};
use super::args::{EngineArgs, RangeArgs, SelectArgs};
use super::exit::Exit;
use super::observed::{Seen, observe, workshop};
use crate::check::{CheckBatch, Guards};
use crate::incremental::{Build, Decider, FilesSeen, Observed, Refresh, Windows};
use crate::name::{ModelName, TableName};
use crate::plan::{self, RunPlan, Step};
use crate::run::{self, Event, Observer};

/// What decides which slices are built.
pub(crate) struct Asked<'a> {
    pub select: &'a SelectArgs,
    pub range: &'a RangeArgs,
    pub full_refresh: bool,
}

pub(crate) struct Planned<'a> {
    /// The selected models, in an order that the graph allows.
    pub order: Vec<ModelName>,
    pub seen: Seen,
    /// Per source a digest of its files.
    pub digests: BTreeMap<TableName, String>,
    /// What the models read, derived where somebody asks.
    pub windows: Arc<Windows<'a>>,
    pub refresh: Refresh,
    pub plan: RunPlan,
    files: FilesSeen,
    tested_with: TestedWith,
}

type TestedWith = BTreeMap<ModelName, BTreeSet<ModelName>>;

impl<'a> Planned<'a> {
    /// Looks at tables and sources, and plans.
    pub fn of(app: &App<'_>, compiled: &'a Compiled, asked: Asked<'_>, checks: &Guards) -> Result<Planned<'a>, Exit> {
        let range = asked.range.range(app)?;
        let selection = app.select(&compiled.loaded, &asked.select.select, &asked.select.exclude)?;
        let models = compiled.loaded.dag.models();
        let order: Vec<ModelName> = models.filter(|name| selection.contains(name)).cloned().collect();
        let seen = observe(app, compiled, &order, checks)?;
        let refresh = match (range, asked.full_refresh) {
            (Some(range), _) => Refresh::Range(range),
            (None, true) => Refresh::Full,
            (None, false) => Refresh::Stale,
        };
        let digests = run::digests(&seen.sources);
        let windows = Arc::new(Windows::new(&compiled.typed));
        let (files, tested_with) = (seen.files(), tested_with(checks));
        let plan = RunPlan { steps: Vec::new() };
        let mut planned = Planned { order, seen, digests, windows, refresh, plan, files, tested_with };
        planned.plan = planned.again(compiled);
        Ok(planned)
    }

    fn again(&self, compiled: &'a Compiled) -> RunPlan {
        plan::plan(&self.order, &Decider::new(self.observed(compiled), self.refresh), &self.tested_with)
    }

    /// The plan with a look into the files that a run would load: only they say which slices their rows belong to.
    pub fn with_arrivals(mut self, app: &App<'_>, compiled: &'a Compiled) -> Result<Planned<'a>, Exit> {
        let loads = |step: &Step| match &step.decision.build {
            Some(Build::Files(load)) if !load.read.is_empty() => Some((step.model.clone(), load.read.clone())),
            _ => None,
        };
        let loads: Vec<_> = self.plan.steps.iter().filter_map(loads).collect();
        if loads.is_empty() {
            return Ok(self);
        }
        let settings = (&EngineArgs::default(), self.refresh, &Unheard as &dyn Observer);
        let shop = workshop(app, compiled, self.seen.clone(), settings, Guards::new())?;
        for (name, files) in loads {
            let model = compiled.typed.get(&name).expect("a step is of a model that was compiled");
            let found = app.wait(&shop.lake, shop.peek(model, &files))?;
            let arrivals = found.map_err(|failure| app.report_failure(compiled, &failure))?;
            self.files.arrivals.insert(name, arrivals);
        }
        self.plan = self.again(compiled);
        Ok(self)
    }

    /// What the plan was made of.
    pub fn observed(&self, compiled: &'a Compiled) -> Observed<'_> {
        Observed {
            typed: &compiled.typed,
            windows: &self.windows,
            tables: &self.seen.tables,
            unreadable: &self.seen.unreadable,
            sources: &self.digests,
            files: &self.files,
        }
    }
}

/// Nobody wants to hear how far a look into files has come.
struct Unheard;

impl Observer for Unheard {
    fn event(&self, _event: &Event<'_>) {}
}

/// The models that the tests of a model read.
fn tested_with(checks: &Guards) -> BTreeMap<ModelName, BTreeSet<ModelName>> {
    let read = |checks: &Vec<CheckBatch>| checks.iter().flat_map(CheckBatch::models).collect();
    checks.iter().map(|(model, checks)| (model.clone(), read(checks))).collect()
}
