//! The rows that break data tests, kept as tables that each run of the test replaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::RunContext;
use super::staged::Staged;
use super::write::{WriteJob, sum};
use crate::analyze::TypedModel;
use crate::check::{CheckBatch, CheckResult, Scope};
use crate::delta::{TableSchema, Version};
use crate::execute::{Checking, in_columns};
use crate::failure::Failure;
use crate::incremental::{Bound, bind};
use crate::store::{Change, CommitOutcome, StoreError};
use crate::table::{DataFile, Domain, Provenance, SliceKey, SliceLayout, SliceMap, TableState, Work};

/// How often another run may come first.
const MOST_TRIES: u32 = 20;

impl RunContext<'_> {
    /// Runs data tests, and keeps the rows that break those which store them: also where a test fails, and with it the commit
    /// that it guards. The rows are then those that the table would have had.
    ///
    /// # Errors
    ///
    /// Returns an error if a table cannot be read, or the rows cannot be written.
    pub async fn test(
        &self,
        batches: &[CheckBatch],
        checking: Option<&Checking<'_>>,
    ) -> Result<Vec<CheckResult>, Failure> {
        let results = self.tester().run(batches, checking).await?;
        for CheckResult { check, failures } in &results {
            if let Some(rows) = &check.stored {
                self.keep_failing_rows(rows, *failures, checking).await?;
            }
        }
        Ok(results)
    }

    async fn keep_failing_rows(
        &self,
        rows: &TypedModel,
        failures: u64,
        checking: Option<&Checking<'_>>,
    ) -> Result<(), Failure> {
        let tester = self.tester();
        let reader = tester.reader(checking, Scope::Whole)?;
        let schema = TableSchema::of(&rows.schema).map_err(datafusion::common::DataFusionError::from)?;
        for _ in 0..MOST_TRIES {
            let base = self.catalog.lake.observe(&rows.table).await?;
            let is_empty = |base: &TableState| base.files.is_empty() && base.schema == schema;
            if failures == 0 && base.as_deref().is_some_and(is_empty) {
                return Ok(());
            }
            let token = self.token()?;
            let staged = Staged::new(self.catalog.lake.stage(&rows.table)?);
            let plan = bind(rows.plan()?, Bound::Whole, &mut |table| reader.provide(table))?;
            let plan = in_columns(plan, &rows.schema)?;
            let written = self.write_plan(&reader, WriteJob::new(rows, &token, &staged), &plan).await?;
            // Nothing is built of them, so no table is behind another on their account.
            let made_of = Provenance { fingerprint: format!("rows of {token}").into(), inputs: BTreeMap::new() };
            let work = Work::new(SliceLayout::Whole, Domain::Whole, Arc::new(made_of));
            let change = Change {
                together: Vec::new(),
                remove: base.as_deref().map(|base| base.files.to_vec()).unwrap_or_default(),
                base,
                work: Work { slices: SliceMap::from_iter([(SliceKey::All, sum(&written.slices))]), ..work },
                add: written.files.iter().map(DataFile::from).collect(),
                schema: schema.clone(),
                partition_columns: Vec::new(),
                about: self.identity.commit_info(token, &rows.table.table, "rows that break a data test"),
            };
            let outcome = self.commit(&rows.table, change, staged).await?.outcome;
            // They belong to no release: nobody builds on them, and readers see the newest.
            self.catalog.forget(&rows.table);
            match outcome {
                CommitOutcome::Committed(_) | CommitOutcome::Superseded(_) => return Ok(()),
                // The other run's rows are replaced like any others.
                CommitOutcome::Merge { .. } | CommitOutcome::Replan { .. } => {}
            }
        }
        let reason = "other runs kept committing first".to_owned();
        Err(StoreError::Conflict { table: rows.table.to_string(), version: Version::FIRST, reason }.into())
    }
}
