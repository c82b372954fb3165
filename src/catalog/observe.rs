//! Looks at a lake and at source files, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::StreamExt;

use super::other_target::{Deferrable, OtherTarget};
use super::sources::list_all;
use super::{Catalog, Known};
use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::check::{CheckBatch, Guards};
use crate::failure::Failure;
use crate::incremental::{FilesSeen, Windows, facts_of_bad_records, facts_to_read};
use crate::locked::Locked;
use crate::name::{ModelName, TableName};
use crate::project::Project;
use crate::run_record::RunRecord;
use crate::store::{Lake, Observation, READ_AT_ONCE, Released, SourceFolder, StoreError};
use crate::table::{FactsName, SourceFacts, TableState};

/// Which state of a table readers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shown {
    /// The one of the newest release: what the last complete run has left.
    Released,
    /// The newest.
    #[default]
    Live,
}

/// What is looked at.
#[derive(Debug, Default)]
pub(crate) struct ObservationScope {
    pub(super) tables: BTreeSet<TableName>,
    /// Tables that belong to no release, and are shown as they are.
    unreleased: BTreeSet<TableName>,
    sources: BTreeSet<TableName>,
    /// Models for which decisions will be made: these need to know what source files held when they were read.
    pub(super) decided: Vec<ModelName>,
    shown: Shown,
    /// Whether records of runs are read.
    reads_runs: bool,
    /// Whether a source that cannot be listed is left out.
    is_lenient: bool,
}

impl ObservationScope {
    /// Everything that these models write or read, and what their tests read.
    pub fn of_models(typed: &BTreeMap<ModelName, TypedModel>, order: &[ModelName], guards: &Guards) -> Self {
        let mut scope = Self { decided: order.to_vec(), ..Self::default() };
        for model in order.iter().filter_map(|name| typed.get(name)) {
            scope.tables.insert(model.table.clone());
            let tested = guards.get(&model.name).into_iter().flatten().flat_map(CheckBatch::inputs);
            tested.for_each(|input| scope.add(typed, &input));
            for input in model.inputs() {
                scope.add(typed, &input);
                if matches!(input, Input::Source(_)) {
                    scope.tables.insert(quarantine_table(&model.table));
                }
            }
        }
        scope
    }

    /// What a query or a data test reads.
    pub fn of_inputs(typed: &BTreeMap<ModelName, TypedModel>, inputs: &BTreeSet<Input>, shown: Shown) -> Self {
        let mut scope = Self { shown, ..Self::default() };
        inputs.iter().for_each(|input| scope.add(typed, input));
        scope
    }

    /// The tables of stored models and what these were made of. Source files that cannot be listed any more are no error:
    /// what was made of them cannot be verified.
    pub fn of_verification(typed: &BTreeMap<ModelName, TypedModel>, order: &[ModelName]) -> Self {
        let mut scope = Self { is_lenient: true, ..Self::default() };
        let models = order.iter().filter_map(|name| typed.get(name));
        for model in models.filter(|model| model.config.materialized.is_stored()) {
            scope.tables.insert(model.table.clone());
            model.models_read().for_each(|name| scope.add(typed, &Input::Model(name)));
            scope.sources.extend(model.sources_read());
        }
        scope
    }

    /// The tables of all models that have one.
    pub fn of_tables(typed: &BTreeMap<ModelName, TypedModel>) -> Self {
        let stored = typed.values().filter(|model| model.config.materialized.is_stored());
        Self { tables: stored.map(|model| model.table.clone()).collect(), ..Self::default() }
    }

    /// The same, where a source that cannot be listed is left out.
    pub fn lenient(self) -> Self {
        Self { is_lenient: true, ..self }
    }

    fn add(&mut self, typed: &BTreeMap<ModelName, TypedModel>, input: &Input) {
        match input {
            Input::Model(name) => {
                let Some(model) = typed.get(name) else { return };
                // What a test has found is of interest although nothing was released, and just because of that.
                let tables = if model.is_failing_rows() { &mut self.unreleased } else { &mut self.tables };
                tables.insert(model.table.clone());
            }
            Input::Quarantine(name) => {
                self.tables.extend(typed.get(name).map(|model| quarantine_table(&model.table)));
            }
            Input::Source(name) => {
                self.sources.insert(name.clone());
            }
            Input::Runs(_) => self.reads_runs = true,
            Input::This => {}
        }
    }
}

