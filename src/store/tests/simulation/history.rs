//! One history: episodes of changes, runs and accidents, then a plain run, then the checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde_json::json;

use super::Flawed;
use super::checks;
use super::process::{Claims, Process, encode};
use super::world::{Files, Model, Rows, day};
use crate::day::{Grain, TimeRange};
use crate::store::commit::caught_up;
use crate::store::faults::{BadStore, Fault, FaultPlan, FaultStore, Flaw};
use crate::store::random::StoreRandom;
use crate::store::table_log::{TableLog, commit_name};
use crate::table::{SliceKey, TableState};

/// What happened in histories: they prove something only if enough did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub commits: u64,
    pub runs: u64,
    pub crashes: u64,
    pub unclear: u64,
    pub lost: u64,
    pub foreign: u64,
    pub lost_ledgers: u64,
    pub releases: u64,
    pub merges: u64,
}

impl Summary {
    pub fn add(&mut self, other: &Summary) {
        self.commits += other.commits;
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.unclear += other.unclear;
        self.lost += other.lost;
        self.foreign += other.foreign;
        self.lost_ledgers += other.lost_ledgers;
        self.releases += other.releases;
        self.merges += other.merges;
    }

    /// Whether each kind of accident happened often.
    pub fn is_eventful(&self) -> bool {
        let Summary { commits, runs, crashes, unclear, lost, foreign, lost_ledgers, releases, merges } = self;
        let often = [commits, runs, crashes, unclear, lost, foreign, lost_ledgers, releases];
        often.iter().all(|count| **count > 500) && *merges > 50
    }
}

/// Everything that a history has at hand.
pub(super) struct World {
    pub store: Arc<dyn ObjectStore>,
    pub files: Files,
    pub code: i64,
    pub claims: Vec<Claims>,
    pub dice: Dice,
    pub flaw: Option<Flawed>,
    pub seen: Summary,
}

/// Decides by the seed alone.
pub(super) struct Dice(StoreRandom);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(StoreRandom::Seeded(crate::locked::Locked::new(seed)))
    }

    /// A number below this one.
    pub fn below(&self, limit: u64) -> u64 {
        self.0.number().unwrap() % limit
    }
}

const FAULTS: [Fault; 11] = [
    Fault::FailBefore,
    Fault::AppliedThenError,
    Fault::AppliedThenError,
    Fault::AppliedThenHang,
    Fault::DropThenLandLate,
    Fault::DropThenLandLate,
    Fault::Status(409),
    Fault::Status(412),
    Fault::Status(503),
    Fault::Slow(Duration::from_secs(7)),
    Fault::ShortRead,
];

const SLOW: [Fault; 4] = [
    Fault::Slow(Duration::from_millis(40)),
    Fault::Slow(Duration::from_millis(150)),
    Fault::Slow(Duration::from_millis(400)),
    Fault::Slow(Duration::from_millis(1100)),
];

/// The days that files have rows of.
const DAYS: u64 = 5;

pub(super) async fn history(seed: u64, flaw: Option<Flawed>) -> Result<Summary, String> {
    let mut world = World::new(seed, flaw);
    for _ in 0..2 + world.dice.below(3) {
        world.episode().await;
    }
    // Requests that are still on their way land now or never.
    tokio::time::sleep(Duration::from_secs(120)).await;
    world.settle().await?;
    checks::all(&world).await?;
    Ok(world.seen)
}

pub(super) fn slice(number: u64) -> SliceKey {
    SliceKey::At(day(number as u32))
}

impl World {
    /// Files with a row a day, and no tables yet.
    pub fn new(seed: u64, flaw: Option<Flawed>) -> World {
        let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store: Arc<dyn ObjectStore> = match flaw {
            Some(Flawed::StoreOverwrites) => Arc::new(BadStore::new(memory, Flaw::IgnoresConditionEvery(1))),
            _ => memory,
        };
        let dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
        let first = (1..=DAYS).map(|number| (slice(number), vec![dice.below(100) as i64])).collect::<Rows>();
        let files = Files::new(first);
        World { store, files, code: 1, claims: Vec::new(), dice, flaw, seen: Summary::default() }
    }

    async fn episode(&mut self) {
        match self.dice.below(10) {
            0..=1 => self.change_files(),
            2 => self.foreign_commit().await,
            3 => self.lose_ledger().await,
            4 => self.code += i64::from(self.dice.below(3) == 0),
            _ => {}
        }
        if self.dice.below(2) == 0 {
            self.change_files();
        }
        self.runs().await;
    }

    /// A row comes late, goes, or moves to another day.
    pub fn change_files(&self) {
        let (from, to) = (slice(1 + self.dice.below(DAYS)), slice(1 + self.dice.below(DAYS)));
        let (kind, value) = (self.dice.below(3), self.dice.below(1000) as i64);
        self.files.change(|rows| match kind {
            0 => rows.entry(to).or_default().push(value),
            1 => {
                rows.entry(from).or_default().pop();
            }
            _ => {
                let moved = rows.entry(from).or_default().pop();
                rows.entry(to).or_default().extend(moved);
            }
        });
    }

