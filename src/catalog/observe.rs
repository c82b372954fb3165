//! Looks at a lake and at source files, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::StreamExt;

use super::for_readers::{ForReaders, state_for_readers};
use super::observation_scope::{ObservationScope, Shown};
use super::other_target::{Deferrable, OtherTarget};
use super::sources::list_all;
use super::{Catalog, Known};
use crate::analyze::TypedModel;
use crate::failure::Failure;
use crate::incremental::{FilesSeen, Windows, facts_of_bad_records, facts_to_read};
use crate::locked::Locked;
use crate::name::{ModelName, TableName};
use crate::project::Project;
use crate::run_record::RunRecord;
use crate::store::{Lake, Observation, READ_AT_ONCE, SourceFolder, StoreError};
use crate::table::{FactsName, SourceFacts};

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
