//! A plan as data for people and programs: per model what is built, why, and how much there is to read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::estimate::{Amount, Survey, Wanted, by_input};
use super::windows::{Changes, WindowPreview, windows};
use super::{RunPlan, Step};
use crate::analyze::{Input, TypedModel};
use crate::day::{Grain, TimeRange};
use crate::incremental::{Build, Decision, Read, Reason, Refresh, queries};
use crate::name::ModelName;
use crate::table::{Conversions, SliceKey, SliceLayout, SliceSet};

/// The format of the JSON, which grows when a field is taken away or means something else.
const FORMAT: u32 = 1;

/// Equal states give equal previews, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Preview {
    pub format: u32,
    /// In the order in which a run builds them.
    pub models: Vec<ModelPreview>,
    pub totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ModelPreview {
    pub name: String,
    pub table: String,
    pub action: Action,
    /// How much of it is built; nothing if nothing is.
    pub builds: Option<Builds>,
    /// The length of a slice; nothing for a table that is always built whole.
    pub grain: Option<&'static str>,
    /// The slices that are built; nothing if the whole table is, or none.
    pub slices: Option<SlicesPreview>,
    /// All reasons in one line.
    pub why: String,
    pub reasons: Vec<ReasonPreview>,
    /// The model whose new files must be read before it can be said what is to build.
    pub waits_for: Option<String>,
    /// Why the bad records of its sources are read again, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_records: Option<String>,
    pub inputs: Vec<InputPreview>,
    /// Inputs that changed since slices were built from them which stay as they are, with the number of these slices.
    pub older: BTreeMap<String, u64>,
    /// The values that did not convert in the source files that it was made of; nothing if all did.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Builds {
    Whole,
    Slices,
    /// The rows of new files, which are added to slices, and slices that held rows of other files.
    Files,
    /// Rows that are added to the table, or go in the place of some of its rows.
    Batch,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SlicesPreview {
    pub count: u64,
    pub ranges: Vec<RangePreview>,
    /// Whether the rows without a time belong to them.
    pub timeless: bool,
    /// For people: `2023-05-01 to 2023-05-03`.
    #[serde(skip)]
    pub told: String,
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
    pub told: String,
}

/// `end` does not belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RangePreview {
    pub start: String,
    pub end: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReasonPreview {
    /// Nothing: the whole table.
    pub slices: Option<SlicesPreview>,
    pub why: String,
}

/// What a build reads of one input, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InputPreview {
    pub name: String,
    /// The version of the table; nothing for source files, and for a table that is not built yet.
    pub version: Option<u64>,
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
pub(crate) struct Totals {
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
pub(crate) struct Wish {
    pub refresh: Refresh,
    /// How slices read inputs, of every model and not only of those that are built.
    pub windows: bool,
}

impl Preview {
    /// Shows a plan that was made of the surveyed state.
    pub fn of(plan: &RunPlan, survey: Survey<'_>, wish: Wish) -> Preview {
        let built = plan.steps.iter().filter(|step| step.decision.build.is_some() || step.decision.waits_for.is_some());
        let rebuilt: BTreeSet<&ModelName> = built.map(|step| &step.model).collect();
        let model = |step: &Step| {
            let typed = survey.observed.typed.get(&step.model)?;
            Some(ModelPreview::of(step, typed, (survey, &rebuilt), wish))
        };
        let models: Vec<ModelPreview> = plan.steps.iter().filter_map(model).collect();
        let totals = Totals::of(&models);
        Preview { format: FORMAT, models, totals }
    }

    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts, numbers and lists can be written as JSON");
        format!("{json}\n")
    }
}

impl ModelPreview {
    fn of(
        step: &Step,
        model: &TypedModel,
        (survey, rebuilt): (Survey<'_>, &BTreeSet<&ModelName>),
        wish: Wish,
    ) -> ModelPreview {
        let decision = &step.decision;
        let is_sliced = model.layout() != SliceLayout::Whole;
        let grain = model.config.batch_size;
        let action = match (&decision.build, &decision.waits_for) {
            _ if decision.blocked.is_some() => Action::Blocked,
            (None, None) if decision.bad_records.is_some() => Action::BadRecords,
            (Some(_), _) => Action::Build,
            (None, Some(_)) => Action::Unknown,
            (None, None) => Action::None,
        };
        let built = match &decision.build {
            Some(Build::Slices(slices)) => Some(slices.clone()),
            Some(Build::Files(load)) => load.slices(),
            Some(Build::Whole | Build::Batch) | None => None,
        };
        let built = built.as_ref();
        let builds = decision.build.as_ref().map(|build| match build {
            Build::Whole => Builds::Whole,
            Build::Slices(_) => Builds::Slices,
            Build::Files(_) => Builds::Files,
            Build::Batch => Builds::Batch,
        });
        let changes = match wish.refresh {
            Refresh::Stale if decision.build == Some(Build::Whole) => Changes::Count { rebuilt },
            _ => Changes::Ignored,
        };
        let is_shown = is_sliced && (wish.windows || action == Action::Build);
        let reads = || survey.observed.windows.of(model);
        let inputs = match action {
            Action::Build => inputs((model, decision), &reads().scans, built, (survey, rebuilt)),
            Action::None | Action::Unknown | Action::Blocked | Action::BadRecords => Vec::new(),
        };
        let reason = |reason: &Reason| ReasonPreview {
            slices: reason.slices.as_ref().map(|slices| SlicesPreview::of(slices, grain)),
            why: reason.why.clone(),
        };
        ModelPreview {
            name: model.name.to_string(),
            table: model.table.to_string(),
            action,
            builds,
            grain: is_sliced.then(|| grain.word()),
            slices: built.map(|slices| SlicesPreview::of(slices, grain)),
            why: decision.why.clone(),
            reasons: decision.reasons.iter().map(reason).collect(),
            waits_for: decision.waits_for.as_ref().map(ToString::to_string),
            bad_records: decision.bad_records.clone(),
            inputs,
            older: decision.older.clone(),
            rescued: survey.conversions(model).and_then(|conversions| RescuedPreview::of(&conversions)),
            windows: if is_shown { windows(model, &reads().scans, survey, changes) } else { Vec::new() },
        }
    }

    /// Whether the whole table is built.
    pub fn is_whole(&self) -> bool {
        self.builds == Some(Builds::Whole)
    }

    /// All that its build reads.
    pub fn amount(&self) -> Amount {
        let none = Amount { rows: Some(0), ..Amount::default() };
        self.inputs.iter().fold(none, |sum, input| sum.and(input.amount))
    }
}

fn inputs(
    (model, decision): (&TypedModel, &Decision),
    reads: &[Read],
    built: Option<&SliceSet>,
    (survey, rebuilt): (Survey<'_>, &BTreeSet<&ModelName>),
) -> Vec<InputPreview> {
    let queries = built.map(|slices| queries(model, slices, survey.observed));
    let of = |(input, reads): (&Input, Vec<&Read>)| {
        let files = survey.files(model, input);
        let table = survey.table(model, input);
        let state = table.as_ref().and_then(|table| survey.observed.tables.get(table)).and_then(Option::as_ref);
        let name = match (input, table) {
            (Input::Source(name), _) => name.to_string(),
            (_, Some(table)) => table.to_string(),
            (_, None) => return None,
        };
        let is_rebuilt = |name: &ModelName| rebuilt.contains(name);
        Some(InputPreview {
            name,
            version: state.map(|state| state.version),
            exists: files.is_some(),
            rebuilt: matches!(input, Input::Model(name) | Input::Quarantine(name) if is_rebuilt(name)),
            of_files: files.as_ref().map_or(0, Vec::len) as u64,
            amount: match (&decision.build, files.as_deref().unwrap_or_default()) {
                (Some(Build::Files(load)), files) => Amount::of_files(files, load),
                (_, files) => Amount::of(files, &Wanted::of(&reads, queries.as_deref())),
            },
        })
    };
    by_input(reads).into_iter().filter_map(of).collect()
}

impl SlicesPreview {
    fn of(slices: &SliceSet, grain: Grain) -> SlicesPreview {
        SlicesPreview {
            count: slices.slices(grain).count() as u64,
            ranges: slices.ranges().iter().copied().map(RangePreview::of).collect(),
            timeless: slices.timeless(),
            told: slices.to_string(),
        }
    }
}

impl RescuedPreview {
    /// `None` if every value did convert.
    fn of(conversions: &Conversions) -> Option<RescuedPreview> {
        let columns = conversions.rescued().map(|(column, count)| (column.to_owned(), count)).collect();
        let rows = conversions.rescued_rows;
        (rows > 0).then(|| RescuedPreview { rows, columns, told: conversions.to_string() })
    }
}

impl RangePreview {
    pub fn of(range: TimeRange) -> RangePreview {
        RangePreview { start: SliceKey::At(range.start()).to_string(), end: SliceKey::At(range.end()).to_string() }
    }
}

/// Nearly every plan has none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Totals {
    pub(super) fn of(models: &[ModelPreview]) -> Totals {
        let count = |action: Action| models.iter().filter(|model| model.action == action).count() as u64;
        let none = Amount { rows: Some(0), ..Amount::default() };
        Totals {
            build: count(Action::Build),
            unknown: count(Action::Unknown),
            blocked: count(Action::Blocked),
            up_to_date: count(Action::None),
            whole: models.iter().filter(|model| model.is_whole()).count() as u64,
            slices: models.iter().filter_map(|model| model.slices.as_ref()).map(|slices| slices.count).sum(),
            batches: models.iter().filter(|model| model.builds == Some(Builds::Batch)).count() as u64,
            amount: models.iter().fold(none, |sum, model| sum.and(model.amount())),
        }
    }
}
