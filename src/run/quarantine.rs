//! Bad records of sources: counted against what is allowed, and kept in a table beside the model's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::failure::Failure;
use super::read::{Reader, batches_of};
use super::session::Joins;
use super::sources::SourceListing;
use super::step::{Abandon, Workshop, engine, random_token};
use crate::analyze::{TypedModel, quarantine_input, quarantine_table, stored_schema};
use crate::diag::{Code, Diagnostic};
use crate::engine::{Found, KnownFiles, Tolerance};
use crate::incremental::Build;
use crate::name::TableName;
use crate::partition_writer::{PartitionedWriter, WriterOptions, delta_schema};
use crate::project::Project;
use crate::raw::{BadRecord, quarantine_batch, quarantine_schema};
use crate::store::Commit;
use crate::table::{Record, SourceFileFacts, TableState};

/// Per source what reading it found.
pub(crate) type FoundInSources = Vec<(TableName, Found)>;

/// Fails if a source has more bad records than it allows.
pub(super) fn check_tolerance(project: &Project, found: &FoundInSources) -> Result<(), Failure> {
    for (name, found) in found {
        let Some(source) = project.sources.get(name) else {
            continue;
        };
        let tolerance = Tolerance { on_bad_row: source.on_bad_row, limit: source.max_bad_rows };
        if let Some(message) = tolerance.exceeded(found) {
            let diagnostic = Diagnostic::error(Code::TooManyBadRows, format!("`{name}` {message}")).at(source.span);
            let help = "correct the file, or allow more with `on_bad_row: quarantine` and `max_bad_rows`";
            return Err(Failure::Project(diagnostic.help(help)));
        }
    }
    Ok(())
}

/// Facts about those listed files that are as they were when the model last read them.
pub(super) fn known_files(shop: &Workshop<'_>, model: Option<&TypedModel>, listing: &SourceListing) -> KnownFiles {
    let Some(model) = model else { return KnownFiles::new() };
    // Under another fingerprint the columns may have had other types, and their ranges another unit.
    let record = shop.state_of(&model.table).and_then(|state| state.record);
    let before = record.filter(|record| record.fingerprint == model.fingerprint).and_then(|record| record.source_files);
    let Some(digest) = before else { return KnownFiles::new() };
    let facts = shop.lake.source_files(&model.table, &digest);
    let same = |entry: &&crate::store::SourceEntry| {
        facts.get(&entry.path).is_some_and(|facts| facts.size == entry.size && facts.modified == entry.modified)
    };
    let found = listing.entries.iter().filter(same);
    found.filter_map(|entry| Some((entry.path.clone(), facts.get(&entry.path)?.clone()))).collect()
}

/// What is known of all listed files after this read.
pub(super) fn facts(
    shop: &Workshop<'_>,
    model: &TypedModel,
    base: Option<&TableState>,
    found: &FoundInSources,
) -> BTreeMap<String, SourceFileFacts> {
    let mut facts = BTreeMap::new();
    for (name, found) in found {
        let (Some(listing), Some(source)) = (shop.sources.get(name), shop.project.sources.get(name)) else {
            continue;
        };
        if base.is_some() {
            facts.extend(known_files(shop, Some(model), listing));
        }
        for entry in &listing.entries {
            let Some(stats) = found.files.get(entry.path.as_str()) else {
                continue;
            };
            let columns = source.columns.iter().zip(&stats.column_ranges);
            let ranges = columns
                .filter_map(|(column, range)| Some((column.name.value.clone(), range.as_ref()?.bounds)))
                .collect();
            let (records, quarantined) = (stats.records, stats.quarantined);
            let known = SourceFileFacts { size: entry.size, modified: entry.modified, records, quarantined, ranges };
            facts.insert(entry.path.clone(), known);
        }
    }
    facts
}

/// Brings the quarantine table up to date with what was read; gives how many bad records were found.
pub(super) async fn publish(
    shop: &Workshop<'_>,
    model: &TypedModel,
    found: &FoundInSources,
    build: Build,
) -> Result<u64, Failure> {
    let bad: Vec<BadRecord> = found.iter().flat_map(|(_, found)| found.bad.clone()).collect();
    let count = bad.len() as u64;
    let table = quarantine_table(&model.table);
    let base = match found.is_empty() {
        true => return Ok(0),
        false => shop.state_of(&table),
    };
    if bad.is_empty() && base.as_ref().is_none_or(|base| base.files.is_empty()) {
        return Ok(0);
    }
    let read: BTreeSet<&str> = found.iter().flat_map(|(_, found)| found.files.keys().map(|file| &**file)).collect();
    let mut batches = match (build, &base) {
        // Of the files that were not read, the bad records are still known.
        (Build::Slices(_), Some(_)) => others(shop, model, &read).await?,
        (Build::Whole | Build::Slices(_), _) => Vec::new(),
    };
    batches.push(quarantine_batch(&bad));
    write(shop, model, batches, base).await?;
    Ok(count)
}

/// The bad records of all files but these.
async fn others(shop: &Workshop<'_>, model: &TypedModel, read: &BTreeSet<&str>) -> Result<Vec<RecordBatch>, Failure> {
    let table = quarantine_table(&model.table);
    let input = quarantine_input(model);
    let keep = |batch: &RecordBatch| -> Result<RecordBatch, DataFusionError> {
        let files = batch.column(0).as_string_view();
        let kept: BooleanArray = files.iter().map(|file| file.map(|file| !read.contains(file))).collect();
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
        let provider = Reader::new(shop, None).provide(&input)?;
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
    base: Option<TableState>,
) -> Result<(), Failure> {
    let table = quarantine_table(&model.table);
    let token = random_token()?;
    let destination = Arc::new(shop.lake.stage(&table));
    let guard = Abandon(Some(Arc::clone(&destination)));
    let options = WriterOptions { threads: 1, ..WriterOptions::new(format!("part-{token}")) };
    let written = tokio::task::spawn_blocking(move || {
        let mut writer = PartitionedWriter::new(quarantine_schema(), options, destination)?;
        batches.into_iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    });
    let add = written.await.expect("writing does not panic").map_err(|error| engine(&error.into()))?;
    let schema = stored_schema(&quarantine_schema());
    let record = Record {
        token,
        model: table.table.clone(),
        run: shop.run_id.clone(),
        fingerprint: "quarantine".to_owned(),
        complete: true,
        inputs: BTreeMap::new(),
        source_files: None,
    };
    let commit = Commit {
        remove: base.as_ref().map(|base| base.files.clone()).unwrap_or_default(),
        base,
        add,
        schema: delta_schema(&schema).map_err(|error| engine(&error.into()))?,
        partition_columns: Vec::new(),
        record,
        now_millis: shop.now.timestamp_millis(),
    };
    shop.commit(&table, commit, guard).await.map(drop)
}
