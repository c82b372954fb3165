//! What a build has computed, held against what the table holds: slices that came out as they were keep their files.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::analyze::TypedModel;
use crate::delta::delta_schema;
use crate::incremental::{Build, FileLoad, Refresh};
use crate::table::{DataFile, Domain, Entry, Provenance, SliceKey, SliceLayout, SliceMap, SliceRows, TableState, Work};

/// How many slices without rows a build may leave behind in the ledger: more only a person asks for, who names years
/// that no row lies in.
const MOST_EMPTY: usize = 10_000;

/// A computed build as it will be committed.
pub(super) struct Settled {
    pub work: Work,
    /// The files of the table that go.
    pub remove: Vec<DataFile>,
    /// The written files that are needed.
    pub add: Vec<DataFile>,
    /// How many slices were computed and came out as they were.
    pub same: u64,
}

/// What a build was to compute and what came out.
pub(super) struct Computed<'a> {
    pub model: &'a TypedModel,
    pub build: &'a Build,
    pub refresh: Refresh,
    pub base: Option<&'a TableState>,
    pub slices: SliceMap<SliceRows>,
}

impl Computed<'_> {
    /// Decides which slices stay as they are, and which files go.
    pub fn settle(self, provenance: Arc<Provenance>, replaced: Vec<DataFile>, new: Vec<DataFile>) -> Settled {
        if let Build::Files(load) = self.build {
            return self.settle_files(load, provenance, replaced, new);
        }
        let layout = self.model.layout();
        let domain = match (self.build, &layout) {
            (Build::Slices(slices), SliceLayout::ByFile { .. } | SliceLayout::Shared) => Domain::Slices(slices.clone()),
            (Build::Whole | Build::Files(_), _) | (Build::Slices(_), SliceLayout::Whole) => Domain::Whole,
            (Build::Batch, _) => Domain::Batch,
        };
        let empty = self.without_rows(&domain).into_iter().map(|slice| (slice, SliceRows::default()));
        let slices = empty.collect::<SliceMap<SliceRows>>().overlaid(self.slices.clone());
        let stays = self.stays(&layout, &slices);
        let work = Work { slices, stays, ..Work::new(layout, domain, provenance) };
        let goes = |file: &DataFile| work.replaces(file);
        let remove = replaced.into_iter().filter(goes).collect();
        let add = new.into_iter().filter(goes).collect();
        // What was copied along in a shared file was not computed.
        let same = work.stays.iter().filter(|slice| work.covers(**slice)).count() as u64;
        Settled { work, remove, add, same }
    }

    /// Rows of files are added to the slices that they belong to, whose own files stay. What was made anew is as after
    /// any other build. Everything is then known to be made of the files as they are: no other file has rows of it.
    fn settle_files(
        self,
        load: &FileLoad,
        provenance: Arc<Provenance>,
        replaced: Vec<DataFile>,
        new: Vec<DataFile>,
    ) -> Settled {
        let layout = self.model.layout();
        let known = self.base.and_then(TableState::known_ledger);
        let entries = known.into_iter().flat_map(|ledger| &ledger.slices);
        let before: SliceMap<SliceRows> = entries.map(|(slice, entry)| (*slice, entry.rows)).collect();
        let emptied = load.rebuild.slices(self.model.config.batch_size).map(|slice| (slice, SliceRows::default()));
        let (anew, more): (Vec<_>, Vec<_>) =
            self.slices.clone().into_iter().partition(|(slice, _)| load.rebuild.contains(*slice));
        let rebuilt: SliceMap<SliceRows> = emptied.chain(anew).collect();
        let more = more.into_iter().map(|(slice, rows)| {
            let mut sum = before.get(&slice).copied().unwrap_or_default();
            sum += rows;
            (slice, sum)
        });
        let more = more.collect();
        let same = self.stays(&layout, &rebuilt);
        let is_new = |slice: &SliceKey| load.rebuild.contains(*slice) && !same.contains(slice);
        let slices = before.overlaid(more).overlaid(rebuilt);
        let stays: BTreeSet<SliceKey> = slices.keys().copied().filter(|slice| !is_new(slice)).collect();
        let work = Work { slices, stays, ..Work::new(layout, Domain::Whole, provenance) };
        let is_same =
            |file: &DataFile| work.layout.slice_of(&file.partition).is_some_and(|slice| same.contains(&slice));
        let remove = replaced.into_iter().filter(|file| !is_same(file)).collect();
        let add = new.into_iter().filter(|file| !is_same(file)).collect();
        Settled { work, remove, add, same: same.len() as u64 }
    }

    /// Slices of the build that may have come out empty.
    fn without_rows(&self, domain: &Domain) -> Vec<SliceKey> {
        let known = self.base.and_then(TableState::known_ledger);
        match domain {
            Domain::Whole => known.map(|ledger| ledger.slices.keys().copied().collect()).unwrap_or_default(),
            // It always says what all rows are.
            Domain::Batch => Vec::new(),
            Domain::Slices(slices) => slices.slices(self.model.config.batch_size).take(MOST_EMPTY).collect(),
        }
    }

    /// The slices whose rows are those that the table holds, in files as a build would write them.
    fn stays(&self, layout: &SliceLayout, slices: &SliceMap<SliceRows>) -> BTreeSet<SliceKey> {
        let Some((base, ledger)) = self.base.and_then(|base| Some((base, base.known_ledger()?))) else {
            return BTreeSet::new();
        };
        let is_written_alike = delta_schema(&self.model.schema).is_ok_and(|schema| schema == base.schema)
            && base.partition_columns == self.model.partition_columns();
        if self.refresh == Refresh::Full || !is_written_alike {
            return BTreeSet::new();
        }
        let tainted = base.tainted(layout);
        let is_same = |entry: &Entry, rows: &SliceRows| {
            entry.rows == *rows && entry.provenance.fingerprint == self.model.fingerprint
        };
        let stays: BTreeSet<SliceKey> = slices
            .iter()
            .filter(|(slice, rows)| match ledger.slices.get(slice) {
                Some(entry) => !tainted.contains(slice) && is_same(entry, rows),
                None => rows.rows == 0 && !tainted.contains(slice),
            })
            .map(|(slice, _)| *slice)
            .collect();
        // In a file that is written anew all slices are.
        let all_or_none = *layout == SliceLayout::Shared && stays.len() < slices.len();
        if all_or_none { BTreeSet::new() } else { stays }
    }
}
