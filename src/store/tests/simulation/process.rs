//! One run of the simulated project: observe, plan, compute, stage, commit and release, by the real protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::Flawed;
use super::world::{Files, Model, Rows, digest};
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::incremental::{Build, InputChanges, InputRead, NullTime, Reach, Stale, Subject, SubjectInput};
use crate::name::TableKey;
use crate::store::Lake;
use crate::store::commit::{Change, CommitOutcome, Committer, Sabotage, caught_up};
use crate::store::commit_bytes::CommitInfo;
use crate::store::error::StoreError;
use crate::store::random::StoreRandom;
use crate::store::release::{Release, Released};
use crate::store::retry_policy::RetryPolicy;
use crate::store::table_log::TableLog;
use crate::table::{
    DataFile, Domain, InputVersion, LedgerFound, PartitionValues, Provenance, RecentLedgers, SliceKey, SliceLayout,
    SliceMap, SliceRows, SliceSet, TableState, Work, behind,
};

/// A run that is going on.
pub(super) struct Process<'w> {
    pub files: &'w Files,
    /// The version of the files and the code as they were when it began.
    pub files_version: usize,
    pub code: i64,
    pub lake: Lake,
    pub flaw: Option<Flawed>,
    pub name: String,
    /// Only these days are built, of the models that are cut by days.
    pub only: Option<TimeRange>,
    states: BTreeMap<Model, Option<Arc<TableState>>>,
    /// Whether an input changed under way, so that the tables may not belong together.
    moved: bool,
    /// What is left of a build whose rows must be merged, and into which state.
    merge: (Option<Work>, Option<Arc<TableState>>),
    pub claims: Claims,
}

/// What a run says of itself, to be held against what there is.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The table, version and token of every commit that it says it made.
    pub committed: Vec<(Model, Version, String)>,
    /// Tokens of commits that it says were not made.
    pub not_committed: Vec<String>,
    /// How often it put rows into another run's files.
    pub merges: u64,
    /// Whether it released a vector of tables that belong together.
    pub released: Option<u64>,
}

impl<'w> Process<'w> {
    pub fn new(name: String, store: Arc<dyn ObjectStore>, files: &'w Files, code: i64, seed: u64) -> Process<'w> {
        let random = StoreRandom::Seeded(crate::locked::Locked::new(seed));
        let committer = Committer { random, ..Committer::new(RetryPolicy::default(), u32::MAX, false) };
        Process {
            files,
            files_version: files.newest().0,
            code,
            lake: Lake::open("sim".to_owned(), store, committer, None),
            flaw: None,
            name,
            only: None,
            states: BTreeMap::new(),
            moved: false,
            merge: (None, None),
            claims: Claims::default(),
        }
    }

    /// The same run with a rule sabotage.
    pub fn flawed(mut self, flaw: Option<Flawed>) -> Process<'w> {
        let sabotage = match flaw {
            Some(Flawed::NextSlotOnAmbiguity) => Some(Sabotage::NextSlotOnAmbiguity),
            Some(Flawed::NoFence) => Some(Sabotage::NoFence),
            Some(Flawed::LedgerLostIsFresh | Flawed::StoreOverwrites) | None => None,
        };
        let committer = self.lake.committer();
        let seed = committer.random.number().unwrap();
        let random = StoreRandom::Seeded(crate::locked::Locked::new(seed));
        let committer = Committer { random, sabotage, ..Committer::new(committer.retry, u32::MAX, false) };
        self.lake = Lake::open("sim".to_owned(), Arc::clone(self.lake.objects()), committer, None);
        self.flaw = flaw;
        self
    }

