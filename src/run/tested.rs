//! Data tests of tables that are up to date, and the record of what has passed on which versions.
//!
//! A test is not run again on versions of tables on which it has passed. That a test has passed is noted of whole tables
//! only: one that has looked at the new rows of a build says it of the table if all rows are new, or if it had passed on the
//! version before, whose other rows are still there.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use super::context::RunContext;
use super::publish::Published;
use super::report::StepResult;
use crate::analyze::{Input, TypedModel};
use crate::check::{CheckBatch, CheckResult, PlannedCheck, Scope};
use crate::delta::Version;
use crate::execute::{Event, failed};
use crate::failure::Failure;
use crate::incremental::versions_of;
use crate::name::{ModelName, TableKey};
use crate::table::{InputVersion, TableState, TestedVersions};

/// What the tests of a step read, when they began. In the order of the batches; `None` where there is no telling.
pub(super) struct TestedOn(Vec<Option<TestedVersions>>);

/// What a build has made of a table, for the record.
#[derive(Clone, Copy)]
pub(super) struct TestedBuild<'a> {
    pub model: &'a TypedModel,
    /// The table before.
    pub base: Option<&'a TableState>,
    /// Whether the table holds no row that the build has not written.
    pub is_all_new: bool,
}

/// The tests of a table that is up to date.
#[derive(Debug, Default)]
pub(super) struct UnchangedTests {
    /// Those that were run.
    pub results: Vec<CheckResult>,
    /// How many were not run again.
    pub skipped: usize,
    /// When the first of these has passed.
    pub since: Option<DateTime<Utc>>,
}

