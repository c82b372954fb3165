//! A batch that is added to a table: its rows as new files, and the files whose rows give way to it without those rows.

use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::context::RunContext;
use super::kept_values::{kept_columns, with_kept_values};
use super::write::{WriteJob, WrittenStep, sum};
use crate::analyze::TypedModel;
use crate::delta::TableSchema;
use crate::engine::SliceTally;
use crate::execute::{
    KeyedRows, Reader, begins, check_keys, files_with_keys, in_columns, own_rows, rows_of_keys, rows_of_other_keys,
    slice_cut,
};
use crate::incremental::{Bound, bind};
use crate::table::{DataFile, SliceKey, SliceLayout, SliceRows, TableState};

impl RunContext<'_> {
    /// Writes the rows of a batch, and the rows that stay of those files that go.
    pub(super) async fn write_batch(&self, reader: &Reader<'_>, job: WriteJob<'_>) -> EngineResult<WrittenStep> {
        let model = job.model;
        let base = self.catalog.state_of(&model.table).map_or_else(TableState::empty, |base| TableState::clone(&base));
        let rows = self.rows_before(reader, job, &base).await?;
        let batch = self.write_plan(reader, job, &batch_to_write(reader, model)?).await?;
        let mut written = WrittenStep::of_batch(batch);
        let mut gone = SliceRows::default();
        if !model.config.unique_key.is_empty() && !written.files.is_empty() {
            self.check_new_keys(job, &written.files).await?;
            let new: Vec<DataFile> = written.files.iter().map(DataFile::from).collect();
            written.replaced = files_with_keys(&self.engine, job.joins, model, &base.files, &new).await?;
            if !written.replaced.is_empty() {
                gone = self.replace_rows(reader, job, &new, &mut written).await?;
            }
        }
        Ok(WrittenStep { found: reader.take_found(), ..written.beside(rows, gone) })
    }

    /// Puts a batch in the place of the rows of its keys: takes over values that the config keeps, and writes the other rows
    /// of the files that go. Returns what goes.
    async fn replace_rows(
        &self,
        reader: &Reader<'_>,
        job: WriteJob<'_>,
        new: &[DataFile],
        written: &mut WrittenStep,
    ) -> EngineResult<SliceRows> {
        let model = job.model;
        // A semi-join finds the rows that give way, an anti-join those of the same files that stay.
        let held = own_rows(reader, model, written.replaced.clone(), Bound::Whole)?;
        let kept = kept_columns(model)?;
        if !kept.is_empty() {
            let merged = with_kept_values(model, new, held.clone(), &kept)?;
            let name = format!("{}-merged", job.name);
            let merged = self.write_plan(reader, job.named(&name), &merged).await?;
            // The keys of the batch are known to differ: a key that stands there twice now stood in the table twice.
            let files: Vec<DataFile> = merged.files.iter().map(DataFile::from).collect();
            check_keys(&self.engine, job.joins, model, &files, KeyedRows::Held).await?;
            written.files = merged.files;
            written.slices = merged.slices;
        }
        let gone = self.tally(job, &rows_of_keys(model, held.clone(), new)?).await?;
        if gone == sum(&written.slices) {
            // The batch is in the table already.
            written.files.clear();
            written.replaced.clear();
            return Ok(gone);
        }
        let stay = rows_of_other_keys(model, held, new)?;
        let name = format!("{}-stay", job.name);
        written.files.extend(self.write_plan(reader, job.named(&name), &stay).await?.files);
        Ok(gone)
    }

    /// What the rows of the table were before the batch, in the columns that it is written with. They are looked at if
    /// the ledger does not know.
    pub(super) async fn rows_before(
        &self,
        reader: &Reader<'_>,
        job: WriteJob<'_>,
        base: &TableState,
    ) -> EngineResult<SliceRows> {
        let known = base.known_ledger().and_then(|ledger| ledger.slices.get(&SliceKey::All));
        let is_untouched = base.schema == TableSchema::of(&job.model.schema)?
            && base.changed_externally(&SliceLayout::Whole).is_empty();
        match known.filter(|_| is_untouched) {
            Some(entry) => Ok(entry.rows),
            None => self.tally(job, &own_rows(reader, job.model, base.files.clone(), Bound::Whole)?).await,
        }
    }

    /// What the rows of a plan are.
    pub(super) async fn tally(&self, job: WriteJob<'_>, rows: &LogicalPlan) -> EngineResult<SliceRows> {
        let state = self.engine.state(job.joins);
        let physical = state.create_physical_plan(rows).await?;
        let mut tally = SliceTally::new(&physical.schema(), &slice_cut(job.model))?;
        let mut batches = execute_stream(physical, state.task_ctx())?;
        while let Some(batch) = batches.try_next().await? {
            tally.add(&batch)?;
        }
        Ok(sum(&tally.finish()))
    }
}

/// The plan of the rows of a batch: the text for later runs, where the model has one, reads the table as it is.
fn batch_to_write(reader: &Reader<'_>, model: &TypedModel) -> EngineResult<LogicalPlan> {
    let plan = model.plan_of_later_runs()?;
    in_columns(bind(plan, begins(model), &mut |table| reader.provide(table))?, &model.schema)
}
