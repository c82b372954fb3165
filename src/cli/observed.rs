//! What a command looks at before it works: tables of the lake and files of sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use futures::stream::StreamExt;
use serde_json::json;

use super::app::{App, Compiled};
use super::args::EngineArgs;
use super::console::Tone;
use super::exit::Exit;
use crate::analyze::{Input, quarantine_table};
use crate::check::{CheckBatch, Guards};
use crate::diag::{Code, Diagnostic};
use crate::incremental::{FilesSeen, Refresh, Windows, facts_of_bad_records, facts_to_read};
use crate::name::{ModelName, TableName};
use crate::run::{Failure, Listings, Observer, Session, Turns, Workshop, digests, list_sources};
use crate::store::{Lake, Observation, READ_AT_ONCE, Released, StoreError, Unreadable};
use crate::table::{FactsName, SourceFacts, TableState, Tables};

/// Everything that was looked at before a plan is made.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub tables: Tables,
    /// Tables that are there and cannot be read, which stop only what needs them.
    pub unreadable: Unreadable,
    pub sources: Listings,
    /// What is known of source files, by the name under which ledgers know it.
    pub facts: BTreeMap<FactsName, Arc<SourceFacts>>,
}

impl Seen {
    /// What was seen of source files.
    pub fn files(&self) -> FilesSeen {
        FilesSeen { listings: self.sources.clone(), facts: self.facts.clone(), ..FilesSeen::default() }
    }
}

/// Which state of a table readers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The one of the newest release: what the last complete run has left.
    Released,
    /// The newest.
    Live,
}

/// The tables and sources that some models write or read.
#[derive(Default)]
struct Wanted {
    tables: BTreeSet<TableName>,
    sources: BTreeSet<TableName>,
}

impl Wanted {
    fn input(&mut self, compiled: &Compiled, input: &Input) {
        match input {
            Input::Model(name) => self.tables.extend(compiled.typed.get(name).map(|model| model.table.clone())),
            Input::Quarantine(name) => {
                self.tables.extend(compiled.typed.get(name).map(|model| quarantine_table(&model.table)));
            }
            Input::Source(name) => {
                self.sources.insert(name.clone());
            }
            Input::This => {}
        }
    }
}

/// Lists the files of sources and reads the state of all tables that the models write or read.
pub(crate) fn observe(app: &App<'_>, compiled: &Compiled, order: &[ModelName], checks: &Guards) -> Result<Seen, Exit> {
    let mut wanted = Wanted::default();
    for model in order.iter().filter_map(|name| compiled.typed.get(name)) {
        wanted.tables.insert(model.table.clone());
        let tested = checks.get(&model.name).into_iter().flatten().flat_map(CheckBatch::models);
        wanted.tables.extend(tested.filter_map(|name| compiled.typed.get(&name)).map(|model| model.table.clone()));
        for input in model.inputs() {
            wanted.input(compiled, &input);
            if matches!(input, Input::Source(_)) {
                wanted.tables.insert(quarantine_table(&model.table));
            }
        }
    }
    let mut seen = look(app, compiled, &wanted, Shown::Live)?;
    seen.facts = facts(app, compiled, order, &seen)?;
    Ok(seen)
}

/// What is known of the files of sources: of those that changed, what came from them; of all, how many records are bad.
fn facts(
    app: &App<'_>,
    compiled: &Compiled,
    order: &[ModelName],
    seen: &Seen,
) -> Result<BTreeMap<FactsName, Arc<SourceFacts>>, Exit> {
    let digests = digests(&seen.sources);
    let needed = order.iter().filter_map(|name| compiled.typed.get(name)).filter_map(|model| {
        let state = seen.tables.get(&model.table)?.as_ref()?;
        let digest = facts_of_bad_records(model, state, &digests).or_else(|| facts_to_read(model, state, &digests));
        Some((&model.table, digest?))
    });
    let needed: Vec<(&TableName, &FactsName)> = needed.collect();
    if needed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lake = compiled.loaded.lake(app)?;
    let read = |(table, facts): (&TableName, &FactsName)| {
        let (table, facts) = (table.clone(), facts.clone());
        async move { (facts.clone(), lake.source_files(&table, &facts).await) }
    };
    app.wait(lake, async { futures::stream::iter(needed).map(read).buffer_unordered(READ_AT_ONCE).collect().await })
}

/// Reads the state of tables, and lists the files of sources.
pub(crate) fn observe_inputs(
    app: &App<'_>,
    compiled: &Compiled,
    inputs: &BTreeSet<Input>,
    shown: Shown,
) -> Result<Seen, Exit> {
    let mut wanted = Wanted::default();
    inputs.iter().for_each(|input| wanted.input(compiled, input));
    look(app, compiled, &wanted, shown)
}

