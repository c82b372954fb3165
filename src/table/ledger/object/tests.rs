//! Ledgers are read back as they were written, whatever lies in how many layers.

use proptest::prelude::*;

use super::*;
use crate::day::TimeRange;
use crate::delta::Version;
use crate::table::{InputVersion, SliceRows, SliceSet};

fn provenance(number: u64) -> Arc<Provenance> {
    let version = match number % 3 {
        0 => InputVersion::Missing,
        1 => InputVersion::Files(format!("digest {number}")),
        _ => InputVersion::Table {
            id: format!("id {number}"),
            version: Version::new(number),
            ledger: None,
            target: None,
            copied: false,
        },
    };
    let inputs = BTreeMap::from([(format!("schema.table_{number}").as_str().into(), version)]);
    Arc::new(Provenance { fingerprint: format!("fingerprint {}", number % 2).into(), inputs })
}

fn day_of(day: u32) -> chrono::NaiveDateTime {
    chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0).unwrap().naive_utc()
}

fn backfill(number: u32) -> Backfill {
    let range = |day| TimeRange::new(day_of(day), day_of(day + number % 5 + 1)).unwrap();
    let done = SliceSet::new((0..number % 4).map(|place| range(place * 10)).collect(), false);
    Backfill { key: format!("key {number}"), round: u64::from(number), done, version: Version::new(u64::from(number)) }
}

fn ledgers() -> impl Strategy<Value = Ledger> {
    let slice = (0_i64..400, 0_u64..4, any::<u128>(), any::<u64>());
    let slices = prop::collection::vec(slice, 0..40);
    (slices, prop::option::of(0_u64..4), any::<u32>()).prop_map(|(slices, rest, version)| {
        let entry = |(day, made_of, hash, rows): (i64, u64, u128, u64)| {
            let time = chrono::DateTime::from_timestamp(day * 3600, 0).unwrap().naive_utc();
            let slice = if day == 0 { SliceKey::NullTime } else { SliceKey::At(time) };
            let files = FileDigest(hash);
            let changes =
                RowChanges::default().and(Version::new(rows % 50), rows).and(Version::new(rows % 70 + 50), hash as u64);
            (slice, SliceEntry { provenance: provenance(made_of), files, rows: SliceRows { rows, hash }, changes })
        };
        Ledger {
            table: "a table".to_owned(),
            version: Version::new(u64::from(version)),
            slices: slices.into_iter().map(entry).collect(),
            history_starts_at: Version::new(u64::from(version / 2)),
            default_provenance: rest.map(provenance),
            foreign: (version % 5 > 0).then(|| (1..version % 5).map(|day| SliceKey::At(day_of(day))).collect()),
            source_files: (version % 2 == 0).then(|| FactsName::of(&["facts", "more facts"])),
            bad_records: (version % 3 == 0).then_some(BadRecordCount {
                least: u64::from(version),
                most: 9,
                is_exact: true,
            }),
            backfill: (version % 3 == 0).then(|| backfill(version)),
            layers: LedgerLayers::default(),
        }
    })
}

/// The ledger that these objects of a store are, of which this is the uppermost.
fn read_back(store: &BTreeMap<LedgerName, Vec<u8>>, name: LedgerName) -> io::Result<Ledger> {
    let read = |name: LedgerName| LedgerLayer::read(name, store.get(&name).map_or(&[][..], Vec::as_slice));
    let top = read(name)?;
    let mut layers = top.below().iter().map(|name| read(*name)).collect::<io::Result<Vec<LedgerLayer>>>()?;
    layers.push(top);
    Ledger::of_layers(layers)
}

