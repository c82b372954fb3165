//! A run from its beginning to its end: steps, release, cleaning up.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::RunContext;
use super::report::RunReport;
use super::schedule::RunPace;
use super::tidy::tidy_up;
use crate::analyze::TypedModel;
use crate::execute::Event;
use crate::figures::{bytes, counted};
use crate::name::{ModelName, TableName};
use crate::plan::{BackfillPlan, RunPlan};
use crate::store::{Maker, StoreError};

/// What a run has done.
#[derive(Debug)]
pub(crate) struct Done {
    pub report: RunReport,
    /// The number of the release, if there is a new one.
    pub released: Option<u64>,
    /// Tables that this project has released and that no model makes any more. Only a run that releases something looks.
    pub orphans: Vec<TableName>,
}

impl Done {
    /// What to say of tables that no model makes any more. Returns `None` if there are none.
    pub fn orphan_notice(&self) -> Option<String> {
        let first = self.orphans.first()?;
        let (more, them) = match self.orphans.len() - 1 {
            0 => (String::new(), "it"),
            more => (format!(" and {more} more"), "them"),
        };
        Some(format!("no model makes `{first}`{more} any longer: `karat gc --orphans` removes {them}"))
    }
}

impl RunContext<'_> {
    /// Does what a plan says at a pace, and releases the tables of `order`.
    ///
    /// # Errors
    ///
    /// Returns an error if the store was never proved to keep put-if-absent and cannot be proved now. What goes wrong with a
    /// step stands in its report.
    pub async fn run(&self, plan: &RunPlan, order: &[ModelName], pace: RunPace) -> Result<Done, StoreError> {
        // A store that is only read needs no proof.
        if plan.steps.iter().any(|step| step.decision.may_build()) {
            self.prove_store().await?;
        }
        self.recall_tests().await;
        let report = self.run_plan(plan, pace).await;
        self.keep_tests().await;
        let mut done = self.end(order, report).await;
        if done.released.is_some() {
            done.orphans = self.orphans().await;
        }
        Ok(done)
    }

    /// Does what is left of a backfill, and releases the tables of `order`.
    ///
    /// # Errors
    ///
    /// As [`RunContext::run`].
    pub async fn backfill(&self, plan: &BackfillPlan, order: &[ModelName]) -> Result<Done, StoreError> {
        self.prove_store().await?;
        let report = self.run_batches(plan).await;
        Ok(self.end(order, report).await)
    }

    async fn prove_store(&self) -> Result<(), StoreError> {
        let host = Arc::clone(&self.identity.host);
        self.catalog.lake.prove_once(&move || host.now()).await
    }

    /// A run that did all of its work makes it visible at once.
    async fn end(&self, order: &[ModelName], report: RunReport) -> Done {
        let released = if report.is_complete() { self.release(order).await } else { None };
        Done { report, released, orphans: Vec::new() }
    }

    async fn release(&self, order: &[ModelName]) -> Option<u64> {
        match self.publish_release(order).await {
            Ok(number) => {
                if let Some(number) = number {
                    self.clean_up(number).await;
                }
                number
            }
            Err(error) => {
                let text = format!("the tables are built, but not released: {error}; the next run will do it");
                self.observer.event(&Event::Warning { text: &text });
                None
            }
        }
    }

    /// Best effort: what is left over costs only room.
    async fn clean_up(&self, release: u64) {
        match tidy_up(self, release).await {
            Ok(tidied) if tidied.objects > 0 => {
                let objects = counted(tidied.objects, "object");
                tracing::info!("{objects} that no kept version needs were removed: {}", bytes(tidied.bytes));
            }
            Ok(_) => {}
            Err(error) => tracing::info!(%error, "what no kept version needs was not removed: a later run will do it"),
        }
    }

    async fn orphans(&self) -> Vec<TableName> {
        let catalog = &self.catalog;
        let written: BTreeSet<TableName> = catalog.typed.values().flat_map(TypedModel::written_tables).collect();
        let found = catalog.lake.released_orphans(&written, &Maker::from(catalog.project)).await;
        found.unwrap_or_else(|error| {
            tracing::info!(%error, "tables that no model makes any longer were not looked for");
            Vec::new()
        })
    }
}
