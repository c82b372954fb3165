//! What is known of a lake and of the sources: tables as they were observed, files as they were listed.
//!
//! Commands that read work on one catalog as it was observed. A run brings it up to date step by step: each commit is
//! remembered, so that the steps after it read what was just written and decide by it. Whoever decides looks at everything
//! under one lock ([`Catalog::observed`]): copies of a thousand tables for each of a thousand steps would be quadratic.

mod for_readers;
mod observation_scope;
mod observe;
mod other_target;
mod sources;

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

pub(crate) use observation_scope::{ObservationScope, Shown};
pub(crate) use observe::{CatalogSource, observe};
pub(crate) use other_target::OtherTarget;
use sources::list_all;
pub(crate) use sources::{is_at, list_sources, no_file};

use crate::analyze::TypedModel;
use crate::failure::Failure;
use crate::incremental::{Arrivals, FilesSeen, Observed, Windows, facts_to_read, input_versions};
use crate::locked::Locked;
use crate::name::{ModelName, TableName};
use crate::project::Project;
use crate::run_record::RunRecord;
use crate::store::{Lake, SourceFolder, Unreadable};
use crate::table::{Provenance, SourceFacts, SourceListing, TableState, Tables};

/// A project over a lake and over source files, as far as they were looked at.
pub(crate) struct Catalog<'a> {
    pub project: &'a Project,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// What every model reads, derived for those that are asked for.
    pub windows: Arc<Windows<'a>>,
    pub lake: Lake,
    /// Where source files lie.
    pub folder: SourceFolder,
    /// Tables that are there and cannot be read: they stop only what needs them.
    pub unreadable: Arc<Unreadable>,
    /// What runs have done, the newest first; empty if nobody asks.
    pub runs: Arc<Vec<RunRecord>>,
    /// The target in which tables were looked for that are not in the lake.
    pub other_target: Option<&'a str>,
    known: Locked<Known>,
}

/// What changes while a run goes on.
#[derive(Default, Clone)]
struct Known {
    tables: Tables,
    /// Per source a digest of its files.
    digests: BTreeMap<TableName, String>,
    files: FilesSeen,
}

impl Known {
    fn list(&mut self, source: TableName, listing: Arc<SourceListing>) {
        self.digests.insert(source.clone(), listing.digest.clone());
        self.files.listings.insert(source, listing);
    }
}

impl<'a> Catalog<'a> {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }

    /// The same project and lake with these states of the tables: what was built can be computed again from what it was
    /// made of.
    pub fn over(&self, tables: Tables) -> Catalog<'a> {
        let known = self.known();
        // What is known of source files is true of the newest state of a table alone.
        let files = FilesSeen { listings: known.files.listings.clone(), ..FilesSeen::default() };
        let digests = known.digests.clone();
        Catalog {
            project: self.project,
            typed: self.typed,
            windows: Arc::clone(&self.windows),
            lake: self.lake.clone(),
            folder: self.folder.clone(),
            unreadable: Arc::clone(&self.unreadable),
            runs: Arc::clone(&self.runs),
            other_target: self.other_target,
            known: Locked::new(Known { tables, digests, files }),
        }
    }

    /// Looks at all that is known by now.
    pub fn observed<T>(&self, look: impl FnOnce(&Observed<'_>) -> T) -> T {
        let known = self.known();
        look(&Observed {
            typed: self.typed,
            windows: &self.windows,
            tables: &known.tables,
            unreadable: &self.unreadable,
            sources: &known.digests,
            files: &known.files,
        })
    }

    /// Returns `None` if the table does not exist, or was not looked at.
    pub fn state_of(&self, table: &TableName) -> Option<Arc<TableState>> {
        self.known().tables.get(table).cloned().flatten()
    }

    /// Notes a state of a table, unless a newer one of the same table is known: another batch may have committed while this
    /// one was read.
    pub fn remember(&self, table: &TableName, state: Option<Arc<TableState>>) {
        let mut known = self.known();
        // The identity is compared too: a table that was removed and made anew begins at version 0.
        let newer = known.tables.get(table).and_then(Option::as_ref).filter(|newest| {
            state.as_ref().is_some_and(|state| state.id == newest.id && state.version < newest.version)
        });
        if newer.is_none() {
            known.tables.insert(table.clone(), state);
        }
    }

    /// Takes a table for one that was not looked at.
    pub fn forget(&self, table: &TableName) {
        self.known().tables.remove(table);
    }

    /// Why a table cannot be read. Returns `None` if it can be.
    pub fn why_unreadable(&self, table: &TableName) -> Option<Failure> {
        self.unreadable.get(table).map(|error| Failure::from(&**error))
    }

    /// The files of a source. Returns `None` if they were not listed.
    pub fn listing(&self, source: &TableName) -> Option<Arc<SourceListing>> {
        self.known().files.listings.get(source).cloned()
    }

    /// The listings of the sources that a model reads.
    pub fn listings_of(&self, model: &TypedModel) -> Vec<Arc<SourceListing>> {
        model.sources_read().filter_map(|name| self.listing(&name)).collect()
    }

    /// Per source a digest of its files.
    pub fn source_digests(&self) -> BTreeMap<TableName, String> {
        self.known().digests.clone()
    }

    /// What the rows of a build are made of: the code, and the inputs as they are known now.
    pub fn provenance(&self, model: &TypedModel) -> Provenance {
        let known = self.known();
        let inputs = input_versions(model, self.typed, &known.tables, &known.digests);
        Provenance { fingerprint: model.fingerprint.clone(), inputs }
    }

    /// Lists the files of a model's sources once more.
    ///
    /// # Errors
    ///
    /// Returns an error if a source cannot be listed, or has no files.
    pub async fn list_again(&self, model: &TypedModel) -> Result<(), Failure> {
        let sources = model.sources_read().filter_map(|name| self.project.sources.get(&name));
        for (name, listing) in list_all(&self.folder, sources).await {
            self.known().list(name, Arc::new(listing?));
        }
        Ok(())
    }

    /// Reads what is known of the files of a model's source, where a decision needs it.
    pub async fn learn_facts(&self, model: &TypedModel) {
        let Some(state) = self.state_of(&model.table) else { return };
        let wanted = facts_to_read(model, &state, &self.known().digests).cloned();
        if let Some(digest) = wanted {
            let facts = self.lake.source_files(&model.table, &digest).await;
            self.known().files.facts.insert(digest, facts);
        }
    }

    /// Notes what new and changed files will bring to a model.
    pub fn foresee(&self, model: ModelName, arrivals: Arrivals) {
        self.known().files.arrivals.insert(model, arrivals);
    }

    /// The facts about source files that are kept beside a model's table.
    pub async fn kept_facts(&self, model: &TypedModel) -> Arc<SourceFacts> {
        let state = self.state_of(&model.table);
        let Some(ledger) = state.as_ref().and_then(|state| state.known_ledger()) else { return Arc::default() };
        // Under another fingerprint the columns may have had other types, and their ranges another unit.
        if ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
            return Arc::default();
        }
        match &ledger.source_files {
            Some(digest) => self.lake.source_files(&model.table, digest).await,
            None => Arc::default(),
        }
    }
}
