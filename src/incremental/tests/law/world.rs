//! The lake of a history, and the decisions that runs take in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::project::{Cut, Day, Kind, Model, Project, Rows, at};
use super::seen::Seen;
use super::table::Table;
use crate::day::TimeRange;
use crate::delta::Version;
use crate::incremental::staleness::{
    InputChanges, InputRead, PendingChange, Reason, Stale, Subject, SubjectInput, Verdict, reasons,
};
use crate::incremental::{Build, Refresh};
use crate::name::TableKey;
use crate::table::{Fingerprint, InputVersion, Provenance, RecentLedgers, SliceKey, SliceSet};

/// A rule that is broken on purpose: the law must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flawed {
    /// Windows are taken for a day shorter than they are.
    ShortWindows,
    /// A change of an input is looked for in the same slice, whatever reads what.
    AlignedAlways,
    /// Slices that lost their last row are forgotten.
    ForgetsEmptied,
    /// Everything is always built.
    BuildsAll,
    /// A build whose rows came out as they were counts as a change.
    NoCutoff,
    /// Rows lie only where inputs have some, also of a model that writes its own days out.
    ForgetsOwnDays,
    /// Declared windows are read with the holes between them.
    ReadsWithHoles,
}

/// The lake, and all that a history has at hand.
pub(super) struct World {
    pub project: Project,
    pub codes: Vec<i64>,
    /// No row of a model lies before this day, if it has one.
    pub begins: Vec<Option<Day>>,
    /// Of each model over files all versions of their rows.
    pub files: Vec<Vec<Rows>>,
    pub tables: Vec<Option<Table>>,
    /// The rows of every version that ever was.
    pub rows: BTreeMap<(String, Version), Rows>,
    /// What happened, for people.
    pub story: String,
    pub seen: Seen,
    pub flaw: Option<Flawed>,
    pub(super) names: u64,
}

/// How a run is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub refresh: Refresh,
    /// Only models whose bit is set.
    pub only: u8,
    /// It dies when it has made so many commits.
    pub crash_after: Option<u8>,
}

pub(super) fn name(place: usize) -> TableKey {
    format!("lake.m{place}").as_str().into()
}

impl World {
    pub fn new(project: Project, flaw: Option<Flawed>) -> World {
        let count = project.0.len();
        World {
            codes: vec![1; count],
            begins: vec![None; count],
            files: vec![vec![Rows::new()]; count],
            tables: vec![None; count],
            rows: BTreeMap::new(),
            story: String::new(),
            seen: Seen { histories: 1, ..Seen::default() },
            flaw,
            names: 0,
            project,
        }
    }

    /// Whether no row of the slice can be: the model begins later.
    pub fn is_before_begin(&self, place: usize, slice: SliceKey) -> bool {
        match (slice, self.begins[place]) {
            (SliceKey::At(start), Some(begin)) => self.model(place).grain.next(start) <= at(begin),
            _ => false,
        }
    }

