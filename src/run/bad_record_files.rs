//! Which files of a table of bad records are written again when source files are read: those that hold records of these source
//! files, and small files when there are many. All others stay, so that new bad records cost what they are and not what was
//! found before them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, not};
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::compact::MOST_SMALL;
use super::failure::Failure;
use super::read::{Instead, Reader, batches_of};
use super::replace::SMALL;
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::{TypedModel, quarantine_input, quarantine_table, stored_schema};
use crate::engine::{SliceCut, SliceTally};
use crate::partition_writer::delta_schema;
use crate::raw::quarantine_schema;
use crate::table::{DataFile, Domain, SliceKey, SliceLayout, SliceMap, SliceRows, TableState};

/// What a table of bad records becomes.
pub(super) struct Rewritten {
    /// The files that go.
    pub remove: Vec<DataFile>,
    /// What is written anew.
    pub batches: Vec<RecordBatch>,
    /// What the rows of the files that stay are.
    pub stays: SliceRows,
    pub domain: Domain,
}

impl Rewritten {
    /// These records alone, in the place of all that are there.
    pub fn whole(base: Option<&TableState>, batches: Vec<RecordBatch>) -> Rewritten {
        let remove = base.map(|base| base.files.to_vec()).unwrap_or_default();
        Rewritten { remove, batches, stays: SliceRows::default(), domain: Domain::Whole }
    }

    /// All records of a table but those of source files that were read, and the new ones, in new files.
    pub async fn without(
        shop: &Workshop<'_>,
        model: &TypedModel,
        base: &TableState,
        read: &BTreeSet<&str>,
        new: RecordBatch,
    ) -> Result<Rewritten, Failure> {
        let held = held(shop, model, base, base.files.to_vec()).await?;
        let (kept, _) = apart(&held, read).map_err(|error| engine(&error))?;
        Ok(Rewritten::whole(Some(base), kept.into_iter().chain([new]).collect()))
    }

    /// The records of a table without those of source files that were read, and with the new ones. Files without any of
    /// those stay.
    pub async fn adding(
        shop: &Workshop<'_>,
        model: &TypedModel,
        base: &TableState,
        read: &BTreeSet<&str>,
        new: RecordBatch,
    ) -> Result<Rewritten, Failure> {
        let Some(known) = known_rows(base) else { return Rewritten::without(shop, model, base, read, new).await };
        // What is known of a source file does not tell whether it has records here: a run may have been killed after it wrote
        // them, and before it said so.
        let (mut remove, mut stays): (Vec<DataFile>, Vec<DataFile>) =
            base.files.iter().cloned().partition(|file| may_hold(file, read));
        let mut goes = held(shop, model, base, remove.clone()).await?;
        let (mut kept, dropped) = apart(&goes, read).map_err(|error| engine(&error))?;
        if rows_of(&dropped) == 0 {
            // They hold none of these records after all.
            stays.append(&mut remove);
            kept.clear();
            goes.clear();
        }
        let small = stays.iter().filter(|file| file.bytes < SMALL);
        if (new.num_rows() > 0 || !remove.is_empty()) && small.count() >= MOST_SMALL {
            let small: Vec<DataFile> = stays.into_iter().filter(|file| file.bytes < SMALL).collect();
            let together = held(shop, model, base, small.clone()).await?;
            goes.extend(together.iter().cloned());
            kept.extend(together);
            remove.extend(small);
        }
        let gone = tallied(model, &goes).map_err(|error| engine(&error))?;
        if gone.rows > known.rows {
            // The files hold more than was ever said of them.
            return Rewritten::without(shop, model, base, read, new).await;
        }
        let mut stays = known;
        stays -= gone;
        Ok(Rewritten { remove, batches: kept.into_iter().chain([new]).collect(), stays, domain: Domain::Batch })
    }

    /// Whether a commit would change nothing.
    pub fn is_nothing(&self) -> bool {
        self.domain == Domain::Batch && self.remove.is_empty() && rows_of(&self.batches) == 0
    }

    /// What all rows are then.
    pub fn slices(&self, model: &TypedModel) -> Result<SliceMap<SliceRows>, DataFusionError> {
        let mut all = tallied(model, &self.batches)?;
        all += self.stays;
        Ok(SliceMap::from_iter([(SliceKey::All, all)]))
    }
}

