//! `karat clone`: the tables of another target become tables of this one, with what is recorded of how they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load::Compiled;
use super::recorder::RunRecorder;
use crate::analyze::{TypedModel, quarantine_table};
use crate::catalog::{Catalog, ObservationScope, OtherTarget, observe};
use crate::execute::{Built, Event, Observer};
use crate::failure::Failure;
use crate::incremental::{CarriedSlices, Decider, Refresh};
use crate::name::{ModelName, TableKey, TableName};
use crate::run::{RunIdentity, Staged};
use crate::store::{CopiedTable, Lake, Observation, Release, Released, StoreError, TableCopy};
use crate::table::{
    InputVersion, Ledger, LedgerCopy, LedgerFound, MADE_AS, Provenance, SliceLayout, StaleSlices, TableState, Tables,
    Version,
};

/// What is cloned.
pub(crate) struct CloneRequest<'a> {
    /// Who clones.
    pub identity: &'a RunIdentity,
    /// The selected models, seeds and snapshots, each after all that it reads.
    pub order: Vec<ModelName>,
    /// Whether tables that are there are replaced.
    pub full_refresh: bool,
}

/// What became of one table.
#[derive(Debug)]
pub(crate) enum CloneOutcome {
    Cloned(ClonedTable),
    /// It was there, and stays as it is.
    Kept,
    /// The other target does not have it.
    NotThere,
    /// It has no table.
    Inlined,
}

impl CloneOutcome {
    /// Lets a recorder know of it, for the record of the run.
    pub fn record(&self, recorder: &RunRecorder<'_>, model: &ModelName) {
        match self {
            CloneOutcome::Cloned(table) => {
                let ClonedTable { version, rows, files, bytes, .. } = *table;
                let built = Built { version, rows, files, bytes, ..Built::default() };
                recorder.event(&Event::Started { model, why: "cloned" });
                recorder.event(&Event::Built { model, built: &built });
            }
            CloneOutcome::Kept => recorder.event(&Event::Unchanged { model, why: "it is there already" }),
            // What was not cloned is listed as skipped.
            CloneOutcome::NotThere | CloneOutcome::Inlined => {}
        }
    }
}

/// A table that was cloned.
#[derive(Debug)]
pub(crate) struct ClonedTable {
    pub version: Version,
    pub rows: u64,
    pub files: usize,
    pub bytes: u64,
    /// Whether all that it holds is up to date as far as its inputs were cloned too.
    pub is_fresh: bool,
}

/// A clone at work.
struct Cloner<'a> {
    compiled: &'a Compiled,
    lake: &'a Lake,
    other: &'a OtherTarget,
    identity: &'a RunIdentity,
    /// The tables of the other target by their names here, and their ledgers with the names of inputs here.
    there: Catalog<'a>,
    /// Delta's ids of these tables.
    ids: BTreeMap<TableKey, String>,
    /// The tables of this target as they were.
    here: Observation,
    /// The tables of this target that are copies of those of the other one, as inputs of others.
    copies: BTreeMap<TableKey, InputVersion>,
    /// What is released when all is done.
    released: BTreeMap<TableKey, Released>,
}

/// Clones what is selected, and tells of each model what became of it. Returns the number of the new release, if there is one.
///
/// Each table is one commit, and tables that are there stay as they are: after an interruption the same command goes on with the others.
/// Readers see all of them together once a release shows them.
///
/// # Errors
///
/// Returns the first failure. What was cloned before stays.
pub(crate) async fn clone_tables(
    compiled: &Compiled,
    lake: &Lake,
    other: &OtherTarget,
    request: &CloneRequest<'_>,
    tell: &dyn Fn(&ModelName, &CloneOutcome),
) -> Result<Option<u64>, Vec<Failure>> {
    let host = compiled.loaded.workspace.host.clone();
    let identity = request.identity;
    lake.prove_once(&move || host.now()).await.map_err(one)?;
    let mut cloner = Cloner::new(compiled, lake, other, identity, &request.order).await?;
    for name in &request.order {
        let Some(model) = compiled.typed.get(name) else { continue };
        let outcome = cloner.model(model, request.full_refresh).await.map_err(|failure| vec![failure])?;
        tell(name, &outcome);
    }
    cloner.release().await.map_err(one)
}

fn one(error: StoreError) -> Vec<Failure> {
    vec![error.into()]
}