    pub fn model(&self, place: usize) -> Model {
        self.project.0[place]
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.story, "{line}").unwrap();
    }

    pub(super) fn name_anew(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}", self.names)
    }

    /// The newest rows of a model's table; none if there is no table.
    pub fn rows_now(&self, place: usize) -> Rows {
        self.tables[place].as_ref().map(|table| table.versions.last().unwrap().rows()).unwrap_or_default()
    }

    pub fn fingerprint(&self, place: usize) -> Fingerprint {
        let begin = self.begins[place].map_or("always".to_owned(), |day| day.to_string());
        format!("m{place} from {begin} code {}", self.codes[place]).into()
    }

    /// What a build of the model is made of now.
    pub fn provenance(&self, place: usize) -> Provenance {
        let version = |input: usize| match &self.tables[input] {
            None => InputVersion::Missing,
            Some(table) => InputVersion::Table {
                id: table.id.clone(),
                version: table.newest(),
                ledger: None,
                target: None,
                copied: false,
            },
        };
        let model = self.model(place);
        let inputs = match model.kind.inputs().as_slice() {
            [] => BTreeMap::from([("files".into(), InputVersion::Files(self.files[place].len().to_string()))]),
            inputs => inputs.iter().map(|input| (name(*input), version(*input))).collect(),
        };
        Provenance { fingerprint: self.fingerprint(place), inputs }
    }

    /// What the model's code makes of the newest rows of its inputs.
    pub fn computed(&self, place: usize) -> Rows {
        let model = self.model(place);
        let inputs: Vec<Rows> = match model.kind.inputs().as_slice() {
            [] => vec![self.files[place].last().unwrap().clone()],
            inputs => inputs.iter().map(|input| self.rows_now(*input)).collect(),
        };
        since(self.begins[place], model.made_of(self.codes[place], &inputs.iter().collect::<Vec<_>>()))
    }

    /// How the model reads each input, as the decision is told.
    fn reads(&self, place: usize) -> BTreeMap<TableKey, Vec<InputRead>> {
        let model = self.model(place);
        let mut found: BTreeMap<TableKey, Vec<InputRead>> = BTreeMap::new();
        if model.kind.inputs().is_empty() {
            found.insert("files".into(), Vec::new());
        }
        for (input, read) in model.kind.inputs().into_iter().zip(model.reads()) {
            found.entry(name(input)).or_default().push(self.spoiled(read));
        }
        found
    }

    fn spoiled(&self, read: InputRead) -> InputRead {
        use crate::analyze::lineage::TimeStep;
        use crate::day::{Length, Window};
        use crate::incremental::reach::Reach;
        let reach = match (self.flaw, read.reach) {
            (Some(Flawed::ShortWindows), Reach::Steps(steps)) => {
                let shorter = |step: TimeStep| match step {
                    TimeStep::Widen(window) => {
                        let lookback = Length::parse("1 day").filter(|one| *one < window.lookback);
                        TimeStep::Widen(Window { lookback: lookback.unwrap_or(Length::ZERO), ..window })
                    }
                    step => step,
                };
                Reach::Steps(steps.into_iter().map(shorter).collect())
            }
            (Some(Flawed::AlignedAlways), _) => Reach::ALIGNED,
            (_, reach) => reach,
        };
        InputRead { reach, ..read }
    }

    /// The verdict of the real decision, with its reasons in words.
    pub fn verdict(&self, place: usize, pending: &BTreeMap<usize, PendingChange>) -> (Verdict, Vec<Reason>) {
        let model = self.model(place);
        let now = self.provenance(place);
        let state = self.tables[place].as_ref().map(Table::state);
        let changes: BTreeMap<TableKey, InputChanges> = model
            .kind
            .inputs()
            .into_iter()
            .map(|input| (name(input), self.changes(input, pending.get(&input))))
            .collect();
        let reads = || self.reads(place);
        let input = |(name, version): (&TableKey, &InputVersion)| {
            (
                name.clone(),
                SubjectInput { version: version.clone(), changes: changes.get(name), recent: RecentLedgers::default() },
            )
        };
        let subject = Subject {
            fingerprint: &now.fingerprint,
            layout: model.layout(),
            grain: model.grain,
            begin: self.begins[place].filter(|_| model.cut != Cut::Whole).map(at),
            state: state.as_ref(),
            inputs: now.inputs.iter().map(input).collect(),
            reads: &reads,
            makes_times: &|| self.flaw != Some(Flawed::ForgetsOwnDays) && matches!(model.kind, Kind::Spine { .. }),
        };
        let verdict = match self.flaw {
            Some(Flawed::BuildsAll) => {
                let stale = Stale::Whole(crate::incremental::staleness::Cause::NewCode);
                Verdict { stale, older: BTreeMap::new() }
            }
            _ => subject.verdict(),
        };
        let reasons = reasons(&subject, &verdict.stale);
        (verdict, reasons)
    }

    /// When the slices of a model's table changed.
    pub fn changes(&self, place: usize, pending: Option<&PendingChange>) -> InputChanges {
        let model = self.model(place);
        match &self.tables[place] {
            Some(table) => InputChanges::new(&table.state(), &model.layout(), model.grain, pending),
            None => InputChanges::to_come(model.grain, pending),
        }
    }

    /// What is to be built; nothing if the table is up to date.
    pub fn build_of(&self, place: usize, refresh: Refresh, stale: Stale) -> Option<Build> {
        let model = self.model(place);
        let is_cut = model.cut != Cut::Whole;
        match (refresh, stale) {
            (Refresh::Full, _) => Some(Build::Whole),
            (Refresh::Range(range), _) if is_cut => {
                let state = self.tables[place].as_ref().map(Table::state);
                if state.is_some_and(|state| state.needs_full_rebuild(&model.layout()).is_some()) {
                    return Some(Build::Whole);
                }
                Some(Build::Slices(SliceSet::new(vec![TimeRange::aligned(range, model.grain)], false)))
            }
            (_, Stale::Nothing) => None,
            (_, Stale::Whole(_)) => Some(Build::Whole),
            (_, Stale::Slices(slices)) => {
                Some(SliceSet::of(slices.into_keys(), model.grain).map_or(Build::Whole, Build::Slices))
            }
        }
    }

    pub fn change_files(&mut self, place: usize, change: impl FnOnce(&mut Rows)) {
        let mut next = self.files[place].last().unwrap().clone();
        change(&mut next);
        next.retain(|_, values| !values.is_empty());
        next.values_mut().for_each(|values| values.sort_unstable());
        self.files[place].push(next);
    }
}

/// The rows that a model with this beginning has.
pub(super) fn since(begin: Option<Day>, mut rows: Rows) -> Rows {
    rows.retain(|day, _| day.zip(begin).is_none_or(|(day, begin)| day >= begin));
    rows
}