/// What the rows of a table are by its ledger, if the ledger still tells, and if new files of it have the same columns.
fn known_rows(base: &TableState) -> Option<SliceRows> {
    if delta_schema(&stored_schema(&quarantine_schema())).ok().as_ref() != Some(&base.schema) {
        return None;
    }
    let ledger = base.known_ledger().filter(|_| base.tainted(&SliceLayout::Whole).is_empty())?;
    let rows = ledger.slices.get(&SliceKey::All).map(|entry| entry.rows).unwrap_or_default();
    let counted: Option<u64> = base.files.iter().map(|file| file.rows).sum();
    (counted == Some(rows.rows)).then_some(rows)
}

/// Whether records of these source files may be in a file: statistics have its first and its last source file. Without
/// statistics they may.
fn may_hold(file: &DataFile, source_files: &BTreeSet<&str>) -> bool {
    let schema = quarantine_schema();
    match file.texts(schema.field(0).name()) {
        Some((first, last)) => first <= last && source_files.range(&*first..=&*last).next().is_some(),
        None => true,
    }
}

/// The records in some files of the table.
async fn held(
    shop: &Workshop<'_>,
    model: &TypedModel,
    base: &TableState,
    files: Vec<DataFile>,
) -> Result<Vec<RecordBatch>, Failure> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let table = quarantine_table(&model.table);
    let instead = Instead { files: Arc::new(files), schema: base.schema.clone() };
    let read = async {
        let provider = Reader::new(shop, None).await.with(&table, instead).provide(&quarantine_input(model))?;
        let plan = LogicalPlanBuilder::scan(table.table.clone(), provider_as_source(provider), None)?.build()?;
        let state = shop.session.state(Joins::Hash);
        let batches = batches_of(state, state.create_physical_plan(&plan).await?).await?;
        batches.iter().map(as_found).collect::<Result<Vec<_>, DataFusionError>>()
    };
    read.await.map_err(|error| engine(&error))
}

/// With the types that readers of sources give.
fn as_found(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let schema = quarantine_schema();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<Vec<_>, _>>()?)?)
}

/// The records of other source files than these, and those of these.
fn apart(held: &[RecordBatch], read: &BTreeSet<&str>) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>), DataFusionError> {
    let (mut others, mut of_these) = (Vec::new(), Vec::new());
    for batch in held {
        let files = batch.column(0).as_string::<i32>();
        let is_other: BooleanArray = files.iter().map(|file| file.map(|file| !read.contains(file))).collect();
        others.push(filter_record_batch(batch, &is_other)?);
        of_these.push(filter_record_batch(batch, &not(&is_other)?)?);
    }
    Ok((others, of_these))
}

fn rows_of(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn tallied(model: &TypedModel, batches: &[RecordBatch]) -> Result<SliceRows, DataFusionError> {
    let cut = SliceCut { event_time: None, grain: model.config.batch_size };
    let mut tally = SliceTally::new(&quarantine_schema(), &cut)?;
    batches.iter().try_for_each(|batch| tally.add(batch))?;
    Ok(tally.finish().get(&SliceKey::All).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::PartitionValues;

    #[test]
    fn records_of_a_source_file_lie_where_statistics_allow() {
        let column = quarantine_schema().field(0).name().clone();
        let stats = format!(r#"{{"minValues":{{"{column}":"data/b.csv"}},"maxValues":{{"{column}":"data/d.csv"}}}}"#);
        let file = |stats: Option<String>| DataFile {
            path: "a".into(),
            partition: PartitionValues::none(),
            bytes: 1,
            rows: Some(1),
            stats: stats.map(Into::into),
        };
        let held: Vec<bool> = ["data/a.csv", "data/b.csv", "data/c.csv", "data/d.csv", "data/e.csv"]
            .iter()
            .map(|path| may_hold(&file(Some(stats.clone())), &BTreeSet::from([*path])))
            .collect();
        assert_eq!(held, [false, true, true, true, false]);
        assert!(may_hold(&file(None), &BTreeSet::from(["data/a.csv"])));
    }
}