impl<'a> Cloner<'a> {
    async fn new(
        compiled: &'a Compiled,
        lake: &'a Lake,
        other: &'a OtherTarget,
        identity: &'a RunIdentity,
        order: &[ModelName],
    ) -> Result<Self, Vec<Failure>> {
        let scope = ObservationScope::of_verification(&compiled.typed, order);
        let observed = observe(compiled.over(lake), &scope).await?;
        let mut there = Tables::new();
        observed.observed(|observed| {
            let states = observed.tables.iter().filter_map(|(name, state)| Some((name, state.as_ref()?)));
            for (name, state) in states.filter(|(_, state)| state.elsewhere.is_some()) {
                there.insert(name.clone(), Some(state.clone()));
            }
        });
        let names = NamesHere::new(compiled, other);
        for state in there.values_mut().flatten() {
            if let Some(renamed) = names.renamed(state) {
                *state = renamed.into();
            }
        }
        let models = order.iter().filter_map(|name| compiled.typed.get(name));
        let selected: BTreeSet<TableName> = models.flat_map(TypedModel::written_tables).collect();
        let written: BTreeSet<TableName> = selected.iter().chain(there.keys()).cloned().collect();
        let here =
            if written.is_empty() { Observation::default() } else { lake.observe_all(&written).await.map_err(one)? };
        let ids = there.iter().filter_map(|(name, state)| Some((name.key(), state.as_ref()?.id.clone()))).collect();
        let there = observed.over(there);
        let copies = BTreeMap::new();
        let released = BTreeMap::new();
        let mut cloner = Self { compiled, lake, other, identity, there, ids, here, copies, released };
        cloner.look_for_copies(&selected).await?;
        Ok(cloner)
    }

    /// Finds those of the tables that are not cloned now, and that are copies already: what is cloned was made of them.
    async fn look_for_copies(&mut self, selected: &BTreeSet<TableName>) -> Result<(), Vec<Failure>> {
        let others = self.here.tables.iter().filter(|(table, _)| !selected.contains(table));
        let others: Vec<_> = others.filter_map(|(table, state)| Some((table.clone(), state.clone()?))).collect();
        for (table, state) in others {
            if let Some(origin) = self.there.state_of(&table)
                && self.is_copy(&table, &state, &origin).await.map_err(one)?
            {
                self.copies.insert(table.key(), state.as_input());
            }
        }
        Ok(())
    }

    /// A table of this target as it was. Returns `None` if there was none.
    fn base(&self, table: &TableName) -> Result<Option<Arc<TableState>>, Failure> {
        match self.here.unreadable.get(table) {
            Some(error) => Err(Failure::from(&**error)),
            None => Ok(self.here.tables.get(table).cloned().flatten()),
        }
    }

    async fn model(&mut self, model: &TypedModel, full_refresh: bool) -> Result<CloneOutcome, Failure> {
        if !model.config.materialized.is_stored() {
            return Ok(CloneOutcome::Inlined);
        }
        if let Some(failure) = self.there.why_unreadable(&model.table) {
            return Err(failure);
        }
        let Some(origin) = self.there.state_of(&model.table) else { return Ok(CloneOutcome::NotThere) };
        let base = self.base(&model.table)?;
        if let Some(base) = base.as_ref().filter(|_| !full_refresh) {
            // Where an earlier clone was interrupted, what is cloned now was made of its tables.
            if self.is_copy(&model.table, base, &origin).await? {
                self.note(&model.table, base);
            }
            return Ok(CloneOutcome::Kept);
        }
        self.bad_records(model).await?;
        let carried = self.there.observed(|observed| Decider::new(*observed, Refresh::Stale).carried(model));
        let is_fresh = carried.stale == StaleSlices::None;
        let made_of = |old: &Provenance, is_fresh: bool| self.made_of(&carried, old, is_fresh);
        let layout = model.layout();
        let job = CopyJob { origin: &origin, layout: &layout, stale: carried.stale.clone(), made_of: &made_of };
        let state = self.copy(&model.table, base.as_deref(), job).await?;
        self.note(&model.table, &state);
        Ok(CloneOutcome::Cloned(ClonedTable {
            version: state.version,
            rows: state.files.iter().filter_map(|file| file.rows).sum(),
            files: state.files.len(),
            bytes: state.files.iter().map(|file| file.bytes).sum(),
            is_fresh,
        }))
    }

