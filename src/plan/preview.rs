//! A plan as data for people and programs: per model what is built, why, and how much there is to read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::estimate::{Amount, ReadScope, Survey, by_input};
use super::windows::{CountedChanges, WindowPreview, windows};
use super::{RunPlan, Step};
use crate::analyze::{Input, TypedModel};
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::incremental::{Build, BuildKind, Decision, Read, Reason, Refresh, queries};
use crate::name::{ModelName, TableKey};
use crate::table::{Conversions, SliceKey, SliceSet};

/// The format of the JSON, which grows when a field is taken away or means something else.
const FORMAT: u32 = 1;

/// Equal states give equal previews, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Preview {
    pub format: u32,
    /// In the order in which a run builds them.
    pub models: Vec<ModelPreview>,
    pub totals: PlanTotals,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ModelPreview {
    pub name: String,
    pub table: String,
    pub action: Action,
    /// How much of it is built; `None` if nothing is.
    pub builds: Option<BuildKind>,
    /// The length of a slice; `None` for a table that is always built whole.
    pub grain: Option<&'static str>,
    /// The slices that are built; `None` if the whole table is, or nothing.
    pub slices: Option<SlicesPreview>,
    /// All reasons in one line.
    pub why: String,
    pub reasons: Vec<ReasonPreview>,
    /// The model whose new files must be read before it can be said what is to build.
    pub waits_for: Option<String>,
    /// Why the bad records of its sources are read again, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_records: Option<String>,
    /// Why the machine of the run builds it although the target has a cluster; `None` if the cluster may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_here: Option<&'static str>,
    pub inputs: Vec<InputPreview>,
    /// Inputs that changed since slices were built from them which stay as they are, with the number of these slices.
    pub older: BTreeMap<TableKey, u64>,
    /// The values that did not convert in the source files that it was made of; `None` if all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescued: Option<RescuedPreview>,
    /// How its slices read each input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowPreview>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Build,
    None,
    /// It cannot be said yet.
    Unknown,
    /// Nothing can be built, because a table cannot be read.
    Blocked,
    /// Nothing is built, but the bad records of its sources are read again.
    BadRecords,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SlicesPreview {
    pub count: u64,
    pub ranges: Vec<RangePreview>,
    /// Whether the rows without a time belong to them.
    pub timeless: bool,
    /// For people: `2023-05-01 to 2023-05-03`.
    #[serde(skip)]
    pub text: String,
}

/// Values of source files that did not convert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RescuedPreview {
    /// Rows with at least one of them.
    pub rows: u64,
    /// How many there are, by column.
    pub columns: BTreeMap<String, u64>,
    /// For people: ``2 rows with rescued values (`at`: 2)``.
    #[serde(skip)]
    pub text: String,
}

/// `end` does not belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RangePreview {
    pub start: String,
    pub end: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReasonPreview {
    /// `None`: the whole table.
    pub slices: Option<SlicesPreview>,
    pub why: String,
}

