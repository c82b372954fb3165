//! The lake of a history, in memory: versions of tables with their rows, runs that decide and commit as real ones do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::project::{Cut, Day, Kind, Model, Project, Rows, at, digest};
use crate::day::TimeRange;
use crate::incremental::cause::Reason;
use crate::incremental::changes::{Foreseen, InputChanges};
use crate::incremental::stale::{InputRead, Stale, Subject, SubjectInput, Verdict};
use crate::incremental::{Build, Refresh};
use crate::table::{
    DataFile, Domain, InputVersion, Ledger, LedgerFound, PartitionValues, Provenance, RecentLedgers, SinceLedger,
    SliceKey, SliceLayout, SliceMap, SliceRows, SliceSet, TableState, Work,
};

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

/// What another engine does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Rearranges,
    Edits,
    Removes,
    Adds { day: Option<Day> },
}

/// One version of a table.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub files: Vec<(DataFile, Rows)>,
    /// What karat wrote with it; nothing if another writer made it.
    pub ledger: Option<Arc<Ledger>>,
    /// The partitions that another writer changed rows of.
    pub touched: Vec<PartitionValues>,
    /// The slices that count as changed by it; nothing: every slice may be.
    pub changed: Option<BTreeSet<SliceKey>>,
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub id: String,
    pub versions: Vec<Version>,
    pub is_ledger_lost: bool,
}

/// What happened in histories: they prove something only if enough did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub histories: u64,
    pub commits: u64,
    pub slices: u64,
    pub stays: u64,
    /// Commits of slices, not of whole tables, that a plain run decided.
    pub partial: u64,
    /// Slices of models that a change reached from another slice.
    pub reached: u64,
    pub older: u64,
    pub crashes: u64,
    pub foreign: u64,
    pub lost_ledgers: u64,
    pub spared: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.histories += other.histories;
        self.commits += other.commits;
        self.slices += other.slices;
        self.stays += other.stays;
        self.partial += other.partial;
        self.reached += other.reached;
        self.older += other.older;
        self.crashes += other.crashes;
        self.foreign += other.foreign;
        self.lost_ledgers += other.lost_ledgers;
        self.spared += other.spared;
    }

    /// Whether each kind of thing happened often.
    pub fn is_eventful(&self) -> bool {
        let Seen { histories, commits, slices, stays, partial, reached, older, crashes, foreign, lost_ledgers, spared } =
            *self;
        let often = [commits, slices, stays, partial, reached, older, crashes, foreign, lost_ledgers, spared];
        often.iter().all(|count| *count > histories / 10)
    }
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
    pub rows: BTreeMap<(String, u64), Rows>,
    /// What happened, for people.
    pub story: String,
    pub seen: Seen,
    pub flaw: Option<Flawed>,
    names: u64,
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

pub(super) fn name(place: usize) -> String {
    format!("lake.m{place}")
}

impl Version {
    pub fn rows(&self) -> Rows {
        let mut all = Rows::new();
        for (day, values) in self.files.iter().flat_map(|(_, rows)| rows) {
            all.entry(*day).or_default().extend(values);
        }
        all.values_mut().for_each(|values| values.sort_unstable());
        all
    }
}

impl Table {
    pub fn newest(&self) -> u64 {
        self.versions.len() as u64 - 1
    }

    /// The table as an observer finds it.
    pub fn state(&self) -> TableState {
        let last = self.versions.last().unwrap();
        let version = self.newest();
        let files = last.files.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>().into();
        let mut state =
            TableState { id: self.id.clone(), version, files, data_version: version, ..TableState::empty() };
        let with_ledger =
            self.versions.iter().enumerate().rev().find_map(|(at, version)| Some((at, version.ledger.clone()?)));
        state.ledger = match with_ledger.clone() {
            Some((_, ledger)) if !self.is_ledger_lost => LedgerFound::Known(ledger),
            Some(_) => LedgerFound::Unknown("its ledger is lost".to_owned()),
            None => LedgerFound::Unknown("something else wrote it".to_owned()),
        };
        if let (Some((at, _)), LedgerFound::Known(_)) = (&with_ledger, &state.ledger)
            && at + 1 < self.versions.len()
        {
            state.data_version = *at as u64;
            let mut touched = Vec::new();
            for (version, foreign) in self.versions.iter().enumerate().skip(at + 1) {
                if !foreign.touched.is_empty() {
                    state.data_version = version as u64;
                }
                touched.extend(foreign.touched.clone());
            }
            state.since = SinceLedger::Commits(touched);
        }
        state
    }
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