    /// The bad records of a model come before its rows: a table whose bad records are missing would be read again.
    async fn bad_records(&mut self, model: &TypedModel) -> Result<(), Failure> {
        let table = quarantine_table(&model.table);
        if let Some(failure) = self.there.why_unreadable(&table) {
            return Err(failure);
        }
        let base = self.base(&table)?;
        let origin = match (self.there.state_of(&table), &base) {
            (Some(origin), Some(base)) if self.is_copy(&table, base, &origin).await? => {
                self.note(&table, base);
                return Ok(());
            }
            (Some(origin), _) => origin,
            // What was bad before is not among the records of the copy.
            (None, Some(base)) if !base.files.is_empty() => Arc::new(without_rows(base)),
            (None, _) => return Ok(()),
        };
        let made_of = |old: &Provenance, _is_fresh: bool| old.clone();
        let job = CopyJob { origin: &origin, layout: &SliceLayout::Whole, stale: StaleSlices::None, made_of: &made_of };
        let state = self.copy(&table, base.as_deref(), job).await?;
        self.note(&table, &state);
        Ok(())
    }

    /// Whether a table is, as it stands, a copy of this state.
    async fn is_copy(&self, table: &TableName, here: &TableState, origin: &TableState) -> Result<bool, StoreError> {
        Ok(self.lake.copied_from(table, here).await? == Some(marked(origin.as_input())))
    }

    /// Copies one table: files first, then the ledger, then the commit that makes them visible.
    async fn copy(
        &self,
        table: &TableName,
        base: Option<&TableState>,
        job: CopyJob<'_>,
    ) -> Result<TableState, Failure> {
        let origin = job.origin;
        let token = self.lake.committer().random.token();
        let token = token.map_err(|source| StoreError::Unavailable { path: table.to_string(), source })?;
        let name = origin.elsewhere.as_ref().map_or(table, |elsewhere| &elsewhere.table);
        let of = CopiedTable { lake: &self.other.lake, name, state: origin };
        let staged = Staged::new(self.lake.stage(table)?);
        let files = self.lake.copy_files(table, &of, staged.staging(), &token).await?;
        let facts = origin.known_ledger().and_then(|ledger| ledger.source_files.as_ref());
        if let Some(facts) = facts {
            self.lake.copy_source_facts(table, &of, facts).await?;
        }
        let id = base.map_or_else(|| Lake::new_table_id(&token), |base| base.id.clone());
        let version = base.map_or(Version::FIRST, |base| base.version.next());
        let ledger = match origin.known_ledger() {
            Some(ledger) => ledger.copied(&LedgerCopy {
                id,
                version,
                digests: job.layout.digests(&files),
                changed_externally: origin.changed_externally(job.layout),
                stale: job.stale,
                made_of: job.made_of,
            }),
            None => Ledger::empty(id, version),
        };
        let why = format!("cloned from version {} of `{name}` in target `{}`", origin.version, self.other.name);
        let mut about = self.identity.commit_info(token, &table.table, &why);
        about.made_as = origin.properties.get(MADE_AS).cloned();
        let copy = TableCopy { of: &of, base, files, ledger, origin: marked(origin.as_input()) };
        let staging = staged.hand_over();
        match self.lake.commit_copy(table, copy, &about).await {
            Ok(()) => {}
            // The commit may yet land: its files stay.
            Err(error @ StoreError::Unknown { .. }) => return Err(error.into()),
            Err(error) => {
                drop(staging.map(Staged::new));
                return Err(error.into());
            }
        }
        let state = self.lake.observe(table).await?;
        let state = state.ok_or_else(|| StoreError::Corrupt {
            path: table.to_string(),
            reason: "it was removed as soon as it was cloned".to_owned(),
        })?;
        if let Err(error) = self.lake.checkpoint(table, &state).await {
            tracing::info!(%error, "no checkpoint was written: the next commit does that");
        }
        Ok(TableState::clone(&state))
    }

    /// Remembers a copy for those that read it, and for the release.
    fn note(&mut self, table: &TableName, state: &TableState) {
        self.copies.insert(table.key(), state.as_input());
        self.released.insert(table.key(), Released { id: state.id.clone(), version: state.version, by: None });
    }

