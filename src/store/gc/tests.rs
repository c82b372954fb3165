//! Random histories of a table, held against the rule: what is kept stays readable, and nothing else stays.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{
    Kept, ListedObject, Needed, ObjectKind, Removal, is_worth_it, kept_releases, oldest_kept, plan_gc, plan_lake,
};
use crate::delta::Version;
use crate::store::log_names::{LogName, LogVersions};
use crate::store::random::StoreRandom;
use crate::table::{DataFile, LedgerName, LogActions, PartitionValues, SharedText, TableState};

const HOUR: i64 = 3_600_000;

/// A table and everything that ever lay in its folder.
#[derive(Default)]
struct World {
    now: i64,
    /// How many of a hundred commits are karat's own.
    own: u64,
    objects: BTreeMap<String, ListedObject>,
    commits: BTreeMap<Version, LogActions>,
    states: BTreeMap<Version, TableState>,
    ledgers: BTreeMap<LedgerName, WrittenLedger>,
    shown: BTreeSet<Version>,
    /// The oldest version that the last removal has kept: older ones are neither released nor restored.
    floor: Version,
    /// Commits that landed after the objects were listed.
    late: BTreeSet<Version>,
}

/// What a ledger names, and where it came from.
#[derive(Debug, Clone, Default)]
struct WrittenLedger {
    version: Version,
    /// The objects that it lies on.
    below: Vec<LedgerName>,
    facts: Vec<String>,
}

struct Dice(StoreRandom);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(StoreRandom::Seeded(crate::locked::Locked::new(seed)))
    }

    fn below(&self, end: u64) -> u64 {
        self.0.number().unwrap() % end
    }

    fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one_of<'o, T>(&self, of: &'o [T]) -> Option<&'o T> {
        if of.is_empty() { None } else { of.get(usize::try_from(self.below(of.len() as u64)).unwrap()) }
    }
}

impl World {
    fn put(&mut self, name: String, modified: i64) {
        let bytes = name.len() as u64;
        self.objects.entry(name.clone()).or_insert(ListedObject { name, bytes, modified });
    }

    fn newest(&self) -> TableState {
        self.states.values().next_back().cloned().unwrap_or_else(TableState::empty)
    }

    /// So many hours in which commits, orphans, checkpoints and releases come.
    fn live(&mut self, dice: &Dice, steps: u64) {
        for _ in 0..steps {
            self.now += i64::try_from(dice.below(20)).unwrap() * HOUR + 1;
            match dice.below(10) {
                0..=6 => self.commit(dice),
                7 => self.litter(dice),
                8 => {
                    let known: Vec<Version> = self.states.range(self.floor..).map(|(version, _)| *version).collect();
                    self.shown = dice.one_of(&known).copied().into_iter().collect();
                }
                _ => {
                    if let Some((version, _)) = self.states.last_key_value() {
                        let version = *version;
                        self.put(format!("_delta_log/{version:020}.checkpoint.parquet"), self.now);
                    }
                }
            }
        }
    }

    fn commit(&mut self, dice: &Dice) {
        let base = self.newest();
        let version = self.states.last_key_value().map_or(Version::FIRST, |(version, _)| version.next());
        let mut actions = LogActions { changes_data: true, ..LogActions::default() };
        for file in base.files.iter().filter(|_| dice.chance(40)) {
            actions.remove.push(file.path.to_string());
        }
        let known: Vec<String> =
            self.objects.keys().filter(|name| ObjectKind::of(name) == Some(ObjectKind::DataFile)).cloned().collect();
        for number in 0..dice.below(3) {
            // A restore brings old files back, and a slow build commits files that it wrote long ago.
            let old = dice.one_of(&known).filter(|_| dice.chance(20)).cloned();
            let path = old.unwrap_or_else(|| format!("day={number}/part-{version}-{}.parquet", dice.below(1 << 40)));
            actions.remove.retain(|removed| *removed != path);
            self.put(path.clone(), self.now - i64::try_from(dice.below(30)).unwrap() * HOUR);
            let (path, partition, bytes) =
                (SharedText::from(path.as_str()), PartitionValues::none(), path.len() as u64);
            actions.add.push(DataFile { path, partition, bytes, rows: None, stats: None });
        }
        // In some histories most commits are another writer's.
        if version == Version::FIRST || dice.chance(self.own) {
            let ledger = LedgerName::from_transaction(i64::try_from(dice.below(1 << 40)).unwrap()).unwrap();
            let written = self.written_on(base.transaction, version, dice);
            for name in written.facts.iter().cloned().chain([ledger.path()]) {
                self.put(name, self.now - 1);
            }
            self.ledgers.insert(ledger, written);
            actions.ledger = Some(ledger);
        }
        self.put(format!("_delta_log/{version:020}.json"), self.now);
        self.states.insert(version, base.after(&[(version, actions.clone())]));
        self.commits.insert(version, actions);
    }