/// What happens to a ledger from one version to the next.
#[derive(Debug, Clone)]
enum Step {
    /// These slices were made, of this.
    Made { slices: Vec<(i64, u64)>, of: u64 },
    /// These slices are not remembered any more.
    Forgotten(Vec<i64>),
    /// All slices that were made of one of these are as if they were made of the other.
    Lifted { from: u64, to: u64 },
    /// All slices are made of this now.
    All(u64),
    /// All slices are in these files now.
    Moved(u8),
    /// What is said of the whole table.
    Table { rest: Option<u64>, version: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec((0_i64..400, any::<u64>()), 1..8), 0_u64..9)
            .prop_map(|(slices, of)| Step::Made { slices, of }),
        1 => prop::collection::vec(0_i64..400, 1..5).prop_map(Step::Forgotten),
        2 => (0_u64..9, 0_u64..9).prop_map(|(from, to)| Step::Lifted { from, to }),
        1 => (0_u64..9).prop_map(Step::All),
        2 => (0_u8..9).prop_map(Step::Moved),
        1 => (prop::option::of(0_u64..9), any::<u32>()).prop_map(|(rest, version)| Step::Table { rest, version }),
    ]
}

fn hour(number: i64) -> SliceKey {
    SliceKey::At(chrono::DateTime::from_timestamp(number * 3600, 0).unwrap().naive_utc())
}

fn entry(rows: u64, of: u64) -> SliceEntry {
    let (rows, files) = (SliceRows { rows, hash: u128::from(rows) << 64 | 5 }, FileDigest(u128::from(rows) * 7));
    SliceEntry {
        provenance: provenance(of),
        files,
        rows,
        changes: RowChanges::default().and(Version::new(rows.rows % 9), rows.rows),
    }
}

impl Step {
    fn apply(&self, ledger: &mut Ledger) {
        let slices = std::mem::take(&mut ledger.slices);
        ledger.slices = match self {
            Step::Made { slices: made, of } => {
                slices.overlaid(made.iter().map(|(number, rows)| (hour(*number), entry(*rows, *of))).collect())
            }
            Step::Forgotten(gone) => {
                let mut slices = slices;
                slices.retain(|slice, _| gone.iter().all(|number| hour(*number) != *slice));
                slices
            }
            Step::Lifted { from, to } => {
                let (from, to) = (provenance(*from), provenance(*to));
                let mut slices = slices;
                let lifted = slices.iter_mut().filter(|(_, entry)| entry.provenance == from);
                lifted.for_each(|(_, entry)| entry.provenance = Arc::clone(&to));
                slices
            }
            Step::All(of) => {
                let of = provenance(*of);
                let mut slices = slices;
                slices.iter_mut().for_each(|(_, entry)| entry.provenance = Arc::clone(&of));
                slices
            }
            Step::Moved(to) => {
                let mut slices = slices;
                slices.iter_mut().for_each(|(_, entry)| entry.files = FileDigest(u128::from(*to)));
                slices
            }
            Step::Table { rest, version } => {
                ledger.default_provenance = rest.map(provenance);
                ledger.backfill = (version % 3 == 0).then(|| backfill(*version));
                ledger.foreign = (version % 2 == 0).then(|| [hour(i64::from(version % 7))].into());
                slices
            }
        };
        ledger.version = ledger.version.next();
    }
}

