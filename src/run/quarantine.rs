//! Bad records of sources, kept in a table beside the model's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::bad_record_files::RewrittenRecords;
use super::context::RunContext;
use super::staged::Staged;
use crate::analyze::{TypedModel, quarantine_table};
use crate::delta::{TableSchema, Version, read_schema};
use crate::execute::{Built, FoundInSources, Joins, Reader};
use crate::failure::Failure;
use crate::incremental::{Build, drops_what_is_gone};
use crate::name::{TableKey, TableName};
use crate::partition_writer::{PartitionedWriter, WriterOptions};
use crate::raw::{BadRecord, quarantine_batch, quarantine_schema};
use crate::store::{Change, CommitOutcome, StoreError};
use crate::table::{DataFile, Provenance, SliceLayout, SourceEntry, SourceListing, TableState, Work};

/// How often another run may come first.
const MOST_TRIES: u32 = 20;

/// What a build has found in its sources, and what is gone from them.
pub(super) struct BadRecordPublication<'p> {
    pub model: &'p TypedModel,
    pub build: &'p Build,
    pub provenance: &'p Provenance,
    pub found: &'p FoundInSources,
    /// The files whose bad records go, because they are not there any more.
    pub gone: &'p BTreeSet<String>,
}

impl BadRecordPublication<'_> {
    /// Brings the quarantine table up to date with what was read and what is gone. Returns how many bad records were found.
    pub async fn publish(&self, context: &RunContext<'_>) -> Result<u64, Failure> {
        if self.found.is_empty() && self.gone.is_empty() {
            return Ok(0);
        }
        let bad: Vec<BadRecord> = self.found.iter().flat_map(|(_, found)| found.bad.clone()).collect();
        let count = match self.build.load() {
            Some(load) => bad.iter().filter(|bad| load.read.contains(&*bad.file)).count() as u64,
            None => bad.len() as u64,
        };
        let table = quarantine_table(&self.model.table);
        for _ in 0..MOST_TRIES {
            let base = context.catalog.state_of(&table);
            if bad.is_empty() && base.as_deref().is_none_or(is_known_to_be_empty) {
                return Ok(0);
            }
            let rewritten = self.rewritten(context, base.as_deref(), &bad).await?;
            if rewritten.is_nothing() {
                return Ok(count);
            }
            let commit =
                BadRecordCommit { model: self.model, is_whole: self.build.is_whole(), provenance: self.provenance };
            match commit.write(context, rewritten, base).await? {
                CommitOutcome::Committed(_) | CommitOutcome::Superseded(_) => return Ok(count),
                CommitOutcome::Merge { winner, .. } | CommitOutcome::Replan { winner, .. } => {
                    context.catalog.remember(&table, Some(winner));
                }
            }
        }
        Err(disturbed(&table))
    }

    /// What the table becomes.
    async fn rewritten(
        &self,
        context: &RunContext<'_>,
        base: Option<&TableState>,
        bad: &[BadRecord],
    ) -> Result<RewrittenRecords, Failure> {
        let new = quarantine_batch(bad);
        match base {
            // Of the files that were not read, the bad records are still known.
            Some(known) if !self.build.is_whole() => {
                RewrittenRecords::adding(context, self.model, known, &self.read_files(), new).await
            }
            base => Ok(RewrittenRecords::whole(base, vec![new])),
        }
    }

    /// The source files about whose bad records this build knows all.
    fn read_files(&self) -> BTreeSet<&str> {
        let read = self.found.iter().flat_map(|(_, found)| found.files.keys().map(|file| &**file));
        // A file without a record was read too.
        let loaded = self.build.load().map(|load| &load.read);
        read.chain(loaded.into_iter().chain([self.gone]).flatten().map(String::as_str)).collect()
    }
}

fn is_known_to_be_empty(base: &TableState) -> bool {
    base.files.is_empty() && base.known_ledger().is_some() && base.changed_externally(&SliceLayout::Whole).is_empty()
}

