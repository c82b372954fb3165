//! How two states of a table differ: columns, rows by slice, and changed values by key.

mod pin;
mod place;
mod plans;
mod report;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use pin::DiffSide;
use pin::PinnedTable;
pub(crate) use place::{TableMoment, TablePlace};
use plans::{ComparedTables, TableSide};
pub(crate) use report::TableDiff;
use report::{ComparedTypes, DiffState};

use super::load::Loaded;
use crate::day::Grain;
use crate::delta::StoredColumn;
use crate::diag::{Code, Diagnostic};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::name::TableName;

/// What is compared, and how.
pub(crate) struct DiffRequest<'a> {
    pub from: DiffSide<'a>,
    pub to: DiffSide<'a>,
    /// What the project says of the table.
    pub facts: ComparedFacts,
    /// The key that was asked for. Empty: that of the project.
    pub key: Vec<String>,
    /// So many rows are shown of each kind. `None`: all of them.
    pub most: Option<usize>,
}

/// What a project says of the rows of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct ComparedFacts {
    /// The columns that tell rows apart. Empty if nobody says so.
    pub key: Vec<String>,
    /// The column that places a row in time, and the length of a slice.
    pub sliced_by: Option<SlicedBy>,
}

/// By what rows are dealt to slices.
#[derive(Debug, Clone)]
pub(crate) struct SlicedBy {
    pub event_time: String,
    pub grain: Grain,
}

impl ComparedFacts {
    /// What the project says of the model that makes a table: its `unique_key`, or the columns of a test that they are unique.
    pub fn new(loaded: &Loaded, table: &TableName) -> Self {
        let Some(rendered) = loaded.rendered.outlines().find(|model| model.table == *table) else {
            return Self::default();
        };
        let config = &rendered.config;
        let mut key: Vec<String> = config.unique_key.iter().map(|column| column.value.clone()).collect();
        if let Some(model) = loaded.project.models.get(&rendered.name).filter(|_| key.is_empty()) {
            let combined = model.tests.iter().find_map(|test| {
                let is_combination = test.kind.value == "dbt_utils.unique_combination_of_columns";
                test.arguments.get("combination_of_columns").and_then(Value::as_array).filter(|_| is_combination)
            });
            let is_unique =
                |column: &&crate::project::Column| column.tests.iter().any(|test| test.kind.value == "unique");
            let single = model.columns.iter().find(is_unique).map(|column| column.name.value.clone());
            let listed = combined.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            key = single.map_or_else(|| listed.collect(), |column| vec![column]);
        }
        let event_time = config.event_time.as_ref().map(|column| column.value.clone());
        let sliced_by = event_time.map(|event_time| SlicedBy { event_time, grain: config.batch_size });
        Self { key, sliced_by }
    }
}

impl DiffRequest<'_> {
    /// Compares both states. Nothing is written.
    ///
    /// # Errors
    ///
    /// Returns an error if a state does not exist or cannot be read, or if the key is none of both.
    pub async fn compare(&self, engine: &Engine) -> Result<TableDiff, Failure> {
        engine.add_other_lake(self.from.lake.objects().clone());
        let from = self.from.pin().await?;
        let to = self.to.pin().await?;
        let old = columns_of(&from);
        let new = columns_of(&to);
        let common = common_columns(&old, &new);
        let key = self.known_key(&common)?;
        let missing = self.missing_key(&common);
        let is_one_lake = self.from.target == self.to.target && from.state.id == to.state.id;
        let shared = if is_one_lake { shared_files(&from, &to) } else { BTreeSet::new() };
        let tables = ComparedTables {
            from: TableSide { table: &self.from.table, state: &from.state, is_other_lake: true },
            to: TableSide { table: &self.to.table, state: &to.state, is_other_lake: false },
            columns: common,
            sliced_by: self.facts.sliced_by.as_ref(),
            shared,
            engine,
        };
        let mut found = tables.compare(key, self.most).await?;
        found.key_fault = found.key_fault.or(missing);
        let state = |side: &DiffSide<'_>, pinned: &PinnedTable| DiffState {
            target: side.target.to_owned(),
            table: side.table.to_string(),
            version: pinned.state.version.number(),
            release: pinned.release,
        };
        Ok(TableDiff {
            from: state(&self.from, &from),
            to: state(&self.to, &to),
            columns: column_changes(&old, &new),
            rows: found,
        })
    }

    /// The key by which rows are compared: columns that both states have.
    fn known_key(&self, common: &[StoredColumn]) -> Result<Vec<String>, Failure> {
        let has = |name: &String| common.iter().any(|column| column.name == *name);
        if let Some(unknown) = self.key.iter().find(|name| !has(name)) {
            let message = format!("`{unknown}` is not a column that both states have with one type");
            let diagnostic = Diagnostic::error(Code::UnknownColumn, message);
            return Err(Failure::Project(
                diagnostic.suggest(unknown, common.iter().map(|column| column.name.as_str())),
            ));
        }
        let key = if self.key.is_empty() { &self.facts.key } else { &self.key };
        Ok(if key.iter().all(has) { key.clone() } else { Vec::new() })
    }

    /// Why the key of the project cannot be used, if it cannot.
    fn missing_key(&self, common: &[StoredColumn]) -> Option<String> {
        let has = |name: &&String| common.iter().any(|column| column.name == **name);
        let missing = self.facts.key.iter().find(|name| self.key.is_empty() && !has(name))?;
        Some(format!("the key column `{missing}` is not in both states with one type"))
    }
}

fn columns_of(pinned: &PinnedTable) -> Vec<StoredColumn> {
    pinned.state.schema.columns().unwrap_or_default()
}

/// The columns that both have with the same type, in the order of the new ones.
fn common_columns(old: &[StoredColumn], new: &[StoredColumn]) -> Vec<StoredColumn> {
    new.iter().filter(|column| old.contains(column) && column.field().is_some()).cloned().collect()
}

fn column_changes(old: &[StoredColumn], new: &[StoredColumn]) -> Vec<ComparedTypes> {
    let before: BTreeMap<&str, &StoredColumn> = old.iter().map(|column| (column.name.as_str(), column)).collect();
    let now: BTreeMap<&str, &StoredColumn> = new.iter().map(|column| (column.name.as_str(), column)).collect();
    let words = |column: &&StoredColumn| column.type_in_words();
    let mut names: Vec<&str> = new.iter().map(|column| column.name.as_str()).collect();
    names.extend(old.iter().map(|column| column.name.as_str()).filter(|name| !now.contains_key(name)));
    let change = |name: &str| ComparedTypes {
        column: name.to_owned(),
        from: before.get(name).map(words),
        to: now.get(name).map(words),
    };
    names.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

/// The files that both versions of one table have: their rows are the same, and none of them is read to find differences.
fn shared_files(from: &PinnedTable, to: &PinnedTable) -> BTreeSet<String> {
    let paths = |pinned: &PinnedTable| -> BTreeSet<String> {
        pinned.state.files.iter().map(|file| file.path.to_string()).collect()
    };
    paths(from).intersection(&paths(to)).cloned().collect()
}
