//! Which files of a source are loaded into a table, and which of its slices are built again: from the facts that are
//! kept of each file and the files that are there now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cause::{Cause, Reason};
use super::changes::Foreseen;
use super::decide::Build;
use super::row_by_row::row_by_row;
use super::stale::Stale;
use crate::analyze::{Input, TypedModel};
use crate::day::Grain;
use crate::name::{ModelName, TableName};
use crate::table::{
    Entry, FactsName, InputVersion, Ledger, SliceKey, SliceLayout, SliceMap, SliceRows, SliceSet, SourceFacts,
    SourceFileFacts, SourceListing, TableState,
};

/// What a build does that loads files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLoad {
    /// The new and the changed files: all of their rows are loaded.
    pub read: BTreeSet<String>,
    /// The slices that held rows of changed or vanished files: they are made anew.
    pub rebuild: SliceSet,
    /// The files that did not change and have rows in these slices: they are read once more for them.
    pub again: BTreeSet<String>,
    /// The slices that the rows of the new and the changed files belong to, if somebody has looked.
    pub arrives: Option<SliceSet>,
}

/// The rows of each slice that new and changed files hold, file by file.
pub(crate) type Arrivals = BTreeMap<SliceKey, BTreeMap<String, u64>>;

/// What was seen of source files.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesSeen {
    pub listings: BTreeMap<TableName, Arc<SourceListing>>,
    /// By the names under which ledgers know them.
    pub facts: BTreeMap<FactsName, Arc<SourceFacts>>,
    /// What files will bring, for the models for which somebody has looked.
    pub arrivals: BTreeMap<ModelName, Arrivals>,
}

/// A decision to load files, or why everything must be read again.
pub(super) type Loading = Result<(FileLoad, Vec<Reason>), String>;

impl FileLoad {
    /// The slices that get other rows; nothing if nobody has looked into the files.
    pub fn slices(&self) -> Option<SliceSet> {
        let arrives = match (&self.arrives, self.read.is_empty()) {
            (None, false) => return None,
            (arrives, _) => arrives.clone().unwrap_or_default(),
        };
        let ranges = self.rebuild.ranges().iter().chain(arrives.ranges()).copied().collect();
        Some(SliceSet::new(ranges, self.rebuild.timeless() || arrives.timeless()))
    }

    /// What readers of the table will find changed.
    pub(super) fn foreseen(&self) -> Option<Foreseen> {
        match self.slices() {
            None => Some(Foreseen::Unknown(None)),
            Some(slices) => (!slices.is_empty()).then_some(Foreseen::Slices(slices)),
        }
    }
}

/// The facts that must be read before it can be decided which files a table lacks; nothing if it lacks none.
pub(crate) fn facts_to_read<'s>(
    model: &TypedModel,
    state: &'s TableState,
    sources: &BTreeMap<TableName, String>,
) -> Option<&'s FactsName> {
    let ledger = state.known_ledger()?;
    let is_now = |name: &TableName| is_made_of(ledger, name, sources);
    let inputs = model.inputs();
    let read: Vec<&TableName> = inputs.iter().filter_map(source).collect();
    let is_current = || read.iter().all(|name| is_now(name)) && state.tainted(&model.layout()).is_empty();
    if read.is_empty() || is_current() || !super::row_by_row::is_loaded_by_file(model) {
        return None;
    }
    ledger.source_files.as_ref()
}

/// Whether everything that a ledger records was made of the files that a source has now, by their digests.
pub(super) fn is_made_of(ledger: &Ledger, source: &TableName, now: &BTreeMap<TableName, String>) -> bool {
    let is_now =
        |made_of: &InputVersion| matches!(made_of, InputVersion::Files(digest) if now.get(source) == Some(digest));
    ledger.provenances().all(|made_of| made_of.inputs.get(&source.to_string()).is_some_and(is_now))
}

fn source(input: &Input) -> Option<&TableName> {
    match input {
        Input::Source(name) => Some(name),
        Input::Model(_) | Input::This | Input::Quarantine(_) => None,
    }
}

/// Decides for a table that is stale. Nothing if that has other reasons than its files.
pub(super) fn loading(
    model: &TypedModel,
    state: Option<&TableState>,
    stale: &Stale,
    seen: &FilesSeen,
) -> Option<Loading> {
    let concerns_files = match stale {
        Stale::Nothing => false,
        Stale::Whole(cause) => matches!(cause, Cause::Files { .. }),
        Stale::Slices(slices) => slices.values().all(|cause| *cause == Cause::Foreign),
    };
    let state = state.filter(|_| concerns_files)?;
    let inputs = model.inputs();
    let name = inputs.iter().find_map(source)?;
    Some(history(model, state, name, seen).and_then(|history| history.compare()))
}

