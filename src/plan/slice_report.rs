//! A report on one slice: whether it is up to date and why, what it was made of, and the files that hold it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::estimate::{ReadScope, Survey, by_input};
use super::preview::RangePreview;
use super::{RunPlan, Step};
use crate::analyze::{Input, TypedModel};
use crate::day::TimeRange;
use crate::delta::Version;
use crate::incremental::{Read, ReadClass, input_versions};
use crate::store::History;
use crate::table::{DataFile, InputVersion, Provenance, SliceEntry, SliceKey, SliceSet, TableState};
use crate::template::OnChange;

const FORMAT: u32 = 1;

/// Which slice.
pub(crate) struct ReportedSlice<'a> {
    pub model: &'a TypedModel,
    pub slice: SliceKey,
    /// What is still known of the table's versions.
    pub history: Option<&'a History>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SliceReport {
    format: u32,
    pub name: String,
    pub table: String,
    /// `2023-05-03`, `null` for the rows without a time, `all` for a table that is not cut by time.
    pub slice: String,
    pub state: SliceState,
    pub why: String,
    /// `None` if nobody has recorded that.
    pub made_of: Option<MadeOf>,
    pub inputs: Vec<InputReport>,
    pub files: Vec<FileReport>,
    /// The versions of the table that wrote these files, as far as its log still tells.
    pub versions: Vec<VersionReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SliceState {
    UpToDate,
    Stale,
    /// It depends on what source files hold that nobody has read yet.
    Unknown,
    /// Up to date, and without rows.
    Empty,
}

