//! Builds and commits of a history, as those of real runs are made, and what other engines do to tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::project::{Cut, Day, Rows};
use super::table::{PastRows, Table, data_file, partition, slices};
use super::world::{Flawed, World};
use crate::delta::Version;
use crate::incremental::{Build, Refresh};
use crate::table::{
    Domain, NextVersion, PartitionValues, SliceKey, SliceLayout, SliceMap, SliceRows, TableState, Work,
};

/// What another engine does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Rearranges,
    Edits,
    Removes,
    Adds { day: Option<Day> },
}

impl World {
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
        let changed_externally = base.changed_externally(&work.layout);
        let is_same = |(slice, rows): &(&SliceKey, &SliceRows)| match ledger.slices.get(slice) {
            Some(entry) => {
                let made_alike = entry.provenance.fingerprint == work.provenance.fingerprint;
                entry.rows == **rows && made_alike && !changed_externally.contains(*slice)
            }
            None => rows.rows == 0 && !changed_externally.contains(*slice),
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
            Some(base) => (base.id.clone(), base.version.next()),
            None => (self.name_anew("table"), Version::FIRST),
        };
        let mut ledger = work.ledger(base, NextVersion { table: &id, version }, files.iter().map(|(file, _)| file));
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
        let version = PastRows { files, ledger: Some(Arc::new(ledger)), touched: Vec::new(), changed: None };
        self.push(place, id, version);
    }

    fn push(&mut self, place: usize, id: String, version: PastRows) {
        let model = self.model(place);
        let before = self.tables[place].as_ref();
        let known = before.is_none_or(|table| table.state().known_ledger().is_some());
        let rows_before =
            before.map(|table| slices(&model, &self.rows[&(id.clone(), table.newest())])).unwrap_or_default();
        let mut suspect = before.map(|table| table.state().changed_externally(&model.layout())).unwrap_or_default();
        let new = || Table { id, versions: Vec::new(), is_ledger_lost: false };
        let table = self.tables[place].get_or_insert_with(new);
        table.is_ledger_lost &= version.ledger.is_none();
        let all = version.rows();
        let rows = slices(&model, &all);
        let is_foreign = !version.touched.is_empty();
        table.versions.push(version);
        self.rows.insert((table.id.clone(), table.newest()), all);
        // What something else has changed counts as changed until it is made anew.
        if is_foreign {
            suspect.extend(table.state().changed_externally(&model.layout()));
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
        self.push(place, id, PastRows { files, ledger: None, touched, changed: None });
    }
}

fn told_slices(work: &Work) -> String {
    let whole = if work.sets_default { "whole, " } else { "" };
    let told = |slices: Vec<&SliceKey>| slices.iter().map(|slice| slice.to_string()).collect::<Vec<_>>().join(" ");
    let (same, new): (Vec<&SliceKey>, Vec<&SliceKey>) =
        work.slices.keys().partition(|slice| work.stays.contains(slice));
    format!("{whole}new [{}], same [{}]", told(new), told(same))
}
