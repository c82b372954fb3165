//! Tables that can be read: pinned files of the lake, listed files of sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::physical_plan::ExecutionPlan;

use super::missing::{MissingKind, NotBuilt, UnreadableTable, not_built};
use super::observer::Observer;
use super::raw_format::raw_format;
use super::watch::{ProgressWatch, ReadAmount};
use crate::analyze::{Input, InputTable, TypedModel, quarantine_table};
use crate::catalog::Catalog;
use crate::delta::{TableSchema, read_schema};
use crate::engine::{KnownFiles, LakeTable, ListedSource, OtherColumns, SourceFindings, SourceReport, SourceTable};
use crate::locked::Locked;
use crate::name::{ModelName, TableName};
use crate::raw::quarantine_schema;
use crate::run_record::run_rows;

use crate::table::{DataFile, Elsewhere, SourceEntry, SourceFacts};

/// Per source what reading it found.
pub(crate) type FoundInSources = Vec<(TableName, SourceFindings)>;

/// Hands out providers over what a catalog has pinned, and hears from sources what they found.
pub(crate) struct Reader<'a> {
    catalog: &'a Catalog<'a>,
    /// The model that is built, if one is: facts about source files lie in its table.
    model: Option<&'a TypedModel>,
    /// Tables that are read as they will be, not as they are.
    instead: BTreeMap<TableName, Instead>,
    /// What is known of the source files of the model.
    facts: Arc<SourceFacts>,
    /// Whether files with bad records are read whatever rows are wanted: the table of bad records is made anew.
    reads_bad_files: bool,
    reports: Locked<Vec<(TableName, Arc<SourceReport>)>>,
    /// The bytes of every table that is read, each counted once.
    expected: Locked<BTreeMap<TableName, u64>>,
    /// Rows and bytes that earlier parts have read.
    read_before: Locked<ReadAmount>,
}

/// A table as it will be.
#[derive(Debug, Clone)]
pub(crate) struct Instead {
    pub files: Arc<Vec<DataFile>>,
    pub schema: TableSchema,
}

impl<'a> Reader<'a> {
    /// A reader for a query.
    pub fn new(catalog: &'a Catalog<'a>) -> Self {
        Self::with_facts(catalog, None, Arc::default())
    }

    /// A reader for the build of a model.
    pub async fn for_model(catalog: &'a Catalog<'a>, model: &'a TypedModel) -> Self {
        let facts = if model.reads_sources() { catalog.kept_facts(model).await } else { Arc::default() };
        Self::with_facts(catalog, Some(model), facts)
    }

    fn with_facts(catalog: &'a Catalog<'a>, model: Option<&'a TypedModel>, facts: Arc<SourceFacts>) -> Self {
        Self {
            catalog,
            model,
            facts,
            reads_bad_files: false,
            instead: BTreeMap::new(),
            reports: Locked::default(),
            expected: Locked::default(),
            read_before: Locked::default(),
        }
    }

    /// What is read from.
    pub fn catalog(&self) -> &'a Catalog<'a> {
        self.catalog
    }