/// What is recorded of the slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MadeOf {
    /// Whether SQL and config are those that it was built with.
    pub same_code: bool,
    pub rows: u64,
    /// The version of the table that changed its rows last; `None` for a slice that never had any.
    pub changed_at: Option<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InputReport {
    pub name: String,
    /// What it was when the slice was made; `None` if the slice was made without it.
    pub then: Option<VersionOf>,
    /// The target that it was read from then, if that was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then_target: Option<String>,
    pub now: VersionOf,
    /// The target that it is read from, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether a run builds it before.
    pub rebuilt: bool,
    /// Whether a change of it restates nothing.
    pub is_dimension: bool,
    /// The times that the slice reads of it; `None` if that is all of it.
    pub reads: Option<Vec<RangePreview>>,
    #[serde(skip)]
    pub reads_text: String,
    /// The slices of it that the slice reads and that have changed since.
    pub changed: Vec<ChangeReport>,
    /// Source files that its rows may have come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_files: Vec<FileReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VersionOf {
    Version(Version),
    /// A list of files.
    Files(String),
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeReport {
    pub slice: String,
    /// The version that changed it last; `None` if something else than karat did.
    pub version: Option<Version>,
    /// `None` if that is forgotten.
    pub rows_then: Option<u64>,
    pub rows_now: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileReport {
    pub path: String,
    pub bytes: u64,
    pub rows: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct VersionReport {
    pub version: Version,
    pub run: String,
    pub why: String,
    pub git: Option<String>,
    /// How many of the slice's files it wrote.
    pub files: u64,
}

impl SliceReport {
    /// Reports on a slice of a model in the plan, which was made of the surveyed state.
    pub fn new(plan: &RunPlan, survey: Survey<'_>, wanted: &ReportedSlice<'_>) -> SliceReport {
        let table = &wanted.model.table;
        let state = survey.observed.tables.get(table).and_then(Option::as_deref);
        let ledger = state.and_then(TableState::known_ledger);
        let entry = ledger.and_then(|ledger| ledger.slices.get(&wanted.slice));
        let provenance = ledger.and_then(|ledger| ledger.provenance(wanted.slice));
        let (verdict, why) = verdict(plan, wanted, entry);
        let files = state.map(|state| wanted.files(state)).unwrap_or_default();
        SliceReport {
            format: FORMAT,
            name: wanted.model.name.to_string(),
            table: table.to_string(),
            slice: wanted.slice.to_string(),
            state: verdict,
            why,
            made_of: provenance.map(|made_of| MadeOf {
                same_code: made_of.fingerprint == wanted.model.fingerprint,
                rows: entry.map_or(0, |entry| entry.rows.rows),
                changed_at: entry.map(|entry| entry.changes.newest()).filter(|_| entry.is_some()),
            }),
            inputs: wanted.inputs(plan, survey, provenance.map(AsRef::as_ref)),
            versions: wanted.versions(&files),
            files,
        }
    }

    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts, numbers and lists can be written as JSON");
        format!("{json}\n")
    }
}

/// What a run would do to the slice, and why.
fn verdict(plan: &RunPlan, wanted: &ReportedSlice<'_>, entry: Option<&SliceEntry>) -> (SliceState, String) {
    let step = plan.steps.iter().find(|step| step.model == wanted.model.name);
    let Some(Step { decision, .. }) = step else { return up_to_date(entry) };
    let build = match (&decision.build, &decision.waits_for) {
        (Some(build), _) => build,
        (None, Some(_)) => return (SliceState::Unknown, decision.why.clone()),
        (None, None) => return up_to_date(entry),
    };
    if build.slices().is_some_and(|slices| !slices.contains(wanted.slice)) {
        return up_to_date(entry);
    }
    (SliceState::Stale, decision.why_of(wanted.slice).to_owned())
}

fn up_to_date(entry: Option<&SliceEntry>) -> (SliceState, String) {
    let has_rows = entry.is_some_and(|entry| entry.rows.rows > 0);
    let state = if has_rows { SliceState::UpToDate } else { SliceState::Empty };
    (state, "nothing it reads has changed since it was built".to_owned())
}

impl ReportedSlice<'_> {
    fn range(&self) -> Option<TimeRange> {
        match self.slice {
            SliceKey::At(start) => TimeRange::new(start, self.model.config.batch_size.next(start)),
            SliceKey::All | SliceKey::NullTime => None,
        }
    }

    /// What the slice reads of an input.
    fn scope(&self, reads: &[&Read]) -> ReadScope {
        let alone = [SliceSet::new(self.range().into_iter().collect(), self.slice == SliceKey::NullTime)];
        ReadScope::new(reads, Some(alone.as_slice()).filter(|_| self.slice != SliceKey::All))
    }

    fn files(&self, state: &TableState) -> Vec<FileReport> {
        let layout = self.model.layout();
        let held = state.files.iter().filter(|file| match layout.slice_of(&file.partition) {
            Some(slice) => slice == self.slice,
            // The file may hold rows of many slices, and its statistics say of which.
            None => self.model.event_time().is_none_or(|column| self.may_lie_in(file, column)),
        });
        let mut files: Vec<FileReport> =
            held.map(|file| FileReport { path: file.path.to_string(), bytes: file.bytes, rows: file.rows }).collect();
        // Names are random, so the largest file comes first.
        files.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.path.cmp(&other.path)));
        files
    }

    fn may_lie_in(&self, file: &DataFile, event_time: &str) -> bool {
        match self.range() {
            Some(range) => {
                file.times(event_time).is_none_or(|(first, last)| first < range.end() && range.start() <= last)
            }
            None => file.may_be_null(event_time),
        }
    }

    /// Files have the token of their commit in their names.
    fn versions(&self, files: &[FileReport]) -> Vec<VersionReport> {
        let mut versions = Vec::new();
        for past in self.history.into_iter().flat_map(|history| &history.versions) {
            let Some(note) = &past.note else { continue };
            let files = files.iter().filter(|file| file.path.contains(&note.token)).count() as u64;
            if files > 0 {
                versions.push(VersionReport {
                    version: past.version,
                    run: note.run.clone(),
                    why: note.why.clone(),
                    git: note.git.clone(),
                    files,
                });
            }
        }
        versions
    }

    fn inputs(&self, plan: &RunPlan, survey: Survey<'_>, made_of: Option<&Provenance>) -> Vec<InputReport> {
        let observed = survey.observed;
        let now = input_versions(self.model, observed.typed, observed.tables, observed.sources);
        let mut inputs = Vec::new();
        for (input, reads) in by_input(&observed.windows.of(self.model).scans) {
            let name = match input {
                Input::Source(name) => name.key(),
                Input::Model(_) => match survey.table(self.model, input) {
                    Some(table) => table.key(),
                    None => continue,
                },
                Input::This | Input::Quarantine(_) | Input::Runs(_) => continue,
            };
            let is_dimension =
                reads.iter().all(|read| read.class == ReadClass::Dimension && read.on_change == OnChange::Ignore);
            let scope = self.scope(&reads);
            let then = made_of.and_then(|made_of| made_of.inputs.get(&name));
            let state = survey.table(self.model, input).and_then(|table| observed.tables.get(&table)?.as_deref());
            let elsewhere = state.and_then(|state| state.elsewhere.as_ref());
            let mut building = plan.steps.iter().filter(|step| step.decision.may_build());
            inputs.push(InputReport {
                then: then.map(VersionOf::from),
                then_target: then.and_then(InputVersion::target).map(str::to_owned),
                now: now.get(&name).map_or(VersionOf::Missing, VersionOf::from),
                target: elsewhere.map(|there| there.target.clone()),
                rebuilt: building.any(|step| *input == Input::Model(step.model.clone())),
                is_dimension,
                reads: ranges_of(&scope),
                reads_text: scope.to_string(),
                changed: then.map(|then| changes(survey, input, &scope, then)).unwrap_or_default(),
                source_files: self.source_files(survey, input, &scope),
                name: name.to_string(),
            });
        }
        inputs
    }

    /// The source files that rows of the slice may have come from, by the ranges that are known of their columns.
    fn source_files(&self, survey: Survey<'_>, input: &Input, scope: &ReadScope) -> Vec<FileReport> {
        let Input::Source(_) = input else { return Vec::new() };
        let files = survey.files(self.model, input).unwrap_or_default();
        let files = files.into_iter().filter(|file| scope.may_read(file));
        files.map(|file| FileReport { path: file.path.to_owned(), bytes: file.bytes, rows: file.rows }).collect()
    }
}