/// What a build reads of one input, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InputPreview {
    pub name: String,
    /// The version of the table; `None` for source files, and for a table that is not built yet.
    pub version: Option<Version>,
    /// The target that the table is read from, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether there is such a table or source.
    pub exists: bool,
    /// Whether the run builds it before: then there may be more to read, or less.
    pub rebuilt: bool,
    /// Out of so many files.
    pub of_files: u64,
    #[serde(flatten)]
    pub amount: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct PlanTotals {
    /// Models that are built.
    pub build: u64,
    /// Models of which it cannot be said yet.
    pub unknown: u64,
    /// Models of which nothing can be built.
    #[serde(skip_serializing_if = "is_none")]
    pub blocked: u64,
    pub up_to_date: u64,
    /// Models that are built whole.
    pub whole: u64,
    /// Slices of the others.
    pub slices: u64,
    /// Models to whose tables rows are added.
    pub batches: u64,
    /// What the builds read, each for itself.
    #[serde(flatten)]
    pub amount: Amount,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviewOptions {
    pub refresh: Refresh,
    /// How slices read inputs, of every model and not only of those that are built.
    pub windows: bool,
    /// Whether the target has a cluster, which carries out builds.
    pub has_cluster: bool,
}

impl Preview {
    /// Shows a plan that was made of the surveyed state.
    pub fn new(plan: &RunPlan, survey: Survey<'_>, options: PreviewOptions) -> Preview {
        let built = plan.steps.iter().filter(|step| step.decision.build.is_some() || step.decision.waits_for.is_some());
        let rebuilt: BTreeSet<&ModelName> = built.map(|step| &step.model).collect();
        let previewer = Previewer { survey, rebuilt: &rebuilt, options };
        let models: Vec<ModelPreview> = plan
            .steps
            .iter()
            .filter_map(|step| Some(previewer.model(step, survey.observed.typed.get(&step.model)?)))
            .collect();
        let totals = PlanTotals::new(&models);
        Preview { format: FORMAT, models, totals }
    }

    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts, numbers and lists can be written as JSON");
        format!("{json}\n")
    }
}

/// Looks at the models of one plan.
#[derive(Clone, Copy)]
struct Previewer<'a> {
    survey: Survey<'a>,
    /// The models that are built, or may be.
    rebuilt: &'a BTreeSet<&'a ModelName>,
    options: PreviewOptions,
}

impl Previewer<'_> {
    fn model(&self, step: &Step, model: &TypedModel) -> ModelPreview {
        let decision = &step.decision;
        let grain = model.config.batch_size;
        let action = Action::for_decision(decision);
        let built = decision.build.as_ref().and_then(Build::slices);
        // An input is to blame for a whole build only if nobody asked for one.
        let changes = match self.options.refresh {
            Refresh::Stale if decision.build.as_ref().is_some_and(Build::is_whole) => {
                CountedChanges::Since { rebuilt: self.rebuilt }
            }
            Refresh::Stale | Refresh::Full | Refresh::Range(_) => CountedChanges::None,
        };
        // What slices read is derived at some cost, so only of models of which it is shown.
        let inputs = match action {
            Action::Build => {
                let reads = self.survey.observed.windows.of(model);
                self.inputs(model, decision, &reads.scans, built.as_ref())
            }
            Action::None | Action::Unknown | Action::Blocked | Action::BadRecords => Vec::new(),
        };
        let windows = if model.is_sliced() && (self.options.windows || action == Action::Build) {
            windows(model, &self.survey.observed.windows.of(model).scans, self.survey, changes)
        } else {
            Vec::new()
        };
        ModelPreview {
            name: model.name.to_string(),
            table: model.table.to_string(),
            action,
            builds: decision.build.as_ref().map(Build::kind),
            grain: model.is_sliced().then(|| grain.word()),
            slices: built.as_ref().map(|slices| SlicesPreview::new(slices, grain)),
            why: decision.why.clone(),
            reasons: decision.reasons.iter().map(|reason| ReasonPreview::new(reason, grain)).collect(),
            waits_for: decision.waits_for.as_ref().map(ToString::to_string),
            bad_records: decision.bad_records.clone(),
            built_here: (self.options.has_cluster && model.reads_sources()).then_some("it reads source files"),
            inputs,
            older: decision.older.clone(),
            rescued: self.survey.conversions(model).and_then(|conversions| RescuedPreview::if_any(&conversions)),
            windows,
        }
    }

    fn inputs(
        &self,
        model: &TypedModel,
        decision: &Decision,
        reads: &[Read],
        built: Option<&SliceSet>,
    ) -> Vec<InputPreview> {
        // Slices far apart are computed by several queries, and gaps that lie between two of them are not read.
        let queries = built.map(|slices| queries(model, slices, self.survey.observed));
        let mut inputs = Vec::new();
        for (input, reads) in by_input(reads) {
            let table = self.survey.table(model, input);
            let name = match (input, &table) {
                (Input::Source(name), _) => name.to_string(),
                (_, Some(table)) => table.to_string(),
                (_, None) => continue,
            };
            let state = table.and_then(|table| self.survey.observed.tables.get(&table)?.as_deref());
            let files = self.survey.files(model, input);
            let found = files.as_deref().unwrap_or_default();
            let amount = match decision.build.as_ref().and_then(Build::load) {
                Some(load) => Amount::of_files(found, load),
                None => Amount::new(found, &ReadScope::new(&reads, queries.as_deref())),
            };
            inputs.push(InputPreview {
                name,
                version: state.map(|state| state.version),
                target: state.and_then(|state| state.elsewhere.as_ref()).map(|there| there.target.clone()),
                exists: files.is_some(),
                rebuilt: match input {
                    Input::Model(name) | Input::Quarantine(name) => self.rebuilt.contains(name),
                    Input::Source(_) | Input::This | Input::Runs(_) => false,
                },
                of_files: found.len() as u64,
                amount,
            });
        }
        inputs
    }
}

