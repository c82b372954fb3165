//! What is kept of each source file beside the table that its rows went to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::failure::Failure;
use super::quarantine::FoundInSources;
use super::sources::no_file;
use super::step::Workshop;
use crate::analyze::{Input, TypedModel};
use crate::diag::{Code, Diagnostic};
use crate::engine::{KnownFiles, RowsOfFiles};
use crate::incremental::{Build, Refresh, is_loaded_by_file, would_lose};
use crate::name::TableName;
use crate::project::Source;
use crate::raw::BlockStats;
use crate::table::{
    BadRecordCount, Conversion, Conversions, FactsName, FileSlices, SourceEntry, SourceFacts, SourceFileFacts,
    SourceListing, TableState,
};

/// What a build has read of its sources.
#[derive(Clone, Copy)]
pub(super) struct FilesRead<'a> {
    pub build: &'a Build,
    pub found: &'a FoundInSources,
    /// The rows of each file, if they were traced.
    pub origins: Option<&'a RowsOfFiles>,
}

impl Workshop<'_> {
    /// The listings of the sources that a model reads.
    fn listings_of(&self, model: &TypedModel) -> Vec<Arc<SourceListing>> {
        model.sources_read().filter_map(|name| self.listing(&name)).collect()
    }

    /// Puts what is known of the files after a build beside the table; gives its name, and how many bad records there are.
    pub(super) async fn keep_facts(
        &self,
        model: &TypedModel,
        base: Option<&TableState>,
        facts: Option<FactsOfSources>,
    ) -> Result<(Option<FactsName>, Option<BadRecordCount>), Failure> {
        let before = base.and_then(|base| base.known_ledger()?.source_files.as_ref());
        let listings = self.listings_of(model);
        let listings: Vec<&SourceListing> = listings.iter().map(|listing| &**listing).collect();
        let Some(facts) = facts else {
            let Some(before) = before else { return Ok((None, None)) };
            let known = self.lake.source_files(&model.table, before).await;
            return Ok((Some(before.clone()), Some(BadRecordCount::of(&known, &listings))));
        };
        let facts: SourceFacts = facts.into_values().flatten().collect();
        let count = BadRecordCount::of(&facts, &listings);
        Ok((Some(self.lake.keep_source_files(&model.table, before, facts).await?), Some(count)))
    }

    /// The files whose rows a build that loads files takes away because they are not there any more.
    pub(super) async fn gone(&self, model: &TypedModel, build: &Build) -> BTreeSet<String> {
        match build {
            Build::Files(_) => gone_files(&*kept_facts(self, model).await, &self.listings_of(model)),
            Build::Whole | Build::Slices(_) | Build::Batch => BTreeSet::new(),
        }
    }

    /// Rows that are to stay though their file is gone cannot be made again: only a person gives them up.
    pub(super) async fn keeps_what_is_gone(
        &self,
        model: &TypedModel,
        build: &Build,
        base: Option<&TableState>,
    ) -> Result<(), Failure> {
        let listings = self.listings_of(model);
        if self.refresh == Refresh::Full || !listings.iter().any(|listing| listing.keeps_missing) {
            return Ok(());
        }
        let first_without_files = |input: &Input| match input {
            Input::Source(name) => self.listing(name).is_some_and(|listing| listing.entries.is_empty()),
            Input::Model(_) | Input::This | Input::Quarantine(_) => false,
        };
        let Some(base) = base else {
            let inputs = model.inputs();
            let Some(Input::Source(name)) = inputs.iter().find(|input| first_without_files(input)) else {
                return Ok(());
            };
            return self.project.sources.get(name).map_or(Ok(()), |source| Err(no_file(source)));
        };
        let Some(digest) = base.known_ledger().and_then(|ledger| ledger.source_files.clone()) else { return Ok(()) };
        let facts = self.lake.source_files(&model.table, &digest).await;
        let lost = would_lose(build, &facts, &listings);
        let Some(first) = lost.first() else { return Ok(()) };
        let more = if lost.len() > 1 { format!(" and {} more", lost.len() - 1) } else { String::new() };
        let message =
            format!("rows of `{first}`{more} would be lost: the file is gone, and `on_missing` says to keep them");
        let help = format!(
            "restore it, or build from the files that exist: `karat run --full-refresh --select {}`",
            model.name
        );
        Err(Failure::Project(Diagnostic::error(Code::RunFailed, message).help(help)))
    }
}

/// The facts about source files that are kept beside a model's table.
pub(super) async fn kept_facts(shop: &Workshop<'_>, model: &TypedModel) -> Arc<SourceFacts> {
    let state = shop.state_of(&model.table);
    let Some(ledger) = state.as_ref().and_then(|state| state.known_ledger()) else { return Arc::default() };
    // Under another fingerprint the columns may have had other types, and their ranges another unit.
    if ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
        return Arc::default();
    }
    match &ledger.source_files {
        Some(digest) => shop.lake.source_files(&model.table, digest).await,
        None => Arc::default(),
    }
}

/// Facts about those of the files that are as they were when the model last read them.
pub(super) fn known_files(facts: &SourceFacts, entries: &[SourceEntry]) -> KnownFiles {
    let known = |entry: &SourceEntry| {
        let facts = facts.get(&entry.path).filter(|facts| facts.is_as(entry))?;
        Some((entry.path.clone(), Arc::clone(facts)))
    };
    entries.iter().filter_map(known).collect()
}

