//! One step of a run: write files that nobody sees, test them, commit.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::columns::made_as;
use super::compact::Replacement;
use super::context::RunContext;
use super::file_facts::FilesRead;
use super::publish::{Publication, Published};
use super::quarantine;
use super::replace::Replaced;
use super::report::StepResult;
use super::settle::{Computed, Settled};
use super::staged::Staged;
use super::tested::TestedBuild;
use super::tolerance;
use super::write::{WriteJob, WrittenStep};
use super::written_slices::written_slices;
use crate::analyze::TypedModel;
use crate::check::{CheckBatch, CheckResult};
use crate::delta::TableSchema;
use crate::execute::{Built, Checking, failed};
use crate::failure::Failure;
use crate::incremental::{Build, Decision};
use crate::plan::Batch;
use crate::store::{Change, CommitInfo, kept};
use crate::table::{DataFile, TableState, Work};

impl RunContext<'_> {
    /// Builds one model, or one batch of a backfill. Where another run came first and neither result is newer, what to do
    /// is decided again.
    pub(super) async fn build(
        &self,
        model: &TypedModel,
        mut decision: Decision,
        batch: Option<&Batch>,
    ) -> Result<StepResult, Failure> {
        /// How often two runs that disagree may disturb each other.
        const MOST_PLANS: u32 = 10;
        let mut last = None;
        for _ in 0..MOST_PLANS {
            let Some(build) = &decision.build else { return Ok(StepResult::Superseded) };
            let step = StepAttempt { context: self, build, why: &decision.why, batch };
            match step.run(model).await? {
                Published::Step(result) => return Ok(result),
                Published::PlanAgain(conflict) => last = Some(conflict),
            }
            self.look_again(model).await?;
            decision = self.decide_again(model, batch);
        }
        Err(last.expect("a step is tried at least once").into())
    }
}

/// One try to build a model.
struct StepAttempt<'s> {
    context: &'s RunContext<'s>,
    build: &'s Build,
    why: &'s str,
    batch: Option<&'s Batch>,
}