proptest! {
    #[test]
    fn a_ledger_is_read_back_as_it_was_written(ledger in ledgers()) {
        let (stored, object) = ledger.stored_on(None);
        prop_assert_eq!(LedgerName::from_path(&object.name.path()), Some(object.name));
        prop_assert_eq!(LedgerName::from_transaction(object.name.transaction()), Some(object.name));
        prop_assert_eq!(read_back(&BTreeMap::from([(object.name, object.bytes)]), object.name).unwrap(), stored);
    }

    #[test]
    fn a_damaged_object_is_no_ledger(ledger in ledgers(), place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (_, ContentObject { name, mut bytes }) = ledger.stored_on(None);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(LedgerLayer::read(name, &bytes).is_err());
        prop_assert!(LedgerLayer::read(name, &bytes[..place]).is_err());
    }

    #[test]
    fn a_ledger_that_changes_is_read_back_from_its_layers(
        slices in 0_i64..300, steps in prop::collection::vec(step(), 1..60),
    ) {
        let slices = (0..slices).map(|number| (hour(number), entry(number as u64, number as u64 % 4))).collect();
        let empty = Ledger { slices, ..Ledger::empty("a table".to_owned(), Version::FIRST) };
        let (mut newest, object) = empty.stored_on(None);
        let mut store = BTreeMap::from([(object.name, object.bytes)]);
        for step in steps {
            let mut next = newest.clone();
            step.apply(&mut next);
            let (stored, object) = next.stored_on(Some(&newest));
            store.insert(object.name, object.bytes);
            let read = read_back(&store, object.name).unwrap();
            prop_assert_eq!(&read, &stored);
            // The next step begins from what one writer has in memory or another one reads.
            newest = if stored.version.number() % 2 == 0 { stored } else { read };
        }
    }
}

/// A ledger of a year of hours, all made of one thing.
fn large() -> Ledger {
    let slices = (0..8_760).map(|number| (hour(number), entry(number as u64, 1))).collect();
    Ledger {
        slices,
        history_starts_at: Version::FIRST,
        default_provenance: Some(provenance(1)),
        ..Ledger::empty("a table".to_owned(), Version::new(7))
    }
}

#[test]
fn what_is_written_is_in_proportion_to_what_changed() {
    let (before, complete) = large().stored_on(None);
    let after_some = |step: Step| {
        let mut next = before.clone();
        step.apply(&mut next);
        let (stored, object) = next.stored_on(Some(&before));
        assert_eq!(stored.stored_as(), [complete.name, object.name]);
        object.bytes.len()
    };
    assert!(complete.bytes.len() > 100_000);
    assert!(after_some(Step::Made { slices: vec![(5, 1), (9_000, 3)], of: 2 }) < 1_000);
    assert!(after_some(Step::All(2)) < 1_000, "all slices are made of one thing instead of another");
    let mut shared = before.clone();
    Step::Moved(1).apply(&mut shared);
    let (shared, _) = Ledger { layers: LedgerLayers::default(), ..shared }.stored_on(None);
    let mut moved = shared.clone();
    Step::Moved(2).apply(&mut moved);
    assert!(moved.stored_on(Some(&shared)).1.bytes.len() < 1_000, "all slices are in other files than before");
}

#[test]
fn layers_that_do_not_belong_together_are_no_ledger() {
    let (before, complete) = large().stored_on(None);
    let mut next = before.clone();
    Step::All(2).apply(&mut next);
    let (_, change) = next.clone().stored_on(Some(&before));
    let mut other = before.clone();
    other.version = other.version.next();
    let (_, other) = Ledger { layers: LedgerLayers::default(), ..other }.stored_on(None);
    let read = |objects: &[&ContentObject<LedgerName>]| {
        let layers = objects.iter().map(|object| LedgerLayer::read(object.name, &object.bytes).unwrap());
        Ledger::of_layers(layers.collect()).map(|ledger| ledger.version)
    };
    assert_eq!(read(&[&complete, &change]).unwrap(), next.version);
    for wrong in [&[][..], &[&change], &[&other, &change], &[&complete, &change, &change], &[&change, &complete]] {
        assert!(read(wrong).is_err());
    }
}

#[test]
fn provenances_are_written_once() {
    let ledger = large();
    let slices =
        ledger.slices.iter().map(|(slice, made)| (*slice, SliceEntry { provenance: provenance(1), ..made.clone() }));
    let (_, object) = Ledger { slices: slices.collect(), ..ledger }.stored_on(None);
    let read = read_back(&BTreeMap::from([(object.name, object.bytes)]), object.name).unwrap();
    assert!(read.provenances().all(|one| Arc::ptr_eq(one, read.default_provenance.as_ref().unwrap())));
}