/// Where to look.
#[derive(Clone)]
pub(crate) struct CatalogSource<'a> {
    pub project: &'a Project,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub lake: Lake,
    /// Where source files lie.
    pub folder: SourceFolder,
    /// Where tables are read that nobody builds here.
    pub other: Option<&'a OtherTarget>,
}

/// Reads the states of tables and lists the files of sources. Tables come first: a table that was seen was not made of
/// files that were listed earlier.
///
/// # Errors
///
/// Returns every failure: a store that does not answer, a table that exists and that nobody has released where readers are
/// shown releases, and each source whose files cannot be listed.
pub(crate) async fn observe<'a>(
    place: CatalogSource<'a>,
    scope: &ObservationScope,
) -> Result<Catalog<'a>, Vec<Failure>> {
    let CatalogSource { project, typed, lake, folder, other } = place;
    let observation = match other {
        _ if scope.tables.is_empty() => Ok(Observation::default()),
        None => states(&lake, &scope.tables, scope.shown).await,
        Some(other) => states_of_both(&lake, other, other.deferrable(typed, scope), scope).await,
    };
    let mut observation = observation.map_err(|failure| vec![failure])?;
    if !scope.unreleased.is_empty() {
        let live = lake.observe_all(&scope.unreleased).await.map_err(|error| vec![Failure::from(error)])?;
        observation.tables.extend(live.tables);
        observation.unreadable.extend(live.unreadable);
    }
    let sources = scope.sources.iter().filter_map(|name| project.sources.get(name));
    let mut known = Known { tables: observation.tables, ..Known::default() };
    let mut failures = Vec::new();
    for (name, listed) in list_all(&folder, sources).await {
        match listed {
            Ok(listing) => known.list(name, Arc::new(listing)),
            Err(_) if scope.is_lenient => {}
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    let decided = scope.decided.iter().filter_map(|name| typed.get(name));
    known.files = FilesSeen { facts: facts(&lake, decided, &known).await, ..known.files };
    let windows = Arc::new(Windows::new(typed));
    let unreadable = Arc::new(observation.unreadable);
    let runs = match scope.reads_runs {
        true => records(&lake).await.map_err(|failure| vec![failure])?,
        false => Vec::new(),
    };
    let other_target = other.map(|other| other.name.as_str());
    let runs = Arc::new(runs);
    Ok(Catalog { project, typed, windows, lake, folder, unreadable, runs, other_target, known: Locked::new(known) })
}

/// The records of all runs. One that cannot be read is a failure: without it every count would be wrong.
async fn records(lake: &Lake) -> Result<Vec<RunRecord>, Failure> {
    let found = lake.runs(usize::MAX).await?;
    match found.unreadable.into_iter().next() {
        None => Ok(found.records),
        Some(wrong) => {
            let (path, reason) = wrong.split_once(": ").unwrap_or((wrong.as_str(), ""));
            Err(StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() }.into())
        }
    }
}

/// What is known of the files of sources: of those that changed, what came from them; of all, how many records are bad.
async fn facts<'m>(
    lake: &Lake,
    models: impl Iterator<Item = &'m TypedModel>,
    known: &Known,
) -> BTreeMap<FactsName, Arc<SourceFacts>> {
    let needed = models.filter_map(|model| {
        let state = known.tables.get(&model.table)?.as_ref()?;
        let digests = &known.digests;
        let facts = facts_of_bad_records(model, state, digests).or_else(|| facts_to_read(model, state, digests))?;
        Some((model.table.clone(), facts.clone()))
    });
    let read = needed.map(|(table, facts)| async move {
        let found = lake.source_files(&table, &facts).await;
        (facts, found)
    });
    futures::stream::iter(read).buffer_unordered(READ_AT_ONCE).collect().await
}

