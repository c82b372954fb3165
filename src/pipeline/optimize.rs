//! `karat optimize`: the small files of tables are put together, planned first and then done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::Compiled;
use crate::analyze::{Input, TypedModel};
use crate::catalog::{Catalog, ObservationScope, Shown, observe};
use crate::execute::{Engine, Event, Observer};
use crate::failure::Failure;
use crate::figures::{bytes, counted, seconds};
use crate::incremental::Refresh;
use crate::name::{ModelName, TableKey};
use crate::plan::{PartitionUpkeep, TableUpkeep, UpkeepOptions};
use crate::run::{FileSum, Optimized, RunContext, RunIdentity, table_upkeep};
use crate::store::{Lake, Numbered, Release, Released, StoreError};
use crate::table::TableState;

/// What is to be done with each table that exists, and what that was decided by.
pub(crate) struct PlannedUpkeep<'a> {
    catalog: Catalog<'a>,
    options: UpkeepOptions,
    pub tables: Vec<PlannedTable<'a>>,
}

/// The table of a model.
pub(crate) struct PlannedTable<'a> {
    pub model: &'a TypedModel,
    state: Arc<TableState>,
    pub upkeep: TableUpkeep,
}

/// What an optimization has done, in numbers.
#[derive(Debug, Default)]
pub(crate) struct OptimizeTotals {
    tables: usize,
    before: FileSum,
    after: FileSum,
    overtaken: usize,
    /// The number of the release, if there is a new one.
    released: Option<u64>,
}

impl<'a> PlannedUpkeep<'a> {
    /// Looks at the tables of models, and plans.
    ///
    /// # Errors
    ///
    /// Returns an error if a table cannot be read.
    pub async fn new(
        compiled: &'a Compiled,
        lake: &Lake,
        order: &[ModelName],
        options: UpkeepOptions,
    ) -> Result<Self, Vec<Failure>> {
        let models: Vec<&TypedModel> = order.iter().filter_map(|name| compiled.typed.get(name)).collect();
        let stored = models.iter().filter(|model| model.config.materialized.is_stored());
        let inputs: BTreeSet<Input> = stored.clone().map(|model| Input::Model(model.name.clone())).collect();
        let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
        let catalog = observe(compiled.over(lake), &scope).await?;
        let mut tables = Vec::new();
        for model in stored {
            if let Some(failure) = catalog.why_unreadable(&model.table) {
                return Err(vec![failure]);
            }
            if let Some(state) = catalog.state_of(&model.table) {
                let upkeep = table_upkeep(model, &state, &options);
                tables.push(PlannedTable { model, state, upkeep });
            }
        }
        Ok(Self { catalog, options, tables })
    }

    /// What the plan amounts to: `12 files of 2 tables would become 3`.
    pub fn summary(&self) -> String {
        let partitions = || self.tables.iter().flat_map(PlannedTable::partitions);
        let tables = self.tables.iter().filter(|table| !table.partitions().is_empty()).count();
        let groups: usize = partitions().map(|partition| partition.groups.len()).sum();
        match partitions().map(PartitionUpkeep::files).sum::<usize>() {
            0 => "nothing to put together".to_owned(),
            files => format!("{} of {} would become {groups}", counted(files, "file"), counted(tables, "table")),
        }
    }

    /// Does what was planned, and tells of each table what became of it. Tables that readers were shown as they were are
    /// shown to them as they are now.
    ///
    /// # Errors
    ///
    /// Returns the first failure. What was done before stays.
    pub async fn run(
        self,
        compiled: &Compiled,
        engine: Engine,
        observer: &dyn Observer,
        tell: &dyn Fn(&ModelName, &Optimized),
    ) -> Result<OptimizeTotals, Failure> {
        let host = compiled.loaded.workspace.host.clone();
        let lake = self.catalog.lake.clone();
        let options = self.options;
        let newest = lake.newest_release().await?;
        let is_work = self.tables.iter().any(|table| !table.partitions().is_empty());
        if is_work {
            let host = host.clone();
            lake.prove_once(&move || host.now()).await?;
        }
        let identity = RunIdentity::new(host, is_work);
        let context = RunContext::new(self.catalog, engine, Refresh::Stale, identity, observer);
        let mut totals = OptimizeTotals::default();
        let mut shown = TablesToRelease::new(newest);
        let mut failed = None;
        for table in &self.tables {
            if table.partitions().is_empty() {
                // An interrupted call may have committed it and not come to its release.
                shown.add(table.model, &table.state);
                continue;
            }
            match context.optimize(table.model, &table.state, table.partitions(), &options).await {
                Ok(optimized) => {
                    totals.add(&optimized);
                    if let Optimized::Committed(files) = &optimized {
                        shown.add(table.model, &files.state);
                    }
                    tell(&table.model.name, &optimized);
                }
                // What was committed is released all the same: else its old files would be kept for as long as nothing is built.
                Err(failure) => {
                    failed = Some(failure);
                    break;
                }
            }
        }
        // The commits stand, and readers see the same rows in the files before.
        match shown.release(&lake, &context.identity).await {
            Ok(number) => totals.released = number,
            Err(error) => {
                let text = format!("the new files are not released: {error}; the next `karat optimize` will do it");
                observer.event(&Event::Warning { text: &text });
            }
        }
        failed.map_or(Ok(totals), Err)
    }
}