    /// The same run, which gives up after one try.
    pub fn impatient(mut self) -> Process<'w> {
        let retry = RetryPolicy { tries: 1, ..RetryPolicy::default() };
        let random = StoreRandom::Seeded(crate::locked::Locked::new(self.lake.committer().random.number().unwrap()));
        let committer = Committer { random, ..Committer::new(retry, u32::MAX, false) };
        self.lake = Lake::open("sim".to_owned(), Arc::clone(self.lake.objects()), committer, None);
        self
    }

    /// The whole run. An error is what exit code 3 would be.
    pub async fn run(&mut self) -> Result<(), StoreError> {
        for model in Model::ALL {
            let state = self.observe(model).await?;
            self.states.insert(model, state);
        }
        loop {
            let behind = {
                let states = self.states.iter().filter_map(|(model, state)| Some((model.table(), state.as_deref()?)));
                behind(states)
            };
            let again: Vec<Model> = Model::ALL.into_iter().filter(|model| behind.contains(&model.table())).collect();
            if again.is_empty() {
                break;
            }
            for model in again {
                let state = self.observe(model).await?;
                self.states.insert(model, state);
            }
        }
        self.files_version = self.files.newest().0;
        for model in Model::ALL {
            self.step(model).await?;
        }
        self.release().await
    }

    fn log(&self, model: Model) -> TableLog {
        let (store, folder) = (Arc::clone(self.lake.objects()), Path::from(format!("sim/{}", model.name())));
        TableLog { store, folder, name: model.table().to_string() }
    }

    async fn observe(&self, model: Model) -> Result<Option<Arc<TableState>>, StoreError> {
        let log = self.log(model);
        let state = caught_up(&log, None).await?;
        Ok((!state.id.is_empty()).then(|| Arc::new(state)))
    }

    fn provenance(&self, model: Model) -> Provenance {
        let inputs = match model {
            Model::Events => BTreeMap::from([("files".into(), InputVersion::Files(self.files_version.to_string()))]),
            other => {
                let version =
                    |parent: &Model| self.states[parent].as_ref().map_or(InputVersion::Missing, |s| s.as_input());
                other.parents().iter().map(|parent| (parent.table(), version(parent))).collect()
            }
        };
        Provenance { fingerprint: model.fingerprint(self.code), inputs }
    }

    /// What a model must build, by the rules that real runs decide by.
    fn plan(&self, model: Model, forced: bool) -> Option<(Build, String)> {
        let state = self.states[&model].as_deref();
        let is_fresh = |state: &TableState| matches!(&state.ledger, LedgerFound::Unknown(why) if why.contains("lost"));
        if self.flaw == Some(Flawed::LedgerLostIsFresh) && state.is_some_and(is_fresh) {
            return None;
        }
        let is_cut = model.layout() != SliceLayout::Whole;
        if let (true, Some(range), true, Some(state)) = (forced, self.only, is_cut, state) {
            if let Some(reason) = state.needs_full_rebuild(&model.layout()) {
                return Some((Build::Whole, reason.to_owned()));
            }
            let slices = SliceSet::new(vec![range], false);
            return Some((Build::Slices(slices), format!("{range} was requested")));
        }
        match stale(model, &self.provenance(model), &self.states) {
            Stale::Nothing => None,
            Stale::Whole(cause) => Some((Build::Whole, cause.describe(None))),
            Stale::Slices(slices) => {
                let why = slices.values().next().unwrap().describe(None);
                Some((Build::Slices(SliceSet::of(slices.into_keys(), Grain::Day).unwrap()), why))
            }
        }
    }

    async fn step(&mut self, model: Model) -> Result<(), StoreError> {
        let mut plan = self.plan(model, true);
        for _ in 0..50 {
            let Some((build, why)) = plan else { return Ok(()) };
            if self.build(model, (&build, &why)).await? {
                return Ok(());
            }
            // Neither was newer: everything is looked at once more.
            for table in [model].into_iter().chain(model.parents().iter().copied()) {
                let state = self.observe(table).await?;
                self.moved |= table != model && version(&state) != version(&self.states[&table]);
                self.states.insert(table, state);
            }
            self.files_version = self.files.newest().0;
            plan = self.plan(model, true);
        }
        Err(StoreError::Conflict {
            table: model.table().to_string(),
            version: Version::FIRST,
            reason: "again and again".to_owned(),
        })
    }

    /// Builds and commits; false if it must be planned again.
    async fn build(&mut self, model: Model, (build, why): (&Build, &str)) -> Result<bool, StoreError> {
        let base = self.states[&model].clone();
        let provenance = Arc::new(self.provenance(model));
        let domain = match (build, model.layout()) {
            (Build::Slices(slices), SliceLayout::ByFile { .. } | SliceLayout::Shared) => Domain::Slices(slices.clone()),
            _ => Domain::Whole,
        };
        let mut work = Work::new(model.layout(), domain, provenance);
        let mut rows = self.compute(model).await?;
        rows.retain(|slice, _| work.covers(*slice));
        let empty: Vec<SliceKey> = match build {
            Build::Slices(slices) => slices.slices(Grain::Day).collect(),
            Build::Whole | Build::Files(_) | Build::Batch => {
                let known = base.as_deref().and_then(TableState::known_ledger);
                known.map(|ledger| ledger.slices.keys().copied().collect()).unwrap_or_default()
            }
        };
        let empty = empty.into_iter().map(|slice| (slice, SliceRows::default()));
        let with_rows = rows.iter().map(|(slice, rows)| (*slice, digest(rows)));
        work.slices = empty.collect::<SliceMap<SliceRows>>().overlaid(with_rows.collect());
        work.stays = stays(&work, base.as_deref());
        if base.as_deref().is_some_and(|base| work.says_nothing_new(base)) {
            return Ok(true);
        }
        let token = self
            .lake
            .committer()
            .random
            .token()
            .map_err(|source| StoreError::Unavailable { path: String::new(), source })?;
        let about = CommitInfo {
            token: token.clone(),
            model: model.name().to_owned(),
            run: self.name.clone(),
            why: why.to_owned(),
            git: None,
            made_as: None,
            now: 0,
        };
        let (mut round, mut garbage) = (0, Vec::new());
        let (schema, partition_columns) = ("{}".to_owned().into(), Vec::new());
        let (remove, add, together) = (Vec::new(), Vec::new(), Vec::new());
        let mut change = Change { base, work, remove, add, together, schema, partition_columns, about };
        loop {
            self.stage(model, &mut change, &rows, round).await?;
            garbage.extend(change.add.clone());
            let outcome = self.lake.committer().commit(&self.log(model), change.clone()).await;
            match self.conclude(model, &change, outcome, &garbage).await? {
                Some(is_done) => return Ok(is_done),
                None => round += 1,
            }
            (change.work, change.base) = (self.merge.0.take().unwrap(), self.merge.1.take());
        }
    }

    /// What comes after an outcome: whether the step is over, or nothing if rows must be merged. Files are removed where
    /// they are certainly part of no version.
    async fn conclude(
        &mut self,
        model: Model,
        change: &Change,
        outcome: Result<CommitOutcome, StoreError>,
        garbage: &[DataFile],
    ) -> Result<Option<bool>, StoreError> {
        let token = change.about.token.clone();
        let is_mine = |file: &&DataFile| change.add.contains(file);
        match outcome {
            Ok(CommitOutcome::Committed(state)) => {
                self.claims.committed.push((model, state.version, token));
                self.states.insert(model, Some(state));
                let older: Vec<DataFile> = garbage.iter().filter(|file| !is_mine(file)).cloned().collect();
                self.delete(model, &older).await;
                Ok(Some(true))
            }
            Ok(CommitOutcome::Superseded(winner)) => {
                self.claims.not_committed.push(token);
                self.states.insert(model, Some(winner));
                self.delete(model, garbage).await;
                Ok(Some(true))
            }
            Ok(CommitOutcome::Replan { .. }) => {
                self.claims.not_committed.push(token);
                self.delete(model, garbage).await;
                Ok(Some(false))
            }
            Ok(CommitOutcome::Merge { remaining, winner }) => {
                self.claims.merges += 1;
                self.merge = (Some(remaining), Some(winner));
                Ok(None)
            }
            Err(unknown @ StoreError::Unknown { .. }) => Err(unknown),
            Err(error) => {
                self.claims.not_committed.push(token);
                self.delete(model, garbage).await;
                Err(error)
            }
        }
    }

    /// Writes the rows as files: one a slice, or one for all together with the rows of slices that stay.
    async fn stage(&self, model: Model, change: &mut Change, rows: &Rows, round: u32) -> Result<(), StoreError> {
        let base = change.base.as_deref();
        let replaced: Vec<DataFile> = base
            .map_or(&[][..], |base| &base.files)
            .iter()
            .filter(|file| change.work.replaces(file))
            .cloned()
            .collect();
        let mut parts: BTreeMap<PartitionValues, Rows> = BTreeMap::new();
        let mut all: Rows =
            rows.iter().filter(|(slice, _)| change.work.covers(**slice)).map(|(s, r)| (*s, r.clone())).collect();
        if model.layout() == SliceLayout::Shared {
            let stays = self.read_files(model, &replaced).await?;
            all.extend(stays.into_iter().filter(|(slice, _)| !change.work.covers(*slice)));
        }
        all.retain(|slice, _| match model.layout() {
            SliceLayout::Shared => !change.work.keeps_all_files(),
            SliceLayout::Whole | SliceLayout::ByFile { .. } => !change.work.stays.contains(slice),
        });
        for (slice, rows) in all {
            let partition = match model.layout() {
                SliceLayout::ByFile { event_time, .. } => {
                    PartitionValues::from_iter([(event_time, Some(slice.to_string()))])
                }
                SliceLayout::Whole | SliceLayout::Shared => PartitionValues::none(),
            };
            parts.entry(partition).or_default().insert(slice, rows);
        }
        change.add = Vec::new();
        change.remove = replaced;
        for (number, (partition, rows)) in parts.into_iter().enumerate() {
            let path = format!("part-{}-{round}-{number}.json", change.about.token);
            let bytes = encode(&rows);
            let file = DataFile { path: path.into(), partition, bytes: bytes.len() as u64, rows: None, stats: None };
            let place = self.place(model, &file);
            self.lake
                .objects()
                .put(&place, bytes.into())
                .await
                .map_err(|error| StoreError::unavailable(file.path.as_str(), error))?;
            change.add.push(file);
        }
        Ok(())
    }

    fn place(&self, model: Model, file: &DataFile) -> Path {
        Path::from(format!("sim/{}/{}", model.name(), file.path))
    }

    /// Only files that are certainly part of no version.
    async fn delete(&self, model: Model, files: &[DataFile]) {
        let paths: Vec<_> = files.iter().map(|file| Ok(self.place(model, file))).collect();
        let _best_effort: Vec<_> =
            self.lake.objects().delete_stream(futures::stream::iter(paths).boxed()).collect().await;
    }

    async fn compute(&self, model: Model) -> Result<Rows, StoreError> {
        let mut inputs = Vec::new();
        match model {
            Model::Events => inputs.push(self.files.at(self.files_version)),
            other => {
                for parent in other.parents() {
                    let files = self.states[parent].as_ref().map_or(&[][..], |state| &state.files);
                    inputs.push(self.read_files(*parent, files).await?);
                }
            }
        }
        Ok(model.compute(self.code, &inputs))
    }

    async fn read_files(&self, model: Model, files: &[DataFile]) -> Result<Rows, StoreError> {
        let read = |file: &DataFile| {
            let place = self.place(model, file);
            async move {
                let bytes = async { self.lake.objects().get(&place).await?.bytes().await };
                let bytes = bytes.await.map_err(|error| StoreError::unavailable(place.to_string(), error))?;
                Ok::<Rows, StoreError>(decode(&bytes))
            }
        };
        let found: Vec<Rows> = futures::stream::iter(files).then(read).try_collect().await?;
        let mut rows = Rows::new();
        for (slice, mut more) in found.into_iter().flatten() {
            rows.entry(slice).or_default().append(&mut more);
        }
        Ok(rows)
    }

    /// As a real run does at its end: tables that moved under way are released only if they belong together.
    async fn release(&mut self) -> Result<(), StoreError> {
        let states = self.states.iter().filter_map(|(model, state)| Some((model.table(), state.as_deref()?)));
        let is_behind = !behind(states).is_empty();
        if is_behind || self.moved && Model::ALL.iter().any(|model| self.plan(*model, false).is_some()) {
            return Ok(());
        }
        let tables = self.states.iter().filter_map(|(model, state)| {
            let state = state.as_ref()?;
            Some((model.table(), Released { id: state.id.clone(), version: state.version, by: None }))
        });
        let release = Release { run: self.name.clone(), tables: tables.collect(), ..Release::default() };
        // A release that fails is a warning: the next run does it.
        if let Ok(number) = self.lake.release(&release).await {
            self.claims.released = number.filter(|_| self.only.is_none());
        }
        Ok(())
    }
}