fn history<'a>(
    model: &TypedModel,
    state: &'a TableState,
    name: &'a TableName,
    seen: &'a FilesSeen,
) -> Result<History<'a>, String> {
    let layout = model.layout();
    if !matches!(layout, SliceLayout::ByFile { .. }) {
        return Err("its table is not partitioned by time".to_owned());
    }
    row_by_row(model).map_err(|obstacle| format!("it is not row by row ({})", obstacle.words()))?;
    let (ledger, listing) = state.known_ledger().zip(seen.listings.get(name)).ok_or_else(unknown)?;
    let facts = ledger.source_files.as_ref().and_then(|digest| seen.facts.get(digest)).ok_or_else(unknown)?;
    if ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
        return Err("its SQL or config changed".to_owned());
    }
    let (tainted, grain) = (state.tainted(&layout), model.config.batch_size);
    let arrivals = seen.arrivals.get(&model.name);
    Ok(History { source: name, facts, listing, entries: &ledger.slices, tainted, grain, arrivals })
}

fn unknown() -> String {
    "it is not known which rows came from which file".to_owned()
}

/// A table, what is known of the files that it was made of, and the files that are there.
struct History<'a> {
    source: &'a TableName,
    facts: &'a SourceFacts,
    listing: &'a SourceListing,
    entries: &'a SliceMap<Entry>,
    tainted: BTreeSet<SliceKey>,
    grain: Grain,
    arrivals: Option<&'a Arrivals>,
}

/// How the files that are there differ from those that are known.
#[derive(Default)]
struct Difference<'a> {
    new: Vec<&'a str>,
    changed: Vec<&'a str>,
    /// Gone with their rows.
    vanished: Vec<&'a str>,
    /// Gone, while their rows stay: those of which that is not known yet.
    kept: Vec<&'a str>,
}

impl<'a> History<'a> {
    fn compare(&self) -> Loading {
        let doubtful = self.doubtful()?;
        let difference = self.difference();
        let lost = difference.changed.iter().chain(&difference.vanished);
        let rebuild: BTreeSet<SliceKey> =
            lost.flat_map(|path| self.slices_of(path)).chain(self.tainted.iter().chain(&doubtful).copied()).collect();
        let is_again = |path: &&str| {
            let is_same = !difference.new.contains(path) && !difference.changed.contains(path);
            is_same && self.slices_of(path).any(|slice| rebuild.contains(&slice))
        };
        let listed = self.listing.entries.iter().map(|entry| entry.path.as_str());
        let again =
            if rebuild.is_empty() { BTreeSet::new() } else { listed.filter(is_again).map(str::to_owned).collect() };
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<String>>();
        let mut read = owned(&difference.new);
        read.extend(owned(&difference.changed));
        let slices = |slices: &mut dyn Iterator<Item = SliceKey>| {
            SliceSet::of(slices, self.grain).ok_or_else(|| "its table has no slices".to_owned())
        };
        let rebuild = slices(&mut rebuild.into_iter())?;
        let arrives = self.arrivals.map(|arrivals| slices(&mut arrivals.keys().copied())).transpose()?;
        Ok((FileLoad { read, rebuild, again, arrives }, self.reasons(&difference, &doubtful)))
    }

    /// The slices that do not hold the rows that are known of the files: a range was built since files changed.
    fn doubtful(&self) -> Result<BTreeSet<SliceKey>, String> {
        let mut all = Vec::with_capacity(self.facts.len());
        for facts in self.facts.values() {
            let slices = facts.slices.as_ref().ok_or_else(unknown)?;
            all.extend(slices.0.iter().map(|(slice, rows)| (*slice, *rows)));
        }
        let sums = SliceMap::summed(all);
        let mut doubtful = BTreeSet::new();
        let mut judge = |slice: SliceKey, recorded: SliceRows, summed: SliceRows| {
            if recorded != summed && !self.tainted.contains(&slice) {
                doubtful.insert(slice);
            }
        };
        for (slice, entry) in self.entries {
            judge(*slice, entry.rows, sums.get(slice).copied().unwrap_or_default());
        }
        for (slice, summed) in sums.iter().filter(|(slice, _)| !self.entries.contains_key(slice)) {
            judge(*slice, SliceRows::default(), *summed);
        }
        Ok(doubtful)
    }

