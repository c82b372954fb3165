//! Tables in memory: their versions with files and rows, and how an observer finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::project::{Cut, Day, Model, Rows, digest};
use crate::delta::Version;
use crate::table::{DataFile, Ledger, LedgerFound, PartitionValues, SinceLedger, SliceKey, SliceRows, TableState};

/// One version of a table.
#[derive(Debug, Clone)]
pub(super) struct PastRows {
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
    pub versions: Vec<PastRows>,
    pub is_ledger_lost: bool,
}

impl PastRows {
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
    pub fn newest(&self) -> Version {
        Version::new(self.versions.len() as u64 - 1)
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
            state.data_version = Version::new(*at as u64);
            let mut touched = Vec::new();
            for (version, foreign) in self.versions.iter().enumerate().skip(at + 1) {
                if !foreign.touched.is_empty() {
                    state.data_version = Version::new(version as u64);
                }
                touched.extend(foreign.touched.clone());
            }
            state.since = SinceLedger::Commits(touched);
        }
        state
    }
}

/// What the ledger says of rows.
pub(super) fn slices(model: &Model, rows: &Rows) -> BTreeMap<SliceKey, SliceRows> {
    let mut found: BTreeMap<SliceKey, SliceRows> = BTreeMap::new();
    for (day, values) in rows {
        *found.entry(model.slice_of(*day)).or_default() += digest([(day, values)]);
    }
    found
}

pub(super) fn partition(model: &Model, day: Option<Day>) -> PartitionValues {
    let value = |slice: SliceKey| match slice {
        SliceKey::NullTime => None,
        other => Some(other.to_string()),
    };
    match model.cut {
        Cut::ByFile => PartitionValues::from_iter([("day", value(model.slice_of(day)))]),
        Cut::Shared | Cut::Whole => PartitionValues::none(),
    }
}

pub(super) fn data_file(path: String, partition: PartitionValues) -> DataFile {
    DataFile { path: path.into(), partition, bytes: 1, rows: None, stats: None }
}