    fn name_anew(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}", self.names)
    }

    /// The newest rows of a model's table; none if there is no table.
    pub fn rows_now(&self, place: usize) -> Rows {
        self.tables[place].as_ref().map(|table| table.versions.last().unwrap().rows()).unwrap_or_default()
    }

    pub fn fingerprint(&self, place: usize) -> String {
        let begin = self.begins[place].map_or("always".to_owned(), |day| day.to_string());
        format!("m{place} from {begin} code {}", self.codes[place])
    }

    /// What a build of the model is made of now.
    pub fn provenance(&self, place: usize) -> Provenance {
        let version = |input: usize| match &self.tables[input] {
            None => InputVersion::Missing,
            Some(table) => InputVersion::Table { id: table.id.clone(), version: table.newest(), ledger: None },
        };
        let model = self.model(place);
        let inputs = match model.kind.inputs().as_slice() {
            [] => BTreeMap::from([("files".to_owned(), InputVersion::Files(self.files[place].len().to_string()))]),
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
    fn reads(&self, place: usize) -> BTreeMap<String, Vec<InputRead>> {
        let model = self.model(place);
        let mut found: BTreeMap<String, Vec<InputRead>> = BTreeMap::new();
        if model.kind.inputs().is_empty() {
            found.insert("files".to_owned(), Vec::new());
        }
        for (input, read) in model.kind.inputs().into_iter().zip(model.reads()) {
            found.entry(name(input)).or_default().push(self.spoiled(read));
        }
        found
    }

    fn spoiled(&self, read: InputRead) -> InputRead {
        use crate::day::{Length, Window};
        use crate::incremental::reach::{Reach, TimeStep};
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
    pub fn verdict(&self, place: usize, foreseen: &BTreeMap<usize, Foreseen>) -> (Verdict, Vec<Reason>) {
        let model = self.model(place);
        let now = self.provenance(place);
        let state = self.tables[place].as_ref().map(Table::state);
        let changes: BTreeMap<String, InputChanges> = model
            .kind
            .inputs()
            .into_iter()
            .map(|input| (name(input), self.changes(input, foreseen.get(&input))))
            .collect();
        let reads = || self.reads(place);
        let input = |(name, version): (&String, &InputVersion)| {
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
                let stale = Stale::Whole(crate::incremental::cause::Cause::NewCode);
                Verdict { stale, older: BTreeMap::new() }
            }
            _ => subject.verdict(),
        };
        let reasons = subject.reasons(&verdict.stale);
        (verdict, reasons)
    }

    /// When the slices of a model's table changed.
    pub fn changes(&self, place: usize, foreseen: Option<&Foreseen>) -> InputChanges {
        let model = self.model(place);
        match &self.tables[place] {
            Some(table) => InputChanges::of(&table.state(), &model.layout(), model.grain, foreseen),
            None => InputChanges::to_come(model.grain, foreseen),
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
                if state.is_some_and(|state| state.hides_slices(&model.layout()).is_some()) {
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

    /// Builds and commits; whether there was anything to say.
    pub fn build(&mut self, place: usize, build: &Build, refresh: Refresh) -> bool {
        let model = self.model(place);
        let base = self.tables[place].as_ref().map(Table::state);
        let domain = match (build, model.cut) {
            (Build::Slices(slices), Cut::ByFile | Cut::Shared) => Domain::Slices(slices.clone()),
            _ => Domain::Whole,
        };
        let mut work = Work::new(model.layout(), domain, Arc::new(self.provenance(place)));
        let mut rows = self.built(place, build);
        rows.retain(|day, _| work.covers(model.slice_of(*day)));
        let with_rows: SliceMap<SliceRows> = slices(&model, &rows).into_iter().collect();
        let empty: Vec<SliceKey> = match build {
            _ if self.flaw == Some(Flawed::ForgetsEmptied) => Vec::new(),
            Build::Slices(slices) => slices.slices(model.grain).collect(),
            Build::Whole | Build::Batch | Build::Files(_) => {
                let known = base.as_ref().and_then(TableState::known_ledger);
                known.map(|ledger| ledger.slices.keys().copied().collect()).unwrap_or_default()
            }
        };
        let empty = empty.into_iter().map(|slice| (slice, SliceRows::default()));
        work.slices = empty.collect::<SliceMap<SliceRows>>().overlaid(with_rows);
        work.stays = self.stays(&work, base.as_ref(), refresh);
        if base.as_ref().is_some_and(|base| work.says_nothing_new(base)) {
            return false;
        }
        self.commit(place, &work, (base.as_ref(), rows));
        true
    }

    /// The slices whose files stay, because their rows are those that the table holds.
    fn stays(&self, work: &Work, base: Option<&TableState>, refresh: Refresh) -> BTreeSet<SliceKey> {
        let known = base.and_then(|base| Some((base, base.known_ledger()?)));
        let Some((base, ledger)) = known.filter(|_| refresh != Refresh::Full) else { return BTreeSet::new() };
        let tainted = base.tainted(&work.layout);
        let is_same = |(slice, rows): &(&SliceKey, &SliceRows)| match ledger.slices.get(slice) {
            Some(entry) => {
                let made_alike = entry.provenance.fingerprint == work.provenance.fingerprint;
                entry.rows == **rows && made_alike && !tainted.contains(*slice)
            }
            None => rows.rows == 0 && !tainted.contains(*slice),
        };
        let stays: BTreeSet<SliceKey> = work.slices.iter().filter(is_same).map(|(slice, _)| *slice).collect();
        let all_or_none = work.layout == SliceLayout::Shared && stays.len() < work.slices.len();
        if all_or_none { BTreeSet::new() } else { stays }
    }

    fn commit(&mut self, place: usize, work: &Work, (base, mut rows): (Option<&TableState>, Rows)) {
        let model = self.model(place);
        let before = self.tables[place].as_ref().map(|table| table.versions.last().unwrap().files.clone());
        let (gone, kept): (Vec<_>, Vec<_>) =
            before.unwrap_or_default().into_iter().partition(|(file, _)| work.replaces(file));
        if model.cut == Cut::Shared {
            let copied = gone.iter().flat_map(|(_, rows)| rows).filter(|(day, _)| !work.covers(model.slice_of(**day)));
            copied.for_each(|(day, values)| rows.entry(*day).or_default().extend(values));
        }
        rows.retain(|day, _| match model.cut {
            Cut::Shared => !work.keeps_all_files(),
            Cut::ByFile | Cut::Whole => !work.stays.contains(&model.slice_of(*day)),
        });
        let mut parts: BTreeMap<PartitionValues, Rows> = BTreeMap::new();
        for (day, values) in rows {
            parts.entry(partition(&model, day)).or_default().insert(day, values);
        }
        let mut files = kept;
        for (partition, rows) in parts {
            files.push((data_file(self.name_anew("file"), partition), rows));
        }
        files.sort_by(|left, right| left.0.path.cmp(&right.0.path));
        let (id, version) = match base {
            Some(base) => (base.id.clone(), base.version + 1),
            None => (self.name_anew("table"), 0),
        };
        let mut ledger = work.ledger(base, (&id, version), files.iter().map(|(file, _)| file));
        if self.flaw == Some(Flawed::NoCutoff) {
            for entry in ledger.slices.iter_mut().filter(|(slice, _)| work.covers(**slice)).map(|(_, entry)| entry) {
                entry.changes = entry.changes.and(version, entry.rows.rows);
            }
        }
        if self.flaw == Some(Flawed::ForgetsEmptied) {
            ledger.slices.retain(|_, entry| entry.rows.rows > 0);
        }
        self.tell(&format!("    m{place}@{version}: {}", told_slices(work)));
        self.seen.commits += 1;
        self.seen.slices += work.slices.len() as u64;
        self.seen.stays += work.stays.len() as u64;
        let version = Version { files, ledger: Some(Arc::new(ledger)), touched: Vec::new(), changed: None };
        self.push(place, id, version);
    }

    fn push(&mut self, place: usize, id: String, version: Version) {
        let model = self.model(place);
        let before = self.tables[place].as_ref();
        let known = before.is_none_or(|table| table.state().known_ledger().is_some());
        let rows_before =
            before.map(|table| slices(&model, &self.rows[&(id.clone(), table.newest())])).unwrap_or_default();
        let mut suspect = before.map(|table| table.state().tainted(&model.layout())).unwrap_or_default();
        let new = || Table { id, versions: Vec::new(), is_ledger_lost: false };
        let table = self.tables[place].get_or_insert_with(new);
        table.is_ledger_lost &= version.ledger.is_none();
        let number = table.versions.len() as u64;
        self.rows.insert((table.id.clone(), number), version.rows());
        let rows = slices(&model, &version.rows());
        let is_foreign = !version.touched.is_empty();
        table.versions.push(version);
        // What something else has changed counts as changed until it is made anew.
        if is_foreign {
            suspect.extend(table.state().tainted(&model.layout()));
        }
        let differs = |slice: &&SliceKey| rows_before.get(*slice) != rows.get(*slice);
        let changed = rows_before.keys().chain(rows.keys()).filter(differs).copied().chain(suspect).collect();
        table.versions.last_mut().unwrap().changed = known.then_some(changed);
    }

    /// Another engine changes one of the files, or adds one.
    pub fn foreign(&mut self, place: usize, nth: u8, deed: Deed) {
        let model = self.model(place);
        let Some(table) = &self.tables[place] else { return };
        let (id, mut files) = (table.id.clone(), table.versions.last().unwrap().files.clone());
        let (version, name) = (table.versions.len(), self.name_anew("foreign"));
        let mut touched = Vec::new();
        if let Deed::Adds { day } = deed {
            touched.push(partition(&model, day));
            files.push((data_file(name, partition(&model, day)), Rows::from([(day, vec![666])])));
        } else if !files.is_empty() {
            let (file, mut rows) = files.remove(usize::from(nth) % files.len());
            if deed != Deed::Rearranges {
                touched.push(file.partition.clone());
            }
            if let (Deed::Edits, Some(values)) = (deed, rows.values_mut().next()) {
                values.push(666);
                values.sort_unstable();
            }
            if deed != Deed::Removes {
                files.push((data_file(name, file.partition), rows));
            }
        }
        files.sort_by(|left, right| left.0.path.cmp(&right.0.path));
        self.seen.foreign += 1;
        self.tell(&format!("    m{place}@{version}: something else {deed:?}"));
        self.push(place, id, Version { files, ledger: None, touched, changed: None });
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

/// What the ledger says of rows.
pub(super) fn slices(model: &Model, rows: &Rows) -> BTreeMap<SliceKey, SliceRows> {
    let mut found: BTreeMap<SliceKey, SliceRows> = BTreeMap::new();
    for (day, values) in rows {
        *found.entry(model.slice_of(*day)).or_default() += digest([(day, values)]);
    }
    found
}

fn partition(model: &Model, day: Option<Day>) -> PartitionValues {
    let value = |slice: SliceKey| match slice {
        SliceKey::Timeless => None,
        other => Some(other.to_string()),
    };
    match model.cut {
        Cut::ByFile => PartitionValues::from_iter([("day", value(model.slice_of(day)))]),
        Cut::Shared | Cut::Whole => PartitionValues::none(),
    }
}

fn data_file(path: String, partition: PartitionValues) -> DataFile {
    DataFile { path: path.into(), partition, bytes: 1, rows: None, stats: None }
}

fn told_slices(work: &Work) -> String {
    let whole = if work.rest { "whole, " } else { "" };
    let told = |slices: Vec<&SliceKey>| slices.iter().map(|slice| slice.to_string()).collect::<Vec<_>>().join(" ");
    let (same, new): (Vec<&SliceKey>, Vec<&SliceKey>) =
        work.slices.keys().partition(|slice| work.stays.contains(slice));
    format!("{whole}new [{}], same [{}]", told(new), told(same))
}
