//! The world of a simulation: files that change, four models over them, and what their tables must hold.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{NaiveDate, NaiveDateTime};

use crate::day::{Grain, midnight};
use crate::name::TableKey;
use crate::table::{Fingerprint, SliceKey, SliceLayout, SliceRows};

/// The rows of a table or of all files, by slice. A slice without rows is not there.
pub(super) type Rows = BTreeMap<SliceKey, Vec<i64>>;

/// What the models read in the end. All versions are kept, so that it can be said later what was true when.
#[derive(Debug, Default)]
pub(super) struct Files {
    versions: Mutex<Vec<Rows>>,
}

impl Files {
    pub fn new(first: Rows) -> Files {
        Files { versions: Mutex::new(vec![first]) }
    }

    /// The newest version and its rows.
    pub fn newest(&self) -> (usize, Rows) {
        let versions = self.versions.lock().unwrap();
        (versions.len() - 1, versions.last().unwrap().clone())
    }

    pub fn at(&self, version: usize) -> Rows {
        self.versions.lock().unwrap()[version].clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Rows)) {
        let mut versions = self.versions.lock().unwrap();
        let mut next = versions.last().unwrap().clone();
        change(&mut next);
        next.retain(|_, rows| !rows.is_empty());
        versions.push(next);
    }
}

/// The models, in an order that their references allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Model {
    /// The rows of the files, a file a day.
    Events,
    /// A sum a day, a file a day.
    Sums,
    /// One number.
    Total,
    /// A count a day, all days in one file.
    Counts,
}

impl Model {
    pub const ALL: [Model; 4] = [Model::Events, Model::Sums, Model::Total, Model::Counts];

    /// Its schema and its table's name.
    pub fn name(self) -> &'static str {
        match self {
            Model::Events => "events",
            Model::Sums => "sums",
            Model::Total => "total",
            Model::Counts => "counts",
        }
    }

    pub fn table(self) -> TableKey {
        format!("sim.{}", self.name()).as_str().into()
    }

    /// The models that it reads.
    pub fn parents(self) -> &'static [Model] {
        match self {
            Model::Events => &[],
            Model::Sums | Model::Counts => &[Model::Events],
            Model::Total => &[Model::Events, Model::Sums],
        }
    }

    pub fn layout(self) -> SliceLayout {
        match self {
            Model::Events | Model::Sums => SliceLayout::ByFile { event_time: "day".to_owned(), grain: Grain::Day },
            Model::Total => SliceLayout::Whole,
            Model::Counts => SliceLayout::Shared,
        }
    }

    /// Equal fingerprints and inputs, equal rows. The code of `sums` may change.
    pub fn fingerprint(self, code: i64) -> Fingerprint {
        match self {
            Model::Sums => format!("sums {code}").into(),
            other => other.name().into(),
        }
    }

    /// The rows of its table, given those of its inputs: of the files for `events`.
    pub fn compute(self, code: i64, inputs: &[Rows]) -> Rows {
        let sum = |rows: &Rows| rows.values().flatten().sum::<i64>();
        let per_slice = |of: &dyn Fn(&Vec<i64>) -> i64| {
            let rows = inputs.first().unwrap();
            rows.iter().map(|(slice, rows)| (*slice, vec![of(rows)])).collect()
        };
        match self {
            Model::Events => inputs.first().unwrap().clone(),
            Model::Sums => per_slice(&|rows| code * rows.iter().sum::<i64>()),
            Model::Counts => per_slice(&|rows| rows.len() as i64),
            Model::Total => Rows::from([(SliceKey::All, vec![inputs.iter().map(sum).sum()])]),
        }
    }

    /// What the table must hold if everything is made of these files by this code.
    pub fn truth(self, code: i64, files: &Rows) -> Rows {
        let parents: Vec<Rows> = match self {
            Model::Events => vec![files.clone()],
            other => other.parents().iter().map(|parent| parent.truth(code, files)).collect(),
        };
        self.compute(code, &parents)
    }
}

/// The digest of the rows of a slice: a sum over them, as the real one is.
pub(super) fn digest(rows: &[i64]) -> SliceRows {
    let of = |row: &i64| (*row as u128 + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let hash = rows.iter().map(of).fold(0, u128::wrapping_add);
    SliceRows { rows: rows.len() as u64, hash }
}

pub(super) fn day(number: u32) -> NaiveDateTime {
    midnight(NaiveDate::from_ymd_opt(2023, 1, number).unwrap())
}