impl RunContext<'_> {
    /// Reads what earlier runs have noted.
    pub(super) async fn recall_tests(&self) {
        if !self.guards.is_empty() {
            *self.record.passed.lock() = self.catalog.lake.passed_tests().await;
        }
    }

    /// Keeps what this run has noted. Without it, the next run tests again.
    pub(super) async fn keep_tests(&self) {
        if !self.record.is_changed.load(Ordering::Relaxed) {
            return;
        }
        let passed = self.record.passed.lock().clone();
        if let Err(error) = self.catalog.lake.keep_passed_tests(&passed).await {
            let text = format!("that data tests have passed was not noted: {error}");
            self.observer.event(&Event::Warning { text: &text });
        }
    }

    /// What the tests of a model read now.
    pub(super) fn tested_on(&self, model: &ModelName) -> TestedOn {
        let own = self.catalog.typed.get(model).map(|model| model.table.key());
        TestedOn(self.batches_of(model).iter().map(|batch| self.versions_beside(batch, own.as_ref())).collect())
    }

    /// Notes the tests that have passed on what a step has published.
    pub(super) fn note_published(&self, build: TestedBuild<'_>, before: &TestedOn, published: &Published) {
        // A commit that came second holds rows of the other run too, which these tests have not seen.
        let next = build.base.map_or(Version::FIRST, |base| base.version.next());
        if let Published::Step(StepResult::Built { built, checks }) = published
            && built.version == next
        {
            self.note_built(build, before, checks);
        }
    }

    /// Notes the tests that have passed on what a build has committed, or would have.
    pub(super) fn note_built(&self, build: TestedBuild<'_>, before: &TestedOn, results: &[CheckResult]) {
        let TestedBuild { model, base, is_all_new } = build;
        let own = model.table.key();
        for (batch, before) in self.batches_of(&model.name).iter().zip(&before.0) {
            let (Some(before), Some(now)) = (before, self.versions(batch)) else { continue };
            // Another table that was looked at once more meanwhile may have other rows than the test has seen.
            let others_stayed =
                before.iter().filter(|(name, _)| **name != own).eq(now.iter().filter(|(name, _)| **name != own));
            if !others_stayed {
                continue;
            }
            // The versions as they were, for the rows that the build has left alone.
            let mut with_base = now.clone();
            if let (Some(version), Some(base)) = (with_base.get_mut(&own), base) {
                *version = base.as_input();
            }
            let identity_of = batch.identities();
            for check in passed(batch, results) {
                let identity = identity_of(check);
                let is_whole = batch.scope == Scope::Whole
                    || is_all_new
                    || base.is_some() && self.record.passed.lock().passed_at(&identity, &with_base).is_some();
                if is_whole {
                    self.note(identity, &now);
                }
            }
        }
    }

    /// Runs the tests of a table that stays as it is, but for those that have passed on what is there.
    ///
    /// # Errors
    ///
    /// Returns a failure if a test fails, or a table cannot be read.
    pub(super) async fn check_unchanged(&self, model: &ModelName) -> Result<UnchangedTests, Failure> {
        let mut tests = UnchangedTests::default();
        for batch in self.batches_of(model) {
            let before = self.versions(batch);
            let identity_of = batch.identities();
            let known: Option<Vec<DateTime<Utc>>> = match &before {
                Some(versions) if !self.reruns_tests => {
                    batch.checks.iter().map(|check| self.passed_at(&identity_of(check), versions)).collect()
                }
                Some(_) | None => None,
            };
            // One scan answers all tests of a batch: if one of them is to run, the others cost nothing.
            if let Some(times) = known {
                // Nobody is told of constraints that hold.
                if batch.is_of_contract() {
                    continue;
                }
                for (check, passed_at) in batch.checks.iter().zip(&times) {
                    self.observer.event(&Event::TestUnchanged { check, passed_at: *passed_at });
                }
                tests.skipped += times.len();
                tests.since = tests.since.into_iter().chain(times).min();
                continue;
            }
            let results = self.test(std::slice::from_ref(batch), None).await?;
            if let Some(versions) = before.filter(|before| self.versions(batch).as_ref() == Some(before)) {
                for check in passed(batch, &results) {
                    self.note(identity_of(check), &versions);
                }
            }
            tests.results.extend(results);
        }
        match failed(&tests.results) {
            None => Ok(tests),
            Some(failed) => Err(Failure::Project(failed)),
        }
    }

    fn batches_of(&self, model: &ModelName) -> &[CheckBatch] {
        self.guards.get(model).map(Vec::as_slice).unwrap_or_default()
    }

    /// The versions of all that a batch reads. Returns `None` if one of them cannot be told.
    fn versions(&self, batch: &CheckBatch) -> Option<TestedVersions> {
        self.versions_beside(batch, None)
    }

    /// The same where a table is about to be built, which need not be there before.
    fn versions_beside(&self, batch: &CheckBatch, built: Option<&TableKey>) -> Option<TestedVersions> {
        let inputs = batch.inputs().collect::<std::collections::BTreeSet<Input>>();
        let versions =
            self.catalog.observed(|observed| versions_of(&inputs, observed.typed, observed.tables, observed.sources));
        // An input without a version, such as a table of bad records, may have changed.
        let is_there = |name: &TableKey, version: &InputVersion| version.is_there() || built == Some(name);
        let is_known = versions.len() == inputs.len() && versions.iter().all(|(name, version)| is_there(name, version));
        is_known.then_some(versions)
    }

    fn passed_at(&self, identity: &str, on: &TestedVersions) -> Option<DateTime<Utc>> {
        let at = self.record.passed.lock().passed_at(identity, on)?;
        DateTime::from_timestamp_millis(at)
    }

    fn note(&self, identity: String, on: &TestedVersions) {
        let now = self.identity.host.now().timestamp_millis();
        self.record.passed.lock().note(identity, on, now);
        self.record.is_changed.store(true, Ordering::Relaxed);
    }
}

/// The tests of a batch that neither fail nor warn.
fn passed<'b>(batch: &'b CheckBatch, results: &'b [CheckResult]) -> impl Iterator<Item = &'b PlannedCheck> {
    batch.checks.iter().filter(|check| {
        let same = |result: &&CheckResult| {
            result.check.span == check.span && result.check.name == check.name && result.check.sql == check.sql
        };
        results.iter().find(same).is_some_and(|result| result.check.rule.verdict(result.failures).is_none())
    })
}