fn ranges_of(scope: &ReadScope) -> Option<Vec<RangePreview>> {
    match scope {
        ReadScope::Everything => None,
        ReadScope::Of(slices) => Some(slices.ranges().iter().copied().map(RangePreview::new).collect()),
    }
}

/// The slices of an input that are read and that changed after the version that something was made of.
fn changes(survey: Survey<'_>, input: &Input, scope: &ReadScope, then: &InputVersion) -> Vec<ChangeReport> {
    let (Input::Model(name), InputVersion::Table { id, version, .. }) = (input, then) else { return Vec::new() };
    let Some(model) = survey.observed.typed.get(name) else { return Vec::new() };
    let state = survey.observed.tables.get(&model.table).and_then(Option::as_deref).filter(|state| state.id == *id);
    let Some((state, ledger)) = state.and_then(|state| Some((state, state.known_ledger()?))) else { return Vec::new() };
    let changed_externally = state.changed_externally(&model.layout());
    let without_entry = changed_externally.iter().filter(|slice| !ledger.slices.contains_key(slice));
    let recorded = ledger.slices.iter().map(|(slice, entry)| (*slice, Some(entry)));
    let mut found = BTreeMap::new();
    for (slice, entry) in recorded.chain(without_entry.map(|slice| (*slice, None))) {
        // What another writer did has no version in the ledger: it lies somewhere between the ledger's and the newest.
        let is_external = changed_externally.contains(&slice) && *version < state.data_version;
        let newest = entry.map(|entry| entry.changes.newest()).filter(|newest| version < newest);
        if !scope.reads_slice(slice, model.config.batch_size) || !is_external && newest.is_none() {
            continue;
        }
        let rows_then = entry.and_then(|entry| entry.changes.rows_at(*version));
        let change = ChangeReport {
            slice: slice.to_string(),
            version: newest.filter(|_| !is_external),
            rows_then: rows_then.filter(|_| ledger.history_starts_at <= *version),
            rows_now: entry.map_or(0, |entry| entry.rows.rows),
        };
        found.insert(slice, change);
    }
    found.into_values().collect()
}

impl From<&InputVersion> for VersionOf {
    fn from(version: &InputVersion) -> VersionOf {
        match version {
            InputVersion::Table { version, .. } => VersionOf::Version(*version),
            InputVersion::Files(digest) => VersionOf::Files(digest.clone()),
            InputVersion::Missing => VersionOf::Missing,
        }
    }
}
