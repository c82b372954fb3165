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
use super::context::RunContext;
use super::replace::SMALL;
use crate::analyze::{TypedModel, quarantine_input, quarantine_table, stored_schema};
use crate::delta::delta_schema;
use crate::engine::{SliceCut, SliceTally};
use crate::execute::{Instead, Joins, Reader};
use crate::failure::Failure;
use crate::raw::quarantine_schema;
use crate::table::{DataFile, Domain, SliceKey, SliceLayout, SliceMap, SliceRows, TableState};

/// What a table of bad records becomes.
pub(super) struct RewrittenRecords {
    /// The files that go.
    pub remove: Vec<DataFile>,
    /// What is written anew.
    pub batches: Vec<RecordBatch>,
    /// What the rows of the files that stay are.
    pub stays: SliceRows,
    pub domain: Domain,
}

impl RewrittenRecords {
    /// These records alone, in the place of all that are there.
    pub fn whole(base: Option<&TableState>, batches: Vec<RecordBatch>) -> RewrittenRecords {
        let remove = base.map(|base| base.files.to_vec()).unwrap_or_default();
        RewrittenRecords { remove, batches, stays: SliceRows::default(), domain: Domain::Whole }
    }

    /// All records of a table but those of source files that were read, and the new ones, in new files.
    pub async fn without(
        context: &RunContext<'_>,
        model: &TypedModel,
        base: &TableState,
        read: &BTreeSet<&str>,
        new: RecordBatch,
    ) -> Result<RewrittenRecords, Failure> {
        let held = held(context, model, base, base.files.to_vec()).await?;
        let kept = SplitRecords::of(&held, read)?.others;
        Ok(RewrittenRecords::whole(Some(base), kept.into_iter().chain([new]).collect()))
    }

    /// The records of a table without those of source files that were read, and with the new ones. Files without any of
    /// those stay.
    pub async fn adding(
        context: &RunContext<'_>,
        model: &TypedModel,
        base: &TableState,
        read: &BTreeSet<&str>,
        new: RecordBatch,
    ) -> Result<RewrittenRecords, Failure> {
        let Some(known) = known_rows(base) else {
            return RewrittenRecords::without(context, model, base, read, new).await;
        };
        // What is known of a source file does not tell whether it has records here: a run may have been killed after it wrote
        // them, and before it said so.
        let (mut remove, mut stays): (Vec<DataFile>, Vec<DataFile>) =
            base.files.iter().cloned().partition(|file| may_hold(file, read));
        let mut goes = held(context, model, base, remove.clone()).await?;
        let apart = SplitRecords::of(&goes, read)?;
        let mut kept = apart.others;
        if rows_of(&apart.of_these) == 0 {
            // They hold none of these records after all.
            stays.append(&mut remove);
            kept.clear();
            goes.clear();
        }
        let small = stays.iter().filter(|file| file.bytes < SMALL);
        if (new.num_rows() > 0 || !remove.is_empty()) && small.count() >= MOST_SMALL {
            let small: Vec<DataFile> = stays.into_iter().filter(|file| file.bytes < SMALL).collect();
            let together = held(context, model, base, small.clone()).await?;
            goes.extend(together.iter().cloned());
            kept.extend(together);
            remove.extend(small);
        }
        let gone = tallied(model, &goes)?;
        if gone.rows > known.rows {
            // The files hold more than was ever said of them.
            return RewrittenRecords::without(context, model, base, read, new).await;
        }
        let mut stays = known;
        stays -= gone;
        Ok(RewrittenRecords { remove, batches: kept.into_iter().chain([new]).collect(), stays, domain: Domain::Batch })
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
    context: &RunContext<'_>,
    model: &TypedModel,
    base: &TableState,
    files: Vec<DataFile>,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let table = quarantine_table(&model.table);
    let instead = Instead { files: Arc::new(files), schema: base.schema.clone() };
    let provider = Reader::new(&context.catalog).with(&table, instead).provide(&quarantine_input(model))?;
    let plan = LogicalPlanBuilder::scan(table.table.clone(), provider_as_source(provider), None)?.build()?;
    let batches = context.engine.collect(&plan, Joins::Hash).await?;
    batches.iter().map(as_found).collect()
}

/// With the types that readers of sources give.
fn as_found(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let schema = quarantine_schema();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<Vec<_>, _>>()?)?)
}

/// Records, by whether they are of some source files.
struct SplitRecords {
    others: Vec<RecordBatch>,
    of_these: Vec<RecordBatch>,
}

impl SplitRecords {
    fn of(held: &[RecordBatch], source_files: &BTreeSet<&str>) -> Result<Self, DataFusionError> {
        let mut apart = Self { others: Vec::new(), of_these: Vec::new() };
        for batch in held {
            let files = batch.column(0).as_string::<i32>();
            let is_other: BooleanArray =
                files.iter().map(|file| file.map(|file| !source_files.contains(file))).collect();
            apart.others.push(filter_record_batch(batch, &is_other)?);
            apart.of_these.push(filter_record_batch(batch, &not(&is_other)?)?);
        }
        Ok(apart)
    }
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