/// Reads tables of this target, and in the place of those that it lacks, and that are not built, those of another one. Where the
/// other one is favored, its tables are read whether this one has them or not.
async fn states_of_both(
    lake: &Lake,
    other: &OtherTarget,
    deferrable: Vec<Deferrable>,
    scope: &ObservationScope,
) -> Result<Observation, Failure> {
    let mut wanted = scope.tables.clone();
    // Whether bad records are read of the other target is decided by where the rows are.
    wanted.extend(deferrable.iter().map(|model| model.here[0].clone()));
    if other.is_favored {
        let favored = other.observe(&deferrable).await?;
        wanted.retain(|table| !favored.tables.contains_key(table) && !favored.unreadable.contains_key(table));
        let mut seen =
            if wanted.is_empty() { Observation::default() } else { states(lake, &wanted, scope.shown).await? };
        seen.tables.extend(favored.tables);
        seen.unreadable.extend(favored.unreadable);
        return Ok(seen);
    }
    let mut seen = states(lake, &wanted, scope.shown).await?;
    let is_missing = |model: &Deferrable| seen.tables.get(&model.here[0]).is_some_and(Option::is_none);
    let missing: Vec<Deferrable> = deferrable.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let found = other.observe(&missing).await?;
        seen.tables.extend(found.tables);
        seen.unreadable.extend(found.unreadable);
    }
    Ok(seen)
}

/// Reads tables, some at a time.
async fn states(lake: &Lake, wanted: &BTreeSet<TableName>, shown: Shown) -> Result<Observation, Failure> {
    let release = match shown {
        Shown::Live => None,
        Shown::Released => lake.newest_release().await?,
    };
    // A lake that nobody has released anything of is shown as it is.
    let Some(release) = release else { return Ok(lake.observe_all(wanted).await?) };
    let read = wanted.iter().map(|name| {
        let released = release.release.tables.get(&name.key());
        async move { (name.clone(), state_for_readers(lake, name, released).await) }
    });
    let found: Vec<_> = futures::stream::iter(read).buffer_unordered(READ_AT_ONCE).collect().await;
    let mut seen = Observation::default();
    let mut unreleased = BTreeSet::new();
    for (name, state) in found {
        match state {
            Ok(ForReaders::Released(state)) => seen.note(name, Ok(state))?,
            Ok(ForReaders::Unreleased) => {
                unreleased.insert(name.clone());
                seen.note(name, Ok(None))?;
            }
            Err(error) => seen.note(name, Err(error))?,
        }
    }
    let seen = seen.of_a_store_that_opens()?;
    match unreleased.first() {
        None => Ok(seen),
        Some(name) => Err(Failure::not_released(name)),
    }
}

/// What readers are shown of a table.
pub(super) enum ForReaders {
    /// None if the table does not exist.
    Released(Option<Arc<TableState>>),
    /// Only a run that did not come to its end has built it.
    Unreleased,
}

pub(super) async fn state_for_readers(
    lake: &Lake,
    name: &TableName,
    released: Option<&Released>,
) -> Result<ForReaders, StoreError> {
    let state = match released {
        Some(released) => as_released(lake, name, released).await?,
        None => None,
    };
    match state {
        Some(state) => Ok(ForReaders::Released(Some(state))),
        None => match lake.observe(name).await? {
            Some(_) => Ok(ForReaders::Unreleased),
            None => Ok(ForReaders::Released(None)),
        },
    }
}

/// A table as a release has it. Returns `None` if it was removed since, and perhaps made anew.
async fn as_released(
    lake: &Lake,
    name: &TableName,
    released: &Released,
) -> Result<Option<Arc<TableState>>, StoreError> {
    match lake.at_version(name, released.version).await {
        Ok(state) => Ok(state.filter(|state| state.id == released.id)),
        // Another table under the same name does not have as many versions yet.
        Err(error @ StoreError::Corrupt { .. }) => match lake.observe(name).await? {
            Some(now) if now.id != released.id => Ok(None),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}