    /// A ledger on some of the layers of the one before it, or a complete one.
    fn written_on(&self, before: Option<LedgerName>, version: Version, dice: &Dice) -> WrittenLedger {
        let (mut below, mut facts) = (Vec::new(), Vec::new());
        if let Some(before) = before {
            let of_before = &self.ledgers[&before];
            below.clone_from(&of_before.below);
            below.push(before);
            below.truncate(usize::try_from(dice.below(5)).unwrap());
            facts.clone_from(&of_before.facts);
        }
        if dice.chance(50) {
            facts.truncate(usize::try_from(dice.below(3)).unwrap());
            facts.push(format!("_karat/files/{}.zst", dice.below(4)));
        }
        WrittenLedger { version, below, facts }
    }

    fn litter(&mut self, dice: &Dice) {
        let number = dice.below(1 << 40);
        let newest = self.states.last_key_value().map_or(Version::FIRST, |(version, _)| *version);
        let floor = self.floor.number();
        let name = match dice.below(7) {
            0 => format!("part-{number}.parquet"),
            1 => format!("_karat/ledger/{number:016x}.zst"),
            2 => format!("_karat/files/{number}.zst"),
            3 => format!("_change_data/part-{number}.parquet"),
            4 => format!("_delta_log/{newest:020}.crc"),
            5 => "_delta_log/_last_checkpoint".to_owned(),
            _ => format!("_karat/pin/{:020}-{number}", floor + dice.below(newest.next().number() - floor)),
        };
        self.put(name, self.now);
    }

    /// The objects as they were listed before the last of the commits came.
    fn list(&mut self, dice: &Dice, horizon: i64) -> Vec<ListedObject> {
        self.late.clear();
        for _ in 0..dice.below(3) {
            let Some(version) = self.states.keys().rev().find(|version| !self.late.contains(version)).copied() else {
                break;
            };
            let has_checkpoint = self.objects.contains_key(&format!("_delta_log/{version:020}.checkpoint.parquet"));
            let is_young = self.objects[&format!("_delta_log/{version:020}.json")].modified >= horizon;
            if version > Version::FIRST && is_young && !has_checkpoint {
                self.late.insert(version);
            } else {
                break;
            }
        }
        let is_late = |object: &&ListedObject| match LogName::parse(&object.name) {
            Some(LogName::Commit(version)) => self.late.contains(&version),
            _ => false,
        };
        self.objects.values().filter(|object| !is_late(object)).cloned().collect()
    }

    /// What the real thing reads of the log after it has listed.
    fn kept(&self, oldest: Version) -> Kept {
        let commits =
            self.commits.range(oldest.next()..).map(|(version, actions)| (*version, actions.clone())).collect();
        let ledger_version = self.newest().transaction.map(|ledger| self.ledgers[&ledger].version);
        let oldest = self.states[&oldest].clone();
        let mut kept = Kept { oldest, commits, ledger_version, needed: Needed::default() };
        for ledger in kept.named_ledgers() {
            kept.needed.ledgers.extend(&self.ledgers[&ledger].below);
            kept.needed.source_files.extend(self.ledgers[&ledger].facts.iter().cloned());
        }
        kept
    }

    /// Which versions must stay, by the definition and not by the way they are found.
    fn must_stay(&self, readable: std::ops::RangeInclusive<Version>, horizon: i64) -> BTreeSet<Version> {
        let committed = |version: Version| self.objects.get(&format!("_delta_log/{version:020}.json"));
        let is_replaced_before =
            |version: &Version| committed(version.next()).is_some_and(|next| next.modified < horizon);
        let is_pinned = |version: &Version| {
            let pin = format!("_karat/pin/{version:020}-");
            self.objects.values().any(|object| object.name.starts_with(&pin) && object.modified >= horizon)
        };
        let newest = *self.states.last_key_value().unwrap().0;
        Version::each(*readable.start()..=newest)
            .filter(|version| !is_replaced_before(version) || self.shown.contains(version) || is_pinned(version))
            .collect()
    }