/// What is stale of a model's table.
pub(super) fn stale(model: Model, now: &Provenance, states: &BTreeMap<Model, Option<Arc<TableState>>>) -> Stale {
    let of = |parent: &Model| {
        let state = states[parent].as_deref()?;
        Some((parent.table(), InputChanges::new(state, &parent.layout(), Grain::Day, None)))
    };
    let changes: BTreeMap<TableKey, InputChanges> = model.parents().iter().filter_map(of).collect();
    let aligned = InputRead { reach: Reach::ALIGNED, timeless: NullTime::Nothing, is_dimension: false };
    let reads = || model.parents().iter().map(|parent| (parent.table(), vec![aligned.clone()])).collect();
    let input = |(name, version): (&TableKey, &InputVersion)| {
        (
            name.clone(),
            SubjectInput { version: version.clone(), changes: changes.get(name), recent: RecentLedgers::default() },
        )
    };
    let subject = Subject {
        fingerprint: &now.fingerprint,
        layout: model.layout(),
        grain: Grain::Day,
        begin: None,
        state: states[&model].as_deref(),
        inputs: now.inputs.iter().map(input).collect(),
        makes_times: &|| false,
        reads: &reads,
    };
    subject.verdict().stale
}

/// The slices whose files stay, because their rows are those that the table holds.
fn stays(work: &Work, base: Option<&TableState>) -> BTreeSet<SliceKey> {
    let Some((base, ledger)) = base.and_then(|base| Some((base, base.known_ledger()?))) else { return BTreeSet::new() };
    let changed_externally = base.changed_externally(&work.layout);
    let is_same = |(slice, rows): &(&SliceKey, &SliceRows)| {
        let known = ledger.slices.get(slice).map_or(SliceRows::default(), |entry| entry.rows);
        known == **rows && !changed_externally.contains(*slice)
    };
    let stays: BTreeSet<SliceKey> = work.slices.iter().filter(is_same).map(|(slice, _)| *slice).collect();
    let is_all = work.layout != SliceLayout::Shared || stays.len() == work.slices.len();
    if is_all { stays } else { BTreeSet::new() }
}

fn version(state: &Option<Arc<TableState>>) -> Option<Version> {
    state.as_ref().map(|state| state.version)
}

pub(super) fn encode(rows: &Rows) -> Vec<u8> {
    let named: BTreeMap<String, &Vec<i64>> = rows.iter().map(|(slice, rows)| (slice.to_string(), rows)).collect();
    serde_json::to_vec(&named).unwrap()
}

pub(super) fn decode(bytes: &[u8]) -> Rows {
    let named: BTreeMap<String, Vec<i64>> = serde_json::from_slice(bytes).unwrap();
    named.into_iter().map(|(slice, rows)| (SliceKey::parse(&slice).unwrap(), rows)).collect()
}