/// Reads the bad records of a model's sources again, because something else than karat has changed what was kept of them.
/// The rows of the model's table stay as they are. What changed in the files since they were read is left to the build
/// that loads them: until then, what is kept of these files stays.
pub(super) async fn read_again(context: &RunContext<'_>, model: &TypedModel) -> Result<Built, Failure> {
    let started = Instant::now();
    let catalog = &context.catalog;
    let facts = catalog.kept_facts(model).await;
    let is_kept_as_it_is = |path: &str| facts.get(path).is_some_and(|facts| facts.quarantined > 0);
    let table = quarantine_table(&model.table);
    for _ in 0..MOST_TRIES {
        let reader = Reader::for_model(catalog, model).await.reading_bad_files();
        let mut read: BTreeSet<&str> = BTreeSet::new();
        let listings = model.sources_read().filter_map(|name| Some((name.clone(), catalog.listing(&name)?)));
        let listings: Vec<(TableName, Arc<SourceListing>)> = listings.collect();
        for (name, listing) in &listings {
            let is_same = |entry: &SourceEntry| facts.get(&entry.path).is_some_and(|facts| facts.is_as(entry));
            let same = listing.entries.iter().filter(|entry| is_same(entry));
            read.extend(same.map(|entry| entry.path.as_str()));
            let source = reader.source(name, &|entry| is_same(entry) && is_kept_as_it_is(&entry.path));
            drain(context, source?).await?;
        }
        let is_listed = |path: &str| listings.iter().any(|(_, listing)| listing.has(path));
        let goes = drops_what_is_gone(model) && !listings.iter().any(|(_, listing)| listing.keeps_missing);
        read.extend(facts.keys().map(String::as_str).filter(|path| goes && !is_listed(path)));
        let bad: Vec<BadRecord> = reader.take_found().into_iter().flat_map(|(_, found)| found.bad).collect();
        let base = catalog.state_of(&table);
        let new = quarantine_batch(&bad);
        let rewritten = match base.as_deref() {
            Some(base) if facts.keys().any(|path| is_kept_as_it_is(path) && !read.contains(path.as_str())) => {
                RewrittenRecords::without(context, model, base, &read, new).await?
            }
            base => RewrittenRecords::whole(base, vec![new]),
        };
        let provenance = catalog.provenance(model);
        let commit = BadRecordCommit { model, is_whole: false, provenance: &provenance };
        match commit.write(context, rewritten, base).await? {
            CommitOutcome::Committed(state) | CommitOutcome::Superseded(state) => {
                return Ok(Built {
                    version: state.version,
                    quarantined: bad.len() as u64,
                    elapsed: started.elapsed(),
                    ..Built::default()
                });
            }
            CommitOutcome::Merge { winner, .. } | CommitOutcome::Replan { winner, .. } => {
                catalog.remember(&table, Some(winner));
            }
        }
    }
    Err(disturbed(&table))
}

fn disturbed(table: &TableName) -> Failure {
    let reason = "other runs kept committing first".to_owned();
    StoreError::Conflict { table: table.to_string(), version: Version::FIRST, reason }.into()
}

/// Reads all of a source, for what is found in it and not for its rows.
async fn drain(context: &RunContext<'_>, provider: Arc<dyn TableProvider>) -> EngineResult<()> {
    let plan = LogicalPlanBuilder::scan("source", provider_as_source(provider), None)?.build()?;
    let state = context.engine.state(Joins::Hash);
    let mut batches = execute_stream(state.create_physical_plan(&plan).await?, state.task_ctx())?;
    while batches.try_next().await?.is_some() {}
    Ok(())
}

/// A commit to a table of bad records.
struct BadRecordCommit<'c> {
    model: &'c TypedModel,
    /// Whether it says all about the bad records of the files that are there.
    is_whole: bool,
    provenance: &'c Provenance,
}

impl BadRecordCommit<'_> {
    async fn write(
        &self,
        context: &RunContext<'_>,
        rewritten: RewrittenRecords,
        base: Option<Arc<TableState>>,
    ) -> Result<CommitOutcome, Failure> {
        let table = quarantine_table(&self.model.table);
        let token = context.token()?;
        let staged = Staged::new(context.catalog.lake.stage(&table)?);
        let options = WriterOptions { threads: 1, ..WriterOptions::new(format!("part-{token}")) };
        let slices = rewritten.slices(self.model)?;
        let RewrittenRecords { remove, batches, domain, .. } = rewritten;
        let destination = staged.staging().clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut writer = PartitionedWriter::new(quarantine_schema(), options, Arc::new(destination))?;
            batches.into_iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()
        });
        let add = written.await.expect("writing does not panic").map_err(DataFusionError::from)?;
        let work = Work::new(SliceLayout::Whole, domain, Arc::new(self.made_of(context, &token)));
        let schema = read_schema(&quarantine_schema());
        let change = Change {
            together: Vec::new(),
            remove,
            base,
            work: Work { slices, ..work },
            add: add.iter().map(DataFile::from).collect(),
            schema: TableSchema::of(&schema).map_err(DataFusionError::from)?,
            partition_columns: Vec::new(),
            about: context.identity.commit_info(token, &table.table, "bad records of the files that were read"),
        };
        Ok(context.commit(&table, change, staged).await?.outcome)
    }

    /// What the records are made of: the source files alone.
    fn made_of(&self, context: &RunContext<'_>, token: &str) -> Provenance {
        // Bad records of a part of the files say nothing about those of the others: runs that read different parts must
        // not take each other's for their own.
        let fingerprint = if self.is_whole { "quarantine".into() } else { format!("quarantine of {token}").into() };
        let sources: BTreeSet<TableKey> = context.catalog.source_digests().keys().map(TableName::key).collect();
        let inputs = self.provenance.inputs.iter().filter(|(input, _)| sources.contains(*input));
        let inputs = inputs.map(|(input, version)| (input.clone(), version.clone())).collect();
        Provenance { fingerprint, inputs }
    }
}