    /// Replays a version from what is left.
    fn replay(&self, version: Version) -> Option<TableState> {
        let has = |name: String| self.objects.contains_key(&name);
        let checkpoint = Version::each(Version::FIRST..=version)
            .rev()
            .find(|version| has(format!("_delta_log/{version:020}.checkpoint.parquet")));
        let (mut state, first) = match checkpoint {
            Some(checkpoint) => (self.states[&checkpoint].clone(), checkpoint.next()),
            None => (TableState::empty(), Version::FIRST),
        };
        for version in Version::each(first..=version) {
            if !has(format!("_delta_log/{version:020}.json")) {
                return None;
            }
            state = state.after(&[(version, self.commits[&version].clone())]);
        }
        Some(state)
    }

    fn check_readable(&self, version: Version) {
        let state = self.replay(version).unwrap_or_else(|| panic!("version {version} cannot be put together"));
        assert_eq!(state, self.states[&version]);
        for file in state.files.iter() {
            assert!(self.objects.contains_key(file.path.as_str()), "version {version} lost {}", file.path);
        }
        if let Some(ledger) = state.transaction {
            let WrittenLedger { below, facts, .. } = &self.ledgers[&ledger];
            let mut layers = below.iter().chain([&ledger]).map(|layer| layer.path());
            assert!(layers.all(|layer| self.objects.contains_key(&layer)), "version {version} lost its ledger");
            assert!(facts.iter().all(|facts| self.objects.contains_key(facts)), "version {version} lost its facts");
        }
    }

    /// Whether an old object that is left is there for a reason.
    fn is_needed(&self, object: &ListedObject, oldest: Version, log_from: Option<Version>) -> bool {
        let mut kept = self.states.range(oldest..).map(|(_, state)| state);
        let names_facts = |ledger: LedgerName| self.ledgers[&ledger].facts.contains(&object.name);
        let needs_ledger = |ledger: LedgerName| {
            let mut layers = self.ledgers[&ledger].below.iter().chain([&ledger]);
            layers.any(|layer| layer.path() == object.name)
        };
        match (ObjectKind::of(&object.name), LogName::parse(&object.name)) {
            (Some(ObjectKind::DataFile), _) => {
                kept.any(|state| state.files.iter().any(|file| file.path.as_str() == object.name))
            }
            (Some(ObjectKind::Ledger), _) => kept.any(|state| state.transaction.is_some_and(needs_ledger)),
            (Some(ObjectKind::SourceFacts), _) => kept.any(|state| state.transaction.is_some_and(names_facts)),
            (_, Some(LogName::Commit(version) | LogName::Checkpoint { version, .. } | LogName::Derived(version))) => {
                log_from.is_none_or(|from| version >= from)
            }
            (Some(ObjectKind::Mark), _) => false,
            (kind, None) => kind.is_none(),
        }
    }
}

fn collect(world: &mut World, dice: &Dice) -> Removal {
    let horizon = world.now - i64::try_from(1 + dice.below(150)).unwrap() * HOUR;
    let listed = world.list(dice, horizon);
    let readable = LogVersions::of(listed.iter().map(|object| object.name.as_str())).readable().unwrap();
    let must_stay = world.must_stay(readable.clone(), horizon);
    let oldest = oldest_kept(&listed, readable, &world.shown, horizon);
    let kept = world.kept(oldest);
    let ledger_version = kept.ledger_version;
    let removal = plan_gc(&listed, &kept, horizon);
    for name in removal.names() {
        let removed = world.objects.remove(name).unwrap();
        assert!(removed.modified < horizon, "{name} is young");
        assert!(ObjectKind::of(name).is_some() && !name.contains("_change_data"), "{name} is nothing that is known");
    }
    assert_eq!(Some(&oldest), must_stay.first(), "as little is kept as may be");
    // A removal with a longer retention than the last one does not bring back what is gone.
    for version in Version::each(oldest.max(world.floor)..=*world.states.last_key_value().unwrap().0) {
        world.check_readable(version);
    }
    let since = ledger_version.unwrap_or(oldest);
    let versions = LogVersions::of(world.objects.keys().map(String::as_str));
    let log_from = versions.checkpoints.range(..=oldest.min(since)).next_back().copied();
    let before = LogVersions::of(listed.iter().map(|object| object.name.as_str()));
    for version in before.commits.range(since.next()..) {
        assert!(versions.commits.contains(version), "version {version} tells what others did after the ledger");
    }
    for object in listed.iter().filter(|object| object.modified < horizon && world.objects.contains_key(&object.name)) {
        assert!(world.is_needed(object, oldest, log_from), "{} stays without a reason", object.name);
    }
    world.floor = world.floor.max(oldest);
    removal
}

