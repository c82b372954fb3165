//! A batch that is added to a table: its rows as new files, and the files whose rows give way to it without those rows.

use datafusion::common::{JoinType, Result as EngineResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::columns::in_columns;
use super::kept_values::{kept_columns, with_kept_values};
use super::keys;
use super::publish::Staged;
use super::read::{Reader, batches_of};
use super::replace::data_file;
use super::session::Joins;
use super::step::Workshop;
use super::write::{PlanWritten, Written, own_rows, slice_cut};
use crate::analyze::TypedModel;
use crate::engine::SliceTally;
use crate::incremental::{Bound, bind};
use crate::partition_writer::{WrittenFile, delta_schema};
use crate::table::{DataFile, SliceKey, SliceLayout, SliceMap, SliceRows, TableState};

impl Workshop<'_> {
    /// Writes the rows of a batch, and the rows that stay of those files that go.
    pub(super) async fn write_batch(
        &self,
        reader: &Reader<'_>,
        (model, joins): (&TypedModel, Joins),
        (token, staged): (&str, &Staged),
    ) -> EngineResult<Written> {
        let base = self.state_of(&model.table).map_or_else(TableState::empty, |base| TableState::clone(&base));
        let before = self.rows_before(reader, (model, joins), &base).await?;
        let batch = batch_to_write(reader, model)?;
        let PlanWritten { mut files, slices, .. } =
            self.write_plan(reader, (model, joins), &batch, (token, staged)).await?;
        let new: Vec<DataFile> = files.iter().map(data_file).collect();
        let mut added = sum(&slices);
        let (mut gone, mut replaced) = (SliceRows::default(), Vec::new());
        if !model.config.unique_key.is_empty() && !files.is_empty() {
            self.check_keys((model, joins), &files).await?;
            replaced = self.holding_files((model, joins), &base, &new).await?;
        }
        if !replaced.is_empty() {
            let kept = kept_columns(model);
            if !kept.is_empty() {
                let old = own_rows(reader, model, replaced.clone(), Bound::Whole)?;
                let merged = with_kept_values(model, (&new, old), &kept)?;
                let name = format!("{token}-merged");
                let merged = self.write_plan(reader, (model, joins), &merged, (&name, staged)).await?;
                self.check_held_keys((model, joins), &merged.files).await?;
                (files, added) = (merged.files, sum(&merged.slices));
            }
            let rows = || own_rows(reader, model, replaced.clone(), Bound::Whole);
            gone = self.tally((model, joins), &keys::by_keys(model, rows()?, (JoinType::LeftSemi, &new))?).await?;
            if gone == added {
                // The batch is in the table already.
                files.clear();
                replaced.clear();
            } else {
                let stay = keys::by_keys(model, rows()?, (JoinType::LeftAnti, &new))?;
                let name = format!("{token}-stay");
                files.extend(self.write_plan(reader, (model, joins), &stay, (&name, staged)).await?.files);
            }
        }
        let mut rows = before;
        rows -= gone;
        rows += added;
        let slices = SliceMap::from_iter([(SliceKey::All, rows)]);
        Ok(Written { files, slices, replaced, found: reader.take_found(), origins: None })
    }

    /// Fails if the key does not tell rows apart that were written.
    pub(super) async fn check_keys(
        &self,
        (model, joins): (&TypedModel, Joins),
        files: &[WrittenFile],
    ) -> EngineResult<()> {
        self.check_keys_in((model, joins), files.iter().map(data_file).collect(), keys::Rows::New).await
    }

    /// Fails if the key does not tell rows apart that were put together of a batch, whose keys are known to differ, and
    /// of the table: then the table holds a key twice.
    async fn check_held_keys(&self, (model, joins): (&TypedModel, Joins), files: &[WrittenFile]) -> EngineResult<()> {
        self.check_keys_in((model, joins), files.iter().map(data_file).collect(), keys::Rows::Held).await
    }

    /// Fails if the key does not tell the rows of these files apart.
    pub(crate) async fn check_keys_in(
        &self,
        (model, joins): (&TypedModel, Joins),
        files: Vec<DataFile>,
        rows: keys::Rows,
    ) -> EngineResult<()> {
        let state = self.session.state(joins);
        let plan = keys::ambiguous_keys(model, &files)?;
        keys::check(model, &batches_of(state, state.create_physical_plan(&plan).await?).await?, rows)
    }

    /// The files of the table that hold rows of the batch's keys.
    async fn holding_files(
        &self,
        (model, joins): (&TypedModel, Joins),
        base: &TableState,
        batch: &[DataFile],
    ) -> EngineResult<Vec<DataFile>> {
        let state = self.session.state(joins);
        let plan = keys::holding_files(model, &base.files, batch)?;
        let paths = keys::paths(&batches_of(state, state.create_physical_plan(&plan).await?).await?);
        Ok(base.files.iter().filter(|file| paths.contains(file.path.as_str())).cloned().collect())
    }

    /// What the rows of the table were before the batch, in the columns that it is written with. They are looked at if
    /// the ledger does not know.
    async fn rows_before(
        &self,
        reader: &Reader<'_>,
        (model, joins): (&TypedModel, Joins),
        base: &TableState,
    ) -> EngineResult<SliceRows> {
        let known = base.known_ledger().and_then(|ledger| ledger.slices.get(&SliceKey::All));
        let is_untouched = base.schema == delta_schema(&model.schema)? && base.tainted(&SliceLayout::Whole).is_empty();
        match known.filter(|_| is_untouched) {
            Some(entry) => Ok(entry.rows),
            None => self.tally((model, joins), &own_rows(reader, model, base.files.clone(), Bound::Whole)?).await,
        }
    }

    /// What the rows of a plan are.
    async fn tally(&self, (model, joins): (&TypedModel, Joins), rows: &LogicalPlan) -> EngineResult<SliceRows> {
        let state = self.session.state(joins);
        let physical = state.create_physical_plan(rows).await?;
        let mut tally = SliceTally::new(&physical.schema(), &slice_cut(model))?;
        let mut batches = execute_stream(physical, state.task_ctx())?;
        while let Some(batch) = batches.try_next().await? {
            tally.add(&batch)?;
        }
        Ok(sum(&tally.finish()))
    }
}

fn sum(slices: &SliceMap<SliceRows>) -> SliceRows {
    slices.values().fold(SliceRows::default(), |mut sum, slice| {
        sum += *slice;
        sum
    })
}

/// The plan of the rows of a batch: the text for later runs, where the model has one, reads the table as it is.
fn batch_to_write(reader: &Reader<'_>, model: &TypedModel) -> EngineResult<LogicalPlan> {
    let bound = match (model.event_time(), model.config.begin) {
        (Some(event_time), Some(begin)) => Bound::From { event_time, begin },
        _ => Bound::Whole,
    };
    let plan = model.sliced.as_ref().unwrap_or(&model.plan);
    in_columns(bind(plan, bound, &mut |table| reader.provide(table))?, &model.schema)
}