    /// What slices were made of, in the place of the copy. Of an input that was cloned as they read it, they are made of the
    /// clone. Of any other they are made there: this is what makes them stale, or comparable if it is read there.
    fn made_of(&self, carried: &CarriedSlices, old: &Provenance, is_fresh: bool) -> Provenance {
        let inputs = old.inputs.iter().map(|(name, recorded)| {
            let version = match recorded {
                InputVersion::Table { id, version, ledger, target, .. } => {
                    let is_of_now = self.ids.get(name) == Some(id);
                    let is_older = is_fresh && is_of_now && carried.is_older_dimension(name, recorded);
                    match self.copies.get(name).filter(|_| is_fresh && is_of_now && !is_older) {
                        Some(copy) => copy.clone(),
                        None => InputVersion::Table {
                            id: id.clone(),
                            version: *version,
                            ledger: *ledger,
                            target: target.clone().or_else(|| Some(self.other.name.clone())),
                            copied: is_older,
                        },
                    }
                }
                InputVersion::Files(_) | InputVersion::Missing => recorded.clone(),
            };
            (name.clone(), version)
        });
        Provenance { fingerprint: old.fingerprint.clone(), inputs: inputs.collect() }
    }

    /// Shows readers all copies together. Where nothing was ever released and there are other tables, readers see the newest of
    /// everything, and a release of the copies would hide the others.
    async fn release(&self) -> Result<Option<u64>, StoreError> {
        if self.released.is_empty() {
            return Ok(None);
        }
        if self.lake.newest_release().await?.is_none() {
            let mut tables = self.compiled.tables_of_models();
            tables.retain(|table| !self.released.contains_key(&table.key()));
            let found = if tables.is_empty() { Tables::new() } else { self.lake.observe_all(&tables).await?.tables };
            if found.values().any(Option::is_some) {
                return Ok(None);
            }
        }
        let identity = self.identity;
        let release = Release {
            run: identity.id.clone(),
            released: identity.now.timestamp_millis(),
            git: identity.git.clone(),
            tables: self.released.clone(),
        };
        self.lake.release(&release).await
    }
}

/// A table to copy, and what is to be recorded of its slices.
struct CopyJob<'j> {
    origin: &'j TableState,
    layout: &'j SliceLayout,
    stale: StaleSlices,
    made_of: &'j dyn Fn(&Provenance, bool) -> Provenance,
}

/// The table without a row.
fn without_rows(state: &TableState) -> TableState {
    let ledger = LedgerFound::Unknown("nothing is in it".to_owned());
    TableState { files: Arc::default(), ledger, ..state.clone() }
}

/// A state as the commit of its copy names it.
fn marked(origin: InputVersion) -> InputVersion {
    match origin {
        InputVersion::Table { id, version, ledger, target, .. } => {
            InputVersion::Table { id, version, ledger, target, copied: true }
        }
        other => other,
    }
}

/// What the tables of another target are called in this one, where that differs.
struct NamesHere(BTreeMap<TableKey, TableKey>);

impl NamesHere {
    fn new(compiled: &Compiled, other: &OtherTarget) -> Self {
        let both = other.tables.iter().filter_map(|(name, there)| Some((there, &compiled.typed.get(name)?.table)));
        Self(both.filter(|(there, here)| there != here).map(|(there, here)| (there.key(), here.key())).collect())
    }

    /// The same state, whose ledger names inputs as they are called here. Returns `None` if nothing is called otherwise.
    fn renamed(&self, state: &TableState) -> Option<TableState> {
        let ledger = state.known_ledger().filter(|_| !self.0.is_empty())?;
        let mut ledger = Ledger::clone(ledger);
        let renamed = |made_of: &Provenance| {
            let inputs = made_of.inputs.iter();
            let inputs = inputs.map(|(name, version)| (self.0.get(name).unwrap_or(name).clone(), version.clone()));
            Provenance { fingerprint: made_of.fingerprint.clone(), inputs: inputs.collect() }
        };
        for (_, entry) in ledger.slices.iter_mut() {
            entry.provenance = renamed(&entry.provenance).into();
        }
        ledger.default_provenance = ledger.default_provenance.map(|made_of| renamed(&made_of).into());
        Some(TableState { ledger: LedgerFound::Known(ledger.into()), ..state.clone() })
    }
}
