//! A snapshot is taken: versions that begin are added, those that end get their ends, and all others stay as they are.

use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::context::RunContext;
use super::write::{WriteJob, WrittenStep};
use crate::analyze::{SnapshotRun, TypedModel, as_stored};
use crate::execute::{Reader, Versions, in_columns, own_rows};
use crate::incremental::{Bound, bind};
use crate::table::{DataFile, SliceRows, TableState};

impl RunContext<'_> {
    /// The snapshot as it is taken now: with the time of the run, and with what its table lacks.
    pub(super) fn snapshot_now(&self, model: &TypedModel, base: Option<&TableState>) -> EngineResult<TypedModel> {
        let stored = base.and_then(|base| base.schema.columns());
        let is_new = |name: &String| stored.iter().flatten().all(|column| column.name != *name);
        let checked = model.snapshot.iter().flat_map(|snapshot| &snapshot.checked);
        let has_new_columns = stored.is_some() && checked.into_iter().any(is_new);
        model.at_run(SnapshotRun { time: self.identity.host.logical_time(), has_new_columns })
    }

    /// Writes the versions that begin and those that end, and the other rows of the files that go.
    pub(super) async fn write_versions(
        &self,
        reader: &Reader<'_>,
        job: WriteJob<'_>,
        versions: Versions<'_>,
    ) -> EngineResult<WrittenStep> {
        let model = job.model;
        self.check_query(job, versions).await?;
        let base = self.catalog.state_of(&model.table).map_or_else(TableState::empty, |base| TableState::clone(&base));
        let rows = self.rows_before(reader, job, &base).await?;
        let provide = &mut |table: &_| reader.provide(table);
        let begin = bind(model.plan_of_later_runs()?, Bound::Whole, provide)?;
        let begin = as_stored(in_columns(begin, &model.schema)?, &model.schema);
        let ended = bind(&versions.snapshot.ended, Bound::Whole, provide)?;
        let held = own_rows(reader, model, base.files.clone(), Bound::Whole)?;
        let batch = LogicalPlanBuilder::from(begin).union(versions.with_ends(held, ended)?)?.build()?;
        let batch = self.write_plan(reader, job, &batch).await?;
        let mut written = WrittenStep::of_batch(batch);
        let mut gone = SliceRows::default();
        if !written.files.is_empty() {
            let new: Vec<DataFile> = written.files.iter().map(DataFile::from).collect();
            versions.refuse_several_valid(&self.engine, job.joins, &new).await?;
            versions.refuse_backwards(&self.engine, job.joins, &new).await?;
            written.replaced = versions.files_that_give_way(&self.engine, job.joins, &base.files, &new).await?;
            let held = own_rows(reader, model, written.replaced.clone(), Bound::Whole)?;
            gone = self.tally(job, &versions.that_go(held.clone(), &new)?).await?;
            let name = format!("{}-stay", job.name);
            let stay = versions.that_stay(held, &new)?;
            written.files.extend(self.write_plan(reader, job.named(&name), &stay).await?.files);
        }
        Ok(WrittenStep { found: reader.take_found(), ..written.beside(rows, gone) })
    }

    /// Fails if the query does not have one row per key, each with its time. All of its rows are looked at: two of one key
    /// that both came out unchanged are no versions.
    async fn check_query(&self, job: WriteJob<'_>, versions: Versions<'_>) -> EngineResult<()> {
        // A reader of its own: what it finds in source files is found again when the versions are written.
        let reader = Reader::for_model(&self.catalog, job.model).await;
        let faults = bind(&versions.snapshot.faults, Bound::Whole, &mut |table| reader.provide(table))?;
        versions.refuse_faults(&self.engine.collect(&faults, job.joins).await?)
    }
}
