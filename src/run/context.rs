//! What the steps of a run share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::commit_locks::CommitLocks;
use super::known_passes::KnownPasses;
use crate::analyze::{TypedModel, quarantine_table};
use crate::catalog::Catalog;
use crate::check::{Guards, HooksOfModels};
use crate::diag::{Code, Diagnostic};
use crate::execute::{Engine, Observer, Tester};
use crate::failure::Failure;
use crate::host::Host;
use crate::incremental::{Decider, Decision, Refresh};
use crate::plan::Batch;
use crate::store::CommitInfo;

/// A run at work: what is known, what computes, and what its commits say of it.
pub(crate) struct RunContext<'a> {
    pub catalog: Catalog<'a>,
    pub engine: Engine,
    /// The data tests without which nothing is committed.
    pub guards: Guards,
    /// What is run before and after a model is built.
    pub hooks: HooksOfModels,
    /// Whether tests are run again on versions of tables on which they have passed.
    pub reruns_tests: bool,
    pub(super) record: KnownPasses,
    /// How a person asked: what must be decided again is decided by it.
    pub refresh: Refresh,
    pub identity: RunIdentity,
    pub observer: &'a dyn Observer,
    locks: CommitLocks,
    /// Whether a step has looked at an input once more: then the tables may not belong together.
    inputs_moved: AtomicBool,
}

/// Which run it is.
pub(crate) struct RunIdentity {
    pub id: String,
    /// The project's revision, for commits, if it is kept in git.
    pub git: Option<String>,
    /// When the run began.
    pub now: DateTime<Utc>,
    /// Where the time is asked for.
    pub host: Arc<dyn Host>,
}

impl RunIdentity {
    /// A run that begins now; `commits` says whether it will name the project's revision.
    pub fn new(host: Arc<dyn Host>, commits: bool) -> Self {
        let now = host.now();
        let git = if commits { host.git_revision() } else { None };
        Self { id: format!("{}", now.format("%Y%m%dT%H%M%S%.6f")), git, now, host }
    }

    /// What a commit of this run says of itself.
    pub fn commit_info(&self, token: String, model: &str, why: &str) -> CommitInfo {
        CommitInfo {
            token,
            model: model.to_owned(),
            run: self.id.clone(),
            why: why.to_owned(),
            git: self.git.clone(),
            made_as: None,
            now: self.now.timestamp_millis(),
        }
    }
}

impl<'a> RunContext<'a> {
    pub fn new(
        catalog: Catalog<'a>,
        engine: Engine,
        refresh: Refresh,
        identity: RunIdentity,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            catalog,
            engine,
            guards: Guards::new(),
            hooks: HooksOfModels::new(),
            reruns_tests: false,
            record: KnownPasses::default(),
            refresh,
            identity,
            observer,
            locks: CommitLocks::default(),
            inputs_moved: AtomicBool::new(false),
        }
    }

    /// The same run, in which these data tests guard every commit.
    pub fn guarded(self, guards: Guards, reruns_tests: bool) -> Self {
        Self { guards, reruns_tests, ..self }
    }

    /// The same run with hooks.
    pub fn hooked(self, hooks: HooksOfModels) -> Self {
        Self { hooks, ..self }
    }

    /// How much of a model's table a person asked for, as far as that is allowed.
    pub(super) fn refresh_of(&self, model: &TypedModel) -> Refresh {
        self.refresh.allowed_for(model)
    }

    pub fn tester(&self) -> Tester<'_> {
        Tester { catalog: &self.catalog, engine: &self.engine, observer: self.observer }
    }

    pub(super) fn locks(&self) -> &CommitLocks {
        &self.locks
    }

    /// Whether a step has found an input in another state than the run has observed at first.
    pub(super) fn have_inputs_moved(&self) -> bool {
        self.inputs_moved.load(Ordering::Relaxed)
    }

    /// What is to do now that the inputs are as this run leaves them: a decider decides, as it did for the plan, of what is
    /// known by now.
    pub(super) fn decide_again(&self, model: &TypedModel, batch: Option<&Batch>) -> Decision {
        self.catalog.observed(|observed| {
            let decider = Decider::new(*observed, self.refresh);
            match batch {
                Some(batch) => decider.decide_slices(model, &batch.slices, batch.asked),
                None => decider.decide(model),
            }
        })
    }

    /// Looks at a model's table and its inputs once more.
    pub(super) async fn look_again(&self, model: &TypedModel) -> Result<(), Failure> {
        let catalog = &self.catalog;
        // The table before its inputs: what it was made of must not be newer than what is built from now.
        for table in [model.table.clone(), quarantine_table(&model.table)] {
            let state = catalog.lake.observe(&table).await?;
            catalog.remember(&table, state);
        }
        for parent in model.models_read().filter_map(|name| catalog.typed.get(&name)) {
            let before = catalog.state_of(&parent.table);
            // What is read from another target stays as it was pinned: this run and its like do not write there.
            if before.as_ref().is_some_and(|before| before.elsewhere.is_some()) {
                continue;
            }
            let state = catalog.lake.observe(&parent.table).await?;
            let before = before.map(|before| before.version);
            if before != state.as_ref().map(|state| state.version) {
                self.inputs_moved.store(true, Ordering::Relaxed);
            }
            catalog.remember(&parent.table, state);
        }
        catalog.list_again(model).await?;
        catalog.learn_facts(model).await;
        Ok(())
    }

    /// Random, unique to one commit.
    pub(super) fn token(&self) -> Result<String, Failure> {
        let token = self.catalog.lake.committer().random.token();
        token.map_err(|error| Failure::World(Diagnostic::error(Code::Storage, error.to_string())))
    }
}
