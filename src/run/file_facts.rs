//! What is kept of each source file beside the table that its rows went to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::RunContext;
use crate::analyze::{Input, TypedModel};
use crate::catalog::no_file;
use crate::diag::{Code, Diagnostic};
use crate::engine::RowsOfFiles;
use crate::execute::FoundInSources;
use crate::failure::Failure;
use crate::incremental::{Build, BuildKind, Refresh, is_loaded_by_file, would_lose};
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

/// What is known of the files of each source.
pub(super) type FactsOfSources = BTreeMap<TableName, SourceFacts>;

/// What a ledger says of source files.
#[derive(Default)]
pub(super) struct KeptFacts {
    /// None if the model reads no source.
    pub name: Option<FactsName>,
    pub bad_records: Option<BadRecordCount>,
}

impl RunContext<'_> {
    /// What is known of all files after this read; `None` if no source was read.
    pub(super) async fn facts_after(
        &self,
        model: &TypedModel,
        base: Option<&TableState>,
        read: FilesRead<'_>,
    ) -> Option<FactsOfSources> {
        if read.found.is_empty() && read.origins.is_none() {
            return None;
        }
        let before = if base.is_some() { self.catalog.kept_facts(model).await } else { Arc::default() };
        let mut facts = FactsOfSources::new();
        for input in model.inputs() {
            let Input::Source(name) = input else { continue };
            // Of a part of the slices a file's rows are not all known: what is known of it stays as it was. Such a model
            // has one source.
            if read.build.kind() == BuildKind::Slices && is_loaded_by_file(model) {
                facts.insert(name.clone(), SourceFacts::clone(&before));
            } else if let Some(listing) = self.catalog.listing(name)
                && let Some(source) = self.catalog.project.sources.get(name)
            {
                let after = SourceRead { source, read }.facts(&before, &listing);
                facts.insert(name.clone(), after);
            }
        }
        Some(facts)
    }

    /// Puts what is known of the files after a build beside the table.
    pub(super) async fn keep_facts(
        &self,
        model: &TypedModel,
        base: Option<&TableState>,
        facts: Option<FactsOfSources>,
    ) -> Result<KeptFacts, Failure> {
        let lake = &self.catalog.lake;
        let before = base.and_then(|base| base.known_ledger()?.source_files.as_ref());
        let listings = self.catalog.listings_of(model);
        let listings: Vec<&SourceListing> = listings.iter().map(|listing| &**listing).collect();
        let Some(facts) = facts else {
            let Some(before) = before else { return Ok(KeptFacts::default()) };
            let known = lake.source_files(&model.table, before).await;
            let bad_records = Some(BadRecordCount::of(&known, &listings));
            return Ok(KeptFacts { name: Some(before.clone()), bad_records });
        };
        let facts: SourceFacts = facts.into_values().flatten().collect();
        let bad_records = Some(BadRecordCount::of(&facts, &listings));
        let name = Some(lake.keep_source_files(&model.table, before, facts).await?);
        Ok(KeptFacts { name, bad_records })
    }

    /// The files whose rows a build that loads files takes away because they are not there any more.
    pub(super) async fn gone(&self, model: &TypedModel, build: &Build) -> BTreeSet<String> {
        if build.load().is_none() {
            return BTreeSet::new();
        }
        let before = self.catalog.kept_facts(model).await;
        gone_files(&before, &self.catalog.listings_of(model))
    }

    /// Fails if a build would lose rows that are to stay though their file is gone: they cannot be made again, and only a
    /// person gives them up.
    pub(super) async fn refuse_to_lose_rows(
        &self,
        model: &TypedModel,
        build: &Build,
        base: Option<&TableState>,
    ) -> Result<(), Failure> {
        let listings = self.catalog.listings_of(model);
        if self.refresh_of(model) == Refresh::Full || !listings.iter().any(|listing| listing.keeps_missing) {
            return Ok(());
        }
        let Some(base) = base else { return self.refuse_first_build_of_nothing(model) };
        let Some(digest) = base.known_ledger().and_then(|ledger| ledger.source_files.clone()) else { return Ok(()) };
        let facts = self.catalog.lake.source_files(&model.table, &digest).await;
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

    /// Fails if a source of a table that does not exist yet has no files.
    fn refuse_first_build_of_nothing(&self, model: &TypedModel) -> Result<(), Failure> {
        for name in model.sources_read() {
            let is_empty = self.catalog.listing(&name).is_some_and(|listing| listing.entries.is_empty());
            if is_empty && let Some(source) = self.catalog.project.sources.get(&name) {
                return Err(no_file(source));
            }
        }
        Ok(())
    }
}

/// The known files that are gone, and whose bad records and rows go with them.
fn gone_files(before: &SourceFacts, listings: &[Arc<SourceListing>]) -> BTreeSet<String> {
    if listings.iter().any(|listing| listing.keeps_missing) {
        return BTreeSet::new();
    }
    let gone = before.keys().filter(|path| !listings.iter().any(|listing| listing.has(path)));
    gone.cloned().collect()
}

/// A source, and what a build has read.
struct SourceRead<'s> {
    source: &'s Source,
    read: FilesRead<'s>,
}

impl SourceRead<'_> {
    /// What is known of the source's files after the build.
    fn facts(&self, before: &SourceFacts, listing: &SourceListing) -> SourceFacts {
        let mut facts = SourceFacts::new();
        for entry in &listing.entries {
            let known = before.get(&entry.path).filter(|facts| facts.is_as(entry));
            let known = known.map(|known| with_gone(known, false));
            if let Some(found) = self.facts_of_file(known, entry) {
                facts.insert(entry.path.clone(), found);
            }
        }
        if listing.keeps_missing && !self.read.build.is_whole() {
            let gone = before.iter().filter(|(path, _)| !listing.has(path));
            facts.extend(gone.map(|(path, facts)| (path.clone(), with_gone(facts, true))));
        }
        facts
    }

    fn facts_of_file(&self, known: Option<Arc<SourceFileFacts>>, entry: &SourceEntry) -> Option<Arc<SourceFileFacts>> {
        let SourceRead { source, read } = self;
        let is_loaded = read.build.loads(&entry.path);
        if read.build.load().is_some() && !is_loaded {
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
        let origins = read.origins.filter(|_| is_loaded);
        let slices = origins.map(|origins| FileSlices(origins.get(&entry.path).cloned().unwrap_or_default()));
        Some(Arc::new(SourceFileFacts { slices, ..facts }))
    }
}

fn with_gone(facts: &Arc<SourceFileFacts>, gone: bool) -> Arc<SourceFileFacts> {
    match facts.gone == gone {
        true => Arc::clone(facts),
        false => Arc::new(SourceFileFacts { gone, ..SourceFileFacts::clone(facts) }),
    }
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
        etag: entry.etag.clone(),
        records: stats.records,
        quarantined: stats.quarantined,
        ranges,
        slices: None,
        gone: false,
    }
}