#[test]
fn invariant_i7_what_is_kept_stays_readable_and_nothing_else_stays() {
    let mut kinds = BTreeSet::new();
    for seed in 0..400 {
        let dice = Dice::new(seed);
        let own = if dice.chance(70) { 80 } else { 10 };
        let mut world = World { own, ..World::default() };
        world.commit(&dice);
        // What is left of one removal is what the next one finds.
        for _ in 0..3 {
            world.live(&dice, 5 + dice.below(25));
            kinds.extend(collect(&mut world, &dice).sums().map(|(kind, ..)| kind));
        }
    }
    let all = [
        ObjectKind::DataFile,
        ObjectKind::Ledger,
        ObjectKind::SourceFacts,
        ObjectKind::Commit,
        ObjectKind::Checkpoint,
        ObjectKind::Mark,
    ];
    assert_eq!(kinds, BTreeSet::from(all), "the histories have everything that can be removed");
}

#[test]
fn the_release_that_was_the_newest_at_the_horizon_is_kept() {
    let listed = |name: &str, modified: i64| ListedObject { name: name.to_owned(), bytes: 1, modified };
    let release = |number: u64, modified: i64| listed(&format!("_karat/releases/{number:020}.json"), modified);
    let objects = [
        release(1, 10),
        release(2, 20),
        release(3, 30),
        release(4, 40),
        listed("_karat/releases/_newest", 40),
        listed("_karat/proof/left", 10),
        listed("_karat/proof.json", 10),
    ];
    let names = |horizon: i64| plan_lake(&objects, horizon).names().map(str::to_owned).collect::<Vec<_>>();
    let kept = |horizon: i64| kept_releases(&objects, horizon).len();
    assert_eq!(names(10), [""; 0]);
    assert_eq!(names(35), [objects[0].name.as_str(), &objects[1].name, "_karat/proof/left"]);
    assert_eq!(kept(35), 2, "3 was shown at the horizon, 4 came after it");
    assert_eq!(names(50).len(), 4);
    assert_eq!(kept(50), 1, "the newest is always kept");
}

#[test]
fn a_table_that_was_never_committed_is_only_litter() {
    let object = |name: &str| ListedObject { name: name.to_owned(), bytes: 1, modified: 0 };
    let objects = ["part-a.parquet", "_karat/ledger/0000000000000001.zst", "notes.txt"].map(object);
    let nothing =
        || Kept { oldest: TableState::empty(), commits: Vec::new(), ledger_version: None, needed: Needed::default() };
    assert_eq!(plan_gc(&objects, &nothing(), 1).names().count(), 2);
    // The first commit came after the objects were listed.
    let (path, partition) = ("part-a.parquet".into(), PartitionValues::none());
    let add = vec![DataFile { path, partition, bytes: 1, rows: None, stats: None }];
    let ledger = LedgerName::from_transaction(1);
    let kept =
        Kept { commits: vec![(Version::FIRST, LogActions { add, ledger, ..LogActions::default() })], ..nothing() };
    assert!(plan_gc(&objects, &kept, 1).is_empty());
}

#[test]
fn a_clean_up_waits_until_half_as_many_releases_can_go_as_are_kept() {
    let releases = |old: usize, young: usize| {
        let release = |number: usize| ListedObject {
            name: format!("_karat/releases/{number:020}.json"),
            bytes: 1,
            modified: if number < old { 0 } else { HOUR },
        };
        (0..old + young).map(release).collect::<Vec<_>>()
    };
    // The newest of the old ones was the newest at the horizon, so it stays.
    let is_due = |old, young| is_worth_it(&releases(old, young), HOUR);
    assert!(!is_due(0, 100));
    assert!(!is_due(50, 1_000));
    assert!(!is_due(500, 1_000));
    assert!(is_due(502, 1_000));
    assert!(is_due(99, 1));
    // Each is asked for about what was done since the last one: a share of what is kept, however much that is.
    for kept in [10, 300] {
        let due = (0..kept * 2).find(|old| is_due(*old, kept)).unwrap();
        assert!((kept / 2..=kept / 2 + 3).contains(&due), "{due} of {kept}");
    }
}