impl StepAttempt<'_> {
    /// Writes, tests and commits. What is pinned at the beginning is what the commit says that it was made of.
    async fn run(&self, model: &TypedModel) -> Result<Published, Failure> {
        let started = Instant::now();
        let StepAttempt { context, build, .. } = *self;
        let base = context.catalog.state_of(&model.table);
        context.refuse_to_lose_rows(model, build, base.as_deref()).await?;
        if let Some(hooks) = context.hooks.get(&model.name) {
            context.tester().run_hooks(&hooks.before, None).await?;
        }
        let replaced = Replaced::new(model, build, base.as_deref());
        let mut as_written = context.as_written(model, build, &replaced, base.as_deref())?;
        if as_written.is_snapshot() {
            as_written = Cow::Owned(context.snapshot_now(&as_written, base.as_deref())?);
        }
        let model = &*as_written;
        // From here on nothing of the inputs is looked at again: files, tests and ledger speak of the same versions.
        let token = context.token()?;
        let provenance = Arc::new(context.catalog.provenance(model));
        let staged = Staged::new(context.catalog.lake.stage(&model.table)?);
        let job = WriteJob::new(model, &token, &staged);
        let written = context.write(job, build, &replaced).await?;
        let WrittenStep { files, slices, replaced, found, origins } = written;
        let read = FilesRead { build, found: &found, origins: origins.as_ref() };
        let facts = context.facts_after(model, base.as_deref(), read).await;
        tolerance::check(context.catalog.project, &found, facts.as_ref())?;

        let new = files.iter().map(DataFile::from).collect();
        let computed = Computed { model, build, refresh: context.refresh_of(model), base: base.as_deref(), slices };
        let Settled { work, remove, add, same } = computed.settle(Arc::clone(&provenance), replaced, new);
        let is_all_new = kept(base.as_deref(), &remove).is_empty();
        let tested_on = context.tested_on(&model.name);
        let tested = TestedBuild { model, base: base.as_deref(), is_all_new };
        // The tests see the files before the bad records and the commit do: if one fails, nothing has changed.
        let checks = self.check(model, base.as_deref(), &remove, &add).await?;

        let kept_facts = context.keep_facts(model, base.as_deref(), facts).await?;
        let backfill = self.batch.map(|batch| Arc::new(batch.record.clone()));
        let work = Work { source_files: kept_facts.name, bad_records: kept_facts.bad_records, backfill, ..work };
        let gone = context.gone(model, build).await;
        let quarantine =
            quarantine::BadRecordPublication { model, build, provenance: &provenance, found: &found, gone: &gone };
        // Before the table: a crash in between leaves bad records too many for a moment, never rows without them.
        let quarantined = quarantine.publish(context).await?;
        if base.as_deref().is_some_and(|base| work.says_nothing_new(base)) {
            context.note_built(tested, &tested_on, &checks);
            return Ok(Published::Step(StepResult::Same { checks }));
        }
        let rescued = tolerance::rescued(context.catalog.project, read);
        let built = Built { same, quarantined, rescued, ..figures(&work, &add) };
        let replacement = Replacement { remove, add, together: Vec::new() };
        let Replacement { remove, add, together } = context.compacted(job, build, base.as_deref(), replacement).await?;
        let about = context.identity.commit_info(token.clone(), model.name.as_str(), self.why);
        let change = Change {
            base: base.clone(),
            work,
            remove,
            add,
            together,
            schema: TableSchema::of(&model.schema).map_err(datafusion::common::DataFusionError::from)?,
            partition_columns: model.partition_columns(),
            about: CommitInfo { made_as: Some(made_as(model)), ..about },
        };
        let published = context.publish(model, Publication { change, staged, built, started, checks }).await?;
        context.note_published(tested, &tested_on, &published);
        Ok(published)
    }

    /// Runs what guards the model on the rows that nobody sees yet: the constraints of its contract, and data tests.
    async fn check(
        &self,
        model: &TypedModel,
        base: Option<&TableState>,
        remove: &[DataFile],
        add: &[DataFile],
    ) -> Result<Vec<CheckResult>, Failure> {
        let hooks = self.context.hooks.get(&model.name).map(|hooks| &hooks.after[..]).unwrap_or_default();
        let checks = self.context.guards.get(&model.name).map(Vec::as_slice).unwrap_or_default();
        if checks.is_empty() && hooks.is_empty() {
            return Ok(Vec::new());
        }
        let checking = checked_rows(model, base, remove, add);
        // A row that breaks a constraint stops everything, and then nobody needs to know what tests would say.
        let mut results = self.context.run_checks(checks, &checking, CheckBatch::is_of_contract).await?;
        results.extend(self.context.run_checks(checks, &checking, |batch| !batch.is_of_contract()).await?);
        // As in dbt, whose hooks see the new rows before anybody else does: if one fails, nothing has changed.
        self.context.tester().run_hooks(hooks, Some(&checking)).await?;
        Ok(results)
    }
}

impl RunContext<'_> {
    /// Checks once more what contracts say, where rows of another run have come to those that were checked.
    pub(super) async fn check_constraints(&self, model: &TypedModel, change: &Change) -> Result<(), Failure> {
        let checks = self.guards.get(&model.name).map(Vec::as_slice).unwrap_or_default();
        let checking = checked_rows(model, change.base.as_deref(), &change.remove, &change.add);
        self.run_checks(checks, &checking, CheckBatch::is_of_contract).await.map(|_passed| ())
    }

    async fn run_checks(
        &self,
        checks: &[CheckBatch],
        checking: &Checking<'_>,
        are_wanted: fn(&CheckBatch) -> bool,
    ) -> Result<Vec<CheckResult>, Failure> {
        let wanted: Vec<CheckBatch> = checks.iter().filter(|batch| are_wanted(batch)).cloned().collect();
        let results = self.test(&wanted, Some(checking)).await?;
        match failed(&results) {
            Some(failed) => Err(Failure::Project(failed)),
            None => Ok(results),
        }
    }
}

/// The table as it will be.
fn checked_rows<'m>(
    model: &'m TypedModel,
    base: Option<&TableState>,
    remove: &[DataFile],
    add: &[DataFile],
) -> Checking<'m> {
    let whole = kept(base, remove).into_iter().chain(add).cloned().collect();
    Checking { model, new: Arc::new(add.to_vec()), whole: Arc::new(whole) }
}

/// The figures of the files that a build adds.
fn figures(work: &Work, add: &[DataFile]) -> Built {
    Built {
        slices: written_slices(work, add),
        rows: add.iter().filter_map(|file| file.rows).sum(),
        partitions: add.iter().map(|file| &file.partition).collect::<BTreeSet<_>>().len(),
        files: add.len(),
        bytes: add.iter().map(|file| file.bytes).sum(),
        ..Built::default()
    }
}