    fn difference(&self) -> Difference<'a> {
        let mut difference = Difference::default();
        let mut known = self.facts.iter().peekable();
        let mut gone: Vec<(&'a String, &'a Arc<SourceFileFacts>)> = Vec::new();
        // Both are in the order of their paths.
        for entry in &self.listing.entries {
            while let Some(before) = known.next_if(|(path, _)| **path < entry.path) {
                gone.push(before);
            }
            match known.next_if(|(path, _)| **path == entry.path) {
                None => difference.new.push(&entry.path),
                Some((_, facts)) if !facts.is_as(entry) => difference.changed.push(&entry.path),
                Some(_) => {}
            }
        }
        for (path, facts) in gone.into_iter().chain(known) {
            match (self.listing.keeps_missing, facts.gone) {
                (true, true) => {}
                (true, false) => difference.kept.push(path),
                (false, _) => difference.vanished.push(path),
            }
        }
        difference
    }

    fn slices_of(&self, path: &str) -> impl Iterator<Item = SliceKey> + use<'a> {
        self.facts.get(path).into_iter().flat_map(|facts| facts.slices())
    }

    fn reasons(&self, difference: &Difference<'_>, doubtful: &BTreeSet<SliceKey>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match (self.arrivals, difference.new.as_slice()) {
            (Some(arrivals), new) => reasons.extend(new.iter().flat_map(|path| self.arriving(arrivals, path))),
            (None, []) => {}
            (None, [path]) => reasons.push(Reason { slices: None, why: format!("1 new file: {path}") }),
            (None, [first, ..]) => {
                let why = format!("{} new files of {}, first {first}", difference.new.len(), self.source);
                reasons.push(Reason { slices: None, why });
            }
        }
        let mut more = |paths: &[&str], words: &str| {
            for path in paths {
                let slices = SliceSet::of(self.slices_of(path), self.grain);
                reasons.push(Reason { slices, why: format!("{path} {words}") });
            }
        };
        more(&difference.changed, "changed");
        more(&difference.vanished, "is gone");
        more(&difference.kept, "is gone, and its rows stay");
        let mut slices = |slices: &BTreeSet<SliceKey>, words: &dyn Fn(&SliceSet) -> String| {
            let slices = SliceSet::of(slices.iter().copied(), self.grain).filter(|slices| !slices.is_empty());
            reasons.extend(slices.map(|slices| Reason { why: words(&slices), slices: Some(slices) }));
        };
        slices(&self.tainted, &|slices| format!("something other than karat changed {slices}"));
        slices(doubtful, &|slices| format!("{slices} was built from other files than the rest"));
        if reasons.is_empty() {
            let why = format!("the list of the files of `{}` changed", self.source);
            reasons.push(Reason { slices: Some(SliceSet::default()), why });
        }
        reasons
    }

    /// `3 late rows for 2023-05-03 in data/2023-05-10.csv`: one reason for slices one after the other.
    fn arriving(&self, arrivals: &Arrivals, path: &str) -> Vec<Reason> {
        let is_late = |slice: &SliceKey| self.entries.get(slice).is_some_and(|entry| entry.rows.rows > 0);
        let mut groups: Vec<(Vec<SliceKey>, bool, u64)> = Vec::new();
        for (slice, files) in arrivals {
            let Some(rows) = files.get(path).filter(|rows| **rows > 0) else { continue };
            let late = is_late(slice);
            match groups.last_mut() {
                Some((group, of_group, sum)) if *of_group == late && self.follows(group.last(), *slice) => {
                    group.push(*slice);
                    *sum += rows;
                }
                _ => groups.push((vec![*slice], late, *rows)),
            }
        }
        let reason = |(slices, late, rows): (Vec<SliceKey>, bool, u64)| {
            let slices = SliceSet::of(slices, self.grain)?;
            let (kind, s) = (if late { "late" } else { "new" }, if rows == 1 { "" } else { "s" });
            let why = match slices.ranges().is_empty() {
                true => format!("{rows} {kind} row{s} without a time in {path}"),
                false => format!("{rows} {kind} row{s} for {slices} in {path}"),
            };
            Some(Reason { slices: Some(slices), why })
        };
        groups.into_iter().filter_map(reason).collect()
    }

    fn follows(&self, before: Option<&SliceKey>, slice: SliceKey) -> bool {
        match (before, slice) {
            (Some(SliceKey::At(before)), SliceKey::At(start)) => self.grain.next(*before) == start,
            _ => false,
        }
    }
}

/// The files that are gone and whose rows such a build would lose, though they are to stay.
pub(crate) fn would_lose<'f>(build: &Build, facts: &'f SourceFacts, listings: &[Arc<SourceListing>]) -> Vec<&'f str> {
    let keeps = listings.iter().any(|listing| listing.keeps_missing);
    let rebuilt = match build {
        Build::Whole => None,
        // What is added takes no rows of files away.
        Build::Batch => return Vec::new(),
        Build::Slices(slices) => Some(slices),
        Build::Files(load) => Some(&load.rebuild),
    };
    let is_lost = |(path, facts): &(&String, &Arc<SourceFileFacts>)| {
        let is_gone = keeps && !listings.iter().any(|listing| listing.has(path));
        let holds_rows = match (rebuilt, &facts.slices) {
            (Some(slices), Some(_)) => facts.slices().any(|slice| slices.contains(slice)),
            (None, Some(_)) => facts.slices().next().is_some(),
            (_, None) => facts.records > facts.quarantined,
        };
        is_gone && holds_rows
    };
    facts.iter().filter(is_lost).map(|(path, _)| path.as_str()).collect()
}

#[cfg(test)]
mod tests;