/// Tables come before sources: a table that was seen was not made of files that were listed earlier.
fn look(app: &App<'_>, compiled: &Compiled, wanted: &Wanted, shown: Shown) -> Result<Seen, Exit> {
    let mut seen = Seen::default();
    if !wanted.tables.is_empty() {
        let lake = compiled.loaded.lake(app)?;
        let read = app.wait(lake, states(lake, &wanted.tables, shown))?;
        let (found, unreleased) = read.map_err(|error| app.report_failure(compiled, &Failure::from(error)))?;
        if let Some(name) = unreleased.first() {
            return Err(app.report_failure(compiled, &Failure::not_released(name)));
        }
        tell_passed_over(app, lake);
        seen.tables = found.tables;
        seen.unreadable = found.unreadable;
    }
    let folder = compiled.loaded.source_folder();
    let mut failed = None;
    for name in &wanted.sources {
        let Some(source) = compiled.loaded.project.sources.get(name) else { continue };
        match list_sources(&folder, source) {
            Ok(listing) => {
                seen.sources.insert(name.clone(), Arc::new(listing));
            }
            Err(failure) => failed = Some(app.report_failure(compiled, &failure)),
        }
    }
    failed.map_or(Ok(seen), Err)
}

/// Warns of logs that are damaged and could be read all the same: other programs may not get as far.
fn tell_passed_over(app: &App<'_>, lake: &Lake) {
    let word = app.console.paint(Tone::Warn, "warning");
    for text in lake.passed_over() {
        app.console.say("warning", &format!("  {word}    {text}"), json!({"text": text}));
    }
}

/// Reads tables, some at a time. The names are those of tables that exist and are in no release: only a run that did
/// not come to its end has built them.
async fn states(
    lake: &Lake,
    wanted: &BTreeSet<TableName>,
    shown: Shown,
) -> Result<(Observation, BTreeSet<TableName>), StoreError> {
    let release = match shown {
        Shown::Live => None,
        Shown::Released => lake.newest_release().await?,
    };
    // A lake that nobody has released anything of is shown as it is.
    let Some(release) = release else { return Ok((lake.observe_all(wanted).await?, BTreeSet::new())) };
    let read = |name: &TableName| {
        let (name, released) = (name.clone(), release.release.tables.get(&name.to_string()));
        async move {
            let state = match released {
                Some(released) => as_released(lake, &name, released).await,
                None => Ok(None),
            };
            // A table that is there and that nobody can read was not released either, but that is not what is wrong.
            let unreleased = match &state {
                Ok(None) => lake.observe(&name).await,
                Ok(Some(_)) | Err(_) => Ok(None),
            };
            (name, state, unreleased)
        }
    };
    let found: Vec<_> = futures::stream::iter(wanted).map(read).buffer_unordered(READ_AT_ONCE).collect().await;
    let mut seen = Observation::default();
    let mut names = BTreeSet::new();
    for (name, state, unreleased) in found {
        match unreleased {
            Ok(Some(_)) => {
                names.insert(name.clone());
                seen.note(name, state)?;
            }
            Ok(None) => seen.note(name, state)?,
            Err(error) => seen.note(name, Err(error))?,
        }
    }
    Ok((seen.of_a_store_that_opens()?, names))
}

/// A table as a release has it; nothing if it was removed since, and perhaps made anew.
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

/// A workshop over what was seen.
pub(crate) fn workshop<'a>(
    app: &App<'_>,
    compiled: &'a Compiled,
    seen: Seen,
    (args, refresh, observer): (&EngineArgs, Refresh, &'a dyn Observer),
    checks: Guards,
) -> Result<Workshop<'a>, Exit> {
    let loaded = &compiled.loaded;
    let settings = loaded.engine(app, args)?;
    let now = loaded.host.now();
    let session = Session::open(settings).map_err(|error| {
        let diagnostic = Diagnostic::error(Code::RunFailed, error.strip_backtrace());
        app.fail(diagnostic, &loaded.files, Exit::Failed)
    })?;
    Ok(Workshop {
        project: &loaded.project,
        typed: &compiled.typed,
        windows: Arc::new(Windows::new(&compiled.typed)),
        lake: loaded.lake(app)?.clone(),
        folder: loaded.source_folder(),
        session,
        tables: Mutex::new(seen.tables),
        unreadable: seen.unreadable,
        sources: Mutex::new(seen.sources),
        facts: Mutex::new(seen.facts),
        inputs_moved: AtomicBool::new(false),
        checks,
        refresh,
        run_id: format!("{}", now.format("%Y%m%dT%H%M%S%.6f")),
        git: None,
        now,
        observer,
        turns: Turns::default(),
    })
}
