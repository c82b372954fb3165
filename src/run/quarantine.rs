//! Bad records of sources, kept in a table beside the model's.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::failure::Failure;
use super::publish::Staged;
use super::read::{Reader, batches_of};
use super::replace::data_file;
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::{TypedModel, quarantine_input, quarantine_table, stored_schema};
use crate::engine::{Found, SliceCut, SliceTally};
use crate::incremental::Build;
use crate::name::TableName;
use crate::partition_writer::{PartitionedWriter, WriterOptions, delta_schema};
use crate::raw::{BadRecord, quarantine_batch, quarantine_schema};
use crate::store::{Change, Outcome, StoreError};
use crate::table::{Domain, Provenance, SliceLayout, TableState, Work};

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
    let skipped: BTreeSet<&str> = found.iter().flat_map(|(_, found)| &found.skipped).map(String::as_str).collect();
    for _ in 0..MOST_TRIES {
        let base = shop.state_of(&table);
        if bad.is_empty() && base.as_ref().is_none_or(|base| base.files.is_empty()) {
            return Ok(0);
        }
        // Of the files that were not read, the bad records are still known.
        let mut batches = match (build, &base) {
            (_, None) => Vec::new(),
            (Build::Slices(_) | Build::Files(_) | Build::Batch, Some(_)) => {
                kept(shop, model, &|file| !read.contains(file)).await?
            }
            (Build::Whole, Some(_)) if skipped.is_empty() => Vec::new(),
            (Build::Whole, Some(_)) => kept(shop, model, &|file| skipped.contains(file)).await?,
        };
        batches.push(quarantine_batch(&bad));
        match write(shop, model, batches, (base, build, provenance)).await? {
            Outcome::Committed(_) | Outcome::Superseded(_) => return Ok(count),
            Outcome::Merge { winner, .. } | Outcome::PlanAgain { winner, .. } => shop.remember(&table, Some(winner)),
        }
    }
    let (table, reason) = (table.to_string(), "other runs were faster again and again".to_owned());
    Err(StoreError::Conflict { table, version: 0, reason }.into())
}

/// The bad records that the table has of some files.
async fn kept(
    shop: &Workshop<'_>,
    model: &TypedModel,
    is_kept: &dyn Fn(&str) -> bool,
) -> Result<Vec<RecordBatch>, Failure> {
    let table = quarantine_table(&model.table);
    let input = quarantine_input(model);
    let keep = |batch: &RecordBatch| -> Result<RecordBatch, DataFusionError> {
        let files = batch.column(0).as_string_view();
        let kept: BooleanArray = files.iter().map(|file| file.map(is_kept)).collect();
        let kept = filter_record_batch(batch, &kept)?;
        let columns = kept
            .columns()
            .iter()
            .zip(quarantine_schema().fields().clone().iter())
            .map(|(column, field)| arrow::compute::cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(quarantine_schema(), columns)?)
    };
    let old = async {
        let provider = Reader::new(shop, None).await.provide(&input)?;
        let plan = LogicalPlanBuilder::scan(table.table.clone(), provider_as_source(provider), None)?.build()?;
        let state = shop.session.state(Joins::Hash);
        batches_of(state, state.create_physical_plan(&plan).await?)
            .await?
            .iter()
            .map(keep)
            .collect::<Result<Vec<_>, _>>()
    };
    old.await.map_err(|error| engine(&error))
}

async fn write(
    shop: &Workshop<'_>,
    model: &TypedModel,
    batches: Vec<RecordBatch>,
    (base, build, provenance): (Option<Arc<TableState>>, &Build, &Provenance),
) -> Result<Outcome, Failure> {
    let table = quarantine_table(&model.table);
    let token = shop.token()?;
    let staged = Staged::new(shop.lake.stage(&table)?);
    let options = WriterOptions { threads: 1, ..WriterOptions::new(format!("part-{token}")) };
    let cut = SliceCut { event_time: None, grain: model.config.batch_size };
    let mut tally = SliceTally::new(&quarantine_schema(), &cut).map_err(|error| engine(&error.into()))?;
    batches.iter().try_for_each(|batch| tally.add(batch)).map_err(|error| engine(&error.into()))?;
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
        Build::Whole => "quarantine".to_owned(),
        Build::Slices(_) | Build::Files(_) | Build::Batch => format!("quarantine of {token}"),
    };
    let sources = shop.source_digests().keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    let inputs = provenance.inputs.iter().filter(|(input, _)| sources.contains(*input));
    let inputs = inputs.map(|(input, version)| (input.clone(), version.clone())).collect();
    let work = Work::new(SliceLayout::Whole, Domain::Whole, Arc::new(Provenance { fingerprint, inputs }));
    let schema = stored_schema(&quarantine_schema());
    let change = Change {
        remove: base.as_ref().map(|base| base.files.to_vec()).unwrap_or_default(),
        base,
        work: Work { slices: tally.finish(), ..work },
        add: add.iter().map(data_file).collect(),
        schema: delta_schema(&schema).map_err(|error| engine(&error.into()))?,
        partition_columns: Vec::new(),
        about: shop.about(token, &table.table, "bad records of the files that were read"),
    };
    shop.commit(&table, change, staged).await.map(|(_, outcome)| outcome)
}
