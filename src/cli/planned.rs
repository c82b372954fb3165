//! The plan of a run, made of what the lake and the sources hold now: `run` does it, `plan` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::app::{App, Compiled};
use super::args::{RangeArgs, SelectArgs};
use super::exit::Exit;
use super::observed::{Seen, observe};
use crate::check::{CheckBatch, Guards};
use crate::incremental::{Observed, Refresh, Windows};
use crate::name::{ModelName, TableName};
use crate::plan::{self, RunPlan};
use crate::run;

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
}

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
        let observed = Observed { typed: &compiled.typed, windows: &windows, tables: &seen.tables, sources: &digests };
        let plan = plan::plan(&order, &observed, refresh, &tested_with(checks));
        Ok(Planned { order, seen, digests, windows, refresh, plan })
    }

    /// What the plan was made of.
    pub fn observed(&self, compiled: &'a Compiled) -> Observed<'_> {
        Observed { typed: &compiled.typed, windows: &self.windows, tables: &self.seen.tables, sources: &self.digests }
    }
}

/// The models that the tests of a model read.
fn tested_with(checks: &Guards) -> BTreeMap<ModelName, BTreeSet<ModelName>> {
    let read = |checks: &Vec<CheckBatch>| checks.iter().flat_map(CheckBatch::models).collect();
    checks.iter().map(|(model, checks)| (model.clone(), read(checks))).collect()
}
