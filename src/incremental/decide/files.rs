//! Which files of a source are loaded into a table, and which of its slices are built again: from the facts that are
//! kept of each file and the files that are there now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::build::{Build, FileLoad, Write};
use super::observed::{Arrivals, FilesSeen};
use crate::analyze::TypedModel;
use crate::day::Grain;
use crate::incremental::row_by_row::{Obstacle, is_loaded_by_file, row_by_row};
use crate::incremental::staleness::{Cause, Reason, Stale};
use crate::name::TableName;
use crate::table::{
    FactsName, InputVersion, Ledger, SliceEntry, SliceKey, SliceMap, SliceRows, SliceSet, SourceFacts, SourceFileFacts,
    SourceListing, TableState,
};

/// Whether a stale table is brought up to date by loading files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loading {
    /// It is stale for other causes than its files.
    OtherCauses,
    /// These files are loaded.
    Files { load: FileLoad, reasons: Vec<Reason> },
    /// Its files changed, and all of them must be read again.
    Everything(WhyEverything),
}

/// Why a change of some files cannot be told from a change of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WhyEverything {
    /// A file of its table may hold rows of many slices.
    NotByFile,
    /// A row may come from many rows of the source.
    NotRowByRow(Obstacle),
    /// Nobody has kept which rows came from which file.
    OriginsUnknown,
    NewCode,
    NoSlices,
}

impl fmt::Display for WhyEverything {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyEverything::NotByFile => formatter.write_str("its table is not partitioned by time"),
            WhyEverything::NotRowByRow(obstacle) => write!(formatter, "it is not row by row ({})", obstacle.words()),
            WhyEverything::OriginsUnknown => formatter.write_str("it is not known which rows came from which file"),
            WhyEverything::NewCode => formatter.write_str("its SQL or config changed"),
            WhyEverything::NoSlices => formatter.write_str("its table has no slices"),
        }
    }
}

/// Returns the name of the facts that must be read before it can be decided which files a table lacks; `None` if it lacks
/// none.
pub(crate) fn facts_to_read<'s>(
    model: &TypedModel,
    state: &'s TableState,
    sources: &BTreeMap<TableName, String>,
) -> Option<&'s FactsName> {
    let ledger = state.known_ledger()?;
    let read: Vec<TableName> = model.sources_read().collect();
    if read.is_empty() {
        return None;
    }
    let is_made_of_them = read.iter().all(|name| is_made_of(ledger, name, sources));
    let is_current = is_made_of_them && state.changed_externally(&model.layout()).is_empty();
    if is_current || !is_loaded_by_file(model) {
        return None;
    }
    ledger.source_files.as_ref()
}

/// Whether everything that a ledger records was made of the files that a source has now, by their digests.
pub(super) fn is_made_of(ledger: &Ledger, source: &TableName, now: &BTreeMap<TableName, String>) -> bool {
    let name = source.key();
    ledger.provenances().all(|made_of| match made_of.inputs.get(&name) {
        Some(InputVersion::Files(digest)) => now.get(source) == Some(digest),
        Some(InputVersion::Table { .. } | InputVersion::Missing) | None => false,
    })
}

/// Decides for a table that is stale.
pub(super) fn loading(model: &TypedModel, state: Option<&TableState>, stale: &Stale, seen: &FilesSeen) -> Loading {
    let concerns_files = match stale {
        Stale::Nothing => false,
        Stale::Whole(cause) => matches!(cause, Cause::Files { .. }),
        Stale::Slices(slices) => slices.values().all(|cause| *cause == Cause::Foreign),
    };
    let (Some(state), Some(source)) = (state.filter(|_| concerns_files), model.sources_read().next()) else {
        return Loading::OtherCauses;
    };
    let compared = FileComparison::new(model, state, &source, seen).and_then(|comparison| comparison.load());
    match compared {
        Ok(loading) => loading,
        Err(why) => Loading::Everything(why),
    }
}

/// A table, what is known of the files that it was made of, and the files that are there.
struct FileComparison<'a> {
    source: &'a TableName,
    facts: &'a SourceFacts,
    listing: &'a SourceListing,
    entries: &'a SliceMap<SliceEntry>,
    changed_externally: BTreeSet<SliceKey>,
    grain: Grain,
    arrivals: Option<&'a Arrivals>,
}

/// How the files that are there differ from those that are known.
#[derive(Default)]
struct FileDifference<'a> {
    new: Vec<&'a str>,
    changed: Vec<&'a str>,
    /// Gone with their rows.
    vanished: Vec<&'a str>,
    /// Gone, while their rows stay: those of which that is not known yet.
    kept: Vec<&'a str>,
}

