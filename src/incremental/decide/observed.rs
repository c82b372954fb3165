//! What deciding may look at: the models, and what was seen of tables and source files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::incremental::windows::Windows;
use crate::name::{ModelName, TableKey, TableName};
use crate::store::Unreadable;
use crate::table::{FactsName, InputVersion, SliceKey, SourceFacts, SourceListing, TableState, Tables};

/// Everything that deciding may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed<'a> {
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// What slices read: derived only of models that it matters for.
    pub windows: &'a Windows<'a>,
    pub tables: &'a Tables,
    /// Tables that are there and cannot be read.
    pub unreadable: &'a Unreadable,
    /// Per source a digest of its files: paths, sizes and times.
    pub sources: &'a BTreeMap<TableName, String>,
    /// The files themselves, and what is known of those that were read.
    pub files: &'a FilesSeen,
}

/// The rows of each slice that new and changed files hold, file by file.
pub(crate) type Arrivals = BTreeMap<SliceKey, BTreeMap<String, u64>>;

/// What was seen of source files.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesSeen {
    pub listings: BTreeMap<TableName, Arc<SourceListing>>,
    /// By the names under which ledgers know them.
    pub facts: BTreeMap<FactsName, Arc<SourceFacts>>,
    /// What files will bring, for the models for which somebody has looked.
    pub arrivals: BTreeMap<ModelName, Arrivals>,
}

impl<'a> Observed<'a> {
    /// Returns the state of a model's table; `None` if there is no such table.
    pub fn table_of(&self, model: &TypedModel) -> Option<&'a TableState> {
        self.tables.get(&model.table)?.as_deref()
    }

    /// Returns the first table that cannot be read of those that a model writes or reads: its own come first.
    pub(super) fn unreadable_for(&self, model: &TypedModel) -> Option<&'a TableName> {
        if self.unreadable.is_empty() {
            return None;
        }
        let parents = model.models_read().filter_map(|name| self.typed.get(&name));
        let mut needed = vec![model.table.clone(), quarantine_table(&model.table)];
        needed.extend(parents.map(|parent| parent.table.clone()));
        needed.extend(model.inputs().iter().filter_map(|input| match input {
            Input::Quarantine(name) => Some(quarantine_table(&self.typed.get(name)?.table)),
            Input::Model(_) | Input::Source(_) | Input::This | Input::Runs(_) => None,
        }));
        needed.iter().find_map(|table| self.unreadable.get_key_value(table)).map(|(table, _)| table)
    }
}

/// Returns the version of every input, as the ledger of a build keeps it.
pub(crate) fn input_versions(
    model: &TypedModel,
    typed: &BTreeMap<ModelName, TypedModel>,
    tables: &Tables,
    sources: &BTreeMap<TableName, String>,
) -> BTreeMap<TableKey, InputVersion> {
    versions_of(model.inputs(), typed, tables, sources)
}

/// Returns the versions of inputs. Those whose changes make nothing stale are left out.
pub(crate) fn versions_of(
    inputs: &BTreeSet<Input>,
    typed: &BTreeMap<ModelName, TypedModel>,
    tables: &Tables,
    sources: &BTreeMap<TableName, String>,
) -> BTreeMap<TableKey, InputVersion> {
    let mut versions = BTreeMap::new();
    for input in inputs {
        let Some(name) = input_name(input, typed) else { continue };
        let version = match input {
            Input::Model(parent) => {
                let state = typed.get(parent).and_then(|parent| tables.get(&parent.table)).and_then(Option::as_ref);
                state.map_or(InputVersion::Missing, |state| state.as_input())
            }
            Input::Source(source) => {
                let files = sources.get(source).cloned();
                files.map_or(InputVersion::Missing, InputVersion::Files)
            }
            Input::This | Input::Quarantine(_) | Input::Runs(_) => continue,
        };
        versions.insert(name, version);
    }
    versions
}

/// Returns the name under which a ledger keeps an input; `None` for one whose changes make nothing stale.
pub(super) fn input_name(input: &Input, typed: &BTreeMap<ModelName, TypedModel>) -> Option<TableKey> {
    match input {
        Input::Model(name) => Some(typed.get(name)?.table.key()),
        Input::Source(name) => Some(name.key()),
        Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
    }
}