    /// The same reader, but with this for a table.
    pub fn with(mut self, table: &TableName, instead: Instead) -> Reader<'a> {
        self.instead.insert(table.clone(), instead);
        self
    }

    /// The same reader, which finds the bad records of all files, those too that have no row to give.
    pub fn reading_bad_files(self) -> Reader<'a> {
        Reader { reads_bad_files: true, ..self }
    }

    pub fn provide(&self, table: &InputTable) -> EngineResult<Arc<dyn TableProvider>> {
        match (&table.input, self.model) {
            (Input::Model(name), _) => {
                let kind = self.catalog.typed.get(name).map_or(MissingKind::Model, missing_kind);
                let name = self.table_of(name)?;
                self.readable(&name)?;
                if self.files(&name).is_none() {
                    let other_target = self.catalog.other_target.map(str::to_owned);
                    return Err(NotBuilt { table: name.to_string(), kind, other_target }.into());
                }
                self.lake_table(&name, table)
            }
            (Input::This, Some(model)) => self.own_past(model, table),
            (Input::This, None) => not_built(&table.name.table.to_string()),
            (Input::Quarantine(name), _) => {
                let quarantine = quarantine_table(&self.table_of(name)?);
                self.readable(&quarantine)?;
                let schema = read_schema(&quarantine_schema());
                let table = InputTable { schema, ..table.clone() };
                Ok(Arc::new(self.over(&quarantine, &table, self.files(&quarantine).unwrap_or_default())))
            }
            (Input::Runs(runs), _) => {
                // They were read when the lake was observed: a query sees all tables at one moment.
                let rows = run_rows(*runs, &self.catalog.runs)?;
                Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
            }
            (Input::Source(name), _) => self.source(name, &|_| true),
        }
    }

    fn table_of(&self, name: &ModelName) -> EngineResult<TableName> {
        match self.catalog.typed.get(name) {
            Some(model) => Ok(model.table.clone()),
            None => not_built(name.as_str()),
        }
    }

    /// What stands in the place of a table can be read whatever is wrong with the table.
    fn readable(&self, table: &TableName) -> EngineResult<()> {
        match self.catalog.unreadable.get(table) {
            Some(error) if !self.instead.contains_key(table) => {
                Err(DataFusionError::External(Box::new(UnreadableTable(Arc::clone(error)))))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn files(&self, table: &TableName) -> Option<Arc<Vec<DataFile>>> {
        match self.instead.get(table) {
            Some(instead) => Some(Arc::clone(&instead.files)),
            None => self.catalog.state_of(table).map(|state| Arc::clone(&state.files)),
        }
    }

    fn lake_table(&self, name: &TableName, table: &InputTable) -> EngineResult<Arc<dyn TableProvider>> {
        let Some(files) = self.files(name) else { return not_built(&name.to_string()) };
        let lacks = match (self.instead.get(name), self.catalog.state_of(name)) {
            (Some(instead), _) => lacking(&instead.schema, &TableSchema::of(&table.schema)?),
            // The values of partition columns lie in the paths alone: a scan that expects others would find them nowhere.
            (None, Some(state)) if state.partition_columns != table.partition_by => {
                let columns = table.partition_by.clone();
                return Err(DataFusionError::External(Box::new(OtherColumns { table: name.clone(), columns })));
            }
            (None, Some(state)) => lacking(&state.schema, &TableSchema::of(&table.schema)?),
            (None, None) => BTreeSet::new(),
        };
        Ok(Arc::new(self.over(name, table, files).lacking(lacks)))
    }

    /// The table as it is before the build that reads it. What the build adds to its columns is null in its rows.
    fn own_past(&self, model: &TypedModel, table: &InputTable) -> EngineResult<Arc<dyn TableProvider>> {
        let Some(state) = self.catalog.state_of(&model.table) else {
            return Ok(Arc::new(self.over(&model.table, table, Arc::default())));
        };
        let stored = state.schema.columns().unwrap_or_default();
        let is_added = |name: &String| {
            model.schema.field_with_name(name).is_ok() && stored.iter().all(|column| column.name != *name)
        };
        let mut lacks = lacking(&state.schema, &TableSchema::of(&table.schema)?);
        lacks.retain(|name| !is_added(name));
        Ok(Arc::new(self.over(&model.table, table, Arc::clone(&state.files)).lacking(lacks)))
    }

    /// Some files of a model's own table.
    pub fn provide_files(&self, model: &TypedModel, files: impl Into<Arc<Vec<DataFile>>>) -> Arc<dyn TableProvider> {
        let schema = Arc::clone(&model.schema);
        Arc::new(LakeTable::new(model.table.clone(), schema, model.partition_columns(), files))
    }

    fn over(&self, name: &TableName, table: &InputTable, files: Arc<Vec<DataFile>>) -> LakeTable {
        self.expect_bytes(name, files.iter().map(|file| file.bytes).sum());
        let schema = Arc::clone(&table.schema);
        let elsewhere = self.elsewhere(name);
        let place = elsewhere.as_ref().map_or(name, |elsewhere| &elsewhere.table);
        let lake = LakeTable::new(place.clone(), schema, table.partition_by.clone(), files);
        let lake = if elsewhere.is_some() { lake.in_other_lake() } else { lake };
        lake.keeping_partitions(table.keeps_partitions)
    }

    /// Where a table is that another target's is read for. What stands in the place of a table is in the lake.
    fn elsewhere(&self, table: &TableName) -> Option<Arc<Elsewhere>> {
        if self.instead.contains_key(table) {
            return None;
        }
        self.catalog.state_of(table)?.elsewhere.clone()
    }

    /// A source with only these of its files.
    pub fn provide_source_files(
        &self,
        table: &InputTable,
        files: &BTreeSet<String>,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        match &table.input {
            Input::Source(name) => self.source(name, &|entry| files.contains(&entry.path)),
            Input::Model(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => self.provide(table),
        }
    }

    /// A source with only those of its files that are read.
    pub fn source(
        &self,
        name: &TableName,
        is_read: &dyn Fn(&SourceEntry) -> bool,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let (Some(source), Some(listing)) = (self.catalog.project.sources.get(name), self.catalog.listing(name)) else {
            return not_built(&name.to_string());
        };
        let entries: Vec<SourceEntry> = listing.entries.iter().filter(|entry| is_read(entry)).cloned().collect();
        self.expect_bytes(name, entries.iter().map(|entry| entry.size).sum());
        let format = raw_format(source);
        let report = Arc::new(SourceReport::default());
        self.reports.lock().push((name.clone(), Arc::clone(&report)));
        let mut known = known_files(&self.facts, &entries);
        // What is known of a file lets a scan skip it. One with bad records is read all the same where these are wanted.
        known.retain(|_, facts| !self.reads_bad_files || facts.quarantined == 0);
        let known = Arc::new(known);
        let backend = self.catalog.folder.clone();
        let all = Arc::clone(&listing);
        let has_origin_columns = source.has_origin_columns;
        let files = ListedSource { name: name.clone(), backend, format, has_origin_columns, entries, all, known };
        Ok(Arc::new(SourceTable::new(files, report)))
    }

    fn expect_bytes(&self, table: &TableName, bytes: u64) {
        self.expected.lock().insert(table.clone(), bytes);
    }

    /// A part of the work is done: progress goes on from here.
    pub fn part_is_read(&self, plan: &Arc<dyn ExecutionPlan>) {
        *self.read_before.lock() += ReadAmount::read_by(plan.as_ref());
    }

    /// What the sources found while they were read, each source once.
    pub fn take_found(&self) -> FoundInSources {
        let reports = self.reports.lock();
        let mut found: BTreeMap<TableName, SourceFindings> = BTreeMap::new();
        for (name, report) in reports.iter() {
            found.entry(name.clone()).or_default().add(report.take());
        }
        found.into_iter().collect()
    }

    /// Reports how far a plan has come, while it runs.
    pub fn watch<'w>(
        &self,
        observer: &'w dyn Observer,
        model: &'w ModelName,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> ProgressWatch<'w> {
        let reports = self.reports.lock();
        ProgressWatch {
            observer,
            model,
            plan: Arc::clone(plan),
            reports: reports.iter().map(|(_, report)| Arc::clone(report)).collect(),
            total_bytes: self.expected.lock().values().sum(),
            before: *self.read_before.lock(),
        }
    }
}

fn missing_kind(model: &TypedModel) -> MissingKind {
    if model.is_failing_rows() {
        return MissingKind::FailingRows;
    }
    match (model.is_seed(), model.is_snapshot()) {
        (true, _) => MissingKind::Seed,
        (false, true) => MissingKind::Snapshot,
        (false, false) => MissingKind::Model,
    }
}

/// The columns of the second schema that the first has not, with their types.
fn lacking(stored: &TableSchema, wanted: &TableSchema) -> BTreeSet<String> {
    wanted.columns_beyond(stored).into_iter().map(|column| column.name).collect()
}

/// Facts about those of the files that are as they were when the model last read them.
fn known_files(facts: &SourceFacts, entries: &[SourceEntry]) -> KnownFiles {
    let known = entries.iter().filter_map(|entry| {
        let facts = facts.get(&entry.path).filter(|facts| facts.is_as(entry))?;
        Some((entry.path.clone(), Arc::clone(facts)))
    });
    known.collect()
}