impl<'a> FileComparison<'a> {
    fn new(
        model: &TypedModel,
        state: &'a TableState,
        source: &'a TableName,
        seen: &'a FilesSeen,
    ) -> Result<FileComparison<'a>, WhyEverything> {
        let layout = model.layout();
        if !layout.has_files_of_slices() {
            return Err(WhyEverything::NotByFile);
        }
        // An aggregate or a join would need the rows of other files as well.
        row_by_row(model).map_err(WhyEverything::NotRowByRow)?;
        let known = state.known_ledger().zip(seen.listings.get(source));
        let (ledger, listing) = known.ok_or(WhyEverything::OriginsUnknown)?;
        let facts = ledger.source_files.as_ref().and_then(|digest| seen.facts.get(digest));
        let facts = facts.ok_or(WhyEverything::OriginsUnknown)?;
        // Other code may make other rows of the files that did not change.
        if ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
            return Err(WhyEverything::NewCode);
        }
        Ok(FileComparison {
            source,
            facts,
            listing,
            entries: &ledger.slices,
            changed_externally: state.changed_externally(&layout),
            grain: model.config.batch_size,
            arrivals: seen.arrivals.get(&model.name),
        })
    }

    /// Returns what is loaded: new files alone; and where rows of a file go, each slice that held some of them is made anew
    /// from all files that have rows in it.
    fn load(&self) -> Result<Loading, WhyEverything> {
        let doubtful = self.doubtful()?;
        let difference = self.difference();
        let mut rebuild: BTreeSet<SliceKey> = self.changed_externally.union(&doubtful).copied().collect();
        for path in difference.changed.iter().chain(&difference.vanished) {
            // The new version of a file may have rows in slices where the old one had none: these are simply added.
            rebuild.extend(self.slices_of(path));
        }
        let read: BTreeSet<String> =
            difference.new.iter().chain(&difference.changed).map(|path| (*path).to_owned()).collect();
        let mut again = BTreeSet::new();
        if !rebuild.is_empty() {
            for entry in self.listing.entries.iter().filter(|entry| !read.contains(&entry.path)) {
                // Of such a file only the rows of the slices that are made anew are written again.
                if self.slices_of(&entry.path).any(|slice| rebuild.contains(&slice)) {
                    again.insert(entry.path.clone());
                }
            }
        }
        let reasons = self.reasons(&difference, &doubtful);
        let rebuild = SliceSet::of(rebuild, self.grain).ok_or(WhyEverything::NoSlices)?;
        let arrives = match self.arrivals {
            Some(arrivals) => Some(SliceSet::of(arrivals.keys().copied(), self.grain).ok_or(WhyEverything::NoSlices)?),
            None => None,
        };
        Ok(Loading::Files { load: FileLoad { read, rebuild, again, arrives }, reasons })
    }

    /// Returns the slices that do not hold the rows that are known of the files: a range was built since files changed.
    ///
    /// Digests of rows add up, so the sum over the files that have rows in a slice is the digest of the slice itself.
    fn doubtful(&self) -> Result<BTreeSet<SliceKey>, WhyEverything> {
        let mut all = Vec::with_capacity(self.facts.len());
        for facts in self.facts.values() {
            let slices = facts.slices.as_ref().ok_or(WhyEverything::OriginsUnknown)?;
            all.extend(slices.0.iter().map(|(slice, rows)| (*slice, *rows)));
        }
        // One sorted pass over all files: there may be as many pairs of file and slice as the table has files.
        let sums = SliceMap::summed(all);
        let mut doubtful = BTreeSet::new();
        for (slice, entry) in self.entries {
            if entry.rows != sums.get(slice).copied().unwrap_or_default() {
                doubtful.insert(*slice);
            }
        }
        for (slice, summed) in sums.iter().filter(|(slice, _)| !self.entries.contains_key(slice)) {
            if *summed != SliceRows::default() {
                doubtful.insert(*slice);
            }
        }
        doubtful.retain(|slice| !self.changed_externally.contains(slice));
        Ok(doubtful)
    }

    /// Walks through both lists at once, which are in the order of their paths.
    fn difference(&self) -> FileDifference<'a> {
        let mut difference = FileDifference::default();
        let mut known = self.facts.iter().peekable();
        let mut gone: Vec<(&'a String, &'a Arc<SourceFileFacts>)> = Vec::new();
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
        // What is left of the known files sorts after the last listed one, so it is gone too.
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

    fn reasons(&self, difference: &FileDifference<'_>, doubtful: &BTreeSet<SliceKey>) -> Vec<Reason> {
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
        reasons.extend(self.about_files(&difference.changed, "changed"));
        reasons.extend(self.about_files(&difference.vanished, "is gone"));
        reasons.extend(self.about_files(&difference.kept, "is gone, and its rows stay"));
        if let Some(slices) = self.some_slices(&self.changed_externally) {
            let why = format!("something other than karat changed {slices}");
            reasons.push(Reason { slices: Some(slices), why });
        }
        if let Some(slices) = self.some_slices(doubtful) {
            let why = format!("{slices} was built from other files than the rest");
            reasons.push(Reason { slices: Some(slices), why });
        }
        // A file came and went again, or only its time changed: the ledger records the new list, and no row is read.
        if reasons.is_empty() {
            let why = format!("the list of the files of `{}` changed", self.source);
            reasons.push(Reason { slices: Some(SliceSet::default()), why });
        }
        reasons
    }

    /// One reason for each file.
    fn about_files(&self, paths: &[&str], what_happened: &str) -> impl Iterator<Item = Reason> {
        paths.iter().map(move |path| {
            let slices = SliceSet::of(self.slices_of(path), self.grain);
            Reason { slices, why: format!("{path} {what_happened}") }
        })
    }

    fn some_slices(&self, slices: &BTreeSet<SliceKey>) -> Option<SliceSet> {
        SliceSet::of(slices.iter().copied(), self.grain).filter(|slices| !slices.is_empty())
    }

    /// `3 late rows for 2023-05-03 in data/2023-05-10.csv`: one reason for slices one after the other.
    fn arriving(&self, arrivals: &Arrivals, path: &str) -> Vec<Reason> {
        let mut groups: Vec<ArrivingRows> = Vec::new();
        for (slice, files) in arrivals {
            let Some(rows) = files.get(path).copied().filter(|rows| *rows > 0) else { continue };
            let is_late = self.entries.get(slice).is_some_and(|entry| entry.rows.rows > 0);
            match groups.last_mut() {
                Some(group) if group.is_late == is_late && self.follows(group.slices.last(), *slice) => {
                    group.slices.push(*slice);
                    group.rows += rows;
                }
                _ => groups.push(ArrivingRows { slices: vec![*slice], is_late, rows }),
            }
        }
        groups.into_iter().filter_map(|group| group.reason(path, self.grain)).collect()
    }

    fn follows(&self, before: Option<&SliceKey>, slice: SliceKey) -> bool {
        match (before, slice) {
            (Some(SliceKey::At(before)), SliceKey::At(start)) => self.grain.next(*before) == start,
            _ => false,
        }
    }
}