    /// One to three runs at about the same time, each with its own bad luck.
    async fn runs(&mut self) {
        let count = 1 + self.dice.below(3);
        let mut processes = Vec::new();
        for number in 0..count {
            let seed = self.dice.0.number().unwrap();
            let plan = match self.dice.below(4) {
                0 => FaultPlan::none(),
                1 => FaultPlan::at(self.dice.below(70), Fault::Abort).and(FaultPlan::random(seed, 25, &FAULTS)),
                2 => FaultPlan::at(self.dice.below(70), Fault::AbortAfter),
                _ => FaultPlan::random(seed, 12, &FAULTS),
            };
            // Every second call takes its time, so that runs come between each other's calls.
            let plan = plan.and(FaultPlan::random(seed ^ 1, 2, &SLOW));
            let wire = Arc::new(FaultStore::new(Arc::clone(&self.store), plan));
            let name = format!("run {} of {}", number, self.claims.len());
            let wait = Duration::from_millis(self.dice.below(3000));
            let partial = self.dice.below(5) < 2;
            let start = 1 + self.dice.below(DAYS) as u32;
            let range = TimeRange::new(day(start), Grain::Day.next(day(start + self.dice.below(2) as u32)));
            processes.push((wire, name, wait, range.filter(|_| partial), seed));
        }
        // Each begins at its own time, and sees the files as they are then.
        let (files, code, flaw) = (&self.files, self.code, self.flaw);
        let lives = processes.into_iter().map(|(wire, name, wait, only, seed)| async move {
            tokio::time::sleep(wait).await;
            let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
            let mut process = Process::new(name, store, files, code, seed).flawed(flaw);
            process.only = only;
            let ended = process.run().await;
            (process.claims, ended, wire)
        });
        let ended = futures::future::join_all(lives).await;
        for (claims, ended, wire) in ended {
            self.seen.runs += 1;
            self.seen.commits += claims.committed.len() as u64;
            self.seen.lost += claims.not_committed.len() as u64;
            self.seen.merges += claims.merges;
            self.seen.releases += u64::from(claims.released.is_some());
            self.seen.crashes += u64::from(wire.has_crashed());
            self.seen.unclear += u64::from(matches!(ended, Err(crate::store::StoreError::Unknown { .. })));
            // A dead process says nothing: neither what it did nor what it did not.
            if !wire.has_crashed() {
                self.claims.push(claims);
            }
        }
    }

    pub fn log(&self, model: Model) -> TableLog {
        let folder = Path::from(format!("sim/{}", model.name()));
        TableLog { store: Arc::clone(&self.store), folder, name: model.table().to_string() }
    }

    pub async fn state(&self, model: Model) -> Option<TableState> {
        let state = caught_up(&self.log(model), None).await.unwrap();
        (!state.id.is_empty()).then_some(state)
    }

    /// Another engine rewrites a file: with the same rows, or with other ones.
    async fn foreign_commit(&mut self) {
        let model = Model::ALL[self.dice.below(4) as usize];
        let Some(state) = self.state(model).await else { return };
        let Some(file) = state.files.get(self.dice.below(state.files.len().max(1) as u64) as usize) else { return };
        let edits = self.dice.below(2) == 0;
        let place = |name: &str| Path::from(format!("sim/{}/{name}", model.name()));
        let mut rows =
            super::process::decode(&self.store.get(&place(&file.path)).await.unwrap().bytes().await.unwrap());
        if edits {
            rows.values_mut().for_each(|rows| rows.push(666));
        }
        let name = format!("foreign-{}.json", self.dice.0.token().unwrap());
        let bytes = encode(&rows);
        let size = bytes.len();
        self.store.put(&place(&name), bytes.into()).await.unwrap();
        let lines = [
            json!({"commitInfo": {"operation": if edits { "MERGE" } else { "OPTIMIZE" }}}),
            json!({"remove": {"path": file.path, "dataChange": edits, "partitionValues": file.partition}}),
            json!({"add": {"path": name, "dataChange": edits, "partitionValues": file.partition, "size": size}}),
        ];
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let slot = place(&commit_name(state.version.next()));
        self.store.put_opts(&slot, text.into(), PutOptions::from(PutMode::Create)).await.unwrap();
        self.seen.foreign += 1;
    }

    /// Somebody cleans up where nothing was to be cleaned.
    async fn lose_ledger(&mut self) {
        let model = Model::ALL[self.dice.below(4) as usize];
        let Some(name) = self.state(model).await.and_then(|state| state.transaction) else { return };
        let lost = self.store.delete(&Path::from(format!("sim/{}/{}", model.name(), name.path()))).await;
        self.seen.lost_ledgers += u64::from(lost.is_ok());
    }

    /// One plain run brings everything up to date, and a second one writes nothing.
    pub async fn settle(&mut self) -> Result<(), String> {
        let mut puts = Vec::new();
        for name in ["last run", "run after the last"] {
            let wire = Arc::new(FaultStore::new(Arc::clone(&self.store), FaultPlan::none()));
            let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
            let mut process = Process::new(name.to_owned(), store, &self.files, self.code, 77).flawed(self.flaw);
            process.run().await.map_err(|error| format!("the {name} failed: {error}"))?;
            self.claims.push(std::mem::take(&mut process.claims));
            puts = wire.log().into_iter().filter(|call| call.operation.writes()).map(|call| call.path).collect();
        }
        if puts.is_empty() { Ok(()) } else { Err(format!("the run after the last wrote {puts:?}")) }
    }

    /// What the tables must hold now.
    pub fn truth(&self) -> BTreeMap<Model, Rows> {
        let (_, files) = self.files.newest();
        Model::ALL.iter().map(|model| (*model, model.truth(self.code, &files))).collect()
    }
}