/// The known files that are gone, and whose bad records and rows go with them.
pub(super) fn gone_files(before: &SourceFacts, listings: &[Arc<SourceListing>]) -> BTreeSet<String> {
    if listings.iter().any(|listing| listing.keeps_missing) {
        return BTreeSet::new();
    }
    let is_listed = |path: &String| listings.iter().any(|listing| listing.has(path));
    before.keys().filter(|path| !is_listed(path)).cloned().collect()
}

/// What is known of the files of each source.
pub(super) type FactsOfSources = BTreeMap<TableName, SourceFacts>;

/// What is known of all files after this read; `None` if no source was read.
pub(super) async fn facts(
    shop: &Workshop<'_>,
    model: &TypedModel,
    base: Option<&TableState>,
    read: FilesRead<'_>,
) -> Option<FactsOfSources> {
    if read.found.is_empty() && read.origins.is_none() {
        return None;
    }
    let before = if base.is_some() { kept_facts(shop, model).await } else { Arc::default() };
    let mut facts = FactsOfSources::new();
    for input in model.inputs() {
        let Input::Source(name) = input else { continue };
        // Of a part of the slices a file's rows are not all known: what is known of it stays as it was. Such a model
        // has one source.
        if matches!(read.build, Build::Slices(_)) && is_loaded_by_file(model) {
            facts.insert(name, SourceFacts::clone(&before));
        } else if let (Some(listing), Some(source)) = (shop.listing(&name), shop.project.sources.get(&name)) {
            facts.insert(name, of_source(&before, (source, &listing), read));
        }
    }
    Some(facts)
}

fn of_source(before: &SourceFacts, (source, listing): (&Source, &SourceListing), read: FilesRead<'_>) -> SourceFacts {
    let mut facts = SourceFacts::new();
    for entry in &listing.entries {
        let known = before.get(&entry.path).filter(|facts| facts.is_as(entry));
        let known = known.map(|known| with_gone(known, false));
        if let Some(found) = of_file(known, (source, entry), read) {
            facts.insert(entry.path.clone(), found);
        }
    }
    if listing.keeps_missing && *read.build != Build::Whole {
        let gone = before.iter().filter(|(path, _)| !listing.has(path));
        facts.extend(gone.map(|(path, facts)| (path.clone(), with_gone(facts, true))));
    }
    facts
}

fn with_gone(facts: &Arc<SourceFileFacts>, gone: bool) -> Arc<SourceFileFacts> {
    match facts.gone == gone {
        true => Arc::clone(facts),
        false => Arc::new(SourceFileFacts { gone, ..SourceFileFacts::clone(facts) }),
    }
}

fn of_file(
    known: Option<Arc<SourceFileFacts>>,
    (source, entry): (&Source, &SourceEntry),
    read: FilesRead<'_>,
) -> Option<Arc<SourceFileFacts>> {
    let is_loaded = match read.build {
        Build::Whole => true,
        Build::Slices(_) | Build::Batch => false,
        Build::Files(load) => load.read.contains(&entry.path),
    };
    if matches!(read.build, Build::Files(_)) && !is_loaded {
        return known;
    }
    let stats = stats_of(&source.name(), &entry.path, read.found);
    let facts = match (stats, known) {
        (Some(stats), _) => from_stats(source, entry, stats),
        (None, Some(known)) => SourceFileFacts::clone(&known),
        // Without a block a file has no records.
        (None, None) if is_loaded => from_stats(source, entry, &BlockStats::default()),
        (None, None) => return None,
    };
    let rows = |origins: &RowsOfFiles| FileSlices(origins.get(&entry.path).cloned().unwrap_or_default());
    Some(Arc::new(SourceFileFacts { slices: read.origins.filter(|_| is_loaded).map(rows), ..facts }))
}

fn stats_of<'a>(source: &TableName, path: &str, found: &'a FoundInSources) -> Option<&'a BlockStats> {
    found.iter().filter(|(name, _)| name == source).find_map(|(_, found)| found.files.get(path))
}

/// How the values of one file converted, by the names of its columns.
pub(super) fn conversions(source: &Source, stats: &BlockStats) -> Conversions {
    let columns = source.columns.iter().zip(&stats.columns).filter_map(|(column, tally)| {
        let tally = tally.as_ref()?;
        Some((column.name.value.clone(), Conversion { converted: tally.converted, rescued: tally.rescued }))
    });
    Conversions { rescued_rows: stats.rescued_rows, columns: columns.collect() }
}

fn from_stats(source: &Source, entry: &SourceEntry, stats: &BlockStats) -> SourceFileFacts {
    let columns = source.columns.iter().zip(&stats.column_ranges);
    let ranges: BTreeMap<_, _> =
        columns.filter_map(|(column, range)| Some((column.name.value.clone(), range.as_ref()?.bounds))).collect();
    SourceFileFacts {
        conversions: conversions(source, stats),
        size: entry.size,
        modified: entry.modified,
        records: stats.records,
        quarantined: stats.quarantined,
        ranges,
        slices: None,
        gone: false,
    }
}