/// Rows of one file that come into slices one after the other.
struct ArrivingRows {
    slices: Vec<SliceKey>,
    /// Whether the slices have rows already.
    is_late: bool,
    rows: u64,
}

impl ArrivingRows {
    fn reason(self, path: &str, grain: Grain) -> Option<Reason> {
        let slices = SliceSet::of(self.slices, grain)?;
        let kind = if self.is_late { "late" } else { "new" };
        let rows = if self.rows == 1 { format!("1 {kind} row") } else { format!("{} {kind} rows", self.rows) };
        let why = if slices.ranges().is_empty() {
            format!("{rows} without a time in {path}")
        } else {
            format!("{rows} for {slices} in {path}")
        };
        Some(Reason { slices: Some(slices), why })
    }
}

/// Returns the files that are gone and whose rows such a build would lose, though they are to stay.
pub(crate) fn would_lose<'f>(build: &Build, facts: &'f SourceFacts, listings: &[Arc<SourceListing>]) -> Vec<&'f str> {
    let rebuilt = match build.write() {
        Write::ReplaceAll => None,
        Write::ReplaceSlices(slices) => Some(slices),
        // What is added takes no rows of files away.
        Write::AddBatch => return Vec::new(),
    };
    // Rows of vanished files go on purpose, unless the source says that they are to stay.
    if !listings.iter().any(|listing| listing.keeps_missing) {
        return Vec::new();
    }
    let mut lost = Vec::new();
    for (path, facts) in facts {
        let is_gone = !listings.iter().any(|listing| listing.has(path));
        let holds_rows = match (rebuilt, &facts.slices) {
            (Some(slices), Some(_)) => facts.slices().any(|slice| slices.contains(slice)),
            (None, Some(_)) => facts.slices().next().is_some(),
            // Where nobody counted by slice, any good record may have become a row.
            (_, None) => facts.records > facts.quarantined,
        };
        if is_gone && holds_rows {
            lost.push(path.as_str());
        }
    }
    lost
}

#[cfg(test)]
mod tests;
