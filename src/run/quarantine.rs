//! Bad records of sources, kept in a table beside the model's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::bad_record_files::Rewritten;
use super::failure::Failure;
use super::file_facts::kept_facts;
use super::observer::Built;
use super::publish::Staged;
use super::read::Reader;
use super::replace::data_file;
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::{TypedModel, quarantine_table, stored_schema};
use crate::engine::Found;
use crate::incremental::{Build, drops_what_is_gone};
use crate::name::TableName;
use crate::partition_writer::{PartitionedWriter, WriterOptions, delta_schema};
use crate::raw::{BadRecord, quarantine_batch, quarantine_schema};
use crate::store::{Change, Outcome, StoreError};
use crate::table::{Conversions, Provenance, SliceLayout, SourceEntry, SourceListing, TableState, Work};

/// Per source what reading it found.
pub(crate) type FoundInSources = Vec<(TableName, Found)>;

/// How often another run may come first.
const MOST_TRIES: u32 = 20;

/// Brings the quarantine table up to date with what was read and what is gone; gives how many bad records were found.
pub(super) async fn publish(
    shop: &Workshop<'_>,
    model: &TypedModel,
    found: &FoundInSources,
    (build, provenance): (&Build, &Provenance),
    gone: &BTreeSet<String>,
) -> Result<u64, Failure> {
    let bad: Vec<BadRecord> = found.iter().flat_map(|(_, found)| found.bad.clone()).collect();
    let count = match build {
        Build::Files(load) => bad.iter().filter(|bad| load.read.contains(&*bad.file)).count() as u64,
        Build::Whole | Build::Slices(_) | Build::Batch => bad.len() as u64,
    };
    if found.is_empty() && gone.is_empty() {
        return Ok(0);
    }
    let table = quarantine_table(&model.table);
    let read = found.iter().flat_map(|(_, found)| found.files.keys().map(|file| &**file));
    // A file without a record was read too.
    let loaded = match build {
        Build::Files(load) => Some(&load.read),
        Build::Whole | Build::Slices(_) | Build::Batch => None,
    };
    let read: BTreeSet<&str> = read.chain(loaded.into_iter().chain([gone]).flatten().map(String::as_str)).collect();
    for _ in 0..MOST_TRIES {
        let base = shop.state_of(&table);
        if bad.is_empty() && base.as_deref().is_none_or(is_known_to_be_empty) {
            return Ok(0);
        }
        let new = quarantine_batch(&bad);
        let rewritten = match (build, base.as_deref()) {
            // Of the files that were not read, the bad records are still known.
            (Build::Slices(_) | Build::Files(_) | Build::Batch, Some(known)) => {
                Rewritten::adding(shop, model, known, &read, new).await?
            }
            (Build::Whole | Build::Slices(_) | Build::Files(_) | Build::Batch, base) => {
                Rewritten::whole(base, vec![new])
            }
        };
        if rewritten.is_nothing() {
            return Ok(count);
        }
        match write(shop, model, rewritten, (base, build, provenance)).await? {
            Outcome::Committed(_) | Outcome::Superseded(_) => return Ok(count),
            Outcome::Merge { winner, .. } | Outcome::PlanAgain { winner, .. } => shop.remember(&table, Some(winner)),
        }
    }
    Err(disturbed(&table))
}

fn is_known_to_be_empty(base: &TableState) -> bool {
    base.files.is_empty() && base.known_ledger().is_some() && base.tainted(&SliceLayout::Whole).is_empty()
}