impl ModelPreview {
    /// Whether the whole table is built.
    pub fn is_whole(&self) -> bool {
        self.builds == Some(BuildKind::Whole)
    }

    /// All that its build reads.
    pub fn amount(&self) -> Amount {
        let none = Amount { rows: Some(0), ..Amount::default() };
        self.inputs.iter().fold(none, |sum, input| sum.and(input.amount))
    }
}

impl Action {
    fn for_decision(decision: &Decision) -> Action {
        match (&decision.build, &decision.waits_for) {
            _ if decision.blocked.is_some() => Action::Blocked,
            (None, None) if decision.bad_records.is_some() => Action::BadRecords,
            (Some(_), _) => Action::Build,
            (None, Some(_)) => Action::Unknown,
            (None, None) => Action::None,
        }
    }
}

impl ReasonPreview {
    fn new(reason: &Reason, grain: Grain) -> ReasonPreview {
        let slices = reason.slices.as_ref().map(|slices| SlicesPreview::new(slices, grain));
        ReasonPreview { slices, why: reason.why.clone() }
    }
}

impl SlicesPreview {
    fn new(slices: &SliceSet, grain: Grain) -> SlicesPreview {
        SlicesPreview {
            count: slices.slices(grain).count() as u64,
            ranges: slices.ranges().iter().copied().map(RangePreview::new).collect(),
            timeless: slices.timeless(),
            text: slices.to_string(),
        }
    }
}

impl RescuedPreview {
    /// Returns `None` if every value did convert.
    fn if_any(conversions: &Conversions) -> Option<RescuedPreview> {
        let columns = conversions.rescued().map(|(column, count)| (column.to_owned(), count)).collect();
        let rows = conversions.rescued_rows;
        (rows > 0).then(|| RescuedPreview { rows, columns, text: conversions.to_string() })
    }
}

impl RangePreview {
    pub fn new(range: TimeRange) -> RangePreview {
        RangePreview { start: SliceKey::At(range.start()).to_string(), end: SliceKey::At(range.end()).to_string() }
    }
}

/// Nearly every plan has none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

fn count(models: &[ModelPreview], action: Action) -> u64 {
    models.iter().filter(|model| model.action == action).count() as u64
}

impl PlanTotals {
    pub(super) fn new(models: &[ModelPreview]) -> PlanTotals {
        let none = Amount { rows: Some(0), ..Amount::default() };
        PlanTotals {
            build: count(models, Action::Build),
            unknown: count(models, Action::Unknown),
            blocked: count(models, Action::Blocked),
            up_to_date: count(models, Action::None),
            whole: models.iter().filter(|model| model.is_whole()).count() as u64,
            slices: models.iter().filter_map(|model| model.slices.as_ref()).map(|slices| slices.count).sum(),
            batches: models.iter().filter(|model| model.builds == Some(BuildKind::Batch)).count() as u64,
            amount: models.iter().fold(none, |sum, model| sum.and(model.amount())),
        }
    }
}
