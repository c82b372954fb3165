//! A model as it was planned: what it reads, and how its table is cut.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::fingerprint::fingerprint;
use super::foreign::Rewrite;
use super::rewrite::type_name;
use super::{Input, InputTable, TypedSnapshot, quarantine_table};
use crate::delta::is_event_time;
use crate::name::{ModelName, TableName};
use crate::project::ModelConfig;
use crate::span::FileId;
use crate::table::{Fingerprint, SliceLayout};
use crate::template::{RelationColumn, RelationColumns, RenderedModel};

/// A model whose SQL was planned and type-checked.
#[derive(Debug, Clone)]
pub(crate) struct TypedModel {
    pub name: ModelName,
    pub table: TableName,
    pub file: FileId,
    pub config: ModelConfig,
    /// Not optimized; its scans are [`InputTable`]s.
    pub plan: LogicalPlan,
    /// The plan for a run over a range, where the template asks `is_incremental()`.
    pub sliced: Option<LogicalPlan>,
    /// How versions are found, if it is a snapshot: the plan for later runs gives those that begin.
    pub snapshot: Option<Arc<TypedSnapshot>>,
    /// Names of SELECT lists that were written out in its text.
    pub names: Vec<Rewrite>,
    /// What a reader of the table sees.
    pub schema: SchemaRef,
    /// Decides the rows, together with the inputs: equal fingerprints and inputs, equal rows.
    pub fingerprint: Fingerprint,
}

impl TypedModel {
    /// A model with one plan for all of its rows; `decides` is everything beside its config that decides them.
    pub(super) fn new(rendered: &RenderedModel, plan: LogicalPlan, schema: SchemaRef, decides: &str) -> Self {
        Self {
            name: rendered.name.clone(),
            table: rendered.table.clone(),
            file: rendered.file,
            fingerprint: fingerprint(&rendered.config, decides),
            config: rendered.config.clone(),
            plan,
            sliced: None,
            snapshot: None,
            names: Vec::new(),
            schema,
        }
    }

    /// The stored tables and files that the model reads, through views too.
    pub fn inputs(&self) -> BTreeSet<Input> {
        let mut found = inputs_of(&self.plan);
        found.extend(self.sliced.iter().flat_map(inputs_of));
        found
    }

    /// The columns that a reader of the table sees, as a template may ask for them.
    pub fn relation_columns(&self) -> RelationColumns {
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| RelationColumn { name: field.name().clone(), data_type: type_name(field.data_type()) });
        columns.collect()
    }

    /// The sources that it reads, through views too.
    pub fn sources_read(&self) -> impl Iterator<Item = TableName> {
        self.inputs().into_iter().filter_map(|input| match input {
            Input::Source(name) => Some(name),
            Input::Model(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        })
    }

    /// Whether it reads a source: then it has a table of bad records.
    pub fn reads_sources(&self) -> bool {
        self.sources_read().next().is_some()
    }

    /// The tables that it writes: its own, and one of bad records if it reads files. Empty if it is not stored.
    pub fn written_tables(&self) -> impl Iterator<Item = TableName> {
        let is_stored = self.config.materialized.is_stored();
        let own = is_stored.then(|| self.table.clone());
        own.into_iter().chain((is_stored && self.reads_sources()).then(|| quarantine_table(&self.table)))
    }

    /// The models whose stored tables it reads, through views too.
    pub fn models_read(&self) -> impl Iterator<Item = ModelName> {
        self.inputs().into_iter().filter_map(|input| match input {
            Input::Model(name) => Some(name),
            Input::Source(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        })
    }

    /// Whether its rows are those of a file of the project.
    /// Whether it is the rows that break a data test.
    pub fn is_failing_rows(&self) -> bool {
        self.config.materialized.word() == "test"
    }

    pub fn is_seed(&self) -> bool {
        self.config.materialized.is_loaded()
    }

    /// Whether its table keeps the versions that rows have had.
    pub fn is_snapshot(&self) -> bool {
        self.config.materialized.keeps_versions()
    }

    /// Whether its table holds what a full refresh would build: not if it was added to by batches, each of which read
    /// the inputs and the table itself as they were then.
    pub fn is_refresh_equivalent(&self) -> bool {
        self.config.materialized.is_refresh_equivalent()
    }

    /// How its table is cut into slices, and which files hold them.
    pub fn layout(&self) -> SliceLayout {
        let Some(event_time) = self.slice_time() else { return SliceLayout::Whole };
        if self.config.partition_by.iter().any(|column| column.value == event_time) {
            SliceLayout::ByFile { event_time: event_time.to_owned(), grain: self.config.batch_size }
        } else {
            SliceLayout::Shared
        }
    }

    /// Whether its table is cut into slices.
    pub fn is_sliced(&self) -> bool {
        self.slice_time().is_some()
    }

    /// The column whose times cut its table into slices, if it is one.
    fn slice_time(&self) -> Option<&str> {
        let event_time = self.event_time().filter(|_| self.config.materialized.is_sliced())?;
        let field = self.schema.field_with_name(event_time).ok()?;
        is_event_time(field.data_type()).then_some(event_time)
    }

    /// The names of the columns that its files are cut by.
    pub fn partition_columns(&self) -> Vec<String> {
        self.config.partition_by.iter().map(|column| column.value.clone()).collect()
    }

    /// The column that places its rows in time. A folder may set one that a model without times has not.
    pub fn event_time(&self) -> Option<&str> {
        let column = self.config.event_time.as_ref()?.value.as_str();
        self.schema.field_with_name(column).is_ok().then_some(column)
    }
}

/// Everything below a plan that is read, sub-queries too.
pub(crate) fn inputs_of(plan: &LogicalPlan) -> BTreeSet<Input> {
    let mut found = BTreeSet::new();
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = input_table(scan.source.as_ref())
        {
            found.insert(table.input.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.expect("collecting inputs cannot fail");
    found
}

/// The declared table behind a scan.
pub(crate) fn input_table(source: &dyn datafusion::logical_expr::TableSource) -> Option<&InputTable> {
    (source as &dyn std::any::Any).downcast_ref::<InputTable>()
}