/// Reads the bad records of a model's sources again, because something else than karat has changed what was kept of them.
/// The rows of the model's table stay as they are. What changed in the files since they were read is left to the build
/// that loads them: until then, what is kept of these files stays.
pub(super) async fn read_again(shop: &Workshop<'_>, model: &TypedModel) -> Result<Built, Failure> {
    let started = Instant::now();
    let facts = kept_facts(shop, model).await;
    let is_kept_as_it_is = |path: &str| facts.get(path).is_some_and(|facts| facts.quarantined > 0);
    for _ in 0..MOST_TRIES {
        let reader = Reader::new(shop, Some(model)).await.reading_bad_files();
        let mut read: BTreeSet<&str> = BTreeSet::new();
        let listing = |name: TableName| Some((name.clone(), shop.listing(&name)?));
        let listings: Vec<(TableName, Arc<SourceListing>)> = model.sources_read().filter_map(listing).collect();
        for (name, listing) in &listings {
            let is_same = |entry: &&SourceEntry| facts.get(&entry.path).is_some_and(|facts| facts.is_as(entry));
            read.extend(listing.entries.iter().filter(is_same).map(|entry| entry.path.as_str()));
            let is_read = |entry: &SourceEntry| is_same(&entry) && is_kept_as_it_is(&entry.path);
            drain(shop, reader.source(name, &is_read)).await.map_err(|error| engine(&error))?;
        }
        let is_listed = |path: &str| listings.iter().any(|(_, listing)| listing.has(path));
        let goes = drops_what_is_gone(model) && !listings.iter().any(|(_, listing)| listing.keeps_missing);
        read.extend(facts.keys().map(String::as_str).filter(|path| goes && !is_listed(path)));
        let bad: Vec<BadRecord> = reader.take_found().into_iter().flat_map(|(_, found)| found.bad).collect();
        let table = quarantine_table(&model.table);
        let base = shop.state_of(&table);
        let new = quarantine_batch(&bad);
        let rewritten = match base.as_deref() {
            Some(base) if facts.keys().any(|path| is_kept_as_it_is(path) && !read.contains(path.as_str())) => {
                Rewritten::without(shop, model, base, &read, new).await?
            }
            base => Rewritten::whole(base, vec![new]),
        };
        let provenance = shop.provenance(model);
        match write(shop, model, rewritten, (base, &Build::Batch, &provenance)).await? {
            Outcome::Committed(state) | Outcome::Superseded(state) => {
                return Ok(Built {
                    version: state.version,
                    rows: 0,
                    partitions: 0,
                    files: 0,
                    bytes: 0,
                    same: 0,
                    quarantined: bad.len() as u64,
                    rescued: Conversions::default(),
                    elapsed: started.elapsed(),
                });
            }
            Outcome::Merge { winner, .. } | Outcome::PlanAgain { winner, .. } => shop.remember(&table, Some(winner)),
        }
    }
    Err(disturbed(&quarantine_table(&model.table)))
}

fn disturbed(table: &TableName) -> Failure {
    let reason = "other runs were faster again and again".to_owned();
    StoreError::Conflict { table: table.to_string(), version: 0, reason }.into()
}

/// Reads all of a source, for what is found in it and not for its rows.
async fn drain(
    shop: &Workshop<'_>,
    provider: Result<Arc<dyn TableProvider>, DataFusionError>,
) -> Result<(), DataFusionError> {
    let plan = LogicalPlanBuilder::scan("source", provider_as_source(provider?), None)?.build()?;
    let state = shop.session.state(Joins::Hash);
    let mut batches = execute_stream(state.create_physical_plan(&plan).await?, state.task_ctx())?;
    while batches.try_next().await?.is_some() {}
    Ok(())
}

async fn write(
    shop: &Workshop<'_>,
    model: &TypedModel,
    rewritten: Rewritten,
    (base, build, provenance): (Option<Arc<TableState>>, &Build, &Provenance),
) -> Result<Outcome, Failure> {
    let table = quarantine_table(&model.table);
    let token = shop.token()?;
    let staged = Staged::new(shop.lake.stage(&table)?);
    let options = WriterOptions { threads: 1, ..WriterOptions::new(format!("part-{token}")) };
    let slices = rewritten.slices(model).map_err(|error| engine(&error))?;
    let Rewritten { remove, batches, domain, .. } = rewritten;
    let destination = staged.staging().clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut writer = PartitionedWriter::new(quarantine_schema(), options, Arc::new(destination))?;
        batches.into_iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    });
    let add = written.await.expect("writing does not panic").map_err(|error| engine(&error.into()))?;
    // Bad records of a part of the files say nothing about those of the others: runs that read different parts must
    // not take each other's for their own.
    let fingerprint = match build {
        Build::Whole => "quarantine".into(),
        Build::Slices(_) | Build::Files(_) | Build::Batch => format!("quarantine of {token}").into(),
    };
    let sources = shop.source_digests().keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    let inputs = provenance.inputs.iter().filter(|(input, _)| sources.contains(*input));
    let inputs = inputs.map(|(input, version)| (input.clone(), version.clone())).collect();
    let work = Work::new(SliceLayout::Whole, domain, Arc::new(Provenance { fingerprint, inputs }));
    let schema = stored_schema(&quarantine_schema());
    let change = Change {
        together: Vec::new(),
        remove,
        base,
        work: Work { slices, ..work },
        add: add.iter().map(data_file).collect(),
        schema: delta_schema(&schema).map_err(|error| engine(&error.into()))?,
        partition_columns: Vec::new(),
        about: shop.about(token, &table.table, "bad records of the files that were read"),
    };
    shop.commit(&table, change, staged).await.map(|(_, outcome)| outcome)
}