impl PlannedTable<'_> {
    fn partitions(&self) -> &[PartitionUpkeep] {
        match &self.upkeep {
            TableUpkeep::Rewrite(partitions) => partitions,
            TableUpkeep::Leave(_) => &[],
        }
    }

    /// Whether it is left alone for a reason that its owner can mend.
    pub fn is_left(&self) -> bool {
        matches!(self.upkeep, TableUpkeep::Leave(_))
    }

    /// The plan for people: a line for the table, and one for each partition. Empty if nothing is worth it.
    pub fn to_text(&self) -> String {
        let name = &self.model.name;
        let partitions = match &self.upkeep {
            TableUpkeep::Leave(why) => return format!("  left      {name:32} {why}\n"),
            TableUpkeep::Rewrite(partitions) => partitions,
        };
        if partitions.is_empty() {
            return String::new();
        }
        let files: usize = partitions.iter().map(PartitionUpkeep::files).sum();
        let groups: usize = partitions.iter().map(|partition| partition.groups.len()).sum();
        let size = bytes(partitions.iter().map(PartitionUpkeep::bytes).sum());
        let sorted: Vec<&str> = self.model.config.sort_by.iter().map(|column| column.value.as_str()).collect();
        let order = if sorted.is_empty() { String::new() } else { format!(", sorted by {}", sorted.join(", ")) };
        let of = self.state.files.len();
        let mut text =
            format!("  optimize  {name:32} {files} of {} become {groups} ({size}){order}\n", counted(of, "file"));
        for partition in partitions {
            let to = partition.groups.len();
            text.push_str(&format!("              {}: {}, to {to}\n", partition.name(), partition.why));
        }
        text
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let partitions = self.partitions().iter().map(|partition| {
            json!({
                "partition": partition.name(), "files": partition.files(), "to": partition.groups.len(),
                "bytes": partition.bytes(), "why": partition.why,
            })
        });
        let left = match &self.upkeep {
            TableUpkeep::Leave(why) => Some(why),
            TableUpkeep::Rewrite(_) => None,
        };
        json!({
            "model": self.model.name.as_str(), "table": self.model.table.to_string(), "files": self.state.files.len(),
            "left": left, "partitions": partitions.collect::<Vec<_>>(),
        })
    }
}

impl OptimizeTotals {
    fn add(&mut self, optimized: &Optimized) {
        match optimized {
            Optimized::Committed(files) => {
                self.tables += 1;
                self.before += files.before;
                self.after += files.after;
            }
            Optimized::Overtaken(_) => self.overtaken += 1,
            Optimized::NoFewer => {}
        }
    }

    /// `done: 40 files of 3 tables became 5 in 0.5 s`.
    pub fn to_text(&self, elapsed: Duration) -> String {
        let overtaken = match self.overtaken {
            0 => String::new(),
            tables => format!("; {} changed meanwhile", counted(tables, "table")),
        };
        let done = match self.tables {
            0 => "nothing to put together".to_owned(),
            tables => {
                let files = counted(self.before.files, "file");
                format!("{files} of {} became {}", counted(tables, "table"), self.after.files)
            }
        };
        format!("done: {done}{overtaken} in {}", seconds(elapsed))
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "tables": self.tables, "files_before": self.before.files, "files_after": self.after.files,
            "bytes_before": self.before.bytes, "bytes_after": self.after.bytes, "overtaken": self.overtaken,
            "release": self.released,
        })
    }
}

/// The tables that readers are shown with the rows that they have now: to show their newest files changes nothing for readers,
/// and the files before are no longer needed.
struct TablesToRelease {
    newest: Option<Numbered>,
    tables: BTreeMap<TableKey, Released>,
}

impl TablesToRelease {
    fn new(newest: Option<Numbered>) -> Self {
        Self { newest, tables: BTreeMap::new() }
    }

    fn add(&mut self, model: &TypedModel, state: &TableState) {
        let key = model.table.key();
        let shown = self.newest.as_ref().and_then(|newest| newest.release.tables.get(&key));
        // Rows that no run has released stay unseen until one does.
        let has_same_rows = shown.is_some_and(|shown| {
            shown.id == state.id && shown.version >= state.has_its_rows_since() && shown.version < state.version
        });
        if has_same_rows {
            self.tables.insert(key, Released { id: state.id.clone(), version: state.version, by: None });
        }
    }

    async fn release(self, lake: &Lake, identity: &RunIdentity) -> Result<Option<u64>, StoreError> {
        if self.tables.is_empty() {
            return Ok(None);
        }
        let released = identity.now.timestamp_millis();
        let git = identity.git.clone();
        lake.release(&Release { run: identity.id.clone(), released, git, tables: self.tables }).await
    }
}
